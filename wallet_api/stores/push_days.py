"""The last day each person was pushed to, in MongoDB: one document a person, claimed by compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Final

from pymongo import UpdateOne
from pymongo.database import Database

from notifications.ports import Unit
from wallet_api.infra.mongo import Index
from wallet_api.stores.reminding import Document, session_of

_COLLECTION: Final = "push_days"
_PART: Final = 200  # written in one call: it has 3 seconds, on the slowest database too

INDEXES = (Index(_COLLECTION, ("day",)),)
"""No query needs it. It makes the collection: a transaction that made it would have everybody wait."""


class MongoPushDays:
    """`notifications.push_days.PushDays` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._days = db[_COLLECTION]

    def last(self, recipient_ids: Collection[str]) -> dict[str, tuple[date, str]]:
        """Day and claimer, by person; people never pushed to are absent."""
        rows = (row for part in _parts(recipient_ids) for row in self._days.find({"_id": {"$in": part}}))
        return {row["_id"]: (date.fromisoformat(row["day"]), row["by"]) for row in rows}

    def claim(
        self,
        day: date,
        by: str,
        seen: Mapping[str, tuple[date, str] | None],
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """Give `day` to `by` for those whose last claim is still the one `seen`; return who they are."""
        session, won = session_of(unit), set[str]()
        for part in _parts(seen):
            self._days.bulk_write([_claim(who, seen[who], day, by) for who in part], session=session)
            found = self._days.find({"_id": {"$in": part}}, session=session)
            won |= {row["_id"] for row in found if (row["day"], row["by"]) == (day.isoformat(), by)}
        return frozenset(won)


def _claim(who: str, last: tuple[date, str] | None, day: date, by: str) -> UpdateOne:
    fresh = {"day": day.isoformat(), "by": by}
    if last is None:
        # An upsert that only inserts: a duplicate-key error would end the caller's transaction.
        return UpdateOne({"_id": who}, {"$setOnInsert": fresh}, upsert=True)
    known = {"_id": who, "day": last[0].isoformat(), "by": last[1]}
    return UpdateOne(known, {"$set": fresh})


def _parts(ids: Collection[str]) -> Iterator[list[str]]:
    left = iter(sorted(ids))
    return iter(lambda: list(islice(left, _PART)), [])
