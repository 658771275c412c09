"""Disputes in MongoDB: ids, codes and times, nothing sealed and nothing clinical."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.corrections.errors import StaleDispute
from wallet_api.corrections.model import Dispute, Relation
from wallet_api.infra.mongo import Index
from wallet_api.stores.corrections import line_document, line_of

Document = dict[str, Any]
COLLECTION: Final = "disputes"
_PLAIN: Final = (
    *("citizen_id", "organisation_id", "record_id", "category", "version", "state", "opened_by"),
    *("relation", "reason"),
)

INDEXES = (
    Index(COLLECTION, (("citizen_id", 1), ("place", -1))),
    Index(COLLECTION, (("citizen_id", 1), ("relation", 1), ("place", -1))),
    Index(COLLECTION, (("open", 1), ("place", 1))),
)


class MongoDisputes:
    """`corrections.disputes.Disputes` over pymongo; a unit is a client session in a transaction."""

    def __init__(self, db: Database[Document]) -> None:
        self._disputes = db[COLLECTION]

    def get(self, dispute_id: str, unit: ClientSession | None = None) -> Dispute | None:
        """One dispute."""
        found = self._disputes.find_one({"_id": dispute_id}, session=unit)
        return None if found is None else _dispute(found)

    def put(self, dispute: Dispute, *, expected: int, unit: ClientSession | None = None) -> None:
        """Put a version in the place of `expected`, 0 for none."""
        document = _document(dispute)
        if expected == 0:
            try:
                self._disputes.insert_one(document, session=unit)
            except DuplicateKeyError as why:
                raise StaleDispute(dispute.id) from why
            return
        unchanged = {"_id": dispute.id, "version": expected}
        if self._disputes.replace_one(unchanged, document, session=unit).matched_count != 1:
            raise StaleDispute(dispute.id)

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Dispute]:
        """A person's disputes, newest first."""
        asked: Document = {"citizen_id": citizen_id}
        if relation is not None:
            asked["relation"] = relation
        if before is not None:
            asked["place"] = {"$lt": before}
        return [_dispute(each) for each in self._disputes.find(asked).sort("place", -1).limit(limit)]

    def queue(self, *, open: bool, after: str | None, limit: int) -> list[Dispute]:
        """Disputes of everybody, the oldest first."""
        asked: Document = {"open": open}
        if after is not None:
            asked["place"] = {"$gt": after}
        return [_dispute(each) for each in self._disputes.find(asked).sort("place", 1).limit(limit)]


def _document(dispute: Dispute) -> Document:
    return {name: getattr(dispute, name) for name in _PLAIN} | {
        "_id": dispute.id,
        "open": dispute.open,
        "place": dispute.place,
        "opened_at": dispute.opened_at,
        "history": [line_document(each) for each in dispute.history],
    }


def _dispute(found: Mapping[str, Any]) -> Dispute:
    return Dispute(
        id=found["_id"],
        opened_at=found["opened_at"].astimezone(UTC),
        history=tuple(map(line_of, found["history"])),
        **{name: found[name] for name in _PLAIN},
    )
