"""Requests to correct records in MongoDB, and the evidence sent for them.

In clear: whose, to which organisation, which record, kind, state, times and who took each step. What was
written by either side, and every file, is sealed with the person's key for the words of requests. `due` is
the last day for an answer with the id behind it, so that the most pressing is read from an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.corrections.errors import StaleCorrection, TooManyFiles
from wallet_api.corrections.model import Answer, Correction, EvidenceFile, Line, Relation
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.mongo import Index
from wallet_api.stores.rights import RETENTION_CLASS

Document = dict[str, Any]
COLLECTION: Final = "correction_requests"
FILES: Final = "correction_files"
_ABOUT: Final = {"sealed": False}

INDEXES = (
    Index(COLLECTION, (("citizen_id", 1), ("place", -1))),
    Index(COLLECTION, (("citizen_id", 1), ("relation", 1), ("place", -1))),
    Index(COLLECTION, (("citizen_id", 1), ("open", 1))),
    Index(COLLECTION, (("organisation_id", 1), ("open", 1), ("due", 1))),
    Index(COLLECTION, (("open", 1), ("due", 1))),
    # A place is one of the few a request has: of all files sent at once no more fit than there may be.
    Index(FILES, ("correction_id", "place"), unique=True),
    Index(FILES, ("citizen_id",)),
)


class MongoCorrections:
    """`corrections.desk.Corrections` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._corrections = db[COLLECTION]
        self._cipher = cipher

    def add(self, correction: Correction) -> None:
        """Keep a new request; a second run of the same act finds it there."""
        try:
            self._corrections.insert_one(self._document(correction))
        except DuplicateKeyError:
            return

    def get(self, correction_id: str) -> Correction | None:
        """One request."""
        found = self._corrections.find_one({"_id": correction_id})
        return None if found is None else self._correction(found)

    def save(self, correction: Correction, *, expected: int) -> None:
        """Put a new version in the place of the old."""
        unchanged = {"_id": correction.id, "version": expected}
        if self._corrections.replace_one(unchanged, self._document(correction)).matched_count != 1:
            raise StaleCorrection(correction.id)

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Correction]:
        """A person's requests, newest first."""
        asked: Document = {"citizen_id": citizen_id}
        if relation is not None:
            asked["relation"] = relation
        if before is not None:
            asked["place"] = {"$lt": before}
        found = self._corrections.find(asked).sort("place", -1).limit(limit)
        return [self._correction(each) for each in found]

    def of_organisation(
        self, organisation_id: str, *, open: bool, after: str | None, limit: int
    ) -> list[Correction]:
        """What an organisation was asked, the nearest last day first."""
        asked: Document = {"organisation_id": organisation_id, "open": open}
        if after is not None:
            asked["due"] = {"$gt": after}
        found = self._corrections.find(asked).sort("due", 1).limit(limit)
        return [self._correction(each) for each in found]

    def open_of(self, citizen_id: str) -> int:
        """How many requests of a person are open."""
        return self._corrections.count_documents({"citizen_id": citizen_id, "open": True})

    def overdue(self, today: date) -> int:
        """How many open requests had to be answered before today."""
        return self._corrections.count_documents({"open": True, "due": {"$lt": today.isoformat()}})

    def _document(self, correction: Correction) -> Document:
        answer = correction.answer
        names = ("citizen_id", "organisation_id", "record_id", "record_version", "kind", "version", "state")
        more = ("open", "asked_at", "asked_by", "relation", "place")
        document: Document = {name: getattr(correction, name) for name in (*names, *more)}
        document |= {
            "_id": correction.id,
            "due": correction.due_place,
            "corrected_version": None if answer is None else answer.corrected_version,
            "refusal": None if answer is None else answer.refusal,
            "history": [line_document(each) for each in correction.history],
        }
        # Without a word there is nothing to seal: no key is made anew for somebody who was erased.
        if correction.details is not None:
            words = {"details": correction.details, "note": None if answer is None else answer.note}
            document["content"] = self._cipher.seal_json(place_of(document), words)
        return document

    def _correction(self, found: Mapping[str, Any]) -> Correction:
        words = self._words(found)
        answer = Answer(found["corrected_version"], found["refusal"], words["note"])
        return Correction(
            id=found["_id"],
            citizen_id=found["citizen_id"],
            organisation_id=found["organisation_id"],
            record_id=found["record_id"],
            record_version=found["record_version"],
            kind=found["kind"],
            version=found["version"],
            state=found["state"],
            asked_at=found["asked_at"].astimezone(UTC),
            asked_by=found["asked_by"],
            relation=found["relation"],
            details=words["details"],
            history=tuple(map(line_of, found["history"])),
            answer=None if found["open"] else answer,
        )

    def _words(self, found: Mapping[str, Any]) -> Mapping[str, str | None]:
        """What was written; nothing when its key was destroyed with the person's."""
        nothing = {"details": None, "note": None}
        if "content" not in found:
            return nothing
        try:
            words: Mapping[str, str | None] = self._cipher.open_json(place_of(found), bytes(found["content"]))
        except SealBroken:
            return nothing
        return words


class MongoCorrectionFiles:
    """`corrections.desk.Files` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._files = db[FILES]
        self._cipher = cipher

    def add(self, file: EvidenceFile, most: int) -> EvidenceFile:
        """Keep a file in the first place that is free."""
        names = ("correction_id", "citizen_id", "media_type", "size", "received_at")
        row: Document = {"_id": file.id} | {name: getattr(file, name) for name in names}
        row["sealed"] = self._cipher.seal(file_place(row), file.content)
        for place in range(most):
            try:
                self._files.insert_one(row | {"place": place})
            except DuplicateKeyError:
                if self._files.find_one({"_id": file.id}, {"_id": 1}) is not None:
                    return file
            else:
                return file
        raise TooManyFiles(file.correction_id)

    def of(self, correction_id: str) -> list[EvidenceFile]:
        """The files of a request without their content, oldest first."""
        found = self._files.find({"correction_id": correction_id}, _ABOUT).sort("place", 1)
        return [_file(each) for each in found]

    def get(self, correction_id: str, file_id: str) -> EvidenceFile | None:
        """One of them with its content."""
        found = self._files.find_one({"_id": file_id})
        if found is None or found["correction_id"] != correction_id:
            return None
        try:
            return _file(found, self._cipher.open(file_place(found), bytes(found["sealed"])))
        except SealBroken:
            return None


def place_of(found: Mapping[str, Any]) -> Place:
    """Where the words of a stored request belong."""
    return Place(found["citizen_id"], RETENTION_CLASS, COLLECTION, found["_id"], "content", found["version"])


def file_place(found: Mapping[str, Any]) -> Place:
    """Where a stored file belongs."""
    return Place(found["citizen_id"], RETENTION_CLASS, FILES, found["_id"], "content", 1)


def line_document(line: Line) -> Document:
    """A line of history as it is stored: ids and codes."""
    return dict(vars(line))


def line_of(found: Mapping[str, Any]) -> Line:
    """A stored line of history."""
    return Line(**{**found, "at": found["at"].astimezone(UTC)})


def _file(found: Mapping[str, Any], content: bytes = b"") -> EvidenceFile:
    return EvidenceFile(
        id=found["_id"],
        correction_id=found["correction_id"],
        citizen_id=found["citizen_id"],
        media_type=found["media_type"],
        size=found["size"],
        received_at=found["received_at"].astimezone(UTC),
        content=content,
    )
