"""Hiding records in MongoDB and showing them again, each time with the history that tells copies of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from pymongo.client_session import ClientSession
from pymongo.database import Database

from wallet_api.infra.mongo import transaction
from wallet_api.records.changes import History, Touched
from wallet_api.records.errors import StaleRecord
from wallet_api.records.model import Record
from wallet_api.stores.book_fronts import MongoFronts

T = TypeVar("T")
Document = dict[str, Any]
_TRIES: Final = 3
_SEEN: Final = {"citizen_id": 1, "hidden_from": 1}


class BookVisibility:
    """The part of the record store that hides and shows. `opened` opens a stored record."""

    def __init__(
        self, db: Database[Document], fronts: MongoFronts, opened: Callable[[Mapping[str, Any]], Record]
    ) -> None:
        self._db = db
        self._records = db["records"]
        self._fronts = fronts
        self._opened = opened

    def in_unit(self, work: Callable[[ClientSession], T]) -> T:
        """Run `work` in one transaction."""
        return transaction(self._db, work)

    def history(self, citizen_id: str) -> History:
        """The latest changes of a book. One read, by the book's id."""
        return self._fronts.history(citizen_id)

    def set_hidden(
        self,
        citizen_id: str,
        record_id: str,
        audience: str,
        *,
        hidden: bool,
        unit: ClientSession | None = None,
    ) -> bool:
        """Hide the record from an audience, or show it again."""

        def work(session: ClientSession) -> bool:
            found = self._records.find_one({"_id": record_id}, _SEEN, session=session)
            if found is None or found["citizen_id"] != citizen_id:
                return False
            if (audience in found["hidden_from"]) != hidden:
                self._turn(citizen_id, [found], audience, hidden=hidden, session=session)
            return True

        return work(unit) if unit is not None else self._tried(work)

    def hide_written(self, citizen_id: str, organisation_id: str, since: datetime, audience: str) -> None:
        """Hide all that the organisation filed from an instant on. Reads the whole book: flags are rare."""
        open_to = {"received_at": {"$gte": since}, "hidden_from": {"$nin": [audience]}}
        self._turn_all(citizen_id, {"organisation_id": organisation_id} | open_to, audience, hidden=True)

    def show_written(self, citizen_id: str, organisation_id: str, audience: str) -> None:
        """Show it again."""
        closed = {"organisation_id": organisation_id, "hidden_from": audience}
        self._turn_all(citizen_id, closed, audience, hidden=False)

    def _turn_all(self, citizen_id: str, which: Document, audience: str, *, hidden: bool) -> None:
        stages = [{"$match": {"citizen_id": citizen_id}}, {"$match": which}, {"$project": _SEEN}]

        def work(session: ClientSession) -> None:
            if found := list(self._records.aggregate(stages, session=session)):
                self._turn(citizen_id, found, audience, hidden=hidden, session=session)

        self._tried(work)

    def _turn(
        self,
        citizen_id: str,
        found: Sequence[Document],
        audience: str,
        *,
        hidden: bool,
        session: ClientSession,
    ) -> None:
        change = {"$addToSet" if hidden else "$pull": {"hidden_from": audience}}
        ids = [each["_id"] for each in found]
        which = {"_id": ids[0] if len(ids) == 1 else {"$in": ids}}
        self._records.update_many(which, change, session=session)
        touched = []
        for each in found:
            was = frozenset(each["hidden_from"])
            touched.append(Touched(each["_id"], was, was | {audience} if hidden else was - {audience}))
        self._fronts.turned(citizen_id, touched, self._opened, session)

    def _tried(self, work: Callable[[ClientSession], T]) -> T:
        """In a transaction of its own; once more where the book's first page was just being made."""
        for _ in range(_TRIES - 1):
            try:
                return self.in_unit(work)
            except StaleRecord:
                continue
        return self.in_unit(work)
