"""Vaccination days of communes in MongoDB: one document a commune. Nothing of any person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from pymongo import WriteConcern
from pymongo.database import Database

from notifications.sessions import SessionDays, SessionPeriod
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import Document

_COLLECTION: Final = "session_days"

INDEXES: tuple[Index, ...] = ()


class MongoSessionBook:
    """`notifications.sessions.SessionBook` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._communes = db[_COLLECTION].with_options(write_concern=WriteConcern("majority", j=True))

    def of(self, commune: str) -> SessionDays | None:
        """What a commune published, or None."""
        found = self._communes.find_one({"_id": commune})
        if found is None:
            return None
        return SessionDays(commune, tuple(_period(each) for each in found["periods"]), found["version"])

    def publish(self, days: SessionDays, expected: int) -> bool:
        """Put it in the place of version `expected` (0: of nothing); False if that is not what is there."""
        fresh = {"version": days.version, "periods": [_plain(each) for each in days.periods]}
        if expected == 0:
            done = self._communes.update_one({"_id": days.commune}, {"$setOnInsert": fresh}, upsert=True)
            return done.upserted_id is not None
        known = {"_id": days.commune, "version": expected}
        return self._communes.update_one(known, {"$set": fresh}).matched_count == 1


def _plain(one: SessionPeriod) -> Document:
    return {
        "valid_from": one.valid_from.isoformat(),
        "valid_to": one.valid_to.isoformat(),
        "days": sorted(day.isoformat() for day in one.days),
        "monthly": sorted(one.monthly),
        "published_on": one.published_on.isoformat(),
    }


def _period(told: Mapping[str, Any]) -> SessionPeriod:
    return SessionPeriod(
        valid_from=date.fromisoformat(told["valid_from"]),
        valid_to=date.fromisoformat(told["valid_to"]),
        days=frozenset(date.fromisoformat(day) for day in told["days"]),
        monthly=frozenset(told["monthly"]),
        published_on=date.fromisoformat(told["published_on"]),
    )
