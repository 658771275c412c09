"""The one document that readiness reads and writes, to see that the database does both."""

from __future__ import annotations

from datetime import datetime

from wallet_api.infra.mongo import Db, Index

INDEXES = (Index("readiness", ("at",)),)
"""Nobody asks by it: it has `migrate` make the collection, which the service's own user may not."""


class MongoProbe:
    """The probe in the wallet's own database, with the write concern of everything else."""

    def __init__(self, db: Db) -> None:
        self._documents = db["readiness"]

    def read(self) -> None:
        """Read it, whether it is there or not: a ping proves nothing about the storage."""
        self._documents.find_one({"_id": "probe"})

    def write(self, at: datetime) -> None:
        """Write it, journaled."""
        self._documents.update_one({"_id": "probe"}, {"$set": {"at": at}}, upsert=True)
