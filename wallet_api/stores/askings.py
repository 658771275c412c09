"""What organisations have open, by a keyed digest of organisation and number: a dump names neither."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from consent.asking import AskedFor, Asking
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
_COLLECTION: Final = "askings"
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When what is empty may be cleared away."""
_REFUSED: Final = "consent:request:refused"

INDEXES = (Index(_COLLECTION, ("purge_at",), ttl=0),)


class MongoAskings:
    """`consent.asking.Askings` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._rows = db[_COLLECTION]
        self._requests = db["consent_requests"]

    def get(self, whom: str) -> AskedFor:
        """What is open there."""
        found = self._rows.find_one({"_id": whom})
        if found is None:
            return AskedFor()
        return AskedFor(found["version"], tuple(_asking(each) for each in found["open"]))

    def put(self, whom: str, askings: Sequence[Asking], *, expected: int) -> bool:
        """Keep this in the place of the version that was read."""
        kept = {
            "open": [self._row(each) for each in askings],
            "version": expected + 1,
            "purge_at": max((each.closes_at for each in askings), default=_LONG_AGO),
        }
        try:
            # An upsert of the version that was read: where another version stands, its `_id` is taken.
            done = self._rows.update_one({"_id": whom, "version": expected}, {"$set": kept}, upsert=True)
        except DuplicateKeyError:
            return False
        return done.upserted_id is not None or done.modified_count == 1

    def refused_at(self, citizen_id: str, organisation_id: str, since: datetime) -> datetime | None:
        """When the person last refused a request of this organisation, of those made since then."""
        found = self._requests.aggregate(
            [
                {"$match": {"citizen_id": citizen_id, "created_at": {"$gte": since}}},
                {"$match": {"scope.organisation_id": organisation_id, "state": "refused"}},
                {"$project": {"history": 1}},
            ]
        )
        times = [step["at"] for each in found for step in each["history"] if step["event"] == _REFUSED]
        return max(times).astimezone(UTC) if times else None

    def _row(self, asking: Asking) -> Document:
        return {
            "likeness": asking.likeness,
            "citizen_id": asking.citizen_id,
            "request_id": asking.request_id,
            "closes_at": asking.closes_at,
        }


def _asking(row: Document) -> Asking:
    return Asking(row["likeness"], row["citizen_id"], row["request_id"], row["closes_at"].astimezone(UTC))
