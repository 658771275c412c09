"""Rights requests in MongoDB. The words of a request are sealed under a key of their own class.

In clear: whose it is, kind, state, times and who took each step. `due` is the next day that counts, with
the id behind it, so that the nearest deadline is read from an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.mongo import Index
from wallet_api.rights.errors import StaleRightsRequest
from wallet_api.rights.model import Erasure, Relation, RightsRequest, Step

Document = dict[str, Any]
COLLECTION: Final = "rights_requests"
RETENTION_CLASS: Final = "rights"

INDEXES = (
    Index(COLLECTION, (("citizen_id", 1), ("place", -1))),
    Index(COLLECTION, (("citizen_id", 1), ("relation", 1), ("place", -1))),
    Index(COLLECTION, (("citizen_id", 1), ("open", 1))),
    Index(COLLECTION, (("open", 1), ("due", 1))),
    Index(COLLECTION, (("state", 1),)),
)


class MongoRightsRequests:
    """`rights.desk.RightsRequests` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._requests = db[COLLECTION]
        self._cipher = cipher

    def add(self, request: RightsRequest) -> None:
        """Keep a new request; a second run of the same act finds it there."""
        try:
            self._requests.insert_one(self._document(request))
        except DuplicateKeyError:
            return

    def get(self, request_id: str) -> RightsRequest | None:
        """One request."""
        found = self._requests.find_one({"_id": request_id})
        return None if found is None else self._request(found)

    def save(self, request: RightsRequest, *, expected: int) -> None:
        """Put a new version in the place of the old."""
        unchanged = {"_id": request.id, "version": expected}
        if self._requests.replace_one(unchanged, self._document(request)).matched_count != 1:
            raise StaleRightsRequest(request.id)

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[RightsRequest]:
        """A person's requests, newest first."""
        asked: Document = {"citizen_id": citizen_id}
        if relation is not None:
            asked["relation"] = relation
        if before is not None:
            asked["place"] = {"$lt": before}
        found = self._requests.find(asked).sort("place", -1).limit(limit)
        return [self._request(each) for each in found]

    def by_deadline(self, *, open: bool, after: str | None, limit: int) -> list[RightsRequest]:
        """Requests of everybody, the nearest deadline first."""
        asked: Document = {"open": open}
        if after is not None:
            asked["due"] = {"$gt": after}
        return [self._request(each) for each in self._requests.find(asked).sort("due", 1).limit(limit)]

    def open_of(self, citizen_id: str) -> int:
        """How many requests of a person are open."""
        return self._requests.count_documents({"citizen_id": citizen_id, "open": True})

    def overdue(self, today: date) -> int:
        """How many open requests had to be answered before today."""
        return self._requests.count_documents({"open": True, "due": {"$lt": today.isoformat()}})

    def erasing(self, limit: int) -> list[RightsRequest]:
        """Requests whose erasure has begun and is not done."""
        found = self._requests.find({"state": "carrying_out"}).limit(limit)
        return [self._request(each) for each in found]

    def _document(self, request: RightsRequest) -> Document:
        reasons = [step.reason for step in request.history]
        erasure = request.erasure
        document = {
            "_id": request.id,
            "citizen_id": request.citizen_id,
            "kind": request.kind,
            "version": request.version,
            "state": request.state,
            "open": request.open,
            "asked_at": request.asked_at,
            "asked_by": request.asked_by,
            "relation": request.relation,
            "place": request.place,
            "due": request.due_place,
            "with_others": request.with_others,
            "extended": request.extended,
            "refusal": request.refusal,
            "history": [{"event": each.event, "by": each.by, "at": each.at} for each in request.history],
            "erasure": None if erasure is None else _erasure_document(erasure),
        }
        # Without a word there is nothing to seal: no key is made anew for somebody who was erased.
        if request.details is not None or any(reasons):
            place = place_of(document)
            document["content"] = self._cipher.seal_json(
                place, {"details": request.details, "reasons": reasons}
            )
        return document

    def _request(self, found: Mapping[str, Any]) -> RightsRequest:
        details, reasons = self._words(found)
        steps = zip(found["history"], reasons, strict=True)
        erasure = found["erasure"]
        return RightsRequest(
            id=found["_id"],
            citizen_id=found["citizen_id"],
            kind=found["kind"],
            version=found["version"],
            state=found["state"],
            asked_at=found["asked_at"].astimezone(UTC),
            asked_by=found["asked_by"],
            relation=found["relation"],
            details=details,
            history=tuple(
                Step(each["event"], each["by"], each["at"].astimezone(UTC), reason) for each, reason in steps
            ),
            with_others=found["with_others"],
            extended=found["extended"],
            refusal=found["refusal"],
            erasure=None if erasure is None else _erasure(erasure),
        )

    def _words(self, found: Mapping[str, Any]) -> tuple[str | None, list[str | None]]:
        """What was written; nothing when there was nothing, or its key was destroyed with the person's."""
        nothing: list[str | None] = [None] * len(found["history"])
        if "content" not in found:
            return None, nothing
        try:
            content = self._cipher.open_json(place_of(found), bytes(found["content"]))
        except SealBroken:
            return None, nothing
        return content["details"], content["reasons"]


def place_of(found: Mapping[str, Any]) -> Place:
    """Where the words of a stored request belong."""
    return Place(found["citizen_id"], RETENTION_CLASS, COLLECTION, found["_id"], "content", found["version"])


def _erasure_document(erasure: Erasure) -> Document:
    return {
        "tombstone": erasure.tombstone,
        "erased": list(erasure.erased),
        "kept": list(erasure.kept),
        "settles_at": erasure.settles_at,
    }


def _erasure(found: Mapping[str, Any]) -> Erasure:
    at = found["settles_at"]
    return Erasure(
        found["tombstone"],
        tuple(found["erased"]),
        tuple(found["kept"]),
        None if at is None else at.astimezone(UTC),
    )
