"""Emergencies and askings kept in memory: for tests, and for using this package without a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from threading import RLock

from consent.asking import AskedFor, Asking
from consent.emergency import Emergency, ReviewState
from consent.errors import StaleVersion
from consent.ports import Unit


class MemoryEmergencies:
    """`Emergencies` in this process. One lock makes each call whole."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._rows: dict[str, Emergency] = {}

    def add(self, emergency: Emergency, unit: Unit) -> None:
        """Keep a new one."""
        with self._lock:
            self._rows[emergency.id] = emergency

    def get(self, emergency_id: str) -> Emergency | None:
        """One access."""
        return self._rows.get(emergency_id)

    def save(self, emergency: Emergency, *, expected: int) -> None:
        """Put a new version in the place of the old; whether somebody was told is left as it is."""
        with self._lock:
            found = self._rows.get(emergency.id)
            if found is None or found.version != expected:
                raise StaleVersion(emergency.id)
            self._rows[emergency.id] = replace(emergency, told_at=found.told_at)

    def earlier(self, citizen_id: str, organisation_id: str, since: datetime) -> int:
        """How often the organisation opened that book since then."""
        return len(
            self._those(
                lambda each: (
                    (each.citizen_id, each.organisation_id) == (citizen_id, organisation_id)
                    and each.opened_at >= since
                )
            )
        )

    def suspended(self, organisation_id: str, practitioner_id: str) -> bool:
        """Whether a review took the right from this practitioner there."""
        who = (organisation_id, practitioner_id)
        return bool(
            self._those(lambda each: (each.organisation_id, each.practitioner_id) == who and each.suspends)
        )

    def running(self, organisation_id: str, practitioner_id: str, now: datetime) -> list[Emergency]:
        """The accesses of this practitioner whose time is not over."""
        who = (organisation_id, practitioner_id)
        return self._those(
            lambda each: (each.organisation_id, each.practitioner_id) == who and each.expires_at > now
        )

    def queue(self, state: ReviewState | None, limit: int) -> list[Emergency]:
        """Those to be decided soonest first, or the newest first."""
        found = self._those(lambda each: state is None or each.state == state)
        if state == "open":
            return sorted(found, key=lambda each: each.review_by)[:limit]
        return sorted(found, key=lambda each: each.opened_at, reverse=True)[:limit]

    def overdue(self, now: datetime) -> int:
        """How many should have been decided by now."""
        return len(self._those(lambda each: each.overdue(now)))

    def untold(self, limit: int) -> list[Emergency]:
        """Those about somebody who was not told yet, oldest first."""
        found = self._those(lambda each: each.told_id is not None and each.told_at is None)
        return sorted(found, key=lambda each: each.opened_at)[:limit]

    def mark_told(self, emergency_id: str, at: datetime) -> None:
        """They were told. The first time stays."""
        with self._lock:
            found = self._rows.get(emergency_id)
            if found is not None and found.told_at is None:
                self._rows[emergency_id] = replace(found, told_at=at)

    def _those(self, wanted: Callable[[Emergency], bool]) -> list[Emergency]:
        with self._lock:
            return [each for each in self._rows.values() if wanted(each)]


class MemoryAskings:
    """`Askings` in this process. `refusals` are noted by whoever refuses."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._rows: dict[str, AskedFor] = {}
        self.refusals: dict[tuple[str, str], datetime] = {}

    def get(self, whom: str) -> AskedFor:
        """What is open there."""
        return self._rows.get(whom, AskedFor())

    def put(self, whom: str, askings: Sequence[Asking], *, expected: int) -> bool:
        """Keep this in the place of the version that was read."""
        with self._lock:
            if self.get(whom).version != expected:
                return False
            self._rows[whom] = AskedFor(expected + 1, tuple(askings))
            return True

    def refused_at(self, citizen_id: str, organisation_id: str, since: datetime) -> datetime | None:
        """When the person last refused this organisation."""
        found = self.refusals.get((citizen_id, organisation_id))
        return found if found is not None and found >= since else None
