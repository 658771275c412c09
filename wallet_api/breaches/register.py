"""The register: entries are opened, moved by compare-and-set, and never deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from wallet_api.breaches.errors import BreachNotFound, BreachStepRefused, StaleBreach
from wallet_api.breaches.model import Breach, Concerned, Reads, State, Step, Window

Journal = Callable[[Breach], None]
"""Writes the act into the access log, durably, before it stands; what it raises stops the act."""


class Breaches(Protocol):
    """What the register asks of its storage."""

    def add(self, breach: Breach) -> None:
        """Keep a new entry; one that is there already under this id is left as it is."""

    def get(self, breach_id: str) -> Breach | None:
        """One entry."""

    def save(self, breach: Breach, *, expected: int) -> None:
        """Put a new version in the place of `expected`, or raise StaleBreach."""

    def newest(self, state: State | None, limit: int) -> list[Breach]:
        """The entries detected last, in one state or in any."""

    def affected(self, reads: Reads) -> int:
        """How many people's records were read so, by the access log. Raises CountTooLong."""

    def concerned(self, window: Window, after: str | None) -> tuple[list[Concerned], str | None]:
        """Whose records were read so, in one part of the log, and what to name as `after` for the next.

        None after the last part. Somebody may be in more than one. Raises CountTooLong.
        """


class BreachRegister:
    """Opens entries and moves them on."""

    def __init__(self, store: Breaches, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def open(
        self,
        breach_id: str,
        *,
        detected_at: datetime,
        kind: str,
        cause: str,
        data: frozenset[str],
        what: str,
        by: str,
        journal: Journal,
    ) -> Breach:
        """Begin an entry; its clocks run from `detected_at`. Raises BreachStepRefused for a time to come."""
        now = self._now()
        if detected_at > now:
            raise BreachStepRefused(breach_id)
        step = Step("opened", by, now, what)
        made = Breach(breach_id, 1, "open", detected_at, kind, cause, data, what, (step,))
        journal(made)
        self._store.add(made)
        return made

    def get(self, breach_id: str) -> Breach:
        """One entry. Raises BreachNotFound."""
        found = self._store.get(breach_id)
        if found is None:
            raise BreachNotFound(breach_id)
        return found

    def newest(self, state: State | None, limit: int) -> list[Breach]:
        """The entries detected last, in one state or in any."""
        return self._store.newest(state, limit)

    def affected(self, reads: Reads) -> int:
        """How many people's records were read so, by the access log. Raises CountTooLong."""
        return self._store.affected(reads)

    def concerned(self, window: Window, after: str | None) -> tuple[list[Concerned], str | None]:
        """Whose records were read so, part by part, by the access log. Raises CountTooLong."""
        return self._store.concerned(window, after)

    def move(
        self,
        breach_id: str,
        expected: frozenset[str],
        step: Callable[[Breach, datetime], Breach],
        journal: Journal,
    ) -> Breach:
        """Take one step from a version that was read (as its tag says it).

        Raises BreachNotFound, StaleBreach, BreachStepRefused.
        """
        found = self.get(breach_id)
        if str(found.version) not in expected:
            raise StaleBreach(breach_id)
        moved = step(found, self._now())
        journal(moved)
        self._store.save(moved, expected=found.version)
        return moved
