"""Rebuilds of the stored plans, in MongoDB. Programmes, counts and ops people; nobody's data."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from notifications.effects import Effect, Range
from notifications.errors import StaleRebuild
from notifications.rebuilds import OPEN, Preview, Rebuild
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import Document

_COLLECTION: Final = "rebuilds"
_PLAIN: Final = (
    "rules",
    "dry_run",
    "asked_by",
    "asked_at",
    "state",
    "version",
    "over_days",
    "decided_by",
    "ended_at",
)

INDEXES = (Index(_COLLECTION, (("asked_at", -1),)), Index(_COLLECTION, ("state",)))


class MongoRebuilds:
    """`notifications.rebuilds.Rebuilds` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._rebuilds = db[_COLLECTION]

    def add(self, rebuild: Rebuild) -> None:
        """Keep a new one; one that is there under this id stays as it is."""
        with suppress(DuplicateKeyError):
            self._rebuilds.insert_one(_document(rebuild))

    def get(self, rebuild_id: str) -> Rebuild | None:
        """One rebuild."""
        found = self._rebuilds.find_one({"_id": rebuild_id})
        return None if found is None else _rebuild(found)

    def save(self, rebuild: Rebuild, *, expected: int) -> None:
        """Put it in the place of version `expected`, or raise StaleRebuild."""
        held = {"_id": rebuild.id, "version": expected}
        if self._rebuilds.replace_one(held, _document(rebuild)).matched_count != 1:
            raise StaleRebuild(rebuild.id)

    def newest(self, limit: int) -> list[Rebuild]:
        """Those asked for last, the last first."""
        return [_rebuild(each) for each in self._rebuilds.find().sort("asked_at", -1).limit(limit)]

    def unfinished(self) -> list[Rebuild]:
        """Those that have not ended, the oldest first."""
        found = [_rebuild(each) for each in self._rebuilds.find({"state": {"$in": sorted(OPEN)}})]
        return sorted(found, key=lambda each: (each.asked_at, each.id))


def _document(rebuild: Rebuild) -> Document:
    return {name: getattr(rebuild, name) for name in _PLAIN} | {
        "_id": rebuild.id,
        "shards": list(rebuild.shards),
        "looked_at": list(rebuild.looked_at),
        "from_day": rebuild.from_day.isoformat() if rebuild.from_day else None,
        "preview": None if rebuild.preview is None else _preview_document(rebuild.preview),
    }


def _preview_document(found: Preview) -> Document:
    return {
        "rows": found.rows,
        "failed": found.failed,
        "parts": [[*part, *asdict(effect).values()] for part, effect in sorted(found.parts.items())],
        "ranges": [list(asdict(each).values()) for each in (found.appear, found.vanish, found.move)],
    }


def _rebuild(found: Mapping[str, Any]) -> Rebuild:
    plain = {name: found[name] for name in _PLAIN}
    for name in ("asked_at", "ended_at"):
        at: datetime | None = plain[name]
        plain[name] = at.astimezone(UTC) if at else None
    return Rebuild(
        id=found["_id"],
        shards=tuple(found["shards"]),
        looked_at=tuple(found["looked_at"]),
        from_day=date.fromisoformat(found["from_day"]) if found["from_day"] else None,
        preview=_preview(found["preview"]) if found["preview"] else None,
        **plain,
    )


def _preview(found: Mapping[str, Any]) -> Preview:
    parts = {(programme, series): Effect(*counts) for programme, series, *counts in found["parts"]}
    appear, vanish, move = (Range(*each) for each in found["ranges"])
    return Preview(found["rows"], found["failed"], parts, appear, vanish, move)
