"""The day an age or interval is reached, worked out once per day and span."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import NamedTuple, TypeVar

from notifications.days import DateRule, Span
from notifications.immunization.rules import ALWAYS, AgeRule, Interval

END_OF_TIME = date(2999, 12, 31)
_Dated = TypeVar("_Dated", AgeRule, Interval)
_ROOM = 65_536
"""Days kept in memory in each of the tables below (about 20 MB when full): birthdays are shared."""


class AgeDays(NamedTuple):
    """The ages of a rule as days of one life; None where the rule says nothing."""

    absolute_minimum: date | None
    minimum: date | None
    earliest_recommended: date | None
    latest_recommended: date | None
    maximum: date | None


class GapDays(NamedTuple):
    """The distances of an interval as days after one start."""

    absolute_minimum: date | None
    minimum: date | None
    earliest_recommended: date | None
    latest_recommended: date | None


@lru_cache(maxsize=_ROOM)
def _after(day: date, years: int, months: int, days: int, rule: DateRule) -> date:
    return Span(years, months, days).after(day, rule)


def reach(day: date, span: Span | None, rule: DateRule) -> date | None:
    """`span` after `day`, None without a span."""
    return None if span is None else _after(day, span.years, span.months, span.days, rule)


@lru_cache(maxsize=_ROOM)
def age_days(ages: AgeRule, born: date, rule: DateRule) -> AgeDays:
    """The days on which somebody born on a day reaches the ages of a rule."""
    return AgeDays(
        *_days(
            born,
            rule,
            ages.absolute_minimum,
            ages.minimum,
            ages.earliest_recommended,
            ages.latest_recommended,
            ages.maximum,
        )
    )


@lru_cache(maxsize=_ROOM)
def gap_days(gap: Interval, start: date, rule: DateRule) -> GapDays:
    """The days on which an interval that starts on a day reaches its distances."""
    return GapDays(
        *_days(
            start, rule, gap.absolute_minimum, gap.minimum, gap.earliest_recommended, gap.latest_recommended
        )
    )


def _days(start: date, rule: DateRule, *spans: Span | None) -> list[date | None]:
    """Each span after one day; one that is the same value as the one before it is not worked out again."""
    found: list[date | None] = []
    before, day = None, None
    for span in spans:
        if span is not before:
            before, day = span, None if span is None else span.after(start, rule)
        found.append(day)
    return found


def within(on: date, since: date, begin: Span | None, end: Span | None, rule: DateRule) -> bool:
    """True if `on` lies in [since + begin, since + end); a missing bound is open."""
    opens, closes = reach(since, begin, rule), reach(since, end, rule)
    return (opens is None or on >= opens) and (closes is None or on < closes)


def latest(days: Iterable[date | None]) -> date | None:
    """The latest of the days that are known, None if none is."""
    return max((day for day in days if day is not None), default=None)


def soonest(days: Iterable[date | None]) -> date | None:
    """The earliest of the days that are known, None if none is."""
    return min((day for day in days if day is not None), default=None)


def holding(rules: tuple[_Dated, ...], on: date) -> tuple[_Dated, ...]:
    """Those of some dated rules that hold on a day."""
    for rule in rules:
        if rule.validity is not ALWAYS and not rule.validity.holds(on):
            return tuple(one for one in rules if one.validity.holds(on))
    return rules
