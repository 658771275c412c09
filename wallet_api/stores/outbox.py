"""The outbox in MongoDB: one document a batch, leased and settled as a whole by its version.

The pushes of a batch belong to many people, so they are sealed for the shard: a dump does not tell who is
reminded on which day. What is settled keeps only its counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo.database import Database

from notifications.errors import LeaseLost
from notifications.outgoing import Attempt, Batch, BatchState, Push
from notifications.ports import Unit
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import RETENTION_CLASS, Document, session_of

_COLLECTION: Final = "outbox"
_CANDIDATES: Final = 8  # so that workers on one shard seldom all lose the race for the same batch

# A field with a range comes last: the embedded database loses documents at the bound of a range in the middle.
INDEXES = (
    Index(_COLLECTION, ("shard", "state", "due_at")),
    Index(_COLLECTION, ("state", "due_at")),
    Index(_COLLECTION, ("state", "lease_until")),
)


class MongoOutbox:
    """`notifications.ports.Outbox` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._batches = db[_COLLECTION]
        self._cipher = cipher

    def add(self, batch: Batch, unit: Unit | None = None) -> None:
        """Insert; a known id is ignored."""
        fresh = {
            "shard": batch.shard,
            "template": batch.template,
            "due_at": batch.due_at,
            "until": batch.until,
            "state": batch.state.value,
            "tries": batch.tries,
            "version": batch.version,
            "lease_until": batch.lease_until,
            "attempts": [_attempt_document(each) for each in batch.attempts],
            "pushes": self._seal(batch, batch.pushes, len(batch.attempts)),
        }
        self._batches.update_one(
            {"_id": batch.id}, {"$setOnInsert": fresh}, upsert=True, session=session_of(unit)
        )

    def claim(self, shard: int, now: datetime, lease: timedelta) -> Batch | None:
        """Lease one queued batch with due_at <= now, oldest first, to exactly one caller."""
        asked = {"shard": shard, "state": BatchState.QUEUED.value, "due_at": {"$lte": now}}
        while True:
            found = self._batches.find(asked).sort([("due_at", 1), ("_id", 1)]).limit(_CANDIDATES)
            rows = list(found)
            for row in rows:
                change = {"state": BatchState.LEASED.value, "lease_until": now + lease}
                if self._step(row["_id"], row["version"], {"$set": change}, None):
                    return self._batch(row | change | {"version": row["version"] + 1})
            if len(rows) < _CANDIDATES:
                return None

    def acknowledge(
        self,
        batch: Batch,
        attempt: Attempt,
        state: BatchState,
        rest: Sequence[Push] = (),
        due_at: datetime | None = None,
        tries: int = 0,
        unit: Unit | None = None,
    ) -> None:
        """End a lease: append the attempt, set state, remaining pushes, due time and tries."""
        ends: Document = {
            "state": state.value,
            "tries": tries,
            "lease_until": None,
            "pushes": self._seal(batch, rest, len(batch.attempts) + 1),
        }
        if due_at is not None:
            ends["due_at"] = due_at
        change = {"$set": ends, "$push": {"attempts": _attempt_document(attempt)}}
        if batch.state is not BatchState.LEASED or not self._step(batch.id, batch.version, change, unit):
            raise LeaseLost("the batch was claimed by another worker")

    def sweep(self, now: datetime) -> int:
        """Put batches whose lease has run out back into the queue; return how many."""
        done = self._batches.update_many(
            {"state": BatchState.LEASED.value, "lease_until": {"$lte": now}},
            {"$set": {"state": BatchState.QUEUED.value, "lease_until": None}, "$inc": {"version": 1}},
        )
        return done.modified_count

    def get(self, batch_id: str) -> Batch | None:
        """One batch, or None."""
        found = self._batches.find_one({"_id": batch_id})
        return self._batch(found) if found else None

    def ready(self, now: datetime) -> frozenset[int]:
        """Shards that have a queued batch with due_at <= now."""
        due = {"state": BatchState.QUEUED.value, "due_at": {"$lte": now}}
        found = self._batches.aggregate([{"$match": due}, {"$group": {"_id": "$shard"}}])
        return frozenset(each["_id"] for each in found)

    def _step(self, batch_id: str, version: int, change: Document, unit: Unit | None) -> bool:
        """Change a batch that still has this version, and raise it."""
        done = self._batches.update_one(
            {"_id": batch_id, "version": version}, change | {"$inc": {"version": 1}}, session=session_of(unit)
        )
        return done.modified_count == 1

    def _seal(self, batch: Batch, pushes: Sequence[Push], attempts: int) -> bytes:
        rows = [
            {
                "recipient_id": push.recipient_id,
                "nid": push.nid,
                "reminder_ids": list(push.reminder_ids),
                "installations": None if push.installations is None else sorted(push.installations),
            }
            for push in pushes
        ]
        return self._cipher.seal_json(_place(batch.shard, batch.id, attempts), {"pushes": rows})

    def _batch(self, found: Mapping[str, Any]) -> Batch:
        place = _place(found["shard"], found["_id"], len(found["attempts"]))
        rows = self._cipher.open_json(place, found["pushes"])["pushes"]
        lease_until = found["lease_until"]
        return Batch(
            id=found["_id"],
            shard=found["shard"],
            template=found["template"],
            pushes=tuple(_push(each) for each in rows),
            due_at=found["due_at"].astimezone(UTC),
            until=found["until"].astimezone(UTC),
            state=BatchState(found["state"]),
            tries=found["tries"],
            version=found["version"],
            lease_until=lease_until.astimezone(UTC) if lease_until else None,
            attempts=tuple(
                Attempt(each["at"].astimezone(UTC), each["answers"]) for each in found["attempts"]
            ),
        )


def _push(found: Mapping[str, Any]) -> Push:
    owed = found["installations"]
    return Push(
        found["recipient_id"],
        found["nid"],
        tuple(found["reminder_ids"]),
        None if owed is None else frozenset(owed),
    )


def _attempt_document(attempt: Attempt) -> Document:
    return {"at": attempt.at, "answers": dict(attempt.answers)}


def _place(shard: int, batch_id: str, attempts: int) -> Place:
    """Every attempt rewrites the pushes, so their number is the revision."""
    return Place(f"outbox-{shard}", RETENTION_CLASS, _COLLECTION, batch_id, "pushes", attempts)
