"""Minutes of reading under every control, at 70 % of what this machine manages: not one error."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from bench import Options
from bench.sustained import figures

pytestmark = [pytest.mark.soak, pytest.mark.alone]


def test_minutes_of_load_without_an_error(record_property: Callable[[str, object], None]) -> None:
    options = Options(minutes=float(os.environ.get("WALLET_LOAD_MINUTES", "3")))
    found = {each.name: each for each in figures(options)}
    for each in found.values():
        print(each.line())
        record_property(each.name, each.value)
    assert found["sustained_errors"].value == 0
    assert found["sustained_requests"].value > 0
