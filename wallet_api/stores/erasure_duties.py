"""Duties to erase, and the signed statements that settle them, in MongoDB. A duty's `_id` is its grant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from wallet_api.events.duties import Attestation
from wallet_api.events.errors import DutyNotFound
from wallet_api.events.model import Duty
from wallet_api.infra.mongo import Index, transaction
from wallet_api.stores.holdings import DUTIES, HoldingWriter, duty_document, duty_of

Document = dict[str, Any]
_ATTESTATIONS: Final = "erasure_attestations"
_FIRST: Final = "0000-00-00"  # before every day; what was erased is owed by none

INDEXES = (
    Index(DUTIES, ("organisation_id", "owed_by")),
    Index(DUTIES, ("citizen_id", ("ended_at", -1))),
    Index(DUTIES, ("owed_by",)),
    Index(_ATTESTATIONS, ("grant_id",)),
)


class MongoErasureDuties:
    """`events.duties.ErasureDuties` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._db = db
        self._duties = db[DUTIES]
        self._attestations = db[_ATTESTATIONS]
        self._holdings = HoldingWriter(db)

    def get(self, grant_id: str) -> Duty | None:
        """The duty that follows from one grant."""
        found = self._duties.find_one({"_id": grant_id})
        return None if found is None else duty_of(found)

    def of_organisation(self, organisation_id: str, after: tuple[date, str] | None, limit: int) -> list[Duty]:
        """What an organisation still owes, the most pressing first."""
        return self._page({"organisation_id": organisation_id}, {}, after, limit)

    def of_citizen(self, citizen_id: str, limit: int) -> list[Duty]:
        """All duties about one citizen, those that ended last first."""
        found = self._duties.find({"citizen_id": citizen_id}).sort("ended_at", -1).limit(limit)
        return [duty_of(each) for each in found]

    def owed_before(self, day: date | None, after: tuple[date, str] | None, limit: int) -> list[Duty]:
        """What anybody still owes, the most pressing first."""
        return self._page({}, {} if day is None else {"$lt": day.isoformat()}, after, limit)

    def overdue(self, day: date) -> int:
        """How many are still owed that were owed by an earlier day."""
        return self._duties.count_documents({"owed_by": {"$gte": _FIRST, "$lt": day.isoformat()}})

    def attestation(self, attestation_id: str) -> Attestation | None:
        """A statement that was taken before."""
        found = self._attestations.find_one({"_id": attestation_id})
        return None if found is None else _attestation(found)

    def attest(self, attestation: Attestation) -> Duty:
        """Keep a statement and settle the duty by it, in one transaction."""

        def work(session: ClientSession) -> Duty:
            found = self._duties.find_one({"_id": attestation.grant_id}, session=session)
            if found is None:
                raise DutyNotFound(attestation.grant_id)
            document = _document(attestation)
            self._attestations.replace_one({"_id": document["_id"]}, document, upsert=True, session=session)
            duty = duty_of(found).attested(attestation.extent, attestation.received_at)
            self._duties.replace_one({"_id": duty.grant_id}, duty_document(duty), session=session)
            self._holdings.attested(duty, session)
            return duty

        return transaction(self._db, work)

    def _page(
        self, whose: Document, bounds: Document, after: tuple[date, str] | None, limit: int
    ) -> list[Duty]:
        """By (owed_by, id), from a place on; the first stage is what the index covers."""
        rest: list[Document] = []
        least = _FIRST
        if after is not None:
            least, grant_id = after[0].isoformat(), after[1]
            behind = [{"owed_by": {"$gt": least}}, {"owed_by": least, "_id": {"$gt": grant_id}}]
            rest.append({"$match": {"$or": behind}})
        first = {"$match": whose | {"owed_by": {"$gte": least} | bounds}}
        order: list[Document] = [{"$sort": {"owed_by": 1, "_id": 1}}, {"$limit": limit}]
        return [duty_of(each) for each in self._duties.aggregate([first, *rest, *order])]


def _document(one: Attestation) -> Document:
    return {
        "_id": one.id,
        "grant_id": one.grant_id,
        "organisation_id": one.organisation_id,
        "client_id": one.client_id,
        "extent": one.extent,
        "erased_at": one.erased_at,
        "received_at": one.received_at,
        "text": one.text,
        "key": dict(one.key),
    }


def _attestation(found: Mapping[str, Any]) -> Attestation:
    return Attestation(
        id=found["_id"],
        grant_id=found["grant_id"],
        organisation_id=found["organisation_id"],
        client_id=found["client_id"],
        extent=found["extent"],
        erased_at=found["erased_at"].astimezone(UTC),
        received_at=found["received_at"].astimezone(UTC),
        text=found["text"],
        key=found["key"],
    )
