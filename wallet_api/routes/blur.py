"""Answers about people looked up by number leave after a wait that nobody can foresee.

Somebody who is there costs the database the reading of one small document more: 0.09 ms in 7, which a
thousand quick questions could tell on a quiet machine. The work is the same otherwise, and the budgets allow
far fewer.
"""

from __future__ import annotations

import secrets
import time

from wallet_api.context import services

_CHANCE = secrets.SystemRandom()


def blur() -> None:
    """Wait up to WALLET_LOOKUP_BLUR milliseconds, each time another while."""
    time.sleep(_CHANCE.uniform(0.0, services().settings.lookup_blur / 1000))


def level(began: float, milliseconds: float) -> None:
    """Wait until so long after `began` (of time.monotonic), and a while more that nobody can foresee.

    For answers behind which the work differs: none is faster than another. Off where the blur is.
    """
    if services().settings.lookup_blur:
        time.sleep(max(0.0, began + milliseconds / 1000 - time.monotonic()))
        blur()
