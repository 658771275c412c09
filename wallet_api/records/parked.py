"""What was sent about nobody the wallet knows: kept apart until it is known whom it is about.

Number and birth date must fit; what fits nobody waits. It is filed when they come to fit somebody, or when
two reviewers, one after the other, name the same person, who shares the number or the birth date with what
was sent. One look alone never puts it into a book.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, Literal

from wallet_api.records.bundle import Entry, Person
from wallet_api.records.errors import NothingInCommon, ParkedClosed, SecondLookNeeded
from wallet_api.records.model import PartialDate
from wallet_api.records.types import type_of

State = Literal["open", "proposed", "released", "rejected"]
Why = Literal["number_unknown", "other_birth_date", "numbers_disagree", "fits"]
WAITING: Final[frozenset[State]] = frozenset({"open", "proposed"})
REASONS: Final = ("test_data", "sent_in_error", "identity_not_proven")
BY_MATCH: Final = "match"
"""Who decided where number and birth date came to fit."""
_SHOWN: Final = 4


@dataclass(frozen=True)
class Named:
    """Whom a reviewer names, and from which evidence."""

    citizen_id: str
    number: str = field(repr=False)
    born: date = field(repr=False)
    evidence: str


@dataclass(frozen=True)
class Parked:
    """One thing that waits. `rows` counts what can be filed; `person` is gone once it is decided."""

    id: str
    organisation_id: str
    format: str
    received_at: datetime
    rows: int
    version: int = 1
    state: State = "open"
    person: Person | None = field(default=None, repr=False)
    proposed_by: str | None = None
    proposed_for: str | None = field(default=None, repr=False)
    evidence: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None

    @property
    def place(self) -> str:
        """Where it stands in the queue: the oldest first, and no two alike."""
        return f"{self.received_at.isoformat(timespec='milliseconds')}|{self.id}"

    def named(self, whom: Named, by: str) -> Parked:
        """Proposed for a person; released where another reviewer proposed the same; open again where another
        was proposed.

        Raises:
            ParkedClosed: it was decided. SecondLookNeeded: the same reviewer proposed it.
            NothingInCommon: neither number nor birth date is the person's.
        """
        person = self._open()
        if not _in_common(person, whom):
            raise NothingInCommon(self.id)
        if self.state == "open":
            return self._next(
                state="proposed", proposed_by=by, proposed_for=whom.citizen_id, evidence=whom.evidence
            )
        if self.proposed_by == by:
            raise SecondLookNeeded(self.id)
        if self.proposed_for != whom.citizen_id:
            return self._next(state="open", proposed_by=None, proposed_for=None, evidence=None)
        return self._decided(state="released", decided_by=by)

    def matched(self) -> Parked:
        """Released, because number and birth date have come to fit somebody. Raises ParkedClosed."""
        self._open()
        return self._decided(state="released", decided_by=BY_MATCH)

    def rejected(self, reason: str, by: str) -> Parked:
        """Never to be filed. Raises ParkedClosed."""
        self._open()
        return self._decided(state="rejected", decided_by=by, reason=reason)

    def _open(self) -> Person:
        if self.state not in WAITING or self.person is None:
            raise ParkedClosed(self.id)
        return self.person

    def _decided(self, **change: Any) -> Parked:
        return self._next(person=None, proposed_for=None, **change)

    def _next(self, **change: Any) -> Parked:
        return replace(self, version=self.version + 1, **change)


@dataclass(frozen=True)
class Parcel:
    """What is kept of something that waits, beside its body: whom it is about, what can be filed, and names
    by which it is found when somebody with that number and birth date comes."""

    person: Person = field(repr=False)
    practitioner: str | None
    entries: tuple[Entry, ...] = field(repr=False)
    keys: tuple[str, ...] = ()


def _in_common(person: Person, whom: Named) -> bool:
    numbers = {value for kind, value in person.identifiers if kind == "national_id"}
    return whom.number in numbers or fits(person.birth_date, whom.born)


def fits(said: PartialDate, born: date) -> bool:
    """Whether a date, as far as it is known, can be this day."""
    return said.first_day <= born <= said.last_day


def dates_of(born: date) -> Iterator[str]:
    """A birth date in every form in which a sender may know it."""
    whole = born.isoformat()
    yield from (whole, whole[:7], whole[:4])


def shown(value: str) -> str:
    """A number with all but its end covered."""
    return "•" * max(len(value) - _SHOWN, 0) + value[-_SHOWN:]


def packed(parcel: Parcel) -> dict[str, Any]:
    """What can be filed of a parcel, as JSON."""
    return {
        "practitioner": parcel.practitioner,
        "entries": [_packed(each) for each in parcel.entries],
    }


def unpacked(person: Person, found: Mapping[str, Any]) -> Parcel:
    """What was packed, about the person it is about."""
    return Parcel(person, found["practitioner"], tuple(map(_entry, found["entries"])))


def packed_person(person: Person) -> dict[str, Any]:
    """Numbers and birth date, as JSON."""
    numbers = [list(each) for each in person.identifiers]
    return {"identifiers": numbers, "birth_date": person.birth_date.text}


def unpacked_person(found: Mapping[str, Any]) -> Person:
    """What was packed."""
    numbers = tuple((str(kind), str(value)) for kind, value in found["identifiers"])
    return Person(numbers, PartialDate(found["birth_date"]), frozenset())


def _packed(entry: Entry) -> dict[str, Any]:
    return {
        "index": entry.index,
        "resource": dict(entry.resource),
        "source_id": entry.source_id,
        "occurred_on": None if entry.occurred_on is None else entry.occurred_on.text,
        "at": entry.at,
        "source_version": entry.source_version,
    }


def _entry(found: Mapping[str, Any]) -> Entry:
    resource = found["resource"]
    day = None if found["occurred_on"] is None else PartialDate(found["occurred_on"])
    return Entry(
        index=found["index"],
        resource=resource,
        source_id=found["source_id"],
        kind=type_of(resource),
        occurred_on=day,
        at=found["at"],
        source_version=found["source_version"],
    )
