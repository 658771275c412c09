"""How many made-up examples a property is tried with: some in each run of the tests, many in the long run."""

from __future__ import annotations

import os

MANY = os.environ.get("WALLET_EXAMPLES") == "many"
"""Set by the long run alone (tests/soak/test_properties.py)."""


def examples(daily: int, soak: int) -> int:
    """The number for this run."""
    return soak if MANY else daily
