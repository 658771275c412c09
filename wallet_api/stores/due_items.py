"""Materialised plans in MongoDB: one document a citizen.

In clear: shard, review day, and by which rules it was planned on which day. Sealed: items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from pymongo import ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.model import DueItem
from notifications.ports import DueRow, Unit
from notifications.reminders import shard_of
from notifications.rules import Hold, Stamp
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.errors import CryptoError
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import insert_new
from wallet_api.stores.reminding import RETENTION_CLASS, Document, MongoUnits, session_of

_COLLECTION = "due_items"

# A range comes last in its index: in the middle, the embedded database loses the documents at its bound.
INDEXES = (Index(_COLLECTION, ("shard", "review_on")), Index(_COLLECTION, ("shard", "_id")))


class NewPlan(NamedTuple):
    """What `replace` is given."""

    citizen_id: str
    items: Sequence[DueItem]
    review_on: date | None
    stamp: Stamp | None


class MongoDueItems:
    """`notifications.ports.DueItems` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._plans = db[_COLLECTION]
        self._units = MongoUnits(db)
        self._cipher = cipher

    def replace(
        self,
        citizen_id: str,
        items: Sequence[DueItem],
        review_on: date | None,
        unit: Unit | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        """Put the new plan in place of the old one."""

        def work(session: ClientSession) -> None:
            known = self._plans.find_one({"_id": citizen_id}, {"revision": 1}, session=session)
            revision = known["revision"] + 1 if known else 1
            fresh = self._document(citizen_id, items, review_on, revision, stamp)
            self._plans.replace_one({"_id": citizen_id}, fresh, upsert=True, session=session)

        self._units.within(unit, work)

    def replace_many(self, plans: Sequence[NewPlan], session: ClientSession) -> None:
        """Put the new plans of several citizens, each once, in place of the old ones."""
        known = self._plans.find(
            {"_id": {"$in": [each.citizen_id for each in plans]}}, {"revision": 1}, session=session
        )
        revisions = {each["_id"]: each["revision"] for each in known}
        made = [
            self._document(
                each.citizen_id,
                each.items,
                each.review_on,
                revisions.get(each.citizen_id, 0) + 1,
                each.stamp,
            )
            for each in plans
        ]
        puts = [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in made]
        if puts:
            self._plans.bulk_write(puts, session=session)

    def row(self, citizen_id: str, unit: Unit | None = None) -> DueRow | None:
        """The stored plan of one citizen."""
        found = self._plans.find_one({"_id": citizen_id}, session=session_of(unit))
        return None if found is None else self._row(found)

    def rows(self, shard: int, after: str, limit: int) -> list[DueRow]:
        """Stored plans of a shard whose citizen id comes after `after`, in the order of ids."""
        found = self._plans.find({"shard": shard, "_id": {"$gt": after}}).sort("_id", 1).limit(limit)
        return [self._row(each) for each in found]

    def load(
        self, plans: Sequence[tuple[str, Sequence[DueItem], date | None]], stamp: Stamp | None = None
    ) -> None:
        """Add many first plans (whose, items, review day); those there stay. For filling a database."""
        insert_new(self._plans, [self._document(*each, revision=1, stamp=stamp) for each in plans])

    def due_between(self, shard: int, day_from: date, day_to: date, limit: int) -> list[str]:
        """Citizens of a shard to review on these days, earliest first, at most `limit`."""
        days = {"$gte": day_from.isoformat(), "$lte": day_to.isoformat()}
        found = self._plans.find({"shard": shard, "review_on": days}, {"_id": 1})
        return [each["_id"] for each in found.sort([("review_on", 1), ("_id", 1)]).limit(limit)]

    def _row(self, found: Mapping[str, Any]) -> DueRow:
        review_on = date.fromisoformat(found["review_on"]) if found["review_on"] else None
        try:
            content = self._cipher.open_json(_place(found["_id"], found["revision"]), found["items"])
            items = tuple(DueItem.from_plain(each) for each in content["items"])
        except (CryptoError, KeyError, ValueError, TypeError):  # damaged: whoever looks plans it anew
            return DueRow(found["_id"], None, review_on)
        rules, on = found.get("rules"), found.get("planned_on")
        if not rules or not on:
            return DueRow(found["_id"], items, review_on)
        stamp = Stamp(rules, date.fromisoformat(on), content["offsets"], _hold(content["hold"]))
        return DueRow(found["_id"], items, review_on, stamp)

    def _document(
        self,
        citizen_id: str,
        items: Sequence[DueItem],
        review_on: date | None,
        revision: int,
        stamp: Stamp | None = None,
    ) -> Document:
        content: Document = {"items": [item.to_plain() for item in items]}
        if stamp is not None:
            content["offsets"] = {name: dict(days) for name, days in stamp.offsets.items()}
            hold = stamp.hold
            content["hold"] = None if hold is None else [hold.until.isoformat(), sorted(hold.items)]
        return {
            "_id": citizen_id,
            "shard": shard_of(citizen_id),
            "review_on": review_on.isoformat() if review_on else None,
            "revision": revision,
            "rules": stamp.rules if stamp else None,
            "planned_on": stamp.on.isoformat() if stamp else None,
            "items": self._cipher.seal_json(_place(citizen_id, revision), content),
        }


def _hold(found: list[Any] | None) -> Hold | None:
    if found is None:
        return None
    return Hold(date.fromisoformat(found[0]), frozenset((each[0], each[1], each[2]) for each in found[1]))


def _place(citizen_id: str, revision: int) -> Place:
    return Place(citizen_id, RETENTION_CLASS, _COLLECTION, citizen_id, "items", revision)
