"""Erasing in MongoDB: tombstones, destroyed keys, and what was sealed with them, class by class."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pymongo
from pymongo import WriteConcern
from pymongo.database import Database

from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.mongo import Index
from wallet_api.rights.model import Erasure, RightsRequest
from wallet_api.stores import audience
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.stores.sealed_fields import SEALED

Document = dict[str, Any]
TOMBSTONES: Final = "tombstones"
_CLINICAL: Final = "clinical"
_SECONDS: Final = 6 * 3600.0

OWNED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "reminders": {
        "devices": ("citizen_id",),
        "due_items": ("_id",),
        "inbox": ("recipient_id",),
        "push_days": ("_id",),
        "reminder_preferences": ("_id",),
        "reminders": ("citizen_id",),
    },
    "rights": {"correction_files": ("citizen_id",)},
    "shares": {"shares": ("citizen_id",)},
    "exports": {"exports": ("citizen_id",), "export_parts": ("citizen_id",)},
    "profile": {
        "births": ("_id",),
        "citizens": ("_id",),
        "deaths": ("citizen_id",),
        "heirs": ("citizen_id", "heir_id"),
        "guardianships": ("dependent_id", "guardian_id"),
        "guardianship_evidence": ("owner_id",),
        "safety_flags": ("citizen_id",),
    },
}
"""By retention class, where a citizen's id stands in what is deleted with it. What the law keeps (records)
and what stays as proof without its words (rights requests) is not among them."""
_FOUND_BY: Final = ("identifiers", "accounts")
"""Keyed tokens of numbers and sign-ins: they go with the identity, and nobody is found by them any more."""
WORDS: Final[dict[str, tuple[str, str]]] = {
    "rights_requests": ("rights", "citizen_id"),
    "correction_requests": ("rights", "citizen_id"),
    "merges": ("profile", "surviving_id"),
}
"""What stays as proof without what was written in it: with which class that goes, and whose it is. By a merge
an erasure finds the other book of the person, so the link stays."""
INDEXES = (Index(TOMBSTONES, ("citizen_id",)),)


class MongoErasures:
    """The database's part of `rights.erasure.Erasing`. Every call may be repeated."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._db = db
        self._cipher = cipher
        self._tombstones = db[TOMBSTONES].with_options(write_concern=WriteConcern("majority", j=True))

    def has_records(self, citizen_id: str) -> bool:
        """Whether the person has medical records."""
        return self._db["records"].find_one({"citizen_id": citizen_id}, {"_id": 1}) is not None

    def bury(self, request: RightsRequest, erasure: Erasure, at: datetime) -> None:
        """Keep the tombstone, durably: a random name, whose it is, what went. No word about the person."""
        stone = {
            "citizen_id": request.citizen_id,
            "request_id": request.id,
            "erased": list(erasure.erased),
            "kept": list(erasure.kept),
            "at": at,
        }
        self._tombstones.update_one({"_id": erasure.tombstone}, {"$setOnInsert": stone}, upsert=True)

    def destroy_keys(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Destroy the keys. That of medical records stays if one came in since it was decided."""
        for name in classes:
            if name != _CLINICAL or not self.has_records(citizen_id):
                self._cipher.keys.destroy(citizen_id, name)

    def delete(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Delete what was sealed in these classes, and the tokens by which the person was found."""
        for name, field in _owned(classes):
            self._db[name].delete_many({field: citizen_id})
        for name, (said_in, owner) in WORDS.items():
            if said_in in classes:
                self._db[name].update_many({owner: citizen_id}, {"$unset": {"content": ""}})
        if "reminders" in classes:
            audience.forget(self._db, self._cipher, citizen_id)
        if "profile" in classes:
            self._forget(citizen_id)

    def sweep(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Delete what was sealed with a key that is no more; what opens is newer and stays."""
        for name, field in _owned(classes):
            for found in self._db[name].find({field: citizen_id}):
                if not self._opens(name, found):
                    self._db[name].delete_one({"_id": found["_id"]})

    def erase_again(self, restrictions: MongoRestrictions) -> None:
        """Do what every tombstone says to a database that is older than it.

        What a person who came back has sealed with newer keys opens, and stays.
        """
        with pymongo.timeout(_SECONDS):
            for stone in self._tombstones.find({}):
                restrictions.set(stone["citizen_id"], stone["request_id"], on=True)
                self.sweep(stone["citizen_id"], tuple(stone["erased"]))
                if self._db["citizens"].find_one({"_id": stone["citizen_id"]}, {"_id": 1}) is None:
                    self._forget(stone["citizen_id"])
                    audience.forget(self._db, self._cipher, stone["citizen_id"])

    def _forget(self, citizen_id: str) -> None:
        for name in _FOUND_BY:
            self._db[name].delete_many({"citizen_id": citizen_id})

    def _opens(self, name: str, found: Document) -> bool:
        try:
            for one in SEALED:
                if one.collection == name:
                    self._cipher.open(one.place(found), bytes(found[one.name]))
        except SealBroken:
            return False
        return True


def _owned(classes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for each in classes:
        for name, owners in OWNED.get(each, {}).items():
            yield from ((name, field) for field in owners)
