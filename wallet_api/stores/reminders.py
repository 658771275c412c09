"""Reminders in MongoDB, moved by compare-and-set in transactions.

In clear: whose, for whom, shard, day, state, and what moved it. The dose is a keyed token bound to the
citizen, so that a dump does not even show which doses are common. Sealed: everything else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.ports import Unit
from notifications.reminders import Reminder, State, may_move
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import in_parts, insert_new
from wallet_api.stores.reminding import RETENTION_CLASS, Document, MongoUnits
from wallet_api.stores.what_opens import what_opens

_COLLECTION: Final = "reminders"
_PART: Final = 200  # ids in one call: it has 3 seconds, on the slowest database too
_SEALED: Final = ("key", "programme_id", "series_id", "dose", "topic", "offset", "phase")
_UNLEASED: Final = frozenset({State.PLANNED, State.QUEUED, State.DEFERRED})
_REPLANNED: Final = frozenset({State.PLANNED, State.CANCELLED})
_UNSENT: Final = frozenset({State.PLANNED, State.CANCELLED, State.SUPERSEDED})

INDEXES = (
    Index(_COLLECTION, ("citizen_id", "due_code")),
    Index(_COLLECTION, ("recipient_id", "send_on")),
    Index(_COLLECTION, ("shard", "state", "send_on")),
    Index(_COLLECTION, ("state",)),
)


class MongoReminders:
    """`notifications.ports.Reminders` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher, blind: BlindIndex) -> None:
        self._reminders = db[_COLLECTION]
        self._units = MongoUnits(db)
        self._cipher = cipher
        self._blind = blind

    def plan(self, reminder: Reminder, unit: Unit | None = None) -> bool:
        """Insert, or ignore if the id is known: True if it will be sent."""

        def work(session: ClientSession) -> bool:
            known = self._reminders.find_one(
                {"_id": reminder.id}, {"state": 1, "revision": 1}, session=session
            )
            if known is None:
                self._reminders.insert_one(self._document(reminder, 1), session=session)
                return True
            if State(known["state"]) not in _REPLANNED:
                return False
            fresh = self._document(reminder, known["revision"] + 1)
            self._reminders.replace_one({"_id": reminder.id}, fresh, session=session)
            return True

        return self._units.within(unit, work)

    def load(self, reminders: Sequence[Reminder]) -> None:
        """Plan many new ones; those that are there already stay. For filling a database."""
        insert_new(self._reminders, [self._document(each, 1) for each in reminders])

    def many(self, ids: Collection[str]) -> dict[str, Reminder]:
        """Those that exist, by id."""
        found: dict[str, Reminder] = {}
        for part in in_parts(ids):
            rows = list(self._reminders.find({"_id": {"$in": part}}))
            self._cipher.keys.open_many({row["citizen_id"] for row in rows}, RETENTION_CLASS)
            found |= {each.id: each for each in what_opens(rows, self._reminder)}
        return found

    def planned(self, shard: int, day_to: date, limit: int) -> list[Reminder]:
        """Planned ones of a recipient shard with send_on <= day_to, ordered by (recipient, id)."""
        asked = {"shard": shard, "state": State.PLANNED.value, "send_on": {"$lte": day_to.isoformat()}}
        found = self._reminders.find(asked).sort([("recipient_id", 1), ("_id", 1)]).limit(limit)
        return what_opens(found, self._reminder)

    def move(
        self,
        ids: Collection[str],
        frm: Collection[State],
        to: State,
        mark: str = "",
        reason: str = "",
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """Move those that are in one of `frm` now; return exactly the ids this call moved."""
        change = {"state": to.value} | {k: v for k, v in (("mark", mark), ("reason", reason)) if v}
        steps = frozenset(state for state in frm if may_move(state, to))
        moved: frozenset[str] = frozenset()
        for part in _parts(ids):

            def work(session: ClientSession, part: list[str] = part) -> frozenset[str]:
                few = (self._move({"_id": {"$in": each}}, steps, change, session) for each in in_parts(part))
                return frozenset[str]().union(*few)

            moved |= self._units.within(unit, work)
        return moved

    def cancel_for(
        self, citizen_id: str, series_id: str, dose: int, reason: str, unit: Unit | None = None
    ) -> int:
        """Cancel what is not yet leased of one dose, for every recipient; return how many."""
        tokens = self._blind.candidates("due_code", _due_code(citizen_id, series_id, dose))
        change = {"state": State.CANCELLED.value} | ({"reason": reason} if reason else {})

        def work(session: ClientSession) -> int:
            asked = [{"citizen_id": citizen_id, "due_code": token} for token in tokens]
            return sum(len(self._move(each, _UNLEASED, change, session)) for each in asked)

        return self._units.within(unit, work)

    def of_citizen(self, citizen_id: str) -> list[Reminder]:
        """All reminders about a citizen, in any state."""
        return [self._reminder(each) for each in self._reminders.find({"citizen_id": citizen_id})]

    def of_citizens(self, citizen_ids: Collection[str]) -> dict[str, list[Reminder]]:
        """The same of several citizens; those without any are absent."""
        found: dict[str, list[Reminder]] = {}
        for part in in_parts(citizen_ids):
            rows = list(self._reminders.find({"citizen_id": {"$in": part}}))
            self._cipher.keys.open_many({row["citizen_id"] for row in rows}, RETENTION_CLASS)
            for each in what_opens(rows, self._reminder):
                found.setdefault(each.citizen_id, []).append(each)
        return found

    def of_recipient(self, recipient_id: str, day_from: date, day_to: date) -> list[Reminder]:
        """Reminders for a person, in any state, to be sent on these days (both included)."""
        days = {"$gte": day_from.isoformat(), "$lte": day_to.isoformat()}
        found = self._reminders.find({"recipient_id": recipient_id, "send_on": days})
        return what_opens(found, self._reminder)

    def pushed_on(self, recipient_id: str, day: date) -> bool:
        """True if a reminder of this recipient with that send_on has left planned (and was not cancelled)."""
        asked = {"recipient_id": recipient_id, "send_on": day.isoformat()}
        found = self._reminders.find(asked, {"state": 1})
        return any(State(each["state"]) not in _UNSENT for each in found)

    def figures(self) -> dict[str, int]:
        """How many reminders are in each state: one walk over the entries of an index, for ops pages only."""
        counted = {state.value: self._reminders.count_documents({"state": state.value}) for state in State}
        return {state: count for state, count in counted.items() if count}

    def _move(
        self, asked: Document, frm: Collection[State], change: Document, session: ClientSession
    ) -> frozenset[str]:
        """Read, then write, in one transaction: whoever changed one of them meanwhile makes it run again."""
        found = self._reminders.find(asked, {"state": 1}, session=session)
        hits = [each["_id"] for each in found if State(each["state"]) in frm]
        if hits:
            self._reminders.update_many({"_id": {"$in": hits}}, {"$set": change}, session=session)
        return frozenset(hits)

    def _document(self, reminder: Reminder, revision: int) -> Document:
        dose = _due_code(reminder.citizen_id, reminder.series_id, reminder.dose)
        sealed = {name: getattr(reminder, name) for name in _SEALED}
        sealed["recommended"] = reminder.recommended.isoformat()
        sealed["session"] = reminder.session.isoformat() if reminder.session else None
        return {
            "_id": reminder.id,
            "citizen_id": reminder.citizen_id,
            "recipient_id": reminder.recipient_id,
            "shard": reminder.shard,
            "due_code": self._blind.of("due_code", dose),
            "send_on": reminder.send_on.isoformat(),
            "state": State.PLANNED.value,
            "mark": "",
            "reason": "",
            "revision": revision,
            "content": self._cipher.seal_json(_place(reminder.citizen_id, reminder.id, revision), sealed),
        }

    def _reminder(self, found: Mapping[str, Any]) -> Reminder:
        place = _place(found["citizen_id"], found["_id"], found["revision"])
        content = self._cipher.open_json(place, found["content"])
        return Reminder(
            id=found["_id"],
            citizen_id=found["citizen_id"],
            recipient_id=found["recipient_id"],
            shard=found["shard"],
            send_on=date.fromisoformat(found["send_on"]),
            state=State(found["state"]),
            mark=found["mark"],
            reason=found["reason"],
            recommended=date.fromisoformat(content["recommended"]),
            session=date.fromisoformat(content["session"]) if content.get("session") else None,
            **{name: content[name] for name in _SEALED},
        )


def _parts(ids: Collection[str]) -> Iterator[list[str]]:
    left = iter(sorted(set(ids)))
    return iter(lambda: list(islice(left, _PART)), [])


def _due_code(citizen_id: str, series_id: str, dose: int) -> str:
    return f"{citizen_id}/{series_id}/{dose}"


def _place(citizen_id: str, reminder_id: str, revision: int) -> Place:
    return Place(citizen_id, RETENTION_CLASS, _COLLECTION, reminder_id, "content", revision)
