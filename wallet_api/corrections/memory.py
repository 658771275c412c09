"""The storage of corrections and disputes in memory: the same promises, as long as the process lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

from wallet_api.corrections.disputes import Unit
from wallet_api.corrections.errors import StaleCorrection, StaleDispute, TooManyFiles
from wallet_api.corrections.model import Correction, Dispute, EvidenceFile, Relation


class MemoryCorrections:
    """`desk.Corrections` in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Correction] = {}

    def add(self, correction: Correction) -> None:
        """Keep a new request."""
        with self._lock:
            self._rows.setdefault(correction.id, correction)

    def get(self, correction_id: str) -> Correction | None:
        """One request."""
        return self._rows.get(correction_id)

    def save(self, correction: Correction, *, expected: int) -> None:
        """Put a new version in the place of `expected`."""
        with self._lock:
            found = self._rows.get(correction.id)
            if found is None or found.version != expected:
                raise StaleCorrection(correction.id)
            self._rows[correction.id] = correction

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Correction]:
        """A person's requests, newest first."""
        theirs = self._where(lambda each: each.citizen_id == citizen_id and relation in (None, each.relation))
        older = [each for each in theirs if before is None or each.place < before]
        return sorted(older, key=lambda each: each.place, reverse=True)[:limit]

    def of_organisation(
        self, organisation_id: str, *, open: bool, after: str | None, limit: int
    ) -> list[Correction]:
        """What an organisation was asked, the nearest last day first."""
        asked = self._where(lambda each: each.organisation_id == organisation_id and each.open == open)
        later = [each for each in asked if after is None or each.due_place > after]
        return sorted(later, key=lambda each: each.due_place)[:limit]

    def open_of(self, citizen_id: str) -> int:
        """How many requests of a person are open."""
        return len(self._where(lambda each: each.citizen_id == citizen_id and each.open))

    def overdue(self, today: date) -> int:
        """How many open requests had to be answered before today."""
        return len(self._where(lambda each: each.overdue(today)))

    def _where(self, holds: Callable[[Correction], bool]) -> list[Correction]:
        with self._lock:
            return [each for each in self._rows.values() if holds(each)]


class MemoryFiles:
    """`desk.Files` in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, EvidenceFile] = {}

    def add(self, file: EvidenceFile, most: int) -> EvidenceFile:
        """Keep a file."""
        with self._lock:
            known = self._files.get(file.id)
            if known is not None:
                return known
            if sum(each.correction_id == file.correction_id for each in self._files.values()) >= most:
                raise TooManyFiles(file.correction_id)
            self._files[file.id] = file
            return file

    def of(self, correction_id: str) -> list[EvidenceFile]:
        """The files of a request, oldest first."""
        with self._lock:
            found = [each for each in self._files.values() if each.correction_id == correction_id]
        return sorted(found, key=lambda each: (each.received_at, each.id))

    def get(self, correction_id: str, file_id: str) -> EvidenceFile | None:
        """One of them."""
        found = self._files.get(file_id)
        return found if found is not None and found.correction_id == correction_id else None


class MemoryDisputes:
    """`disputes.Disputes` in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Dispute] = {}

    def get(self, dispute_id: str, unit: Unit = None) -> Dispute | None:
        """One dispute."""
        return self._rows.get(dispute_id)

    def put(self, dispute: Dispute, *, expected: int, unit: Unit = None) -> None:
        """Put a version in the place of `expected`, 0 for none."""
        with self._lock:
            found = self._rows.get(dispute.id)
            if (0 if found is None else found.version) != expected:
                raise StaleDispute(dispute.id)
            self._rows[dispute.id] = dispute

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Dispute]:
        """A person's disputes, newest first."""
        theirs = self._where(lambda each: each.citizen_id == citizen_id and relation in (None, each.relation))
        older = [each for each in theirs if before is None or each.place < before]
        return sorted(older, key=lambda each: each.place, reverse=True)[:limit]

    def queue(self, *, open: bool, after: str | None, limit: int) -> list[Dispute]:
        """Disputes of everybody, the oldest first."""
        found = self._where(lambda each: each.open == open and (after is None or each.place > after))
        return sorted(found, key=lambda each: each.place)[:limit]

    def _where(self, holds: Callable[[Dispute], bool]) -> list[Dispute]:
        with self._lock:
            return [each for each in self._rows.values() if holds(each)]
