"""What fits nobody in MongoDB: states, times and keyed names in clear, whom and what it is about sealed.

The seal is under the sender's key. What was decided has no content any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.records.bundle import Person
from wallet_api.records.errors import StaleRecord
from wallet_api.records.model import Intake
from wallet_api.records.parked import (
    WAITING,
    Parcel,
    Parked,
    State,
    packed,
    packed_person,
    unpacked,
    unpacked_person,
)

Document = dict[str, Any]
COLLECTION: Final = "parked_intakes"
_UNDECIDED: Final = ("body", "parcel", "person", "keys", "proposed_for")
"""What goes when it is decided."""
_WITHOUT_CONTENT: Final = {"body": 0, "parcel": 0}
_PLAIN: Final = (
    *("organisation_id", "format", "rows", "version", "state"),
    *("proposed_by", "evidence", "decided_by", "reason"),
)

INDEXES = (
    Index(COLLECTION, (("state", 1), ("place", 1))),
    Index(COLLECTION, ("keys",)),
)


def parked_row(cipher: CitizenCipher, intake: Intake, parcel: Parcel) -> Document:
    """The fields of one that begins to wait."""
    made = Parked(intake.id, intake.organisation_id, intake.format, intake.received_at, len(parcel.entries))
    return {name: getattr(made, name) for name in _PLAIN} | {
        "received_at": made.received_at,
        "place": made.place,
        "keys": sorted(set(parcel.keys)),
        "person": cipher.seal_json(
            _place(made.organisation_id, made.id, "person"), packed_person(parcel.person)
        ),
        "parcel": cipher.seal_json(_place(made.organisation_id, made.id, "parcel"), packed(parcel)),
    }


def _place(organisation_id: str, parked_id: str, name: str) -> Place:
    return Place(organisation_id, "organisation", COLLECTION, parked_id, name, 1)


class MongoParked:
    """`records.parking.ParkedStore` over pymongo. What an older release parked is in no queue."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._parked = db[COLLECTION]
        self._intakes = db["intakes"]
        self._cipher = cipher

    def get(self, parked_id: str) -> Parked | None:
        """One of them."""
        found = self._parked.find_one({"_id": parked_id}, _WITHOUT_CONTENT)
        return None if found is None or "state" not in found else self._opened(found)

    def parcel(self, parked_id: str) -> Parcel | None:
        """What can be filed of it, while it waits."""
        found = self._parked.find_one({"_id": parked_id})
        if found is None or "parcel" not in found:
            return None
        return unpacked(self._person(found), self._content(found, "parcel"))

    def put(self, parked: Parked, *, expected: int, unit: ClientSession | None) -> None:
        """Put a version in the place of `expected`; decided, its content goes."""
        changed = {name: getattr(parked, name) for name in _PLAIN} | {"decided_at": parked.decided_at}
        change: Document = {"$set": changed}
        if parked.state in WAITING:
            changed["proposed_for"] = parked.proposed_for
        else:
            change["$unset"] = dict.fromkeys(_UNDECIDED, "")
        unchanged = {"_id": parked.id, "version": expected}
        if self._parked.update_one(unchanged, change, session=unit).matched_count != 1:
            raise StaleRecord(parked.id)

    def queue(self, state: State, after: str | None, limit: int) -> list[Parked]:
        """Those in a state after a place, the oldest first."""
        asked: Document = {"state": state}
        if after is not None:
            asked["place"] = {"$gt": after}
        rows = self._parked.find(asked, _WITHOUT_CONTENT).sort("place", 1).limit(limit)
        return [self._opened(each) for each in rows]

    def found_by(self, keys: Sequence[str]) -> list[Parked]:
        """Those that wait under one of these names, the oldest first."""
        named = {"keys": {"$in": sorted(set(keys))}}
        rows = self._parked.find(named, _WITHOUT_CONTENT) if keys else ()
        return sorted(map(self._opened, rows), key=lambda each: each.place)

    def refuse_rows(self, parked_id: str, code: str, unit: ClientSession | None) -> None:
        """Say in the sender's report that what was accepted is refused after all."""
        found = self._intakes.find_one({"_id": parked_id}, {"rows": 1}, session=unit)
        if found is None:
            raise StaleRecord(parked_id)
        filed = (row["accepted"] and row["record_id"] is not None for row in found["rows"])
        refused = {"accepted": False, "code": code}
        rows = [row | refused if was else row for row, was in zip(found["rows"], filed, strict=True)]
        self._intakes.update_one({"_id": parked_id}, {"$set": {"rows": rows}}, session=unit)

    def _opened(self, found: Mapping[str, Any]) -> Parked:
        decided = found.get("decided_at")
        return Parked(
            id=found["_id"],
            received_at=found["received_at"].astimezone(UTC),
            decided_at=None if decided is None else decided.astimezone(UTC),
            person=self._person(found) if "person" in found else None,
            proposed_for=found.get("proposed_for"),
            **{name: found[name] for name in _PLAIN},
        )

    def _person(self, found: Mapping[str, Any]) -> Person:
        return unpacked_person(self._content(found, "person"))

    def _content(self, found: Mapping[str, Any], name: str) -> Any:
        return self._cipher.open_json(_place(found["organisation_id"], found["_id"], name), found[name])
