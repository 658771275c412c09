"""Merges in MongoDB. The number of the paper is sealed with the surviving person's key.

In clear: which two books, state, steps with codes, and what the merge itself closed. An erasure takes the
paper and leaves the link, by which it reaches the other book.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.merging import Closed, Grounds, Merge, MergeLine, MergeState
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
COLLECTION: Final = "merges"

INDEXES = (
    Index(COLLECTION, ("state", "place")),
    Index(COLLECTION, ("surviving_id",)),
    Index(COLLECTION, ("absorbed_id",)),
    # Present while it is proposed or in force: a book is absorbed once at most.
    Index(COLLECTION, ("standing_of",), unique=True, partial={"standing_of": {"$exists": True}}),
)


class MongoMerges:
    """`MergeStore` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._merges = db[COLLECTION]
        self._cipher = cipher

    def add(self, merge: Merge) -> None:
        """Keep a new one."""
        try:
            self._merges.insert_one(self._document(merge))
        except DuplicateKeyError as why:
            raise Taken("merge") from why

    def get(self, merge_id: str) -> Merge | None:
        """One of them."""
        found = self._merges.find_one({"_id": merge_id})
        return None if found is None else self._read(found)

    def save(self, merge: Merge, *, expected: int) -> None:
        """Put it in the place of version `expected`."""
        unchanged = {"_id": merge.id, "version": expected}
        if self._merges.replace_one(unchanged, self._document(merge)).matched_count != 1:
            raise StaleVersion("merge")

    def listed(self, state: MergeState, after: str | None, limit: int) -> list[Merge]:
        """Those in one state after a place, the oldest first."""
        asked: Document = {"state": state}
        if after is not None:
            asked["place"] = {"$gt": after}
        return [self._read(each) for each in self._merges.find(asked).sort("place", 1).limit(limit)]

    def of(self, citizen_id: str) -> list[Merge]:
        """Every merge a book is part of, the oldest first."""
        # Two questions, one index each: the embedded database scans for an `$or`.
        sides = ({"surviving_id": citizen_id}, {"absorbed_id": citizen_id})
        found = [self._read(each) for side in sides for each in self._merges.find(side)]
        return sorted(found, key=lambda one: one.place)

    def _document(self, merge: Merge) -> Document:
        grounds = merge.grounds
        document: Document = {
            "_id": merge.id,
            "surviving_id": merge.surviving_id,
            "absorbed_id": merge.absorbed_id,
            "state": merge.state,
            "version": merge.version,
            "done": merge.done,
            "place": merge.place,
            "reason": grounds.reason,
            "evidence_kind": grounds.evidence_kind,
            "accepts": sorted(grounds.accepts),
            "history": [
                {"event": each.event, "by": each.by, "at": each.at, "reason": each.reason}
                for each in merge.history
            ],
            "closed": [
                {"citizen_id": each.citizen_id, "organisation_id": each.organisation_id}
                for each in merge.closed
            ],
            "relations": list(merge.relations),
        }
        document["content"] = self._cipher.seal_json(
            place_of(document), {"paper_number": grounds.paper_number}
        )
        return document | ({"standing_of": merge.absorbed_id} if merge.stands else {})

    def _paper(self, found: Document) -> str:
        """Its number; "" after an erasure, which takes the key first and needs the link to go on."""
        try:
            told = self._cipher.open_json(place_of(found), bytes(found["content"]))
        except (KeyError, SealBroken):
            return ""
        return str(told["paper_number"])

    def _read(self, found: Document) -> Merge:
        grounds = Grounds(
            found["reason"],
            found["evidence_kind"],
            self._paper(found),
            frozenset(found["accepts"]),
        )
        return Merge(
            id=found["_id"],
            surviving_id=found["surviving_id"],
            absorbed_id=found["absorbed_id"],
            grounds=grounds,
            history=tuple(
                MergeLine(each["event"], each["by"], each["at"].astimezone(UTC), each["reason"])
                for each in found["history"]
            ),
            state=found["state"],
            version=found["version"],
            done=found["done"],
            closed=tuple(Closed(each["citizen_id"], each["organisation_id"]) for each in found["closed"]),
            relations=tuple(found["relations"]),
        )


def place_of(found: Document) -> Place:
    """Where the number of a stored merge's paper belongs."""
    return Place(found["surviving_id"], "profile", COLLECTION, found["_id"], "content", found["version"])
