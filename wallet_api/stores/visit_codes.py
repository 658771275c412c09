"""One-time visit codes in MongoDB, as keyed digests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

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
        """Keep a new code."""
        self._codes.insert_one(
            {
                "_id": digest,
                "citizen_id": citizen_id,
                "expires_at": expires_at,
                "taken": False,
                "purge_at": self._wall() + _CODE_KEPT,
            }
        )

    def take(self, digest: str, now: datetime) -> str | None:
        """The citizen behind a live code, once."""
        won = self._codes.update_one({"_id": digest, "taken": False}, {"$set": {"taken": True}})
        found = self._codes.find_one({"_id": digest})
        live = won.modified_count == 1 and found is not None and now < found["expires_at"]
        return str(found["citizen_id"]) if live and found else None
