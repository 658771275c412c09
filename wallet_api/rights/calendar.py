"""Working days of Viet Nam, from a cited file: another year is another entry, no code.

Deadlines of ours are computed so that they come too early rather than too late. A year that is not in the
file has weekends alone, which is earlier than the truth; `known` says so. So is every doubt in the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Any, Final

_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class SpecialDay:
    """A holiday, or a day at a weekend that is worked."""

    day: date
    vi: str
    en: str
    source: str


@dataclass(frozen=True)
class WorkingDays:
    """Which days are worked. `years` are those that the file knows."""

    holidays: frozenset[date]
    worked: frozenset[date]
    years: frozenset[int]
    announced: frozenset[int]

    def is_working_day(self, day: date) -> bool:
        """Whether it counts: Monday to Friday and no holiday, or a weekend day that is worked."""
        return day in self.worked or (day.weekday() < _SATURDAY and day not in self.holidays)

    def is_holiday(self, day: date) -> bool:
        """Whether it is a public holiday, or free in the place of one. Weekends alone are none."""
        return day in self.holidays

    def add_working_days(self, day: date, count: int) -> date:
        """The `count`-th working day after `day`; `day` itself, worked or not, for 0.

        Raises ValueError for a negative count.
        """
        if count < 0:
            raise ValueError("working days are counted forward")
        while count:
            day += _DAY
            count -= self.is_working_day(day)
        return day

    def known(self, first: date, last: date) -> bool:
        """Whether every year from `first` to `last` is in the file; otherwise weekends alone are counted."""
        return all(year in self.years for year in range(first.year, last.year + 1))


def load_working_days(raw: str) -> WorkingDays:
    """Read the file.

    Raises ValueError, which stops the start, for an unknown or missing member, a day of another year, a day
    twice, a worked day that is none of a weekend, or a source that is not told.
    """
    told = json.loads(raw)
    if set(told) != {"country", "sources", "years"}:
        raise ValueError("the working days: unknown or missing members")
    holidays, worked, years, announced = set[date](), set[date](), set[int](), set[int]()
    for year in told["years"]:
        if set(year) != {"year", "announced", "note", "holidays", "worked"} or year["year"] in years:
            raise ValueError(f"the working days of {year.get('year')}: unknown, missing or repeated members")
        free, made_up = (_days(year[name], year["year"], told["sources"]) for name in ("holidays", "worked"))
        if free & made_up or any(day.weekday() < _SATURDAY for day in made_up):
            raise ValueError(f"the working days of {year['year']}: a day is both, or is worked anyway")
        holidays |= free
        worked |= made_up
        years.add(year["year"])
        announced |= {year["year"]} if year["announced"] else set()
    return WorkingDays(frozenset(holidays), frozenset(worked), frozenset(years), frozenset(announced))


def _days(rows: list[dict[str, Any]], year: int, sources: dict[str, str]) -> set[date]:
    listed = [SpecialDay(**{**row, "day": date.fromisoformat(row["day"])}) for row in rows]
    days = {one.day for one in listed}
    if len(days) != len(listed) or any(one.day.year != year or not sources.get(one.source) for one in listed):
        raise ValueError(f"the working days of {year}: a day twice, of another year, or without its source")
    return days


VIETNAM: Final = load_working_days(
    files("wallet_api.rights").joinpath("working_days.json").read_text(encoding="utf-8")
)
"""The calendar in force."""


def is_working_day(day: date) -> bool:
    """Whether a Vietnamese day is a working day."""
    return VIETNAM.is_working_day(day)


def add_working_days(day: date, count: int) -> date:
    """The `count`-th Vietnamese working day after `day` (which is not counted)."""
    return VIETNAM.add_working_days(day, count)


def add_days(day: date, count: int) -> date:
    """The day `count` calendar days after `day`.

    Where a law says "days" and not which, these are meant: working days would come later. For the same
    reason a last day that is a holiday is not moved.
    """
    return day + timedelta(days=count)
