"""Taking in what providers send: each row reported, nothing lost, nothing on a wrong person.

Neither the sender's answer nor the work behind it depends on whether the person exists: matching is decided
inside, what fits nobody is filed under somebody nobody is, and parked, sealed, for review.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from consent.codes import LABELS
from wallet_api.infra.ids import new_id
from wallet_api.records.bundle import Entry, Person, Reading, read_bundle
from wallet_api.records.canonical import canonical
from wallet_api.records.errors import BundleRefused, IntakeNotFound
from wallet_api.records.labels import labels_of
from wallet_api.records.model import Intake, Record, Row, Sent, Source
from wallet_api.records.parked import Parcel
from wallet_api.records.ports import Filing, HiddenFor, Intakes, Match, OnRecorded, Unit
from wallet_api.records.types import type_of

T = TypeVar("T")
MAPPED: Final = "mapped"
"""What became of an entry that is no record itself, but went along with one."""
_KNOWN_LABELS = frozenset(LABELS.codes)


@dataclass(frozen=True)
class Sender:
    """Who sends, and which categories its licence lets it write."""

    organisation_id: str
    practitioner: str | None
    writes: frozenset[str]


@dataclass(frozen=True)
class IntakeParts:
    """What the intake is made of. `fingerprint` digests content under a key of its own for each citizen, so
    that equal fingerprints tell nothing about two people; `prepare` opens the keys of a book before its first
    use, for the same work whether they were there or not; `in_unit` runs a transaction."""

    records: Filing
    intakes: Intakes
    match: Match
    prepare: Callable[[str], object]
    in_unit: Callable[[Callable[[Unit], T]], T]
    on_recorded: OnRecorded
    record_id: Callable[..., str]
    fingerprint: Callable[[str, bytes], str]
    now: Callable[[], datetime]
    hidden_for: HiddenFor = lambda book, organisation, at: frozenset()
    """From whom what is filed now is hidden at once: safety flags."""
    normal: Callable[[str, str], str] = lambda kind, value: value
    """A number as it is compared."""
    settle: Callable[[str], None] = lambda book: None
    """Asked when all is filed: hides what a flag covers that came in between."""


@dataclass(frozen=True)
class Found:
    """Whom something that was sent is about, and who stands in where it fits nobody."""

    citizen_id: str | None
    nobody: str

    @property
    def book(self) -> str:
        """Nobody's takes what fits nobody, so that all the sender can see or measure is as for anybody."""
        return self.citizen_id or self.nobody


class IntakeService:
    """Receives bundles and tells what became of each row."""

    def __init__(self, parts: IntakeParts) -> None:
        self._parts = parts

    def receive_bundle(self, sender: Sender, raw: object, intake_id: str | None = None) -> Intake:
        """File every valid entry of a FHIR bundle in one transaction, with the report and what follows.

        Sending the same again changes nothing; sending it changed makes a new version. `intake_id` names
        the report; else it gets a new id.

        Raises:
            BundleRefused: the bundle as a whole cannot be read; nothing was kept.
        """
        body = json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()
        return self.receive(sender, replace(read_bundle(raw), body=body), intake_id)

    def find(self, sender: Sender, said: Reading) -> Found:
        """Whose book it goes into. Raises BadIdentifier: a number in it has no form."""
        nobody = self._nobody(sender, said.person)
        return Found(self.whose(said.person, nobody), nobody)

    def receive(
        self, sender: Sender, said: Reading, intake_id: str | None = None, found: Found | None = None
    ) -> Intake:
        """The same for what was read already, in whatever format it came; `found`, if it was looked up."""
        now, person, entries = self._parts.now(), said.person, said.entries
        found = found or self.find(sender, said)
        citizen_id, nobody, book = found.citizen_id, found.nobody, found.book
        source = Source(sender.organisation_id, sender.practitioner, said.format, now)
        rows = self._rows(entries, sender, source, book)
        visit, sent = self._sent(said, source, nobody, book)
        left = self._left_out(visit, sent) if said.whole else []
        told = tuple(
            Row(len(entries) + place, True, "left_out", each.at, record_id=each.record_id)
            for place, each in enumerate(left)
        )
        intake = Intake(
            id=intake_id or new_id(),
            organisation_id=sender.organisation_id,
            format=said.format,
            received_at=now,
            rows=rows + told,
            citizen_id=citizen_id,
            edition=said.edition,
            visit=visit,
            sent=tuple(sent),
            book_id=book,
        )
        named = {row.index: row.record_id for row in rows if row.accepted and row.record_id is not None}
        taken = [entry for entry in entries if entry.index in named]
        self._parts.prepare(book)
        keys = self.park_keys(person.identifiers, [person.birth_date.text])
        parcel = Parcel(person, sender.practitioner, tuple(taken), tuple(keys))

        def keep(unit: Unit) -> None:
            # All or nothing: a process that dies here leaves neither records nobody reported nor a body
            # parked twice.
            self._parts.intakes.park(intake, said.body, unit, keep=citizen_id is None, parcel=parcel)
            if taken or left:
                back = self._taken_back(book, left, sender, source, unit)
                self._file(book, taken, source, unit, left=back, named=named)
            self._parts.intakes.add(intake, unit)

        self._parts.in_unit(keep)
        self._parts.settle(book)
        return intake

    def report(self, organisation_id: str, intake_id: str) -> Intake:
        """What became of each row.

        Raises:
            IntakeNotFound: absent or another organisation's.
        """
        found = self._parts.intakes.get(organisation_id, intake_id)
        if found is None:
            raise IntakeNotFound(intake_id)
        return found

    def whose(self, person: Person, nobody: str) -> str | None:
        """Whom it is about: every identifier given leads to the same person; a contradiction is nobody."""
        born, match = person.birth_date, self._parts.match
        found = {match(kind, value, born, nobody) for kind, value in person.identifiers}
        return found.pop() if len(found) == 1 else None

    def park_keys(self, numbers: Iterable[tuple[str, str]], dates: Iterable[str]) -> list[str]:
        """Names for what waits for a number together with a birth date; nobody computes them."""
        said = [(kind, self._parts.normal(kind, value)) for kind, value in numbers]
        return [self._parts.record_id("parked", *each, day) for day in dates for each in said]

    def file_late(self, citizen_id: str, entries: list[Entry], source: Source, unit: Unit) -> None:
        """File what waited, as it was received then. What the sender said since of the same stays."""
        known = {self._record_id(entry, source, citizen_id) for entry in entries}
        newer = {
            each.id
            for each in self._parts.records.newest(citizen_id, sorted(known), unit).values()
            if each.source.received_at >= source.received_at
        }
        left = [each for each in entries if self._record_id(each, source, citizen_id) not in newer]
        if left:
            self._file(citizen_id, left, source, unit, late=True)

    def _nobody(self, sender: Sender, person: Person) -> str:
        """An id that nobody has, the same each time this sender says this of a person."""
        said = [f"{kind}|{value}" for kind, value in sorted(person.identifiers)] or sorted(person.references)
        return self._parts.record_id("nobody", sender.organisation_id, person.birth_date.text, *said)

    def _rows(self, entries: Sequence[Entry], sender: Sender, source: Source, book: str) -> tuple[Row, ...]:
        """A row for each entry: those that are no record tell whether anything went into one."""
        rows = [None if each.supporting else self._row(each, sender, source, book) for each in entries]
        kept = (entry for entry, row in zip(entries, rows, strict=True) if row is None or row.kept)
        joined = {index for entry in kept for index in entry.joined}
        return tuple(
            _supporting(entry, entry.index in joined) if row is None else row
            for entry, row in zip(entries, rows, strict=True)
        )

    def _row(self, entry: Entry, sender: Sender, source: Source, citizen_id: str) -> Row:
        at = entry.place
        if entry.fault is not None:
            return Row(entry.index, False, entry.fault.code, at + entry.fault.pointer, entry.fault.message)
        if entry.kind is not None and entry.kind.category(entry.resource) not in sender.writes:
            return Row(entry.index, False, "not_licensed", at, "the licence does not cover this category")
        record_id = self._record_id(entry, source, citizen_id)
        if entry.undated:
            return Row(entry.index, True, "undated", at, record_id=record_id)
        return Row(entry.index, True, "accepted", record_id=record_id)

    def _record_id(self, entry: Entry, source: Source, citizen_id: str) -> str:
        source_id = entry.source_id or self._fingerprint(citizen_id, entry)
        return self._parts.record_id(source.organisation_id, source.format, source_id, citizen_id)

    def _sent(self, said: Reading, source: Source, nobody: str, book: str) -> tuple[str | None, list[Sent]]:
        """The name of the visit, and of each of its rows, licensed or not, that could be read.

        None of these names depends on whose book it is, so that the report tells nobody whether there is one.
        """
        if not said.visit:
            return None, []
        at = self._parts.record_id("visit sent", nobody, said.format, said.visit)
        readable = [each for each in said.entries if each.fault is None and each.source_id is not None]
        return at, [
            Sent(
                self._parts.record_id("row sent", at, str(each.source_id)),
                self._record_id(each, source, book),
                each.place,
            )
            for each in readable
        ]

    def _left_out(self, visit: str | None, sent: Sequence[Sent]) -> list[Sent]:
        """What was sent of a visit before and is not among this; each once, as it was sent last."""
        if visit is None:
            return []
        now, found = {each.name for each in sent}, dict[str, Sent]()
        for each in self._parts.intakes.sent_of(visit):
            if each.name not in now:
                found.setdefault(each.name, each)
        return list(found.values())

    def _taken_back(
        self, citizen_id: str, left: Sequence[Sent], sender: Sender, source: Source, unit: Unit
    ) -> list[Record]:
        """The next version of each record that its source left out: entered in error, until it comes back."""
        known = self._parts.records.newest(citizen_id, [each.record_id for each in left], unit)
        made = []
        for before in known.values():
            kind = type_of(before.resource)
            if kind is None or before.category not in sender.writes:
                continue
            resource = kind.in_error(before.resource)
            if resource != before.resource:
                made.append(
                    replace(
                        before,
                        version=before.version + 1,
                        recorded_at=source.received_at,
                        source=source,
                        resource=resource,
                        fingerprint=self._digest(citizen_id, resource),
                        reason="left_out_by_source",
                    )
                )
        return made

    def _fingerprint(self, citizen_id: str, entry: Entry) -> str:
        return self._digest(citizen_id, entry.resource)

    def _digest(self, citizen_id: str, resource: Mapping[str, Any]) -> str:
        return self._parts.fingerprint(citizen_id, canonical(resource))

    def _file(
        self,
        citizen_id: str,
        entries: list[Entry],
        source: Source,
        unit: Unit,
        *,
        left: Sequence[Record] = (),
        late: bool = False,
        named: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """`named`: record ids by the index of an entry, as far as they were computed already."""
        at = self._parts.now() if late else source.received_at
        in_order = sorted(entries, key=lambda entry: entry.source_version)
        made = {
            named.get(entry.index) or self._record_id(entry, source, citizen_id): entry for entry in in_order
        }
        known = self._parts.records.newest(citizen_id, list(made), unit)
        drafts = [
            *left,
            *(self._draft(citizen_id, each, made[each], known.get(each), source) for each in made),
        ]
        hidden = self._parts.hidden_for(citizen_id, str(source.organisation_id), at)
        fresh = [_filed(draft, hidden, at, late) for draft in drafts if draft is not None]
        if fresh:
            self._parts.records.save(fresh, unit)
            self._parts.on_recorded(citizen_id, unit)

    def _draft(
        self, citizen_id: str, record_id: str, entry: Entry, before: Record | None, source: Source
    ) -> Record | None:
        """The next version of a record, or None if the entry says nothing new."""
        if entry.kind is None or entry.occurred_on is None:
            raise BundleRefused(f"/entry/{entry.index}", "not_checked")
        fingerprint = self._fingerprint(citizen_id, entry)
        if before is not None and (before.fingerprint == fingerprint or _is_older(entry, before)):
            return None
        return Record(
            id=record_id,
            citizen_id=citizen_id,
            version=before.version + 1 if before else 1,
            category=entry.kind.category(entry.resource),
            occurred_on=entry.occurred_on,
            recorded_at=source.received_at,
            source=source,
            resource=entry.resource,
            fingerprint=fingerprint,
            labels=labels_of(entry.resource, _KNOWN_LABELS),
            hidden_from=before.hidden_from if before else frozenset(),
            reason="resent_by_source" if before else None,
        )


def _filed(draft: Record, hidden: frozenset[str], at: datetime, late: bool) -> Record:
    """A draft as it is kept. Most are as they are: another copy of each costs a bulk import."""
    if hidden <= draft.hidden_from and draft.recorded_at == at and draft.late == late:
        return draft
    return replace(draft, hidden_from=draft.hidden_from | hidden, recorded_at=at, late=late)


def _supporting(entry: Entry, joined: bool) -> Row:
    if joined:
        return Row(entry.index, True, "mapped", entry.place)
    return Row(entry.index, True, "not_used", entry.place)


def _is_older(entry: Entry, before: Record) -> bool:
    known = str((before.resource.get("meta") or {}).get("versionId", ""))
    return bool(entry.source_version) and known.isdigit() and entry.source_version <= int(known)
