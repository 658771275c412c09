"""Proof of guardianships in MongoDB, sealed with the key of who sent it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.errors import EvidenceRefused
from wallet_api.identity.evidence import EvidenceFile
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index

_COLLECTION = "guardianship_evidence"
_ABOUT = {"sealed": False}

INDEXES = (
    # A place is one of the few a guardianship has: of all files sent at once no more fit than there may be.
    Index(_COLLECTION, ("guardianship_id", "place"), unique=True),
    Index(_COLLECTION, ("owner_id",)),
)

Document = dict[str, Any]


class MongoEvidence:
    """`EvidenceStore` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._files = db[_COLLECTION]
        self._cipher = cipher

    def add(self, file: EvidenceFile, most: int) -> EvidenceFile:
        """Keep a file in the first place that is free."""
        sealed = self._cipher.seal(_place(file.owner_id, file.id), file.content)
        row = {
            "_id": file.id,
            "guardianship_id": file.guardianship_id,
            "owner_id": file.owner_id,
            "media_type": file.media_type,
            "size": file.size,
            "received_at": file.received_at,
            "sealed": sealed,
        }
        for place in range(most):
            try:
                self._files.insert_one(row | {"place": place})
            except DuplicateKeyError:
                if self._files.find_one({"_id": file.id}, {"_id": 1}) is not None:
                    return file
            else:
                return file
        raise EvidenceRefused("count")

    def of(self, guardianship_id: str) -> list[EvidenceFile]:
        """The files of a guardianship without their content, oldest first."""
        found = self._files.find({"guardianship_id": guardianship_id}, _ABOUT).sort("place", 1)
        return [_file(each) for each in found]

    def get(self, guardianship_id: str, file_id: str) -> EvidenceFile | None:
        """One of them with its content."""
        found = self._files.find_one({"_id": file_id})
        if found is None or found["guardianship_id"] != guardianship_id:
            return None
        content = self._cipher.open(_place(found["owner_id"], file_id), bytes(found["sealed"]))
        return _file(found, content)


def _file(found: Document, content: bytes = b"") -> EvidenceFile:
    return EvidenceFile(
        id=found["_id"],
        guardianship_id=found["guardianship_id"],
        owner_id=found["owner_id"],
        media_type=found["media_type"],
        size=found["size"],
        received_at=found["received_at"].astimezone(UTC),
        content=content,
    )


def _place(owner_id: str, file_id: str) -> Place:
    return Place(owner_id, "profile", _COLLECTION, file_id, "content", 1)
