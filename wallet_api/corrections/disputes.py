"""Disputes: "this record is not mine" hides it at once, and a reviewer decides whether it comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from consent.predicate import DISPUTED, REMOVED
from wallet_api.corrections.errors import DisputeNotFound, StaleDispute
from wallet_api.corrections.model import Decision, Dispute, Line, Relation

T = TypeVar("T")
Unit = Any
"""An opaque transaction of the store."""
Journal = Callable[[Dispute], None]
"""Writes the act into the access log, durably; what it raises stops the act that follows."""


class Disputes(Protocol):
    """Disputes, durable when a call returns; never deleted. Places are those of a `Dispute`."""

    def get(self, dispute_id: str, unit: Unit = None) -> Dispute | None:
        """One dispute."""

    def put(self, dispute: Dispute, *, expected: int, unit: Unit = None) -> None:
        """Put a version in the place of `expected`, 0 for none, or raise StaleDispute."""

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Dispute]:
        """A person's disputes before a place, newest first; those opened in one relation, or all."""

    def queue(self, *, open: bool, after: str | None, limit: int) -> list[Dispute]:
        """Disputes of everybody after a place, the oldest first."""


class Hide(Protocol):
    """`records.ports.Records.set_hidden`."""

    def __call__(
        self, citizen_id: str, record_id: str, audience: str, *, hidden: bool, unit: Unit = None
    ) -> bool:
        """Hide a record from an audience, or show it again; False when it is absent."""


@dataclass(frozen=True)
class NotMine:
    """Who says of which record that it is not theirs."""

    citizen_id: str
    record_id: str
    category: str
    organisation_id: str | None
    by: str
    relation: Relation


@dataclass(frozen=True)
class DisputeParts:
    """What the desk is made of.

    `tell` tells the record's author and `replan` makes what is due anew, both in the same unit; `note_hiding`
    lets reads that are under way begin again; `name` makes ids that nobody else computes.
    """

    disputes: Disputes
    hide: Hide
    in_unit: Callable[[Callable[[Unit], Any]], Any]
    tell: Callable[[Dispute, Unit], object]
    replan: Callable[[str, Unit], object]
    note_hiding: Callable[[str], None]
    name: Callable[..., str]
    now: Callable[[], datetime]


class DisputeDesk:
    """Opens disputes and ends them. What hides acts first and is logged then; what shows is logged first.

    The dispute and where the record can be seen change in one transaction, and so does what is due.
    """

    def __init__(self, parts: DisputeParts) -> None:
        self._parts = parts

    def open(self, said: NotMine, journal: Journal) -> Dispute:
        """Hide the record from everybody but its author; a read that starts after this does not show it.

        Saying it again changes nothing.

        Raises:
            DisputeNotFound: the record is not there. DisputeClosed: it was removed already.
        """
        dispute_id = self._parts.name("dispute", said.citizen_id, said.record_id)
        at = self._parts.now()

        def work(unit: Unit) -> Dispute:
            found = self._parts.disputes.get(dispute_id, unit)
            if found is not None and found.open:
                made = found
            else:
                made = _first(dispute_id, said, at) if found is None else _again(found, said, at)
                self._put(made, unit)
            self._set(made, DISPUTED, hidden=True, unit=unit)
            self._parts.replan(made.citizen_id, unit)
            return made

        made: Dispute = self._parts.in_unit(work)
        # Whoever read it before has to begin again: what was read is dropped at the last look.
        self._parts.note_hiding(made.citizen_id)
        journal(made)
        return made

    def take_back(self, found: Dispute, relation: Relation, by: str, journal: Journal) -> Dispute:
        """Show the record again, while nobody has decided. Raises DisputeClosed, StaleDispute."""
        return self._show(found.taken_back(relation, by, self._parts.now()), journal)

    def decide(
        self,
        dispute_id: str,
        expected: frozenset[str],
        decision: Decision,
        reason: str,
        by: str,
        journal: Journal,
    ) -> Dispute:
        """Show the record again, or keep it from everybody for good; from a version that was read.

        Raises DisputeNotFound, StaleDispute, DisputeClosed.
        """
        found = self.get(dispute_id)
        if str(found.version) not in expected:
            raise StaleDispute(dispute_id)
        decided = found.decided(decision, reason, by, self._parts.now())
        return self._show(decided, journal) if decision == "keep" else self._remove(decided, journal)

    def get(self, dispute_id: str) -> Dispute:
        """One dispute. Raises DisputeNotFound."""
        found = self._parts.disputes.get(dispute_id)
        if found is None:
            raise DisputeNotFound(dispute_id)
        return found

    def about(self, citizen_id: str, record_id: str, relation: Relation) -> Dispute:
        """The dispute about a record; to a guardian only one that was opened by one.

        Raises DisputeNotFound for anything else: absent, another's, or the person's own business.
        """
        found = self.get(self._parts.name("dispute", citizen_id, record_id))
        if relation == "guardian" and found.relation != "guardian":
            raise DisputeNotFound(record_id)
        return found

    def listed(self, citizen_id: str, relation: Relation, before: str | None, limit: int) -> list[Dispute]:
        """A person's disputes, newest first; to a guardian only those that were opened by one."""
        seen: Relation | None = "guardian" if relation == "guardian" else None
        return self._parts.disputes.of_citizen(citizen_id, seen, before, limit)

    def queue(self, *, open: bool, after: str | None, limit: int) -> list[Dispute]:
        """Everybody's disputes, the oldest first."""
        return self._parts.disputes.queue(open=open, after=after, limit=limit)

    def _show(self, moved: Dispute, journal: Journal) -> Dispute:
        def work(unit: Unit) -> None:
            self._put(moved, unit)
            self._set(moved, DISPUTED, hidden=False, unit=unit)
            self._parts.replan(moved.citizen_id, unit)

        journal(moved)
        self._parts.in_unit(work)
        return moved

    def _remove(self, moved: Dispute, journal: Journal) -> Dispute:
        def work(unit: Unit) -> None:
            self._put(moved, unit)
            self._set(moved, REMOVED, hidden=True, unit=unit)
            self._set(moved, DISPUTED, hidden=False, unit=unit)

        journal(moved)
        self._parts.in_unit(work)
        return moved

    def _put(self, moved: Dispute, unit: Unit) -> None:
        """Keep the next version and tell the author of it. Raises StaleDispute."""
        self._parts.disputes.put(moved, expected=moved.version - 1, unit=unit)
        self._parts.tell(moved, unit)

    def _set(self, dispute: Dispute, audience: str, *, hidden: bool, unit: Unit) -> None:
        if not self._parts.hide(dispute.citizen_id, dispute.record_id, audience, hidden=hidden, unit=unit):
            raise DisputeNotFound(dispute.record_id)


def _first(dispute_id: str, said: NotMine, at: datetime) -> Dispute:
    return Dispute(
        id=dispute_id,
        citizen_id=said.citizen_id,
        organisation_id=said.organisation_id,
        record_id=said.record_id,
        category=said.category,
        version=1,
        state="open",
        opened_at=at,
        opened_by=said.by,
        relation=said.relation,
        history=(Line("open", said.relation, said.by, at),),
    )


def _again(found: Dispute, said: NotMine, at: datetime) -> Dispute:
    return found.opened_again(said.relation, said.by, at)
