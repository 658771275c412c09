"""The store of wrapped keys as the release before migration 0002 had it: frozen, to run beside today's."""

from __future__ import annotations

from typing import Any

from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from wallet_api.infra.crypto.wrapped_keys import WrappedKey


class OldKeys:
    """Writes rows that do not name their format, and reads no such name."""

    def __init__(self, db: Database[dict[str, Any]]) -> None:
        self._keys = db["citizen_keys"].with_options(
            write_concern=WriteConcern("majority", j=True), read_concern=ReadConcern("majority")
        )

    def find(self, citizen_id: str, retention_class: str) -> WrappedKey | None:
        found = self._keys.find_one({"_id": f"{citizen_id}|{retention_class}"})
        if found is None:
            return None
        names = ("citizen_id", "retention_class", "version", "kek_id")
        return WrappedKey(*(found[name] for name in names), bytes(found["wrapped"]))

    def add(self, key: WrappedKey) -> bool:
        try:
            self._keys.insert_one(old_row(key))
        except DuplicateKeyError:
            return False
        return True

    def rewrap(self, key: WrappedKey, wrapped: bytes, kek_id: str) -> bool:
        unchanged = {"_id": f"{key.citizen_id}|{key.retention_class}", "wrapped": key.wrapped}
        change = {"$set": {"wrapped": wrapped, "kek_id": kek_id}}
        return self._keys.update_one(unchanged, change).matched_count == 1


def old_row(key: WrappedKey) -> dict[str, Any]:
    return {
        "_id": f"{key.citizen_id}|{key.retention_class}",
        "citizen_id": key.citizen_id,
        "retention_class": key.retention_class,
        "version": key.version,
        "kek_id": key.kek_id,
        "wrapped": key.wrapped,
    }
