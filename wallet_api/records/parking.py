"""The desk for what fits nobody: reviewers find out whom it is about, and who comes later gets theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple, Protocol

from wallet_api.records.errors import (
    IntakeNotFound,
    PersonNotMatched,
    ReleaseDisagrees,
    StaleRecord,
)
from wallet_api.records.intake import IntakeParts, IntakeService
from wallet_api.records.model import Source
from wallet_api.records.parked import WAITING, Named, Parcel, Parked, State, Why, dates_of, fits
from wallet_api.records.ports import Unit

Journal = Callable[[Parked, str | None], None]
"""Writes a decision and whose book it concerns into the access log, durably; what it raises stops the act."""


class Owner(NamedTuple):
    """Whose number it is."""

    citizen_id: str
    born: date


class ParkedStore(Protocol):
    """What waits. Places are those of a `Parked`."""

    def get(self, parked_id: str) -> Parked | None:
        """One of them."""

    def parcel(self, parked_id: str) -> Parcel | None:
        """What can be filed of it, while it waits."""

    def put(self, parked: Parked, *, expected: int, unit: Unit) -> None:
        """Put a version in the place of `expected`, or raise StaleRecord. Decided, its content goes."""

    def queue(self, state: State, after: str | None, limit: int) -> list[Parked]:
        """Those in a state after a place, the oldest first."""

    def found_by(self, keys: Sequence[str]) -> list[Parked]:
        """Those that wait under one of these names, the oldest first."""

    def refuse_rows(self, parked_id: str, code: str, unit: Unit) -> None:
        """Say in the sender's report that what was accepted is refused after all."""


@dataclass(frozen=True)
class ParkingParts:
    """What the desk is made of; `owner` finds a person by kind and value of a number."""

    parked: ParkedStore
    intake: IntakeParts
    service: IntakeService
    owner: Callable[[str, str], Owner | None]
    now: Callable[[], datetime]


class ParkingDesk:
    """Releases and rejects. What opens is logged first."""

    def __init__(self, parts: ParkingParts) -> None:
        self._parts = parts

    def queue(self, state: State, after: str | None, limit: int) -> list[Parked]:
        """Those in a state after a place, the oldest first."""
        return self._parts.parked.queue(state, after, limit)

    def get(self, parked_id: str) -> Parked:
        """One of them. Raises IntakeNotFound."""
        found = self._parts.parked.get(parked_id)
        if found is None:
            raise IntakeNotFound(parked_id)
        return found

    def why(self, found: Parked) -> Why | None:
        """What keeps it from fitting somebody today; None once it is decided."""
        if found.state not in WAITING or found.person is None:
            return None
        owners = [self._parts.owner(kind, value) for kind, value in found.person.identifiers]
        known = [each for each in owners if each is not None]
        if not known:
            return "number_unknown"
        if len(known) < len(owners) or len({each.citizen_id for each in known}) > 1:
            return "numbers_disagree"
        return "fits" if fits(found.person.birth_date, known[0].born) else "other_birth_date"

    def release(
        self,
        parked_id: str,
        expected: frozenset[str],
        number: str,
        born: date,
        evidence: str,
        by: str,
        journal: Journal,
    ) -> Parked:
        """Name whom it is about: the first reviewer proposes, another who names the same has it filed.

        Raises:
            IntakeNotFound, StaleRecord. PersonNotMatched: nobody has this number and birth date.
            ReleaseDisagrees: another person was proposed; it is open again. As `Parked.named`.
        """
        found = self._expected(parked_id, expected)
        owner = self._parts.owner("national_id", number)
        if owner is None or owner.born != born:
            raise PersonNotMatched(parked_id)
        moved = found.named(Named(owner.citizen_id, number, born, evidence), by)
        if moved.state == "released":
            return self._file(moved, owner.citizen_id, journal)
        journal(moved, None)
        self._put(moved)
        if moved.state == "open":
            raise ReleaseDisagrees(parked_id)
        return moved

    def reject(
        self, parked_id: str, expected: frozenset[str], reason: str, by: str, journal: Journal
    ) -> Parked:
        """Say that it will never be filed: its sender reads so in the report, row by row, and no more.

        Raises IntakeNotFound, StaleRecord, ParkedClosed.
        """
        found = self._expected(parked_id, expected)
        moved = replace(found.rejected(reason, by), decided_at=self._parts.now())
        journal(moved, None)

        def work(unit: Unit) -> None:
            self._parts.parked.put(moved, expected=found.version, unit=unit)
            self._parts.parked.refuse_rows(parked_id, "identity_rejected", unit)

        self._parts.intake.in_unit(work)
        return moved

    def settle(
        self, citizen_id: str, numbers: Iterable[tuple[str, str]], born: date, journal: Journal
    ) -> int:
        """File what waited for exactly these numbers and this birth date; how many there were."""
        names = self._parts.service.park_keys(numbers, dates_of(born))
        filed = 0
        for found in self._parts.parked.found_by(names):
            # The name only finds it: whether it fits is asked as for what comes in now.
            person = found.person
            if person is not None and self._parts.service.whose(person, citizen_id) == citizen_id:
                self._file(found.matched(), citizen_id, journal)
                filed += 1
        return filed

    def _file(self, moved: Parked, citizen_id: str, journal: Journal) -> Parked:
        parcel = self._parts.parked.parcel(moved.id)
        if parcel is None:
            raise StaleRecord(moved.id)
        done = replace(moved, decided_at=self._parts.now())
        # Received when it was: what came in later about the same is newer.
        source = Source(moved.organisation_id, parcel.practitioner, moved.format, moved.received_at)
        self._parts.intake.prepare(citizen_id)
        journal(done, citizen_id)

        def work(unit: Unit) -> None:
            self._parts.parked.put(done, expected=moved.version - 1, unit=unit)
            self._parts.service.file_late(citizen_id, list(parcel.entries), source, unit)

        self._parts.intake.in_unit(work)
        self._parts.intake.settle(citizen_id)
        return done

    def _put(self, moved: Parked) -> None:
        self._parts.intake.in_unit(
            lambda unit: self._parts.parked.put(moved, expected=moved.version - 1, unit=unit)
        )

    def _expected(self, parked_id: str, expected: frozenset[str]) -> Parked:
        found = self.get(parked_id)
        if str(found.version) not in expected:
            raise StaleRecord(parked_id)
        return found
