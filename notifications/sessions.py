"""Days on which a commune vaccinates, as its station or ops published them. Pure values and a port.

Commune stations hold sessions on fixed days of the month, not daily (Circular 34/2018/TT-BYT Art. 11(7)(d)
has delayed children caught up within the month). Where the days are not known nothing is said of them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, Protocol

from notifications.errors import BadSessionDays
from notifications.model import DueItem

TOPIC: Final = "vaccination"
FAR: Final = timedelta(days=45)
"""A session later than this after the recommended day is none to wait for."""
MOST_PERIODS: Final = 24
MOST_DAYS: Final = 120
_COMMUNE: Final = re.compile(r"[0-9]{5}")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SessionPeriod:
    """Sessions of one period, both ends included: single `days`, and days of every `monthly` (1-31).

    Only sessions after `published_on` count: nobody missed a day they could not know of. In a month that
    lacks a day of `monthly` there is no session on it.
    """

    valid_from: date
    valid_to: date
    days: frozenset[date]
    monthly: frozenset[int]
    published_on: date

    def __post_init__(self) -> None:
        if not self.valid_from <= self.valid_to <= self.valid_from + timedelta(days=730):
            raise BadSessionDays("valid_to", "a period ends after it begins, and within two years")
        if not (self.days or self.monthly) or len(self.days) > MOST_DAYS:
            raise BadSessionDays("days", "between one day and 120")
        if any(not self.valid_from <= day <= self.valid_to for day in self.days):
            raise BadSessionDays("days", "a day lies outside the period")
        if any(not 1 <= number <= 31 for number in self.monthly):
            raise BadSessionDays("monthly", "days of a month are 1 to 31")

    def holds(self, day: date) -> bool:
        """Whether there is a session on `day`."""
        inside = max(self.valid_from, self.published_on + _DAY) <= day <= self.valid_to
        return inside and (day in self.days or day.day in self.monthly)


@dataclass(frozen=True, slots=True)
class SessionDays:
    """All that a commune published. `version` rises with each change."""

    commune: str
    periods: tuple[SessionPeriod, ...]
    version: int = 1

    def __post_init__(self) -> None:
        if not _COMMUNE.fullmatch(self.commune):
            raise BadSessionDays("commune", "a commune has a code of 5 digits")
        if len(self.periods) > MOST_PERIODS:
            raise BadSessionDays("periods", "at most 24 periods")
        ordered = sorted(self.periods, key=lambda each: each.valid_from)
        if any(a.valid_to >= b.valid_from for a, b in pairwise(ordered)):
            raise BadSessionDays("periods", "two periods overlap")

    def next_from(self, day: date) -> date | None:
        """The first session on `day` or within 45 days after it."""
        later = (day + timedelta(days=n) for n in range(FAR.days + 1))
        return next((each for each in later if any(one.holds(each) for one in self.periods)), None)


class SessionBook(Protocol):
    """The session days of communes."""

    def of(self, commune: str) -> SessionDays | None:
        """What a commune published, or None."""
        ...

    def publish(self, days: SessionDays, expected: int) -> bool:
        """Put it in the place of version `expected` (0: of nothing). False, and nothing kept, if that is
        not what is there."""
        ...


class MemorySessionBook:
    """SessionBook in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[str, SessionDays] = {}
        self._lock = threading.Lock()

    def of(self, commune: str) -> SessionDays | None:
        """See SessionBook."""
        return self._kept.get(commune)

    def publish(self, days: SessionDays, expected: int) -> bool:
        """See SessionBook."""
        with self._lock:
            known = self._kept.get(days.commune)
            if (known.version if known else 0) != expected:
                return False
            self._kept[days.commune] = days
            return True


def republished(before: SessionDays | None, after: SessionDays) -> SessionDays:
    """The new version, in which a period that stays as it was keeps the day it was published on."""
    if before is None:
        return after
    known = {replace(each, published_on=date.min): each.published_on for each in before.periods}

    def kept(one: SessionPeriod) -> SessionPeriod:
        return replace(one, published_on=known.get(replace(one, published_on=date.min), one.published_on))

    return SessionDays(after.commune, tuple(map(kept, after.periods)), before.version + 1)


def with_sessions(items: Sequence[DueItem], days: SessionDays | None) -> tuple[DueItem, ...]:
    """The same items; a dose that can be reminded of carries the first session from its recommended day."""
    if days is None:
        return tuple(items)
    return tuple(_with_session(each, days) for each in items)


def _with_session(item: DueItem, days: SessionDays) -> DueItem:
    if item.topic != TOPIC or not item.remindable or item.recommended is None:
        return item
    found = days.next_from(item.recommended)
    late = found is not None and item.expires is not None and found >= item.expires
    return item if late else item._replace(session=found)
