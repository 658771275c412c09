"""Vietnamese days and calendar arithmetic of ages and intervals. Pure: nothing here reads a clock."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

VN = ZoneInfo("Asia/Ho_Chi_Minh")
_SHORTEST_MONTH = 28
_ISO = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?")


class DateRule(StrEnum):
    """What becomes of a day that does not exist (31 May + 9 months = 31 February).

    `first_of_next_month` is CDC CDSi rule CALCDT-5: nobody is due a day before the age is reached.
    `last_of_month` is what most date libraries do.
    """

    FIRST_OF_NEXT_MONTH = "first_of_next_month"
    LAST_OF_MONTH = "last_of_month"

    __hash__ = str.__hash__  # an enumeration's own is four times slower, and days are kept by rule


@dataclass(frozen=True, slots=True)
class Span:
    """A calendar duration, as in ISO 8601 `P1Y7D`: years and months first, then days."""

    years: int = 0
    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read `PnYnMnWnD`; ValueError for anything else, hours included."""
        found = _ISO.fullmatch(text)
        if found is None:
            raise ValueError(f"not a calendar duration: {text!r}")
        years, months, weeks, days = (int(part or 0) for part in found.groups())
        return cls(years, months, weeks * 7 + days)

    def after(self, day: date, rule: DateRule = DateRule.FIRST_OF_NEXT_MONTH) -> date:
        """The day this long after `day`: years and months together, then days; `rule` mends a missing day."""
        moved = self.years * 12 + self.months
        if moved:
            months = day.year * 12 + day.month - 1 + moved
            day = _on(months // 12, months % 12 + 1, day.day, rule)
        return day + timedelta(days=self.days) if self.days else day


def _on(year: int, month: int, day: int, rule: DateRule) -> date:
    if day <= _SHORTEST_MONTH:
        return date(year, month, day)
    last = monthrange(year, month)[1]
    if day <= last:
        return date(year, month, day)
    if rule is DateRule.LAST_OF_MONTH:
        return date(year, month, last)
    return date(year, month, last) + timedelta(days=1)


def vn_day(instant: datetime) -> date:
    """The Vietnamese calendar day of an aware instant."""
    return instant.astimezone(VN).date()
