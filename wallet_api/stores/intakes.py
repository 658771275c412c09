"""Reports on what organisations sent, and what could not be matched to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.records.model import SENDINGS, Intake, Row, Sent
from wallet_api.records.parked import Parcel
from wallet_api.stores.parked import parked_row

Document = dict[str, Any]

INDEXES = (
    Index("intakes", (("organisation_id", 1), ("_id", 1))),
    Index("intakes", (("visit", 1), ("received_at", -1))),
    Index("parked_intakes", (("received_at", 1),)),
)


class MongoIntakes:
    """`records.ports.Intakes` over pymongo. Bodies that fit nobody are sealed under the sender's key."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._intakes = db["intakes"]
        self._parked = db["parked_intakes"]
        self._cipher = cipher

    def add(self, intake: Intake, unit: ClientSession | None = None) -> None:
        """Keep a report."""
        self._intakes.insert_one(_document(intake), session=unit)

    def add_many(self, intakes: Sequence[Intake], unit: ClientSession | None = None) -> None:
        """Keep several reports."""
        if intakes:
            self._intakes.insert_many([_document(each) for each in intakes], session=unit)

    def get(self, organisation_id: str, intake_id: str) -> Intake | None:
        """One report of this organisation."""
        found = self._intakes.find_one({"organisation_id": organisation_id, "_id": intake_id})
        return _intake(found) if found else None

    def sent_of(self, visit: str) -> list[Sent]:
        """The rows of what was sent of a visit before."""
        found = self._intakes.find({"visit": visit}, {"sent": 1}).sort("received_at", -1).limit(SENDINGS)
        return [Sent(**row) for each in found for row in each["sent"]]

    def park(
        self,
        intake: Intake,
        body: bytes,
        unit: ClientSession | None = None,
        *,
        keep: bool = True,
        parcel: Parcel | None = None,
    ) -> None:
        """Keep, sealed, what fits nobody. Without `keep` the same command finds nothing to update."""
        place = Place(intake.organisation_id, "organisation", "parked_intakes", intake.id, "body", 1)
        row = {
            "organisation_id": intake.organisation_id,
            "received_at": intake.received_at,
            "body": self._cipher.seal(place, body),
        }
        row |= {} if parcel is None else parked_row(self._cipher, intake, parcel)
        self._parked.update_one({"_id": intake.id}, {"$setOnInsert": row}, upsert=keep, session=unit)


def _document(intake: Intake) -> Document:
    return {
        "_id": intake.id,
        "organisation_id": intake.organisation_id,
        "citizen_id": intake.citizen_id,
        "book_id": intake.book_id,
        "format": intake.format,
        "received_at": intake.received_at,
        "rows": [dict(vars(row)) for row in intake.rows],
    } | _of_visit(intake)


def _of_visit(intake: Intake) -> Document:
    """What only a sending that tells of one visit has."""
    if intake.visit is None:
        return {}
    sent = [dict(vars(each)) for each in intake.sent]
    return {"edition": intake.edition, "visit": intake.visit, "sent": sent}


def _intake(found: Mapping[str, Any]) -> Intake:
    return Intake(
        id=found["_id"],
        organisation_id=found["organisation_id"],
        format=found["format"],
        received_at=found["received_at"].astimezone(UTC),
        rows=tuple(Row(**row) for row in found["rows"]),
        citizen_id=found["citizen_id"],
        edition=found.get("edition"),
        visit=found.get("visit"),
        sent=tuple(Sent(**each) for each in found.get("sent", ())),
        book_id=found.get("book_id"),  # reports of older releases do not say
    )
