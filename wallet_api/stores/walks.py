"""Cursors of walks over the stored plans, in MongoDB. They name shards and counts, and a citizen's id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from notifications.walks import Cursor
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import Document

_COLLECTION: Final = "planner_walks"

INDEXES = (Index(_COLLECTION, ("walk", "shard")),)


class MongoWalks:
    """`notifications.walks.Walks` over pymongo: one document a cursor, moved by compare-and-set."""

    def __init__(self, db: Database[Document]) -> None:
        self._cursors = db[_COLLECTION]

    def open(self, walk: str, shards: Iterable[int]) -> None:
        """Put a cursor at the beginning of each shard; one that is there stays where it is."""
        there = {each["shard"] for each in self._cursors.find({"walk": walk}, {"shard": 1})}
        for shard in sorted(set(shards) - there):
            with suppress(DuplicateKeyError):  # another worker was first
                self._cursors.insert_one(_document(Cursor(walk, shard)))

    def claim(self, walk: str, shard: int, now: datetime, lease: timedelta) -> Cursor | None:
        """Hold a shard for exactly one caller until now + lease."""
        found = self._cursors.find_one({"_id": _id(walk, shard)})
        if found is None or found["done"]:
            return None
        known = _cursor(found)
        if known.held_until is not None and known.held_until > now:
            return None
        until = now + lease
        change = {"$set": {"held_until": until, "version": known.version + 1}}
        done = self._cursors.update_one({"_id": found["_id"], "version": known.version}, change)
        if done.modified_count != 1:
            return None
        return Cursor(walk, shard, known.after, False, known.counts, known.version + 1, until)

    def advance(self, cursor: Cursor, after: str, counts: Mapping[str, int], *, done: bool) -> bool:
        """Let go of a claimed cursor further on, with `counts` added."""
        total = Counter(cursor.counts) + Counter(counts)
        moved = Cursor(cursor.walk, cursor.shard, after, done, total, cursor.version + 1)
        held = {"_id": _id(cursor.walk, cursor.shard), "version": cursor.version}
        return self._cursors.replace_one(held, _document(moved)).modified_count == 1

    def of(self, walk: str) -> list[Cursor]:
        """The cursors of a walk, by shard."""
        return [_cursor(each) for each in self._cursors.find({"walk": walk}).sort("shard", 1)]


def _id(walk: str, shard: int) -> str:
    return f"{walk}/{shard:02d}"


def _document(cursor: Cursor) -> Document:
    return {
        "_id": _id(cursor.walk, cursor.shard),
        "walk": cursor.walk,
        "shard": cursor.shard,
        "after": cursor.after,
        "done": cursor.done,
        # Pairs: names of counts hold what a field name may not.
        "counts": [[name, count] for name, count in sorted(cursor.counts.items())],
        "version": cursor.version,
        "held_until": cursor.held_until,
    }


def _cursor(found: Mapping[str, Any]) -> Cursor:
    held = found["held_until"]
    return Cursor(
        walk=found["walk"],
        shard=found["shard"],
        after=found["after"],
        done=found["done"],
        counts=dict(found["counts"]),
        version=found["version"],
        held_until=held.astimezone(UTC) if held else None,
    )
