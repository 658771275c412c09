"""The feeds of organisations in MongoDB: numbered late, one organisation at a time, in the order of commits.

An event is written without a number, by the transaction that changes the grant, so that two grants at one
busy hospital never wait for each other. Numbers are given afterwards by whoever reads, in a transaction that
moves the head of that one feed: two at once conflict on the head, and the later one begins again. A number
is therefore seen only when all smaller ones are, and no event ever appears behind a reader's position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from wallet_api.events.model import Duty, Event, Holding
from wallet_api.infra.mongo import Index, transaction
from wallet_api.stores.holdings import (
    DUTIES,
    EVENTS,
    HOLDINGS,
    HoldingWriter,
    duty_of,
    event_document,
    event_of,
)

Document = dict[str, Any]
_AT_ONCE: Final = 200  # events numbered in one transaction
_SETTLED_AT_ONCE: Final = 25  # in one transaction, which others wait for
_LOOKS: Final = 12

INDEXES = (Index(EVENTS, ("organisation_id", "position")),)


class MongoEvents:
    """`events.feed.Events` over pymongo."""

    def __init__(self, db: Database[Document]) -> None:
        self._db = db
        self._writer = HoldingWriter(db)
        self._holdings = db[HOLDINGS]
        self._duties = db[DUTIES]
        # What a vote could still undo is told to nobody: its number would be given to something else.
        self._events = db[EVENTS].with_options(read_concern=ReadConcern("majority"))

    def settle(self, asked: Mapping[str, str], now: datetime, overdue: Callable[[Duty], None]) -> int:
        """Write down what time alone brought by `now` to the holdings of one organisation, citizen, or all.

        `overdue` hears of each erasure that has become overdue before that is written. Returns how many
        holdings were looked at, 300 at the most.
        """
        due = {**asked, "due_at": {"$lte": now}}
        looked = 0
        for _ in range(_LOOKS):
            rows = list(self._holdings.find(due).sort("due_at", 1).limit(_SETTLED_AT_ONCE))
            if not rows:
                break
            looked += len(rows)
            self._settle(rows, now, overdue)
        return looked

    def tell(self, event: Event, unit: ClientSession | None) -> None:
        """Write down what follows from no grant, in the transaction of the change itself."""
        self._db[EVENTS].insert_one(event_document(event), session=unit)

    def number(self, organisation_id: str) -> None:
        """Give the organisation's new events their places. Any number may do so at once."""
        fresh = {"organisation_id": organisation_id, "position": 0}
        if self._events.find_one(fresh, {"_id": 1}) is None:
            return
        with suppress(DuplicateKeyError):  # two begin a feed at once
            first = {"position": -1, "last": 0}
            self._events.update_one(_head(organisation_id), {"$setOnInsert": first}, upsert=True)
        while self._events.find_one(fresh, {"_id": 1}) is not None:
            if transaction(self._db, lambda session: self._number(organisation_id, session)) < _AT_ONCE:
                return

    def after(self, organisation_id: str, since: int, limit: int) -> list[Event]:
        """The events behind a position, in order."""
        behind = {"organisation_id": organisation_id, "position": {"$gt": since}}
        return [event_of(each) for each in self._events.find(behind).sort("position", 1).limit(limit)]

    def holding(self, grant_id: str) -> Holding | None:
        """What an organisation was last told about a grant."""
        return self._writer.holding(grant_id)

    def _number(self, organisation_id: str, session: ClientSession) -> int:
        head, events = _head(organisation_id), self._db[EVENTS]
        known = events.find_one(head, session=session) or {}
        fresh = events.find({"organisation_id": organisation_id, "position": 0}, session=session)
        rows = sorted(fresh.limit(_AT_ONCE), key=lambda each: (each["at"], each["version"], each["_id"]))
        if rows:
            last = known["last"]
            events.update_one(head, {"$set": {"last": last + len(rows)}}, session=session)
            events.bulk_write(
                [
                    UpdateOne(
                        {"_id": each["_id"], "organisation_id": organisation_id},
                        {"$set": {"position": position}},
                    )
                    for position, each in enumerate(rows, last + 1)
                ],
                session=session,
            )
        return len(rows)

    def _settle(self, rows: Sequence[Document], now: datetime, overdue: Callable[[Duty], None]) -> None:
        passing = [each for each in rows if each.get("state") != "ended"]
        if passing:
            transaction(self._db, lambda session: self._pass(passing, now, session))
        for row in rows:
            if row.get("state") == "ended":
                self._overdue(row["_id"], now, overdue)

    def _pass(self, rows: Sequence[Document], now: datetime, session: ClientSession) -> None:
        """Suspend, end and close what time has suspended, ended and closed."""
        for row in rows:
            if row["kind"] == "request":
                self._writer.close(row, session)
            else:
                self._writer.by_itself(row["_id"], now, session)

    def _overdue(self, grant_id: str, now: datetime, overdue: Callable[[Duty], None]) -> None:
        found = self._duties.find_one({"_id": grant_id})
        if found is not None and duty_of(found).overdue(now):
            overdue(duty_of(found))
        transaction(self._db, lambda session: self._writer.by_itself(grant_id, now, session))


def _head(organisation_id: str) -> Document:
    """The document that knows the last number given in a feed. Its position is below every reader's."""
    return {"_id": f"head:{organisation_id}", "organisation_id": organisation_id}
