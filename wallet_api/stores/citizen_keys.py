"""Wrapped citizen keys in MongoDB. Backed up apart from everything else and kept at most 31 days."""

from __future__ import annotations

from typing import Any

from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from wallet_api.infra.crypto.wrapped_keys import WrappedKey
from wallet_api.infra.mongo import Index

_COLLECTION = "citizen_keys"

INDEXES = (Index(_COLLECTION, ("kek_id",)),)


class MongoCitizenKeys:
    """`WrappedKeys` over pymongo. Takes no session, so that no caller's transaction can undo a key."""

    def __init__(self, db: Database[dict[str, Any]]) -> None:
        # Majority reads: a key seen before it is durable could be sealed with and then be rolled back.
        self._keys = db[_COLLECTION].with_options(
            write_concern=WriteConcern("majority", j=True), read_concern=ReadConcern("majority")
        )

    def find(self, citizen_id: str, retention_class: str) -> WrappedKey | None:
        """Return the row if it is durable, else None."""
        found = self._keys.find_one({"_id": _id(citizen_id, retention_class)})
        return _row(found) if found else None

    def add(self, key: WrappedKey) -> bool:
        """Store a row durably; False when one is there already."""
        document = {
            "_id": _id(key.citizen_id, key.retention_class),
            "citizen_id": key.citizen_id,
            "retention_class": key.retention_class,
            "version": key.version,
            "kek_id": key.kek_id,
            "wrapped": key.wrapped,
        }
        try:
            self._keys.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def rewrap(self, key: WrappedKey, wrapped: bytes, kek_id: str) -> bool:
        """Replace how a key is wrapped; False when the row is gone or changed."""
        unchanged = {"_id": _id(key.citizen_id, key.retention_class), "wrapped": key.wrapped}
        done = self._keys.update_one(unchanged, {"$set": {"wrapped": wrapped, "kek_id": kek_id}})
        return done.matched_count == 1

    def wrapped_by(self, kek_id: str, limit: int) -> tuple[WrappedKey, ...]:
        """Return up to `limit` rows wrapped by one key-encryption key."""
        return tuple(_row(found) for found in self._keys.find({"kek_id": kek_id}).limit(limit))

    def remove(self, citizen_id: str, retention_class: str) -> bool:
        """Delete a row; False when there was none."""
        return self._keys.delete_one({"_id": _id(citizen_id, retention_class)}).deleted_count == 1


def _id(citizen_id: str, retention_class: str) -> str:
    if "|" in citizen_id:
        raise ValueError("an owner of keys has no | in its id")
    return f"{citizen_id}|{retention_class}"


def _row(found: dict[str, Any]) -> WrappedKey:
    return WrappedKey(
        citizen_id=found["citizen_id"],
        retention_class=found["retention_class"],
        version=found["version"],
        kek_id=found["kek_id"],
        wrapped=bytes(found["wrapped"]),
    )
