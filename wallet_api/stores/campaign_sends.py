"""Messages and lists of campaigns in MongoDB. Who is meant is sealed; ids are keyed digests.

All of it goes by itself: messages and subjects when their effect has been counted, lists when they are used.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.campaigns.ports import SEND_MOVES, Send
from notifications.campaigns.progress import begun_counts, moved_counts
from notifications.campaigns.rows import NumberKind
from notifications.ports import Now, Unit
from notifications.reminders import State
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.campaigns import count_in
from wallet_api.stores.reminding import RETENTION_CLASS, Document, MongoUnits, session_of

SENDS: Final = "campaign_sends"
LISTS: Final = "campaign_lists"
_SUBJECTS: Final = "campaign_subjects"
_KEPT: Final = timedelta(days=90)

INDEXES = (
    Index(SENDS, ("campaign_id", "state")),
    Index(SENDS, ("until",), ttl=0),
    Index(_SUBJECTS, ("until",), ttl=0),
    Index(LISTS, ("until",), ttl=0),
    Index(LISTS, ("campaign_id",)),
)


class MongoSends:
    """`notifications.campaigns.ports.Sends` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher, now: Now) -> None:
        self._db = db
        self._units = MongoUnits(db)
        self._cipher = cipher
        self._now = now

    def add(self, sends: Sequence[Send], unit: Unit | None = None) -> frozenset[str]:
        """Keep those whose id is new, and count them."""
        if not sends:
            return frozenset()
        documents = {send.id: self._document(send) for send in sends}

        def work(session: ClientSession) -> frozenset[str]:
            asked = {"_id": {"$in": sorted(documents)}}
            known = {each["_id"] for each in self._db[SENDS].find(asked, {"_id": 1}, session=session)}
            fresh = [send for send in sends if send.id not in known]
            writes = [
                UpdateOne({"_id": send.id}, {"$setOnInsert": documents[send.id]}, upsert=True)
                for send in fresh
            ]
            if writes:
                self._db[SENDS].bulk_write(writes, session=session)
            self._count([(send, begun_counts(send)) for send in fresh], session)
            return frozenset(send.id for send in fresh)

        return self._units.within(unit, work)

    def many(self, ids: Collection[str]) -> dict[str, Send]:
        """Those that exist, by id."""
        if not ids:
            return {}
        found = self._db[SENDS].find({"_id": {"$in": sorted(set(ids))}})
        return {each["_id"]: self._send(each) for each in found}

    def held(self, campaign_id: str, limit: int) -> list[Send]:
        """Planned ones."""
        asked = {"campaign_id": campaign_id, "state": State.PLANNED.value}
        return [self._send(each) for each in self._db[SENDS].find(asked).limit(limit)]

    def move(
        self,
        ids: Collection[str],
        frm: Collection[State],
        to: State,
        reason: str = "",
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """Read, then write, in one transaction: whoever changed one of them meanwhile makes it run again."""
        if not ids:
            return frozenset()
        change = {"state": to.value} | ({"reason": reason} if reason else {})

        def work(session: ClientSession) -> frozenset[str]:
            rows = self._db[SENDS].find({"_id": {"$in": sorted(set(ids))}}, session=session)
            hits = [
                send
                for send in map(self._send, rows)
                if send.state in frm and to in SEND_MOVES.get(send.state, frozenset())
            ]
            if hits:
                asked = {"_id": {"$in": [send.id for send in hits]}}
                self._db[SENDS].update_many(asked, {"$set": change}, session=session)
            self._count([(send, moved_counts(send, to, reason)) for send in hits], session)
            return frozenset(send.id for send in hits)

        return self._units.within(unit, work)

    def note_subjects(
        self, campaign_id: str, subjects: Sequence[str], shard: int, at: datetime, unit: Unit | None
    ) -> None:
        """Remember by keyed names whom a campaign was about."""
        change = {"$set": {f"hits.{campaign_id}": {"shard": shard, "at": at}, "until": at + _KEPT}}
        writes = [UpdateOne({"_id": subject}, change, upsert=True) for subject in subjects]
        if writes:
            self._db[_SUBJECTS].bulk_write(writes, session=session_of(unit))

    def dosed(self, subject: str, since: datetime, unit: Unit | None) -> int:
        """Count, once each, the campaigns since then that were about somebody who has the dose now."""

        def work(session: ClientSession) -> int:
            found = self._db[_SUBJECTS].find_one({"_id": subject}, session=session)
            if found is None:
                return 0
            self._db[_SUBJECTS].delete_one({"_id": subject}, session=session)
            hits = {c: hit["shard"] for c, hit in found["hits"].items() if hit["at"].astimezone(UTC) >= since}
            for campaign_id, shard in hits.items():
                count_in(self._db, campaign_id, shard, {"followed": 1}, session)
            return len(hits)

        return self._units.within(unit, work)

    def _count(self, counted: Sequence[tuple[Send, Counter[str]]], session: ClientSession) -> None:
        total: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        for send, counts in counted:
            for name, count in counts.items():
                total[send.campaign_id, send.shard][name] += count
        for (campaign_id, shard), counts in sorted(total.items()):
            count_in(self._db, campaign_id, shard, counts, session)

    def _document(self, send: Send) -> Document:
        told = {"recipient_id": send.recipient_id, "subject_id": send.subject_id, "topic": send.topic}
        found = {"_id": send.id, "shard": send.shard}
        return {
            "campaign_id": send.campaign_id,
            "shard": send.shard,
            "state": send.state.value,
            "reason": send.reason,
            "until": self._now() + _KEPT,
            "content": self._cipher.seal_json(send_place(found), told),
        }

    def _send(self, found: Mapping[str, Any]) -> Send:
        told = self._cipher.open_json(send_place(found), bytes(found["content"]))
        return Send(
            id=found["_id"],
            campaign_id=found["campaign_id"],
            shard=found["shard"],
            state=State(found["state"]),
            reason=found["reason"],
            **told,
        )


class MongoLists:
    """`notifications.campaigns.ports.Lists` over pymongo: parts of a list, sealed, and reports."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher, now: Now) -> None:
        self._lists = db[LISTS]
        self._cipher = cipher
        self._now = now

    def begin(self, campaign_id: str, number: int, kind: NumberKind) -> None:
        """Begin an upload; what an earlier one left is deleted."""
        self._lists.delete_many({"campaign_id": campaign_id})
        self._put(campaign_id, f"{campaign_id}.kind", {"kind": kind})

    def put(self, campaign_id: str, number: int, part: int, numbers: Sequence[str]) -> None:
        """Keep a part of the good rows."""
        name = f"{campaign_id}.{number}.{part}"
        sealed = self._cipher.seal_json(list_place({"_id": name}), {"numbers": list(numbers)})
        self._put(campaign_id, name, {"content": sealed})

    def put_faults(self, campaign_id: str, number: int, part: int, faults: Sequence[tuple[int, str]]) -> None:
        """Keep a part of the report."""
        told = [[row, code] for row, code in faults]
        self._put(campaign_id, f"{campaign_id}.{number}.f{part}", {"faults": told})

    def drop(self, campaign_id: str, number: int) -> None:
        """Delete the good rows, the last part first, so that a second call finds what a first has left."""
        part = 0
        while self._lists.find_one({"_id": f"{campaign_id}.{number}.{part}"}, {"_id": 1}) is not None:
            part += 1
        for each in range(part - 1, -1, -1):
            self._lists.delete_one({"_id": f"{campaign_id}.{number}.{each}"})

    def part(self, campaign_id: str, number: int, part: int) -> tuple[NumberKind, Sequence[str]] | None:
        """One part of the good rows."""
        found = self._lists.find_one({"_id": f"{campaign_id}.{number}.{part}"})
        kind = self._lists.find_one({"_id": f"{campaign_id}.kind"})
        if found is None or kind is None:
            return None
        told = self._cipher.open_json(list_place(found), bytes(found["content"]))
        return kind["kind"], told["numbers"]

    def faults(self, campaign_id: str, number: int, part: int) -> list[tuple[int, str]] | None:
        """One part of the report."""
        found = self._lists.find_one({"_id": f"{campaign_id}.{number}.f{part}"})
        return None if found is None else [(row, code) for row, code in found["faults"]]

    def _put(self, campaign_id: str, name: str, more: Document) -> None:
        kept = {"campaign_id": campaign_id, "until": self._now() + _KEPT} | more
        self._lists.replace_one({"_id": name}, kept, upsert=True)


def send_place(found: Mapping[str, Any]) -> Place:
    """Where the content of a message of a campaign belongs."""
    return Place(f"audience-{found['shard']}", RETENTION_CLASS, SENDS, found["_id"], "content", 1)


def list_place(found: Mapping[str, Any]) -> Place:
    """Where a part of a list belongs."""
    return Place("audience-lists", RETENTION_CLASS, LISTS, found["_id"], "content", 1)
