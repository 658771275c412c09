"""Shared stops in MongoDB: seen by every worker at its next batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pymongo.database import Database

from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import Document

_COLLECTION: Final = "brakes"

INDEXES: tuple[Index, ...] = ()


class MongoBrakes:
    """`notifications.ports.Brakes` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._brakes = db[_COLLECTION]

    def pause(self, bucket: str, until: datetime) -> None:
        """Hold a bucket until then; never shortens a pause."""
        self._brakes.update_one({"_id": f"pause/{bucket}"}, {"$max": {"until": until}}, upsert=True)

    def paused_until(self, bucket: str) -> datetime | None:
        """End of the last pause of a bucket, also when past."""
        found = self._brakes.find_one({"_id": f"pause/{bucket}"})
        until: datetime | None = found["until"].astimezone(UTC) if found else None
        return until

    def stop(self, template: str) -> None:
        """Stop one template version for good; only ops release it."""
        key = f"stop/{template}"
        self._brakes.update_one({"_id": key}, {"$setOnInsert": {"template": template}}, upsert=True)

    def release(self, template: str) -> None:
        """Let a template version out again."""
        self._brakes.delete_one({"_id": f"stop/{template}"})

    def stopped(self, template: str) -> bool:
        """True while a template version is stopped."""
        return self._brakes.find_one({"_id": f"stop/{template}"}) is not None
