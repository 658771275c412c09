"""An organisation's feed: what it is told about the consents it holds, in an order that only grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from wallet_api.events.model import Duty, Event, Holding

OnOverdue = Callable[[Duty], None]
"""Writes an overdue erasure into the access log, durably, before it is told; what it raises stops that."""


class Events(Protocol):
    """What the feed asks of its storage. Events are written by the transaction that changes the grant."""

    def settle(self, asked: Mapping[str, str], now: datetime, overdue: OnOverdue) -> int:
        """Write down what time alone brought to some holdings; how many were looked at."""

    def number(self, organisation_id: str) -> None:
        """Give new events their places. An event with a place never comes behind one that was seen."""

    def after(self, organisation_id: str, since: int, limit: int) -> list[Event]:
        """The events behind a position, in order."""

    def holding(self, grant_id: str) -> Holding | None:
        """What an organisation was last told about a grant."""


@dataclass(frozen=True)
class Page:
    """Part of a feed. `since` is what to ask from next; `more` says that it can be asked at once."""

    events: tuple[Event, ...]
    since: int
    more: bool


class Feed:
    """Reads feeds. What ran out by itself is told when somebody looks: no sweeper has to have come first."""

    def __init__(self, events: Events, now: Callable[[], datetime], overdue: OnOverdue) -> None:
        self._events = events
        self._now = now
        self._overdue = overdue

    def page(self, organisation_id: str, since: int, limit: int) -> Page:
        """The events behind a position. The same question later finds the same, and more."""
        self.settle_organisation(organisation_id)
        self._events.number(organisation_id)
        found = self._events.after(organisation_id, since, limit + 1)
        shown = tuple(found[:limit])
        return Page(shown, shown[-1].position if shown else since, len(found) > limit)

    def settle_organisation(self, organisation_id: str) -> None:
        """Write down what ran out by itself for one organisation."""
        self._events.settle({"organisation_id": organisation_id}, self._now(), self._overdue)

    def settle_citizen(self, citizen_id: str) -> None:
        """Write down what ran out by itself for one citizen."""
        self._events.settle({"citizen_id": citizen_id}, self._now(), self._overdue)

    def sweep(self) -> int:
        """The same for everybody, a part at a time; how many were looked at. For notice, not for truth."""
        return self._events.settle({}, self._now(), self._overdue)

    def current(self, event: Event) -> bool:
        """Whether nothing newer was told about the same grant; asked right before an event is sent."""
        holding = self._events.holding(event.about)
        return holding is None or holding.version <= event.version
