"""Materialised plans in MongoDB: one document a citizen. In clear: shard and review day. Sealed: items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.model import DueItem
from notifications.ports import Unit
from notifications.reminders import shard_of
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import insert_new
from wallet_api.stores.reminding import RETENTION_CLASS, Document, MongoUnits

_COLLECTION = "due_items"

# A range comes last in its index: in the middle, the embedded database loses the documents at its bound.
INDEXES = (Index(_COLLECTION, ("shard", "review_on")),)


class MongoDueItems:
    """`notifications.ports.DueItems` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._plans = db[_COLLECTION]
        self._units = MongoUnits(db)
        self._cipher = cipher

    def replace(
        self, citizen_id: str, items: Sequence[DueItem], review_on: date | None, unit: Unit | None = None
    ) -> None:
        """Put the new plan in place of the old one."""

        def work(session: ClientSession) -> None:
            known = self._plans.find_one({"_id": citizen_id}, {"revision": 1}, session=session)
            revision = known["revision"] + 1 if known else 1
            fresh = self._document(citizen_id, items, review_on, revision)
            self._plans.replace_one({"_id": citizen_id}, fresh, upsert=True, session=session)

        self._units.within(unit, work)

    def load(self, plans: Sequence[tuple[str, Sequence[DueItem], date | None]]) -> None:
        """Add many first plans (whose, items, review day); those there stay. For filling a database."""
        insert_new(self._plans, [self._document(*each, revision=1) for each in plans])

    def due_between(self, shard: int, day_from: date, day_to: date, limit: int) -> list[str]:
        """Citizens of a shard to review on these days, earliest first, at most `limit`."""
        days = {"$gte": day_from.isoformat(), "$lte": day_to.isoformat()}
        found = self._plans.find({"shard": shard, "review_on": days}, {"_id": 1})
        return [each["_id"] for each in found.sort([("review_on", 1), ("_id", 1)]).limit(limit)]

    def _document(
        self, citizen_id: str, items: Sequence[DueItem], review_on: date | None, revision: int
    ) -> Document:
        return {
            "_id": citizen_id,
            "shard": shard_of(citizen_id),
            "review_on": review_on.isoformat() if review_on else None,
            "revision": revision,
            "items": self._cipher.seal_json(
                _place(citizen_id, revision), {"items": [item.to_plain() for item in items]}
            ),
        }


def _place(citizen_id: str, revision: int) -> Place:
    return Place(citizen_id, RETENTION_CLASS, _COLLECTION, citizen_id, "items", revision)
