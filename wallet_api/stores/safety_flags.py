"""Safety flags in MongoDB. What is suspected is sealed; whom a flag is over has to be found."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.records.safety import SafetyFlag
from wallet_api.stores.bulk import in_parts

_COLLECTION = "safety_flags"

INDEXES = (Index(_COLLECTION, ("citizen_id", "lifted_at")),)

Document = dict[str, Any]


class MongoFlags:
    """`FlagStore` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._flags = db[_COLLECTION]
        self._cipher = cipher

    def add(self, flag: SafetyFlag) -> None:
        """Keep a flag; one whose id is there stays as it is."""
        told = {"kind": flag.kind, "set_by": flag.set_by}
        row = {
            "citizen_id": flag.citizen_id,
            "organisation_id": flag.organisation_id,
            "since": flag.since,
            "set_at": flag.set_at,
            "lifted_at": flag.lifted_at,
            "sealed": self._cipher.seal_json(_place(flag.citizen_id, flag.id), told),
        }
        self._flags.update_one({"_id": flag.id}, {"$setOnInsert": row}, upsert=True)

    def of(self, citizen_id: str) -> list[SafetyFlag]:
        """The person's flags that were not lifted."""
        found = self._flags.find({"citizen_id": citizen_id, "lifted_at": None})
        return [self._flag(each) for each in found]

    def of_many(self, citizen_ids: Collection[str]) -> list[SafetyFlag]:
        """The flags of several people that were not lifted."""
        found = [
            each
            for part in in_parts(citizen_ids)
            for each in self._flags.find({"citizen_id": {"$in": part}})
            if each["lifted_at"] is None
        ]
        return [self._flag(each) for each in found]

    def get(self, flag_id: str) -> SafetyFlag | None:
        """One flag."""
        found = self._flags.find_one({"_id": flag_id})
        return None if found is None else self._flag(found)

    def lift(self, flag_id: str, at: datetime) -> None:
        """Lift it; the first time counts."""
        self._flags.update_one({"_id": flag_id, "lifted_at": None}, {"$set": {"lifted_at": at}})

    def _flag(self, found: Document) -> SafetyFlag:
        told = self._cipher.open_json(_place(found["citizen_id"], found["_id"]), bytes(found["sealed"]))
        lifted = found["lifted_at"]
        return SafetyFlag(
            id=found["_id"],
            citizen_id=found["citizen_id"],
            organisation_id=found["organisation_id"],
            kind=told["kind"],
            since=found["since"].astimezone(UTC),
            set_by=told["set_by"],
            set_at=found["set_at"].astimezone(UTC),
            lifted_at=None if lifted is None else lifted.astimezone(UTC),
        )


def _place(citizen_id: str, flag_id: str) -> Place:
    return Place(citizen_id, "profile", _COLLECTION, flag_id, "flag", 1)
