"""One-time visit codes in MongoDB, as keyed digests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.clock import system_now
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
_CODE_KEPT = timedelta(days=1)

INDEXES = (Index("visit_codes", ("purge_at",), ttl=0),)


class MongoVisitCodes:
    """`consent.ports.VisitCodes` over pymongo; a code is its keyed digest.

    `wall` is the machine's time: it only decides when used codes are cleared away.
    """

    def __init__(self, db: Database[Document], wall: Callable[[], datetime] = system_now) -> None:
        self._codes = db["visit_codes"]
        self._wall = wall

    def add(self, digest: str, citizen_id: str, expires_at: datetime) -> None:
        """Keep a new code; one that is there already stays as it is."""
        code: Document = {
            "_id": digest,
            "citizen_id": citizen_id,
            "expires_at": expires_at,
            "taken": False,
            "purge_at": self._wall() + _CODE_KEPT,
        }
        try:
            self._codes.insert_one(code)
        except DuplicateKeyError:
            return

    def shown(self, digest: str, now: datetime) -> str | None:
        """The citizen behind a live code: one look-up by id."""
        found = self._codes.find_one({"_id": digest})
        live = found is not None and not found["taken"] and now < found["expires_at"]
        return str(found["citizen_id"]) if live and found else None

    def take(self, digest: str, now: datetime, unit: ClientSession | None = None) -> bool:
        """Use a live code up, once."""
        live = {"_id": digest, "taken": False, "expires_at": {"$gt": now}}
        return self._codes.update_one(live, {"$set": {"taken": True}}, session=unit).modified_count == 1
