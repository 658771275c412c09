"""Deaths in MongoDB. The day and the paper are sealed with the person's key.

In clear: whose it is, state, steps, and until when the book is kept, so that what is due is read from an
index; that day tells the day of a death, of whom nothing else in the row tells.
"""

from __future__ import annotations

from datetime import UTC, date
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.identity.deaths import Death, DeathState, Line, Stopped
from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
COLLECTION: Final = "deaths"

INDEXES = (
    Index(COLLECTION, ("state", "place")),
    Index(COLLECTION, ("state", "keep_until")),
    Index(COLLECTION, ("citizen_id",)),
    # Present while it is reported or confirmed: a person has one such at most.
    Index(COLLECTION, ("standing_of",), unique=True, partial={"standing_of": {"$exists": True}}),
)


class MongoDeaths:
    """`DeathStore` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._deaths = db[COLLECTION]
        self._cipher = cipher

    def add(self, death: Death) -> None:
        """Keep a new one."""
        try:
            self._deaths.insert_one(self._document(death))
        except DuplicateKeyError as why:
            raise Taken("death") from why

    def get(self, death_id: str) -> Death | None:
        """One of them."""
        found = self._deaths.find_one({"_id": death_id})
        return None if found is None else self._read(found)

    def save(self, death: Death, *, expected: int) -> None:
        """Put it in the place of version `expected`."""
        unchanged = {"_id": death.id, "version": expected}
        if self._deaths.replace_one(unchanged, self._document(death)).matched_count != 1:
            raise StaleVersion("death")

    def listed(self, state: DeathState, after: str | None, limit: int) -> list[Death]:
        """Those in one state after a place, the oldest first."""
        asked: Document = {"state": state}
        if after is not None:
            asked["place"] = {"$gt": after}
        return [self._read(each) for each in self._deaths.find(asked).sort("place", 1).limit(limit)]

    def due(self, today: date, limit: int) -> list[Death]:
        """The confirmed whose book need not be kept any more, the longest due first."""
        asked = {"state": "confirmed", "keep_until": {"$lt": today.isoformat()}}
        return [self._read(each) for each in self._deaths.find(asked).sort("keep_until", 1).limit(limit)]

    def _document(self, death: Death) -> Document:
        told = {
            "died_on": death.died_on.isoformat(),
            "evidence_kind": death.evidence_kind,
            "paper_number": death.paper_number,
        }
        document: Document = {
            "_id": death.id,
            "citizen_id": death.citizen_id,
            "state": death.state,
            "version": death.version,
            "done": death.done,
            "place": death.place,
            "keep_until": death.keep_until.isoformat(),
            "history": [
                {"event": each.event, "by": each.by, "at": each.at, "reason": each.reason}
                for each in death.history
            ],
            "grants": [
                {"citizen_id": each.citizen_id, "id": each.grant_id, "holds_until": each.holds_until}
                for each in death.grants
            ],
            "relations": list(death.relations),
        }
        document["content"] = self._cipher.seal_json(place_of(document), told)
        return document | ({"standing_of": death.citizen_id} if death.stands else {})

    def _read(self, found: Document) -> Death:
        told = self._cipher.open_json(place_of(found), bytes(found["content"]))
        return Death(
            id=found["_id"],
            citizen_id=found["citizen_id"],
            died_on=date.fromisoformat(told["died_on"]),
            evidence_kind=told["evidence_kind"],
            paper_number=told["paper_number"],
            history=tuple(
                Line(each["event"], each["by"], each["at"].astimezone(UTC), each["reason"])
                for each in found["history"]
            ),
            state=found["state"],
            version=found["version"],
            done=found["done"],
            grants=tuple(
                Stopped(
                    each["citizen_id"],
                    each["id"],
                    None if each["holds_until"] is None else each["holds_until"].astimezone(UTC),
                )
                for each in found["grants"]
            ),
            relations=tuple(found["relations"]),
        )


def place_of(found: Document) -> Place:
    """Where the words of a stored death belong."""
    return Place(found["citizen_id"], "profile", COLLECTION, found["_id"], "content", found["version"])
