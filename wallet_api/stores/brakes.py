"""Shared stops and speeds in MongoDB: seen by every worker at its next batch."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from notifications.pacing import Bucket, Rate, Tally, take
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

    def holds(self, bucket: str, template: str, now: datetime) -> bool:
        """True while the bucket is paused or the template version stopped; both are asked at once."""
        found = self._brakes.find({"_id": {"$in": [f"pause/{bucket}", f"stop/{template}"]}})
        return any("until" not in each or each["until"] > now for each in found)

    def tally(self, bucket: str, now: datetime, tried: int, refused: int) -> Tally:
        """Add to the answers of this minute; return all of this minute so far."""
        key, minute = f"tally/{bucket}", int(now.timestamp()) // 60
        counts = {"tried": tried, "refused": refused}
        while True:
            this_minute = {"_id": key, "minute": minute}
            if self._brakes.update_one(this_minute, {"$inc": counts}).matched_count:
                found = self._brakes.find_one(this_minute) or counts
                return Tally(found["tried"], found["refused"])
            with suppress(DuplicateKeyError):  # another worker began this minute just now: add to it
                fresh = {"$set": {"minute": minute, "tried": 0, "refused": 0}}
                self._brakes.update_one({"_id": key, "minute": {"$nin": [minute]}}, fresh, upsert=True)


class MongoTokens:
    """`notifications.pacing.Tokens` over pymongo: one document a bucket, changed by its version."""

    def __init__(self, db: Database[Document]) -> None:
        self._buckets = db[_COLLECTION]

    def lease(self, bucket: str, rate: Rate, want: int, now: datetime, *, critical: bool = False) -> int:
        """Up to `want` tokens, taken for good."""
        key = f"tokens/{bucket}"
        while True:
            found = self._buckets.find_one({"_id": key})
            known = None if found is None else _bucket(found)
            after, granted = take(known, rate, want, now, critical=critical)
            fresh = {"tokens": after.tokens, "at": after.at, "since": after.since}
            if found is None:
                with suppress(DuplicateKeyError):
                    self._buckets.insert_one({"_id": key, "version": 1, **fresh})
                    return granted
                continue
            unchanged = {"_id": key, "version": found["version"]}
            done = self._buckets.update_one(unchanged, {"$set": fresh, "$inc": {"version": 1}})
            if done.modified_count == 1:
                return granted


def _bucket(found: Document) -> Bucket:
    return Bucket(found["tokens"], found["at"].astimezone(UTC), found["since"].astimezone(UTC))
