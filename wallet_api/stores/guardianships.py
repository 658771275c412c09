"""Guardianships in MongoDB. Their dates tell a birthday, so they are sealed with the dependent's key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.model import Guardianship
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import in_parts, insert_new
from wallet_api.stores.what_opens import what_opens

_COLLECTION = "guardianships"

INDEXES = (
    Index(_COLLECTION, ("guardian_id", "dependent_id")),
    Index(_COLLECTION, ("dependent_id",)),
    Index(_COLLECTION, ("state",)),
    # Present while the relation stands or a registrar put it down to wait: a pair has one such at most.
    Index(_COLLECTION, ("standing_pair",), unique=True, partial={"standing_pair": {"$exists": True}}),
)

Document = dict[str, Any]


class MongoGuardianships:
    """`GuardianshipStore` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._rows = db[_COLLECTION]
        self._cipher = cipher

    def add(self, guardianship: Guardianship) -> None:
        """Add one."""
        try:
            self._rows.insert_one(self._document(guardianship))
        except DuplicateKeyError as why:
            raise Taken("guardianship") from why

    def load(self, guardianships: Sequence[Guardianship]) -> None:
        """Add many; those that are there already stay. For filling a database."""
        insert_new(self._rows, [self._document(each) for each in guardianships])

    def get(self, guardianship_id: str) -> Guardianship | None:
        """One of them."""
        found = self._rows.find_one({"_id": guardianship_id})
        return None if found is None else self._read(found)

    def save(self, guardianship: Guardianship, *, expected: int) -> None:
        """Replace it."""
        unchanged = {"_id": guardianship.id, "version": expected}
        try:
            done = self._rows.replace_one(unchanged, self._document(guardianship))
        except DuplicateKeyError as why:
            raise Taken("guardianship") from why
        if done.matched_count == 0:
            raise StaleVersion("guardianship")

    def for_pair(self, guardian_id: str, dependent_id: str) -> list[Guardianship]:
        """Every relation of the pair."""
        return self._found({"guardian_id": guardian_id, "dependent_id": dependent_id})

    def of_guardian(self, guardian_id: str) -> list[Guardianship]:
        """Every relation in which they are the guardian."""
        return self._found({"guardian_id": guardian_id})

    def of_dependent(self, dependent_id: str) -> list[Guardianship]:
        """Every relation in which they are the dependent."""
        return self._found({"dependent_id": dependent_id})

    def of_dependents(self, dependent_ids: Collection[str]) -> list[Guardianship]:
        """Every relation in which one of them is the dependent."""
        found: list[Guardianship] = []
        for part in in_parts(dependent_ids):
            self._cipher.keys.open_many(part, "profile")
            found += self._found({"dependent_id": {"$in": part}})
        return found

    def proposed(self, limit: int = 100) -> list[Guardianship]:
        """Those waiting for a registrar."""
        return self._found({"state": "proposed"}, limit)

    def _found(self, which: Document, limit: int = 0) -> list[Guardianship]:
        return what_opens(self._rows.find(which).limit(limit), self._read)

    def _document(self, one: Guardianship) -> Document:
        told = {
            "relation": one.relation,
            "evidence_kind": one.evidence_kind,
            "valid_from": one.valid_from.isoformat(),
            "valid_to": None if one.valid_to is None else one.valid_to.isoformat(),
            "claimed_at": None if one.claimed_at is None else one.claimed_at.isoformat(),
            "reason": one.reason,
            "objected_by": one.objected_by,
            "continues_in": one.continues_in,
        }
        place = _place(one.dependent_id, one.id, one.version)
        pair = {} if not one.alone else {"standing_pair": f"{one.guardian_id}|{one.dependent_id}"}
        return {
            "_id": one.id,
            "guardian_id": one.guardian_id,
            "dependent_id": one.dependent_id,
            "state": one.state,
            "verified_by": one.verified_by,
            "version": one.version,
            "sealed": self._cipher.seal_json(place, told),
            **pair,
        }

    def _read(self, row: Document) -> Guardianship:
        place = _place(row["dependent_id"], row["_id"], row["version"])
        told = self._cipher.open_json(place, bytes(row["sealed"]))
        last, claimed = told["valid_to"], told.get("claimed_at")
        return Guardianship(
            id=row["_id"],
            guardian_id=row["guardian_id"],
            dependent_id=row["dependent_id"],
            relation=told["relation"],
            state=row["state"],
            evidence_kind=told["evidence_kind"],
            valid_from=date.fromisoformat(told["valid_from"]),
            valid_to=None if last is None else date.fromisoformat(last),
            verified_by=row["verified_by"],
            version=row["version"],
            claimed_at=None if claimed is None else datetime.fromisoformat(claimed),
            reason=told.get("reason"),
            objected_by=told.get("objected_by"),
            continues_in=told.get("continues_in"),
        )


def _place(dependent_id: str, guardianship_id: str, version: int) -> Place:
    return Place(dependent_id, "profile", _COLLECTION, guardianship_id, "relation", version)
