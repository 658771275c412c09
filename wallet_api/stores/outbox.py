"""The outbox in MongoDB: one document a batch, leased and settled as a whole by its version.

The pushes of a batch belong to many people, so they are sealed for the shard: a dump does not tell who is
reminded on which day. What is settled keeps only its counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.errors import LeaseLost
from notifications.outgoing import Attempt, Batch, BatchState, Push
from notifications.ports import Unit
from notifications.reminders import SHARDS
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import RETENTION_CLASS, Document, MongoUnits, session_of

_COLLECTION: Final = "outbox"
_CANDIDATES: Final = 8  # so that workers on one shard seldom all lose the race for the same batch

# A range comes last in its index: in the middle, the embedded database loses the documents at its bound.
INDEXES = (
    Index(_COLLECTION, ("shard", "state", "due_at")),
    Index(_COLLECTION, ("shard", "state", "lane", "due_at")),
    Index(_COLLECTION, ("state", "due_at")),
    Index(_COLLECTION, ("state", "lease_until")),
)


class MongoOutbox:
    """`notifications.ports.Outbox` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._batches = db[_COLLECTION]
        self._figures = db["outbox_figures"]
        self._units = MongoUnits(db)
        self._cipher = cipher

    def add(self, batch: Batch, unit: Unit | None = None) -> None:
        """Insert; a known id is ignored."""
        fresh = {
            "shard": batch.shard,
            "template": batch.template,
            "due_at": batch.due_at,
            "until": batch.until,
            "state": batch.state.value,
            "lane": batch.lane,
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
        """Lease one queued batch with due_at <= now to exactly one caller: critical first, then oldest."""
        asked = {"shard": shard, "state": BatchState.QUEUED.value}
        first = self._claim(asked | {"lane": "critical", "due_at": {"$lte": now}}, now, lease)
        return first or self._claim(asked | {"due_at": {"$lte": now}}, now, lease)

    def _claim(self, asked: Document, now: datetime, lease: timedelta) -> Batch | None:
        """Candidates are read without their pushes: hundreds each, and all but one stay where they are."""
        change = {"state": BatchState.LEASED.value, "lease_until": now + lease}
        while True:
            found = self._batches.find(asked, {"version": 1})
            rows = list(found.sort([("due_at", 1), ("_id", 1)]).limit(_CANDIDATES))
            for row in rows:
                if self._step(row["_id"], row["version"], {"$set": change}, None):
                    mine = self._batches.find_one({"_id": row["_id"]})
                    if mine is not None and mine["version"] == row["version"] + 1:
                        return self._batch(mine)
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

        def work(session: ClientSession) -> None:
            if batch.state is not BatchState.LEASED or not self._step(
                batch.id, batch.version, change, session
            ):
                raise LeaseLost("the batch was claimed by another worker")
            self._count(batch.shard, attempt, state, session)

        self._units.within(unit, work)

    def sweep(self, now: datetime) -> int:
        """Put batches whose lease has run out back into the queue; return how many."""
        done = self._batches.update_many(
            {"state": BatchState.LEASED.value, "lease_until": {"$lte": now}},
            {"$set": {"state": BatchState.QUEUED.value, "lease_until": None}, "$inc": {"version": 1}},
        )
        return done.modified_count

    def dead(self, limit: int, before: tuple[datetime, str] | None = None) -> list[Batch]:
        """Dead batches, latest death first by (due_at, id)."""
        first: Document = {"state": BatchState.DEAD.value}
        second: Document = {}
        if before is not None:
            at, batch_id = before
            first["due_at"] = {"$lte": at}
            second = {"$or": [{"due_at": {"$lt": at}}, {"due_at": at, "_id": {"$lt": batch_id}}]}
        order = {"$sort": {"due_at": -1, "_id": -1}}
        found = self._batches.aggregate([{"$match": first}, {"$match": second}, order, {"$limit": limit}])
        return [self._batch(each) for each in found]

    def get(self, batch_id: str) -> Batch | None:
        """One batch in any state."""
        found = self._batches.find_one({"_id": batch_id})
        return None if found is None else self._batch(found)

    def forget_dead(self, died_before: datetime) -> int:
        """Delete dead batches with due_at <= died_before; return how many."""
        old = {"state": BatchState.DEAD.value, "due_at": {"$lte": died_before}}
        return self._batches.delete_many(old).deleted_count

    def revive(self, batch: Batch, now: datetime, until: datetime, unit: Unit | None = None) -> bool:
        """Queue a dead batch again, its tries forgotten; False if it is dead no more."""
        fresh = {"state": BatchState.QUEUED.value, "due_at": now, "until": until, "tries": 0}
        change = {"$set": fresh, "$inc": {"replays": 1}}

        def work(session: ClientSession) -> bool:
            if batch.state is not BatchState.DEAD or not self._step(batch.id, batch.version, change, session):
                return False
            count = {"$inc": {f"batches.{BatchState.DEAD}": -1}}
            self._figures.update_one({"_id": batch.shard}, count, session=session)
            return True

        return self._units.within(unit, work)

    def ready(self, now: datetime) -> frozenset[int]:
        """Shards that have a queued batch with due_at <= now."""
        due = {"state": BatchState.QUEUED.value, "due_at": {"$lte": now}}
        found = self._batches.aggregate([{"$match": due}, {"$group": {"_id": "$shard"}}])
        return frozenset(each["_id"] for each in found)

    def figures(self) -> dict[str, dict[str, int]]:
        """Batches by state, and pushes by the answer the channel gave, retries included. Counts only."""
        batches, pushes = Counter[str](), Counter[str]()
        for row in self._figures.find().limit(2 * SHARDS):
            batches.update(row.get("batches", {}))
            pushes.update(row.get("pushes", {}))
        for state in (BatchState.QUEUED, BatchState.LEASED):
            batches[state.value] = self._batches.count_documents({"state": state.value})
        return {"batches": dict(batches), "pushes": dict(pushes)}

    def _step(self, batch_id: str, version: int, change: Document, session: ClientSession | None) -> bool:
        """Change a batch that still has this version, and raise it."""
        unchanged = {"_id": batch_id, "version": version}
        counts = {"version": 1} | change.get("$inc", {})
        done = self._batches.update_one(unchanged, change | {"$inc": counts}, session=session)
        return done.modified_count == 1

    def _count(self, shard: int, attempt: Attempt, state: BatchState, session: ClientSession) -> None:
        """Settled batches are counted as they settle: there are too many to count them when asked."""
        counts = {f"pushes.{answer}": count for answer, count in attempt.answers.items()}
        for ended in (BatchState.DONE, BatchState.DEAD):
            counts[f"batches.{ended}"] = int(state is ended)
        self._figures.update_one({"_id": shard}, {"$inc": counts}, upsert=True, session=session)

    def _seal(self, batch: Batch, pushes: Sequence[Push], attempts: int) -> bytes:
        rows = [
            {
                "recipient_id": push.recipient_id,
                "nid": push.nid,
                "reminder_ids": list(push.reminder_ids),
                "installations": None if push.installations is None else sorted(push.installations),
                "alert": push.alert,
                "urgent": push.urgent,
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
            lane=found.get("lane", "normal"),
            tries=found["tries"],
            replays=found.get("replays", 0),
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
        bool(found.get("alert", False)),
        bool(found.get("urgent", False)),
    )


def _attempt_document(attempt: Attempt) -> Document:
    return {"at": attempt.at, "answers": dict(attempt.answers)}


def _place(shard: int, batch_id: str, attempts: int) -> Place:
    """Every attempt rewrites the pushes, so their number is the revision."""
    return Place(f"outbox-{shard}", RETENTION_CLASS, _COLLECTION, batch_id, "pushes", attempts)
