"""Restrictions of processing in MongoDB: one document a citizen, and a mark on each of their standings.

A read is decided on the standing alone, so the mark is what refuses it. The citizen's document says for the
sake of which requests the mark is there, and puts it on standings that do not exist yet: whoever opens one
writes to it in the same transaction (`restricted_within`), so that of an approval and a restriction made at
the same moment one waits for the other, and the mark is never missed.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.mongo import Index, transaction
from wallet_api.stores.bulk import ASKED_WHERE_FEW_ARE, in_parts

Document = dict[str, Any]
_COLLECTION: Final = "restrictions"
_STANDINGS: Final = "standings"

INDEXES = (Index(_COLLECTION, ("restricted",)),)


class MongoRestrictions:
    """Who is restricted, and for the sake of which requests."""

    def __init__(self, db: Database[Document]) -> None:
        self._db = db

    def set(self, citizen_id: str, request_id: str, *, on: bool) -> None:
        """Restrict for the sake of one request, or no longer; every standing is marked when this returns.

        The epoch of each standing is raised, so that reads under way are decided anew.
        """
        change = {"$addToSet": {"holds": request_id}} if on else {"$pull": {"holds": request_id}}
        _ensure(self._db, citizen_id)

        def work(session: ClientSession) -> None:
            key = {"_id": citizen_id}
            self._db[_COLLECTION].update_one(key, change, session=session)
            found = self._db[_COLLECTION].find_one(key, session=session) or {}
            restricted = bool(found.get("holds"))
            self._db[_COLLECTION].update_one(key, {"$set": {"restricted": restricted}}, session=session)
            self._db[_STANDINGS].update_many(
                {"citizen_id": citizen_id},
                {"$set": {"restricted": restricted}, "$inc": {"epoch": 1}},
                session=session,
            )

        transaction(self._db, work)

    def among(self, citizen_ids: Collection[str]) -> frozenset[str]:
        """Those of these people whose data is restricted now."""
        found = self._db[_COLLECTION].find({"_id": {"$in": sorted(citizen_ids)}}, {"restricted": 1})
        return frozenset(each["_id"] for each in found if each["restricted"])

    def held(self, citizen_id: str) -> frozenset[str]:
        """For the sake of what the citizen's data is restricted now."""
        found = self._db[_COLLECTION].find_one({"_id": citizen_id})
        return frozenset() if found is None else frozenset(found["holds"])

    def holds(self, citizen_id: str) -> bool:
        """Whether the citizen's data is restricted now."""
        found = self._db[_COLLECTION].find_one({"_id": citizen_id})
        return found is not None and bool(found["restricted"])

    def holding(self, citizen_ids: Collection[str]) -> frozenset[str]:
        """Those among them whose data is restricted now."""
        found: frozenset[str] = frozenset()
        for part in in_parts(citizen_ids, ASKED_WHERE_FEW_ARE):
            rows = self._db[_COLLECTION].find({"_id": {"$in": part}})
            found |= {row["_id"] for row in rows if row["restricted"]}
        return found


def restricted_within(db: Database[Document], citizen_id: str, session: ClientSession) -> bool:
    """Whether a standing that is opened in this transaction is restricted from its first moment.

    It is written to, not only read: a restriction set meanwhile and this transaction then conflict, and one
    of the two runs again. Of somebody for whom `prepare` was not called the answer is yes.
    """
    key = {"_id": citizen_id}
    db[_COLLECTION].update_one(key, {"$inc": {"looks": 1}}, session=session)
    found = db[_COLLECTION].find_one(key, session=session)
    return found is None or bool(found["restricted"])


def prepare(db: Database[Document], citizen_id: str) -> None:
    """Make the citizen's document if there is none; call it before the transaction of `restricted_within`.

    A transaction sees no document that is made after it began, and a collection made while it is open waits
    for it. One write, so that opening a standing costs the same for whoever has one, has none, or does not
    exist.
    """
    _ensure(db, citizen_id)


def _ensure(db: Database[Document], citizen_id: str) -> None:
    with suppress(DuplicateKeyError):
        db[_COLLECTION].update_one(
            {"_id": citizen_id}, {"$setOnInsert": {"holds": [], "restricted": False, "looks": 0}}, upsert=True
        )
