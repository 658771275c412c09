"""Reminder preferences in MongoDB, sealed: a topic switched off may tell what somebody has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.model import ACCESS_TOPIC, CAMPAIGN, VIETNAM_ZONE, Preferences
from notifications.programmes import TOPICS
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index, transaction
from wallet_api.stores.bulk import ASKED_WHERE_FEW_ARE, in_parts
from wallet_api.stores.reminding import RETENTION_CLASS, Document
from wallet_api.stores.what_opens import what_opens

_COLLECTION: Final = "reminder_preferences"
LEFT_ALONE: Final = Preferences(opted_out=frozenset({*TOPICS, ACCESS_TOPIC, CAMPAIGN}))
"""What is done about a choice that does not open: no message that a person may refuse."""

INDEXES: tuple[Index, ...] = ()


class MongoPreferences:
    """`notifications.ports.PreferenceStore` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._db = db
        self._preferences = db[_COLLECTION]
        self._cipher = cipher

    def of(self, citizen_id: str) -> Preferences:
        """The stored choice, or the defaults; LEFT_ALONE when it does not open."""
        found = self._preferences.find_one({"_id": citizen_id})
        return Preferences() if found is None else next(iter(what_opens([found], self._opened)), LEFT_ALONE)

    def chosen_by(self, citizen_ids: Collection[str]) -> frozenset[str]:
        """Which of these people have chosen anything: for all others the defaults hold."""
        found = self._preferences.find({"_id": {"$in": sorted(citizen_ids)}}, {"_id": 1})
        return frozenset(each["_id"] for each in found)

    def of_many(self, citizen_ids: Collection[str]) -> dict[str, Preferences]:
        """The same for many, the defaults included."""
        found = dict.fromkeys(citizen_ids, Preferences())
        for part in in_parts(citizen_ids, ASKED_WHERE_FEW_ARE):
            rows = list(self._preferences.find({"_id": {"$in": part}}))
            self._cipher.keys.open_many([row["_id"] for row in rows], RETENTION_CLASS)
            found |= {row["_id"]: LEFT_ALONE for row in rows}
            found |= what_opens(rows, lambda row: (row["_id"], self._opened(row)))
        return found

    def _opened(self, found: Document) -> Preferences:
        return _chosen(self._cipher.open_json(_place(found["_id"], found["revision"]), found["content"]))

    def save(self, citizen_id: str, preferences: Preferences) -> None:
        """Replace the choice."""
        chosen = {
            "opted_out": sorted(preferences.opted_out),
            "window": list(preferences.window),
            "locale": preferences.locale,
            "muted": sorted(list(pair) for pair in preferences.muted),
            "zone": preferences.zone,
            "a_week": dict(preferences.a_week),
            "urgent": sorted(preferences.urgent),
            "language": preferences.language,
            "email": preferences.email,
        }

        def work(session: ClientSession) -> None:
            known = self._preferences.find_one({"_id": citizen_id}, {"revision": 1}, session=session)
            revision = known["revision"] + 1 if known else 1
            content = self._cipher.seal_json(_place(citizen_id, revision), chosen)
            fresh = {"_id": citizen_id, "revision": revision, "content": content}
            self._preferences.replace_one({"_id": citizen_id}, fresh, upsert=True, session=session)

        transaction(self._db, work)


def _chosen(told: Mapping[str, Any]) -> Preferences:
    """What was saved; of a choice saved before there was more to choose, the defaults for the rest."""
    start, end = told["window"]
    return Preferences(
        opted_out=frozenset(told["opted_out"]),
        window=(start, end),
        locale=told["locale"],
        muted=frozenset((topic, channel) for topic, channel in told.get("muted", ())),
        zone=told.get("zone", VIETNAM_ZONE),
        a_week=tuple(sorted(told.get("a_week", {}).items())),
        urgent=frozenset(told.get("urgent", ())),
        language=told.get("language", ""),
        email=told.get("email"),
    )


def _place(citizen_id: str, revision: int) -> Place:
    return Place(citizen_id, RETENTION_CLASS, _COLLECTION, citizen_id, "content", revision)
