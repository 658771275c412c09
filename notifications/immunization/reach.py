"""The day an age or interval is reached, worked out once per day and span."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import TypeVar

from notifications.days import DateRule, Span
from notifications.immunization.rules import AgeRule, Interval

BEGINNING, END_OF_TIME = date(1900, 1, 1), date(2999, 12, 31)
_Dated = TypeVar("_Dated", AgeRule, Interval)


@lru_cache(maxsize=262_144)
def _after(day: date, span: Span, rule: DateRule) -> date:
    return span.after(day, rule)


def reach(day: date, span: Span | None, rule: DateRule) -> date | None:
    """`span` after `day`, None without a span."""
    return None if span is None else _after(day, span, rule)


def within(on: date, since: date, begin: Span | None, end: Span | None, rule: DateRule) -> bool:
    """True if `on` lies in [since + begin, since + end); a missing bound is open."""
    if begin is not None and on < _after(since, begin, rule):
        return False
    return end is None or on < _after(since, end, rule)


def latest(days: Iterable[date | None]) -> date | None:
    """The latest of the days that are known, None if none is."""
    return max((day for day in days if day is not None), default=None)


def holding(rules: tuple[_Dated, ...], on: date) -> tuple[_Dated, ...]:
    """Those of some dated rules that hold on a day."""
    return tuple(rule for rule in rules if rule.validity.holds(on))
