"""Heirs in MongoDB. The relation is sealed with the key of the person who died."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.deaths import Line
from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.heirs import Heir
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
COLLECTION: Final = "heirs"

INDEXES = (
    Index(COLLECTION, ("death_id", "place")),
    Index(COLLECTION, ("heir_id", "place")),
    Index(COLLECTION, ("citizen_id",)),
)


class MongoHeirs:
    """`HeirStore` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._heirs = db[COLLECTION]
        self._cipher = cipher

    def add(self, heir: Heir) -> None:
        """Keep a new one."""
        try:
            self._heirs.insert_one(self._document(heir))
        except DuplicateKeyError as why:
            raise Taken("heir") from why

    def get(self, heir_id: str) -> Heir | None:
        """One of them, by its own id."""
        found = self._heirs.find_one({"_id": heir_id})
        return None if found is None else self._read(found)

    def save(self, heir: Heir, *, expected: int) -> None:
        """Put it in the place of version `expected`."""
        unchanged = {"_id": heir.id, "version": expected}
        if self._heirs.replace_one(unchanged, self._document(heir)).matched_count != 1:
            raise StaleVersion("heir")

    def of_death(self, death_id: str) -> list[Heir]:
        """Those of one death, the oldest first."""
        return [self._read(each) for each in self._heirs.find({"death_id": death_id}).sort("place", 1)]

    def of_person(self, person_id: str) -> list[Heir]:
        """Those in which somebody is the heir, the oldest first."""
        return [self._read(each) for each in self._heirs.find({"heir_id": person_id}).sort("place", 1)]

    def _document(self, heir: Heir) -> Document:
        document: Document = {
            "_id": heir.id,
            "death_id": heir.death_id,
            "citizen_id": heir.citizen_id,
            "heir_id": heir.heir_id,
            "state": heir.state,
            "version": heir.version,
            "place": heir.place,
            "until": heir.until,
            "history": [
                {"event": each.event, "by": each.by, "at": each.at, "reason": each.reason}
                for each in heir.history
            ],
        }
        told = {"relation": heir.relation, "evidence_kind": heir.evidence_kind}
        document["content"] = self._cipher.seal_json(place_of(document), told)
        return document

    def _read(self, found: Document) -> Heir:
        told = self._cipher.open_json(place_of(found), bytes(found["content"]))
        return Heir(
            id=found["_id"],
            death_id=found["death_id"],
            citizen_id=found["citizen_id"],
            heir_id=found["heir_id"],
            relation=told["relation"],
            evidence_kind=told["evidence_kind"],
            history=tuple(
                Line(each["event"], each["by"], each["at"].astimezone(UTC), each["reason"])
                for each in found["history"]
            ),
            state=found["state"],
            version=found["version"],
            until=None if found["until"] is None else found["until"].astimezone(UTC),
        )


def place_of(found: Document) -> Place:
    """Where the words of a stored heir belong."""
    return Place(found["citizen_id"], "profile", COLLECTION, found["_id"], "content", found["version"])
