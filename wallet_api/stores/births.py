"""What the registration of births rests on, in MongoDB, sealed with the child's key."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.births import Birth
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
COLLECTION: Final = "births"

INDEXES = (Index(COLLECTION, ("organisation_id",)),)
"""By who registered them, for whoever has to look at what one organisation did."""


class MongoBirths:
    """`BirthStore` over pymongo. The `_id` is the child's: a child is born once."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._births = db[COLLECTION]
        self._cipher = cipher

    def add(self, birth: Birth) -> None:
        """Keep one; of a child that has one, the first stays."""
        told = {
            "born_on": birth.born_on.isoformat(),
            "birth_order": birth.birth_order,
            "paper_kind": birth.paper_kind,
            "paper_number": birth.paper_number,
        }
        document: Document = {
            "_id": birth.citizen_id,
            "registered_by": birth.registered_by,
            "organisation_id": birth.organisation_id,
            "registered_at": birth.registered_at,
        }
        document["content"] = self._cipher.seal_json(place_of(document), told)
        with suppress(DuplicateKeyError):
            self._births.insert_one(document)

    def of(self, citizen_id: str) -> Birth | None:
        """That of a child, if it was registered here as a newborn."""
        found = self._births.find_one({"_id": citizen_id})
        if found is None:
            return None
        told = self._cipher.open_json(place_of(found), bytes(found["content"]))
        return Birth(
            citizen_id=found["_id"],
            born_on=date.fromisoformat(told["born_on"]),
            birth_order=told["birth_order"],
            paper_kind=told["paper_kind"],
            paper_number=told["paper_number"],
            registered_by=found["registered_by"],
            organisation_id=found["organisation_id"],
            registered_at=found["registered_at"].astimezone(UTC),
        )


def place_of(found: Document) -> Place:
    """Where the words of a stored birth belong."""
    return Place(found["_id"], "profile", COLLECTION, found["_id"], "content", 1)
