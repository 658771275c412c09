"""Exports in MongoDB, and the parts of their files. The visit that was asked for and every part are sealed.

In clear: whose, for whom, in which format, times, counts and how far it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.exports.errors import ExportNotFound, StaleExport
from wallet_api.exports.model import MOST_TRIES, Export
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
COLLECTION: Final = "exports"
PARTS: Final = "export_parts"
RETENTION_CLASS: Final = "exports"
_PLAIN: Final = (
    *("citizen_id", "made_by", "relation", "client_id", "format", "scope", "locale", "version", "state"),
    *("tries", "progress", "parts", "size", "reason"),
)
_INSTANTS: Final = ("asked_at", "expires_at", "due_at")

INDEXES = (
    Index(COLLECTION, (("open", 1), ("due_at", 1))),
    Index(COLLECTION, (("citizen_id", 1), ("made_by", 1), ("kept", 1), ("expires_at", 1))),
    Index(COLLECTION, ("expires_at",), ttl=0),
    Index(PARTS, (("export_id", 1), ("try", 1))),
    Index(PARTS, ("citizen_id",)),
    Index(PARTS, ("expires_at",), ttl=0),
)


class MongoExports:
    """`exports.desk.Exports` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._exports = db[COLLECTION]
        self._parts = db[PARTS]
        self._cipher = cipher

    def add(self, export: Export) -> None:
        """Keep a new one; a second run of the same act finds it there."""
        try:
            self._exports.insert_one(self._document(export))
        except DuplicateKeyError:
            return

    def get(self, export_id: str) -> Export | None:
        """One export; none when its owner's key was destroyed."""
        found = self._exports.find_one({"_id": export_id})
        return None if found is None else self._export(found)

    def save(self, export: Export, *, expected: int) -> None:
        """Put a new version in the place of the old."""
        unchanged = {"_id": export.id, "version": expected}
        if self._exports.replace_one(unchanged, self._document(export)).matched_count != 1:
            raise StaleExport(export.id)

    def due(self, now: datetime) -> Export | None:
        """The one that has waited longest for a worker; of somebody who was erased there is none."""
        for found in self._exports.find(self.due_query(now)).sort("due_at", 1).limit(1):
            made = self._export(found)
            if made is not None:
                return made
            self._exports.delete_one({"_id": found["_id"]})
        return None

    def due_query(self, now: datetime) -> Document:
        """The query behind `due`, so that a test can explain it."""
        return {"open": True, "due_at": {"$lte": now}}

    def kept_by(self, citizen_id: str, made_by: str, now: datetime) -> int:
        """How many files of a book one person has waiting or ready."""
        return self._exports.count_documents(self.kept_query(citizen_id, made_by, now))

    def kept_query(self, citizen_id: str, made_by: str, now: datetime) -> Document:
        """The query behind `kept_by`, so that a test can explain it."""
        return {"citizen_id": citizen_id, "made_by": made_by, "kept": True, "expires_at": {"$gt": now}}

    def put_part(self, export: Export, number: int, content: bytes) -> None:
        """Keep one part; a try that writes it again writes over it."""
        row: Document = {
            "_id": _part_id(export, number),
            "export_id": export.id,
            "try": export.tries,
            "citizen_id": export.citizen_id,
            "expires_at": export.expires_at,
        }
        row["content"] = self._cipher.seal(part_place(row), content)
        self._parts.replace_one({"_id": row["_id"]}, row, upsert=True)

    def part(self, export: Export, number: int) -> bytes:
        """One part of a file that is ready."""
        found = self._parts.find_one({"_id": _part_id(export, number)})
        if found is None:
            raise ExportNotFound(export.id)
        try:
            return self._cipher.open(part_place(found), bytes(found["content"]))
        except SealBroken as why:  # its owner was erased
            raise ExportNotFound(export.id) from why

    def drop_parts(self, export: Export, tries: int) -> None:
        """Delete what the first so many tries have made."""
        self._parts.delete_many({"export_id": export.id, "try": {"$lte": tries}})

    def remove(self, export: Export) -> None:
        """Delete the export and all its parts: the export first, so that no worker goes on with it."""
        self._exports.delete_one({"_id": export.id})
        self.drop_parts(export, MOST_TRIES)

    def _document(self, export: Export) -> Document:
        document: Document = {"_id": export.id, "open": export.open, "kept": export.state != "failed"}
        document |= {name: getattr(export, name) for name in (*_PLAIN, *_INSTANTS)}
        document["content"] = self._cipher.seal_json(place_of(document), {"encounter": export.encounter_id})
        return document

    def _export(self, found: Mapping[str, Any]) -> Export | None:
        try:
            sealed = self._cipher.open_json(place_of(found), bytes(found["content"]))
        except SealBroken:
            return None
        return Export(
            id=found["_id"],
            **{name: found[name] for name in _PLAIN},
            **{name: found[name].astimezone(UTC) for name in _INSTANTS},
            encounter_id=sealed["encounter"],
        )


def place_of(found: Mapping[str, Any]) -> Place:
    """Where the sealed part of a stored export belongs."""
    return Place(found["citizen_id"], RETENTION_CLASS, COLLECTION, found["_id"], "content", found["version"])


def part_place(found: Mapping[str, Any]) -> Place:
    """Where a sealed part of a file belongs."""
    return Place(found["citizen_id"], RETENTION_CLASS, PARTS, found["_id"], "content", 1)


def _part_id(export: Export, number: int) -> str:
    return f"{export.id}~{export.tries:02d}~{number:05d}"
