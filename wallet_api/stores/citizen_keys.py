"""Wrapped citizen keys in MongoDB. Backed up apart from everything else and kept at most 31 days.

Each row names how it is wrapped, so that keys wrapped by a managed key service can stand beside these.
Rows written before migration 0002 lack the name and are wrapped in the first way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pymongo
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern

from wallet_api.infra.crypto.errors import KeyUnavailable
from wallet_api.infra.crypto.wrapped_keys import WrappedKey
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import insert_new

COLLECTION: Final = "citizen_keys"
_FORMAT: Final = "gcm-1"  # nonce, then AES-256-GCM, by a key-encryption key of the key store
_COUNT_SECONDS: Final = 600.0
_DUPLICATE: Final = 11000  # two processes filled one place at once

INDEXES = (Index(COLLECTION, ("kek_id",)), Index(COLLECTION, ("citizen_id",)))


class MongoCitizenKeys:
    """`WrappedKeys` over pymongo. Takes no session, so that no caller's transaction can undo a key."""

    def __init__(self, db: Database[dict[str, Any]]) -> None:
        # Majority reads: a key seen before it is durable could be sealed with and then be rolled back.
        self._keys = db[COLLECTION].with_options(
            write_concern=WriteConcern("majority", j=True), read_concern=ReadConcern("majority")
        )

    def find(self, citizen_id: str, retention_class: str) -> WrappedKey | None:
        """Return the row if it is durable, else None."""
        found = self._keys.find_one({"_id": _id(citizen_id, retention_class)})
        return _row(found) if found else None

    def add(self, key: WrappedKey) -> bool:
        """Store a row durably; False when one is there already."""
        try:
            self._keys.insert_one(_document(key))
        except DuplicateKeyError:
            return False
        return True

    def ensure(self, keys: Sequence[WrappedKey]) -> tuple[WrappedKey, ...]:
        """Store durably those whose place is empty; return the rows now durable at these places."""
        try:
            # Not upserts: the embedded database takes three times as long over them.
            self._keys.insert_many([_document(key) for key in keys], ordered=False)
        except BulkWriteError as why:
            if any(each["code"] != _DUPLICATE for each in why.details["writeErrors"]):
                raise
        places = [_id(key.citizen_id, key.retention_class) for key in keys]
        return tuple(_row(found) for found in self._keys.find({"_id": {"$in": places}}))

    def load(self, keys: Sequence[WrappedKey]) -> None:
        """Store many new rows durably; those that are there already stay."""
        insert_new(self._keys, [_document(key) for key in keys])

    def kept_for(self, citizen_ids: Iterable[str], retention_classes: Sequence[str]) -> list[WrappedKey]:
        """The rows of many citizens that are durable."""
        asked = [_id(citizen_id, kind) for citizen_id in citizen_ids for kind in retention_classes]
        with pymongo.timeout(_COUNT_SECONDS):
            return [_row(found) for found in self._keys.find({"_id": {"$in": asked}})]

    def rewrap(self, key: WrappedKey, wrapped: bytes, kek_id: str) -> bool:
        """Replace how a key is wrapped; False when the row is gone or changed."""
        unchanged = {"_id": _id(key.citizen_id, key.retention_class), "wrapped": key.wrapped}
        done = self._keys.update_one(
            unchanged, {"$set": {"wrapped": wrapped, "kek_id": kek_id, "format": _FORMAT}}
        )
        return done.matched_count == 1

    def wrapped_by(self, kek_id: str, limit: int) -> tuple[WrappedKey, ...]:
        """Return up to `limit` rows wrapped by one key-encryption key."""
        return tuple(_row(found) for found in self._keys.find({"kek_id": kek_id}).limit(limit))

    def of_citizen(self, citizen_id: str) -> tuple[WrappedKey, ...]:
        """Return every row of one owner: what an erasure has to remove."""
        return tuple(_row(found) for found in self._keys.find({"citizen_id": citizen_id}))

    def by_kek(self) -> dict[str, int]:
        """Count the rows by the key-encryption key that wraps them (reads everything: for ops alone)."""
        with pymongo.timeout(_COUNT_SECONDS):
            found = self._keys.aggregate([{"$group": {"_id": "$kek_id", "count": {"$sum": 1}}}])
            return {str(each["_id"]): int(each["count"]) for each in found}

    def remove(self, citizen_id: str, retention_class: str) -> bool:
        """Delete a row; False when there was none."""
        return self._keys.delete_one({"_id": _id(citizen_id, retention_class)}).deleted_count == 1


def _id(citizen_id: str, retention_class: str) -> str:
    if "|" in citizen_id:
        raise ValueError("an owner of keys has no | in its id")
    return f"{citizen_id}|{retention_class}"


def _document(key: WrappedKey) -> dict[str, Any]:
    return {
        "_id": _id(key.citizen_id, key.retention_class),
        "citizen_id": key.citizen_id,
        "retention_class": key.retention_class,
        "version": key.version,
        "kek_id": key.kek_id,
        "wrapped": key.wrapped,
        "format": _FORMAT,
    }


def _row(found: dict[str, Any]) -> WrappedKey:
    if found.get("format", _FORMAT) != _FORMAT:
        raise KeyUnavailable("A citizen key is wrapped in a way this release does not know.")
    return WrappedKey(
        citizen_id=found["citizen_id"],
        retention_class=found["retention_class"],
        version=found["version"],
        kek_id=found["kek_id"],
        wrapped=bytes(found["wrapped"]),
    )
