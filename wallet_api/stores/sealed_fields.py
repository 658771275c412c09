"""Every sealed field of the database and the place each belongs to: what a check of the keys goes through.

A test walks a whole story's database and finds any sealed value that is not listed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pymongo
from pymongo.database import Database

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.errors import KeyUnavailable, SealBroken
from wallet_api.stores import audience, births, book_fronts, campaign_sends, deaths, heirs, merges
from wallet_api.stores.corrections import COLLECTION as CORRECTIONS
from wallet_api.stores.corrections import FILES as CORRECTION_FILES
from wallet_api.stores.corrections import file_place as correction_file_place
from wallet_api.stores.corrections import place_of as correction_place
from wallet_api.stores.exports import COLLECTION as EXPORTS
from wallet_api.stores.exports import PARTS as EXPORT_PARTS
from wallet_api.stores.exports import part_place as export_part_place
from wallet_api.stores.exports import place_of as export_place
from wallet_api.stores.reminding import RETENTION_CLASS as REMINDERS
from wallet_api.stores.rights import COLLECTION as RIGHTS
from wallet_api.stores.rights import place_of as rights_place
from wallet_api.stores.shares import COLLECTION as SHARES
from wallet_api.stores.shares import place_of as share_place

Document = dict[str, Any]
_SECONDS: Final = 6 * 3600.0
_PART: Final = 200


@dataclass(frozen=True)
class SealedField:
    """A sealed field of a collection; `place` says where a document's value belongs."""

    collection: str
    name: str
    place: Callable[[Document], Place]


@dataclass
class SealReport:
    """What a check saw: how many values opened, whose had no key at all, and which did not open."""

    opened: int = 0
    without_key: int = 0
    owners_without_key: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)


def check_sealed(db: Database[Document], cipher: CitizenCipher, seen: Callable[[int], None]) -> SealReport:
    """Open every sealed value of the database. `seen` is told how many documents were looked at."""
    report = SealReport()
    owners: dict[str, bool] = {}
    with pymongo.timeout(_SECONDS):
        for one in SEALED:
            for number, found in enumerate(db[one.collection].find({}), 1):
                _check(cipher, one, found, report, owners)
                if number % _PART == 0:
                    seen(_PART)
    return report


def sealed_documents(db: Database[Document]) -> int:
    """About how many documents a check goes through."""
    return sum(db[one.collection].estimated_document_count() for one in SEALED)


def _check(
    cipher: CitizenCipher, one: SealedField, found: Document, report: SealReport, owners: dict[str, bool]
) -> None:
    if one.name not in found:
        return  # nothing was sealed there, or it was erased
    place = one.place(found)
    owner = f"{place.citizen_id}|{place.retention_class}"
    if owner not in owners:
        owners[owner] = cipher.keys.known(place.citizen_id, place.retention_class)
    if not owners[owner]:
        report.without_key += 1
        report.owners_without_key.add(place.citizen_id)
        return
    try:
        cipher.open(place, bytes(found[one.name]))
    except KeyUnavailable:  # the key-encryption key of its month was destroyed, or is not here
        report.without_key += 1
        report.owners_without_key.add(place.citizen_id)
    except SealBroken:
        report.broken.append(f"{one.collection}/{found['_id']}")
    else:
        report.opened += 1


def _record(found: Document) -> Place:
    record_id = str(found.get("record_id", found["_id"]))
    return Place(found["citizen_id"], "clinical", "records", record_id, "content", found["version"])


def _plain(collection: str, owner: str, version: str | None = None) -> Callable[[Document], Place]:
    """The place of a reminder service's `content`, owned by the citizen under `owner`."""

    def place(found: Document) -> Place:
        revision = found[version] if version else 1
        return Place(found[owner], REMINDERS, collection, found["_id"], "content", revision)

    return place


def _sent(collection: str, name: str) -> Callable[[Document], Place]:
    """The place of what an organisation said, sealed under its own key."""

    def place(found: Document) -> Place:
        whose = found.get("organisation_id") or found["scope"]["organisation_id"]
        return Place(whose, "organisation", collection, found["_id"], name, 1)

    return place


SEALED: Final[tuple[SealedField, ...]] = (
    SealedField(
        "citizens",
        "sealed",
        lambda d: Place(d["_id"], "profile", "citizens", d["_id"], "person", d["version"]),
    ),
    SealedField(
        "guardianships",
        "sealed",
        lambda d: Place(d["dependent_id"], "profile", "guardianships", d["_id"], "relation", d["version"]),
    ),
    SealedField(
        "guardianship_evidence",
        "sealed",
        lambda d: Place(d["owner_id"], "profile", "guardianship_evidence", d["_id"], "content", 1),
    ),
    SealedField(
        "safety_flags",
        "sealed",
        lambda d: Place(d["citizen_id"], "profile", "safety_flags", d["_id"], "flag", 1),
    ),
    SealedField("records", "content", _record),
    SealedField("record_versions", "content", _record),
    SealedField(book_fronts.COLLECTION, "content", book_fronts.place_of),
    SealedField("consent_requests", "reason", _sent("consent_requests", "reason")),
    SealedField("parked_intakes", "body", _sent("parked_intakes", "body")),
    SealedField("parked_intakes", "person", _sent("parked_intakes", "person")),
    SealedField("parked_intakes", "parcel", _sent("parked_intakes", "parcel")),
    SealedField("inbox", "content", _plain("inbox", "recipient_id")),
    SealedField("devices", "content", _plain("devices", "citizen_id", "version")),
    SealedField("reminder_preferences", "content", _plain("reminder_preferences", "_id", "revision")),
    SealedField("reminders", "content", _plain("reminders", "citizen_id", "revision")),
    SealedField(
        "due_items",
        "items",
        lambda d: Place(d["_id"], REMINDERS, "due_items", d["_id"], "items", d["revision"]),
    ),
    SealedField(audience.COLLECTION, "content", audience.place_of),
    SealedField(campaign_sends.SENDS, "content", campaign_sends.send_place),
    SealedField(campaign_sends.LISTS, "content", campaign_sends.list_place),
    SealedField(
        "outbox",
        "pushes",
        lambda d: Place(f"outbox-{d['shard']}", REMINDERS, "outbox", d["_id"], "pushes", len(d["attempts"])),
    ),
    SealedField(
        "emergencies",
        "content",
        lambda d: Place(
            d["organisation_id"], "organisation", "emergencies", d["_id"], "content", d["version"]
        ),
    ),
    SealedField(RIGHTS, "content", rights_place),
    SealedField(CORRECTIONS, "content", correction_place),
    SealedField(CORRECTION_FILES, "sealed", correction_file_place),
    SealedField(SHARES, "content", share_place),
    SealedField(EXPORTS, "content", export_place),
    SealedField(EXPORT_PARTS, "content", export_part_place),
    SealedField(births.COLLECTION, "content", births.place_of),
    SealedField(deaths.COLLECTION, "content", deaths.place_of),
    SealedField(heirs.COLLECTION, "content", heirs.place_of),
    SealedField(merges.COLLECTION, "content", merges.place_of),
    SealedField(
        "breaches",
        "content",
        lambda d: Place("breach-register", "breaches", "breaches", d["_id"], "content", d["version"]),
    ),
)
