"""Share links in MongoDB. What is shared, its name, its key, the passcode's hash and who came are sealed.

In clear: whose it is, who made it, times, counts, and whether it is over. A share is found by its own id,
which follows from its link; the link is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.mongo import Index
from wallet_api.shares.errors import StaleShare
from wallet_api.shares.model import Knock, Relation, Share, Wanted
from wallet_api.shares.rules import RULES

Document = dict[str, Any]
COLLECTION: Final = "shares"
RETENTION_CLASS: Final = "shares"
_PLAIN: Final = (
    "citizen_id",
    "made_by",
    "relation",
    "version",
    "use_limit",
    "uses",
    "attempts_left",
    "knocked",
    "revoked_by",
)
_INSTANTS: Final = ("made_at", "expires_at", "revoked_at")

INDEXES = (
    Index(COLLECTION, (("citizen_id", 1), ("place", -1))),
    Index(COLLECTION, (("citizen_id", 1), ("relation", 1), ("place", -1))),
    Index(COLLECTION, (("citizen_id", 1), ("closed", 1), ("expires_at", 1))),
    Index(COLLECTION, ("purge_at",), ttl=0),
)


class MongoShares:
    """`shares.desk.Shares` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._shares = db[COLLECTION]
        self._cipher = cipher

    def add(self, share: Share) -> None:
        """Keep a new share; a second run of the same act finds it there."""
        try:
            self._shares.insert_one(self._document(share))
        except DuplicateKeyError:
            return

    def get(self, share_id: str) -> Share | None:
        """One share; none when its owner's key was destroyed."""
        found = self._shares.find_one({"_id": share_id})
        return None if found is None else self._share(found)

    def save(self, share: Share, *, expected: int) -> None:
        """Put a new version in the place of the old."""
        unchanged = {"_id": share.id, "version": expected}
        if self._shares.replace_one(unchanged, self._document(share)).matched_count != 1:
            raise StaleShare(share.id)

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Share]:
        """A person's shares, newest first."""
        asked: Document = {"citizen_id": citizen_id}
        if relation is not None:
            asked["relation"] = relation
        if before is not None:
            asked["place"] = {"$lt": before}
        found = map(self._share, self._shares.find(asked).sort("place", -1).limit(limit))
        return [each for each in found if each is not None]

    def open_of(self, citizen_id: str, now: datetime) -> int:
        """How many links to a person's book are in use."""
        asked = {"citizen_id": citizen_id, "closed": False, "expires_at": {"$gt": now}}
        return self._shares.count_documents(asked)

    def _document(self, share: Share) -> Document:
        document: Document = {"_id": share.id}
        document |= {name: getattr(share, name) for name in (*_PLAIN, *_INSTANTS)}
        document |= {
            "place": share.place,
            "closed": share.closed,
            "purge_at": share.expires_at + timedelta(days=RULES.bounds.kept_days_after),
        }
        sealed = {
            "wanted": _wanted_json(share.wanted),
            "label": share.label,
            "key": share.key,
            "passcode": share.passcode,
            "knocks": [
                [each.number, each.at.isoformat(), each.outcome, each.recipient] for each in share.knocks
            ],
        }
        document["content"] = self._cipher.seal_json(place_of(document), sealed)
        return document

    def _share(self, found: Mapping[str, Any]) -> Share | None:
        try:
            sealed = self._cipher.open_json(place_of(found), bytes(found["content"]))
        except SealBroken:
            return None  # its owner was erased: what was sealed with their key is as good as gone
        return Share(
            id=found["_id"],
            **{name: found[name] for name in _PLAIN},
            **{name: found[name] and found[name].astimezone(UTC) for name in _INSTANTS},
            wanted=_wanted(sealed["wanted"]),
            label=sealed["label"],
            key=sealed["key"],
            passcode=sealed["passcode"],
            knocks=tuple(
                Knock(number, datetime.fromisoformat(at), outcome, recipient)
                for number, at, outcome, recipient in sealed["knocks"]
            ),
        )


def place_of(found: Mapping[str, Any]) -> Place:
    """Where the sealed part of a stored share belongs."""
    return Place(found["citizen_id"], RETENTION_CLASS, COLLECTION, found["_id"], "content", found["version"])


def _wanted_json(wanted: Wanted) -> Document:
    return {
        "kind": wanted.kind,
        "record_ids": sorted(wanted.record_ids),
        "categories": sorted(wanted.categories),
        "first": wanted.first and wanted.first.isoformat(),
        "last": wanted.last and wanted.last.isoformat(),
    }


def _wanted(found: Mapping[str, Any]) -> Wanted:
    return Wanted(
        found["kind"],
        frozenset(found["record_ids"]),
        frozenset(found["categories"]),
        *(date.fromisoformat(found[name]) if found[name] else None for name in ("first", "last")),
    )
