"""Counts of acts in the wallet's own database: what the `limits` library calls a storage.

The library's own one for MongoDB needs `find_one_and_update`, which the embedded database answers by a
scan, and hangs at exit when the database is gone. Ours is two operations: add, then look.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import pymongo
from limits.storage import Storage
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.write_concern import WriteConcern

from wallet_api.infra.clock import system_now
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
SCHEME: Final = "wallet-database"
_COLLECTION: Final = "limits"
_TIMEOUT = 1.0  # seconds; nobody waits longer to be counted

INDEXES = (Index(_COLLECTION, ("purge_at",), ttl=0),)


class DatabaseStorage(Storage):
    """`limits.storage.Storage` over pymongo. `wall` only decides when a count is cleared away.

    A count that was acknowledged may be lost when the machine fails: it guards rates, and no promise.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - the library's own way to register a storage

    def __init__(self, db: Database[Document], wall: Callable[[], datetime] = system_now) -> None:
        super().__init__(f"{SCHEME}://", wrap_exceptions=True)
        self._rows = db.get_collection(_COLLECTION, write_concern=WriteConcern(1))
        self._wall = wall

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the driver raises; the library makes a StorageError of it."""
        return PyMongoError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count; the count after it, or a higher one if others added meanwhile: never a lower."""
        with pymongo.timeout(_TIMEOUT):
            try:
                self._add(key, expiry, amount)
            except DuplicateKeyError:
                self._add(key, expiry, amount)  # another made the row in between
            return self.get(key)

    def get(self, key: str) -> int:
        """The count; 0 for what was never counted."""
        found = self._rows.find_one({"_id": key}, {"count": 1})
        return int(found["count"]) if found else 0

    def get_expiry(self, key: str) -> float:
        """When the count is cleared away, in seconds since 1970; 0 for what was never counted."""
        found = self._rows.find_one({"_id": key}, {"purge_at": 1})
        return float(found["purge_at"].timestamp()) if found else 0.0

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            self._rows.find_one({"_id": ""})
        except PyMongoError:
            return False
        return True

    def reset(self) -> int:
        """Forget every count; how many there were."""
        return self._rows.delete_many({}).deleted_count

    def clear(self, key: str) -> None:
        """Forget one count."""
        self._rows.delete_one({"_id": key})

    def _add(self, key: str, expiry: int, amount: int) -> None:
        made = {"purge_at": self._wall() + timedelta(seconds=expiry)}
        self._rows.update_one({"_id": key}, {"$inc": {"count": amount}, "$setOnInsert": made}, upsert=True)
