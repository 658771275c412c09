"""Requests to correct a record: taken, put before whoever wrote it, answered by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from wallet_api.corrections.errors import (
    CorrectionClosed,
    CorrectionNotFound,
    NobodyToCorrect,
    StaleCorrection,
    TooManyCorrections,
)
from wallet_api.corrections.model import Answer, Correction, EvidenceFile, Kind, Line, Relation
from wallet_api.corrections.rules import MOST_FILES

MOST_OPEN: Final = 20
"""Open requests of one person."""
Journal = Callable[[Correction], None]
"""Writes the act into the access log, durably; what it raises stops the act that follows."""


class Corrections(Protocol):
    """Requests, durable when a call returns; never deleted. Places are those of a `Correction`."""

    def add(self, correction: Correction) -> None:
        """Keep a new request; one that is there already under this id is left as it is."""

    def get(self, correction_id: str) -> Correction | None:
        """One request."""

    def save(self, correction: Correction, *, expected: int) -> None:
        """Put a new version in the place of `expected`, or raise StaleCorrection."""

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Correction]:
        """A person's requests before a place, newest first; those made in one relation, or all."""

    def of_organisation(
        self, organisation_id: str, *, open: bool, after: str | None, limit: int
    ) -> list[Correction]:
        """What an organisation was asked, after a due place, the nearest last day first."""

    def open_of(self, citizen_id: str) -> int:
        """How many requests of a person are open."""

    def overdue(self, today: date) -> int:
        """How many open requests had to be answered before today."""


class Files(Protocol):
    """Evidence by request."""

    def add(self, file: EvidenceFile, most: int) -> EvidenceFile:
        """Keep a file, unless there are `most` of this request; one whose id is there stays as it is.

        Raises TooManyFiles.
        """

    def of(self, correction_id: str) -> Sequence[EvidenceFile]:
        """The files of a request without their content, oldest first."""

    def get(self, correction_id: str, file_id: str) -> EvidenceFile | None:
        """One of them with its content; None when it was erased."""


@dataclass(frozen=True)
class Asked:
    """What somebody says is wrong with a version of a record, and which organisation wrote it."""

    id: str
    citizen_id: str
    organisation_id: str | None
    record_id: str
    record_version: int
    kind: Kind
    details: str
    by: str
    relation: Relation


class CorrectionDesk:
    """Takes requests and their answers."""

    def __init__(self, corrections: Corrections, files: Files, now: Callable[[], datetime]) -> None:
        self._corrections = corrections
        self._files = files
        self._now = now

    def ask(self, asked: Asked, journal: Journal) -> Correction:
        """Take a request; the time for its answer runs from now.

        Raises NobodyToCorrect, TooManyCorrections.
        """
        if asked.organisation_id is None:
            raise NobodyToCorrect(asked.record_id)
        if self._corrections.open_of(asked.citizen_id) >= MOST_OPEN:
            raise TooManyCorrections(asked.citizen_id)
        now = self._now()
        made = Correction(
            id=asked.id,
            citizen_id=asked.citizen_id,
            organisation_id=asked.organisation_id,
            record_id=asked.record_id,
            record_version=asked.record_version,
            kind=asked.kind,
            version=1,
            state="requested",
            asked_at=now,
            asked_by=asked.by,
            relation=asked.relation,
            details=asked.details,
            history=(Line("requested", asked.relation, asked.by, now),),
        )
        self._corrections.add(made)
        journal(made)
        return made

    def of_person(self, citizen_id: str, correction_id: str, relation: Relation) -> Correction:
        """One request of a person; to a guardian only what was asked by one.

        Raises CorrectionNotFound for anything else: absent, another's, or the person's own business.
        """
        found = self._corrections.get(correction_id)
        mine = found is not None and found.citizen_id == citizen_id
        if found is None or not mine or (relation == "guardian" and found.relation != "guardian"):
            raise CorrectionNotFound(correction_id)
        return found

    def of_organisation(self, correction_id: str, organisations: Iterable[str]) -> Correction:
        """One request to one of these organisations. Raises CorrectionNotFound for anything else."""
        found = self._corrections.get(correction_id)
        if found is None or found.organisation_id not in set(organisations):
            raise CorrectionNotFound(correction_id)
        return found

    def listed(self, citizen_id: str, relation: Relation, before: str | None, limit: int) -> list[Correction]:
        """A person's requests, newest first; to a guardian only what was asked by one."""
        seen: Relation | None = "guardian" if relation == "guardian" else None
        return self._corrections.of_citizen(citizen_id, seen, before, limit)

    def put_to(
        self, organisations: Iterable[str], *, open: bool, after: str | None, limit: int
    ) -> list[Correction]:
        """What these organisations were asked, the nearest last day first."""
        found = [
            each
            for organisation_id in dict.fromkeys(organisations)
            for each in self._corrections.of_organisation(
                organisation_id, open=open, after=after, limit=limit
            )
        ]
        return sorted(found, key=lambda each: each.due_place)[:limit]

    def answer(
        self,
        found: Correction,
        expected: frozenset[str],
        answer: Answer,
        by: tuple[str, str],
        journal: Journal,
    ) -> Correction:
        """Take the answer, from a version that was read; `by` is the organisation and its practitioner.

        Raises StaleCorrection, CorrectionClosed.
        """
        if str(found.version) not in expected:
            raise StaleCorrection(found.id)
        organisation_id, practitioner_id = by
        answered = found.answered(answer, practitioner_id, organisation_id, self._now())
        journal(answered)
        self._corrections.save(answered, expected=found.version)
        return answered

    def add_file(self, found: Correction, file: EvidenceFile, journal: Journal) -> EvidenceFile:
        """Keep a file for an open request. Raises CorrectionClosed, TooManyFiles."""
        if not found.open:
            raise CorrectionClosed(found.id)
        kept = self._files.add(file, MOST_FILES)
        journal(found)
        return kept

    def files(self, found: Correction) -> Sequence[EvidenceFile]:
        """The files of a request without their content."""
        return self._files.of(found.id)

    def file(self, found: Correction, file_id: str) -> EvidenceFile:
        """One file with its content. Raises CorrectionNotFound when it is not there, or was erased."""
        file = self._files.get(found.id, file_id)
        if file is None:
            raise CorrectionNotFound(file_id)
        return file

    def overdue(self, today: date) -> int:
        """How many open requests are overdue."""
        return self._corrections.overdue(today)
