"""Emergency accesses and their reviews in MongoDB. What practitioner and reviewer wrote is sealed.

In clear: who opened which book when, until when, the state of the review and when it is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pymongo
from pymongo.database import Database

from consent.emergency import Emergency, ReviewState
from consent.errors import StaleVersion
from consent.model import Step
from consent.ports import Unit
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
COLLECTION: Final = "emergencies"
_MOST_RUNNING: Final = 100
_INSTANTS: Final = ("opened_at", "expires_at", "review_by", "told_at")
_PLAIN: Final = (
    "citizen_id",
    "told_id",
    "met",
    "organisation_id",
    "practitioner_id",
    "reason_code",
    "earlier",
    "state",
    "version",
    "suspends",
)

INDEXES = (
    Index(COLLECTION, ("citizen_id", "organisation_id", "opened_at")),
    Index(COLLECTION, ("organisation_id", "practitioner_id", "suspends")),
    Index(COLLECTION, ("organisation_id", "practitioner_id", "expires_at")),
    Index(COLLECTION, ("state", "review_by")),
    Index(COLLECTION, ("state", ("opened_at", -1))),
    Index(COLLECTION, (("opened_at", -1),)),
    Index(COLLECTION, ("untold", "opened_at")),
)


class MongoEmergencies:
    """`consent.emergency.Emergencies` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._rows = db[COLLECTION]
        self._cipher = cipher

    def add(self, emergency: Emergency, unit: Unit) -> None:
        """Keep a new one, in the unit its grant comes into force in."""
        self._rows.insert_one(self._document(emergency), session=unit)

    def get(self, emergency_id: str) -> Emergency | None:
        """One access."""
        found = self._rows.find_one({"_id": emergency_id})
        return None if found is None else self._emergency(found)

    def save(self, emergency: Emergency, *, expected: int) -> None:
        """Put a new version in the place of the old; whether somebody was told is left as it is."""
        changed = self._document(emergency)
        for name in ("_id", "untold", "told_at"):
            del changed[name]
        done = self._rows.update_one({"_id": emergency.id, "version": expected}, {"$set": changed})
        if done.modified_count != 1:
            raise StaleVersion(emergency.id)

    def earlier(self, citizen_id: str, organisation_id: str, since: datetime) -> int:
        """How often the organisation opened that book since then."""
        asked = {"citizen_id": citizen_id, "organisation_id": organisation_id, "opened_at": {"$gte": since}}
        return self._rows.count_documents(asked)

    def suspended(self, organisation_id: str, practitioner_id: str) -> bool:
        """Whether a review took the right from this practitioner there."""
        asked = {"organisation_id": organisation_id, "practitioner_id": practitioner_id, "suspends": True}
        return self._rows.find_one(asked, {"_id": 1}) is not None

    def running(self, organisation_id: str, practitioner_id: str, now: datetime) -> list[Emergency]:
        """The accesses of this practitioner whose time is not over."""
        who = {"organisation_id": organisation_id, "practitioner_id": practitioner_id}
        found = self._rows.find(who | {"expires_at": {"$gt": now}}).limit(_MOST_RUNNING)
        return [self._emergency(each) for each in found]

    def queue(self, state: ReviewState | None, limit: int) -> list[Emergency]:
        """Those to be decided soonest first, or the newest first."""
        asked = {} if state is None else {"state": state}
        order = ("review_by", pymongo.ASCENDING) if state == "open" else ("opened_at", pymongo.DESCENDING)
        return [self._emergency(each) for each in self._rows.find(asked).sort(*order).limit(limit)]

    def overdue(self, now: datetime) -> int:
        """How many should have been decided by now."""
        return self._rows.count_documents({"state": "open", "review_by": {"$lte": now}})

    def untold(self, limit: int) -> list[Emergency]:
        """Those about somebody who was not told yet, oldest first."""
        found = self._rows.find({"untold": True}).sort("opened_at", pymongo.ASCENDING).limit(limit)
        return [self._emergency(each) for each in found]

    def mark_told(self, emergency_id: str, at: datetime) -> None:
        """They were told. The first time stays."""
        told = {"untold": False, "told_at": at}
        self._rows.update_one({"_id": emergency_id, "untold": True}, {"$set": told})

    def _document(self, emergency: Emergency) -> Document:
        written = {"reason": emergency.reason, "reasons": [step.reason for step in emergency.history]}
        place = _place(emergency.organisation_id, emergency.id, emergency.version)
        return {
            "_id": emergency.id,
            **{name: getattr(emergency, name) for name in (*_PLAIN, *_INSTANTS)},
            "untold": emergency.told_id is not None and emergency.told_at is None,
            "history": [{"event": each.event, "by": each.by, "at": each.at} for each in emergency.history],
            "content": self._cipher.seal_json(place, written),
        }

    def _emergency(self, found: Mapping[str, Any]) -> Emergency:
        place = _place(found["organisation_id"], found["_id"], found["version"])
        written = self._cipher.open_json(place, found["content"])
        steps = zip(found["history"], written["reasons"], strict=True)
        return Emergency(
            id=found["_id"],
            **{name: found[name] for name in _PLAIN},
            **{name: found[name] and found[name].astimezone(UTC) for name in _INSTANTS},
            reason=written["reason"],
            history=tuple(
                Step(each["event"], each["by"], each["at"].astimezone(UTC), reason) for each, reason in steps
            ),
        )


def _place(organisation_id: str, emergency_id: str, version: int) -> Place:
    return Place(organisation_id, "organisation", COLLECTION, emergency_id, "content", version)
