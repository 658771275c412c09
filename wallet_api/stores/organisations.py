"""Provider organisations and their rosters in MongoDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.model import Licence, Organisation, Practitioner
from wallet_api.identity.organisations import folded_words
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import insert_new

_ORGANISATIONS, _ROSTERS = "organisations", "rosters"
_CANDIDATES = 500
_SOMETIMES = ("looks_like", "successor_id", "merged_into")

INDEXES = (
    Index(_ORGANISATIONS, ("facility_code",), unique=True, partial={"facility_code": {"$exists": True}}),
    Index(_ORGANISATIONS, ("gln",), unique=True, partial={"gln": {"$exists": True}}),
    Index(_ORGANISATIONS, ("words",)),
    Index(_ORGANISATIONS, ("successor_id",)),
    Index(_ROSTERS, ("organisation_id",)),
)

Document = dict[str, Any]


class MongoOrganisations:
    """`OrganisationStore` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._rows = db[_ORGANISATIONS]

    def add(self, organisation: Organisation) -> None:
        """Add one."""
        try:
            self._rows.insert_one(_document(organisation))
        except DuplicateKeyError as why:
            raise Taken("organisation id, facility code or GLN") from why

    def save(self, organisation: Organisation, *, expected: int) -> None:
        """Replace it."""
        unchanged = {"_id": organisation.id, "version": expected}
        try:
            done = self._rows.replace_one(unchanged, _document(organisation))
        except DuplicateKeyError as why:
            raise Taken("facility code or GLN") from why
        if done.matched_count == 0:
            raise StaleVersion("organisation")

    def get(self, organisation_id: str) -> Organisation | None:
        """One organisation."""
        found = self._rows.find_one({"_id": organisation_id})
        return None if found is None else _organisation(found)

    def search(self, words: Sequence[str], limit: int) -> list[Organisation]:
        """Those whose folded names have a word beginning with each of the words."""
        if not words:
            return []
        rarest = max(words, key=len)
        rows = self._rows.find({"words": {"$regex": f"^{re.escape(rarest)}"}}).limit(_CANDIDATES)
        found = [row for row in rows if all(_begins(row["words"], word) for word in words)]
        return [_organisation(row) for row in sorted(found, key=lambda row: str(row["name_vi"]))[:limit]]

    def names(self) -> Iterator[tuple[str, str, str]]:
        """Id, Vietnamese and English name of every organisation."""
        for row in self._rows.find({}, {"name_vi": 1, "name_en": 1}):
            yield row["_id"], row["name_vi"], row["name_en"]

    def merged_into(self, organisation_id: str) -> list[str]:
        """The organisations that were merged into this one."""
        return sorted(row["_id"] for row in self._rows.find({"successor_id": organisation_id}, {"_id": 1}))


class MongoRosters:
    """`RosterStore` over pymongo; the `_id` is organisation and practitioner."""

    def __init__(self, db: Database[Document]) -> None:
        self._rows = db[_ROSTERS]

    def put(self, practitioner: Practitioner) -> None:
        """Add the entry or replace it."""
        document = _roster_document(practitioner)
        self._rows.replace_one({"_id": document["_id"]}, document, upsert=True)

    def load(self, practitioners: Sequence[Practitioner]) -> None:
        """Add many in few calls, for filling a database; who is there already stays as they are."""
        insert_new(self._rows, [_roster_document(each) for each in practitioners])

    def get(self, organisation_id: str, practitioner_id: str) -> Practitioner | None:
        """One entry."""
        found = self._rows.find_one({"_id": _entry(organisation_id, practitioner_id)})
        return None if found is None else _practitioner(found)

    def of(self, organisation_id: str) -> list[Practitioner]:
        """The whole roster, by name."""
        rows = self._rows.find({"organisation_id": organisation_id})
        return sorted((_practitioner(row) for row in rows), key=lambda one: one.name)


def _roster_document(practitioner: Practitioner) -> Document:
    return {
        "_id": _entry(practitioner.organisation_id, practitioner.id),
        "organisation_id": practitioner.organisation_id,
        "practitioner_id": practitioner.id,
        "name": practitioner.name,
        "role": practitioner.role,
        "valid_from": practitioner.valid_from.isoformat(),
        "valid_to": None if practitioner.valid_to is None else practitioner.valid_to.isoformat(),
    }


def _entry(organisation_id: str, practitioner_id: str) -> str:
    return f"{len(organisation_id)}|{organisation_id}|{practitioner_id}"


def _begins(own: list[str], word: str) -> bool:
    return any(mine.startswith(word) for mine in own)


def _document(one: Organisation) -> Document:
    codes = {"facility_code": one.facility_code, "gln": one.gln}
    return {
        "_id": one.id,
        "name_vi": one.name_vi,
        "name_en": one.name_en,
        "words": sorted(set(folded_words(f"{one.name_vi} {one.name_en}"))),
        "kind": one.kind,
        "purposes": sorted(one.licence.purposes),
        "read_categories": sorted(one.licence.read_categories),
        "write_categories": sorted(one.licence.write_categories),
        "status": one.status,
        "version": one.version,
        "verified": one.verified,
        **{name: getattr(one, name) for name in _SOMETIMES if getattr(one, name) is not None},
        **{name: code for name, code in codes.items() if code is not None},
    }


def _organisation(row: Document) -> Organisation:
    return Organisation(
        id=row["_id"],
        name_vi=row["name_vi"],
        name_en=row["name_en"],
        kind=row["kind"],
        licence=Licence(
            purposes=frozenset(row["purposes"]),
            read_categories=frozenset(row["read_categories"]),
            write_categories=frozenset(row["write_categories"]),
        ),
        facility_code=row.get("facility_code"),
        gln=row.get("gln"),
        status=row["status"],
        version=row["version"],
        verified=row.get("verified", False),
        **{name: row.get(name) for name in _SOMETIMES},
    )


def _practitioner(row: Document) -> Practitioner:
    last = row["valid_to"]
    return Practitioner(
        id=row["practitioner_id"],
        organisation_id=row["organisation_id"],
        name=row["name"],
        role=row["role"],
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_to=None if last is None else date.fromisoformat(last),
    )
