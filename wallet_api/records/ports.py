"""What the health book needs of the outside, as promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from consent.predicate import Predicate
from notifications.model import DueItem
from notifications.reminders import Reminder
from wallet_api.records.changes import History
from wallet_api.records.front import Lines, Sections
from wallet_api.records.front_rules import SECTIONS
from wallet_api.records.model import Filter, Intake, PartialDate, Position, Record, Sent
from wallet_api.records.parked import Parcel

Unit = Any
"""An opaque transaction of the store; what takes the same unit happens together or not at all."""


class Filing(Protocol):
    """What filing needs of the records: each version is kept."""

    def save(self, records: Sequence[Record], unit: Unit) -> None:
        """Keep each: version 1 as a new record, version n over version n-1, which stays readable.

        Raises:
            StaleRecord: a stored version is not the one before.
        """

    def newest(self, citizen_id: str, record_ids: Sequence[str], unit: Unit) -> dict[str, Record]:
        """The newest versions of those there are, whoever may see them: for the writer only."""


class Records(Filing, Protocol):
    """Records, each version kept. A predicate is part of every reader's query: what it does not admit
    never leaves the store."""

    def page(
        self, citizen_id: str, predicate: Predicate, asked: Filter, after: Position | None, limit: int
    ) -> list[Record]:
        """At most `limit` admitted records that come after a position, in the order that is asked for."""

    def get(self, citizen_id: str, record_id: str, predicate: Predicate) -> Record | None:
        """One record if the predicate admits it."""

    def versions(self, citizen_id: str, record_id: str, predicate: Predicate) -> list[Record]:
        """All versions of a record whose newest version the predicate admits, newest first."""

    def count(self, citizen_id: str, predicate: Predicate) -> dict[str, int]:
        """How many records of each category the predicate admits."""

    def admitted_ids(self, citizen_id: str, predicate: Predicate) -> frozenset[str]:
        """The ids of all admitted records: for asking once more whether what was read may still be seen."""

    def of_categories(
        self,
        citizen_id: str,
        categories: Sequence[str],
        predicate: Predicate,
        unit: Unit = None,
        recent: Recent | None = None,
    ) -> list[Record]:
        """All admitted newest versions in these categories, and of `recent` those since its day: for the
        planner only."""

    def written_for(self, citizen_id: str, organisation_id: str, predicate: Predicate) -> list[Record]:
        """All admitted newest versions of what one organisation wrote into one book."""

    def front(
        self, citizen_id: str, predicate: Predicate, today: date, sections: Sections = SECTIONS
    ) -> dict[str, Lines]:
        """The lines of each section of a page, as if the admitted records were all there are."""

    def history(self, citizen_id: str) -> History:
        """The latest changes of a book. One read."""

    def admitted(self, citizen_id: str, record_ids: Sequence[str], predicate: Predicate) -> dict[str, Record]:
        """Those of these records that the predicate admits."""

    def following(self, citizen_id: str, after: str, predicate: Predicate, limit: int) -> list[Record]:
        """At most `limit` admitted records whose ids come after one, in the order of ids."""

    def written_by(self, organisation_id: str, limit: int) -> list[tuple[str, str]]:
        """(citizen, record) of what the organisation wrote last, newest first."""

    def set_hidden(
        self, citizen_id: str, record_id: str, audience: str, *, hidden: bool, unit: Unit = None
    ) -> bool:
        """Hide the record from an audience, or show it again; False when it is absent."""

    def hide_written(self, citizen_id: str, organisation_id: str, since: datetime, audience: str) -> None:
        """Hide all that the organisation filed of the citizen from an instant on from an audience."""

    def show_written(self, citizen_id: str, organisation_id: str, audience: str) -> None:
        """Show again all that was hidden from the audience of what the organisation filed of the citizen."""


class Intakes(Protocol):
    """What organisations sent."""

    def add(self, intake: Intake, unit: Unit = None) -> None:
        """Keep a report."""

    def get(self, organisation_id: str, intake_id: str) -> Intake | None:
        """One report of this organisation."""

    def sent_of(self, visit: str) -> list[Sent]:
        """The rows of what was sent of a visit before, those of the last 20 times, the newest first."""

    def park(
        self,
        intake: Intake,
        body: bytes,
        unit: Unit = None,
        *,
        keep: bool = True,
        parcel: Parcel | None = None,
    ) -> None:
        """Keep, sealed, what could not be matched to a person: for review, never onto a person.

        Without `keep` nothing stays, for the same work: what fits somebody costs what fits nobody costs.
        """


class Plans(Protocol):
    """What is due to a person and was sent about it, as far as somebody may see the book behind it."""

    def forecast(
        self, citizen_id: str, predicate: Predicate, others: Sequence[str] = ()
    ) -> Sequence[DueItem]:
        """The plan of this moment as if the admitted records were all there are; `others`: of these books,
        which continue in that of the citizen, as well."""

    def reminders(self, citizen_id: str) -> Sequence[Reminder]:
        """Every reminder about this person, in any state."""

    def reminders_seen(
        self, citizen_id: str, predicate: Predicate, others: Sequence[str] = ()
    ) -> Sequence[Reminder]:
        """The same without those whose making or cancelling tells of a record that is not admitted."""


@dataclass(frozen=True)
class Recent:
    """Categories of which only what began on a day or later is wanted."""

    categories: Sequence[str]
    since: date

    def has(self, record: Record) -> bool:
        """Whether a record is one of them."""
        return record.category in self.categories and record.occurred_on.first_day >= self.since


Match = Callable[[str, str, PartialDate, str], str | None]
"""(identifier kind, value, birth date, stand-in) to the citizen whom number and date fit, or None. A date of
which only the year or month is known fits whoever was born in it: elders' papers say no more. Where the
number is nobody's, the stand-in is looked up instead, so that the search costs the same."""

HiddenFor = Callable[[str, str, datetime], frozenset[str]]
"""(book, organisation, instant) to from whom what is filed then is hidden at once."""

OnRecorded = Callable[[str, Unit], object]
"""Called in the same unit as a write, so that what follows from it is written in the same breath."""
