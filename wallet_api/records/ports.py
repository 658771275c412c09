"""What the health book needs of the outside, as promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Protocol

from consent.predicate import Predicate
from wallet_api.records.model import Filter, Intake, Position, Record

Unit = Any
"""An opaque transaction of the store; what takes the same unit happens together or not at all."""


class Records(Protocol):
    """Records, each version kept. A predicate is part of every reader's query: what it does not admit
    never leaves the store."""

    def save(self, record: Record, unit: Unit) -> None:
        """Keep version 1, or put version n over version n-1, which stays readable.

        Raises:
            StaleRecord: the stored version is not the one before.
        """

    def find(self, citizen_id: str, record_id: str, unit: Unit) -> Record | None:
        """The newest version, whoever may see it: for the writer only."""

    def page(
        self, citizen_id: str, predicate: Predicate, asked: Filter, after: Position | None, limit: int
    ) -> list[Record]:
        """At most `limit` admitted records older than `after`, newest first."""

    def get(self, citizen_id: str, record_id: str, predicate: Predicate) -> Record | None:
        """One record if the predicate admits it."""

    def versions(self, citizen_id: str, record_id: str, predicate: Predicate) -> list[Record]:
        """All versions of a record whose newest version the predicate admits, newest first."""

    def count(self, citizen_id: str, predicate: Predicate) -> dict[str, int]:
        """How many records of each category the predicate admits."""

    def of_categories(self, citizen_id: str, categories: Sequence[str], unit: Unit = None) -> list[Record]:
        """All newest versions in these categories: for the planner only."""

    def written_by(self, organisation_id: str, limit: int) -> list[tuple[str, str]]:
        """(citizen, record) of what the organisation wrote last, newest first."""

    def set_hidden(self, citizen_id: str, record_id: str, audience: str, *, hidden: bool) -> bool:
        """Hide the record from an audience, or show it again; False when it is absent."""


class Intakes(Protocol):
    """What organisations sent."""

    def add(self, intake: Intake) -> None:
        """Keep a report."""

    def get(self, organisation_id: str, intake_id: str) -> Intake | None:
        """One report of this organisation."""

    def park(self, intake: Intake, body: bytes) -> None:
        """Keep, sealed, what could not be matched to a person: for review, never onto a person."""


Match = Callable[[str, str, date], str | None]
"""(identifier kind, value, birth date) to the citizen whom both fit, or None."""

OnRecorded = Callable[[str, Unit], object]
"""Called in the same unit as a write, so that what follows from it is written in the same breath."""
