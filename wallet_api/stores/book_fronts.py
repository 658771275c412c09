"""Front pages in MongoDB: one document a book, written in the transaction of what changes the book.

Which record stands on which line is sealed: it tells what is wrong with somebody. How many records begin in
each month is in clear, like the days themselves, so that a page of the timeline knows how far it must look.
A book without such a document is older than front pages, or its document than the rules of today: it is read
whole, and gets a new one at its next writing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from pymongo import ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Index
from wallet_api.records.changes import History, Step, Touched
from wallet_api.records.errors import StaleRecord
from wallet_api.records.front import Front, packed, unpacked
from wallet_api.records.front_rules import RULES
from wallet_api.records.model import Position, Record
from wallet_api.stores.book_history import FIELDS, document_of, history_of
from wallet_api.stores.bulk import insert_new

Document = dict[str, Any]
Written = tuple[Record | None, Record]
"""What was written, and the version it was written over; None for a new record."""
COLLECTION: Final = "book_fronts"
_CLINICAL: Final = "clinical"
_DUPLICATE: Final = 11000
_MARGIN: Final = timedelta(days=1)
"""Kept longer than any reader's cursor is good for, whatever the clocks of two machines say."""

# It has the collection made at the start, which no transaction could do; the key never changes.
INDEXES = (Index(COLLECTION, ("citizen_id",)),)


class Held(NamedTuple):
    """What is kept of a book; `front` None: made by other rules. `mark` as it stands in the document, where
    an older release wrote none."""

    front: Front | None
    version: int
    history: History
    mark: str | None


class Looked(NamedTuple):
    """What was found of several books: what is kept of each, and those that hold no record."""

    held: Mapping[str, Held]
    fresh: frozenset[str]


class MongoFronts:
    """The front pages of all books. A session is that of the transaction that changes the book."""

    def __init__(
        self,
        db: Database[Document],
        cipher: CitizenCipher,
        now: Callable[[], datetime],
        kept: timedelta,
    ) -> None:
        self._fronts = db[COLLECTION]
        self._records = db["records"]
        self._cipher = cipher
        self._now = now
        self._kept = kept

    def get(self, citizen_id: str) -> Front | None:
        """The front page of a book, if it has one by the rules of today."""
        held = self._held(citizen_id, None)
        return None if held is None else held.front

    def _held(self, citizen_id: str, session: ClientSession | None) -> Held | None:
        found = self._fronts.find_one({"_id": citizen_id}, session=session)
        return None if found is None else self._held_in(found)

    def _held_in(self, found: Mapping[str, Any]) -> Held:
        # Opened even if it is of other rules: filing takes the same work for either.
        sections = self._cipher.open_json(place_of(found), found["content"])
        current = found.get("rules") == RULES
        front = unpacked(sections, found["months"]) if current else None
        return Held(front, found["version"], history_of(found["_id"], found), found.get("mark"))

    def looked_into(self, citizen_ids: Collection[str], session: ClientSession) -> Looked:
        """What is kept of several books, and which of them hold nothing, as their transaction begins."""
        rows = self._fronts.find({"_id": {"$in": sorted(citizen_ids)}}, session=session)
        held = {each["_id"]: self._held_in(each) for each in rows}
        # Of a book older than front pages something may be there; all others have one from the first record.
        without = sorted(set(citizen_ids) - held.keys())
        if not without:
            return Looked(held, frozenset())
        some = self._records.find({"citizen_id": {"$in": without}}, {"citizen_id": 1}, session=session)
        return Looked(held, frozenset(without) - {each["citizen_id"] for each in some})

    def history(self, citizen_id: str) -> History:
        """The latest changes of a book. One read."""
        return history_of(citizen_id, self._fronts.find_one({"_id": citizen_id}, FIELDS))

    def turned(
        self,
        citizen_id: str,
        touched: Sequence[Touched],
        opened: Callable[[Document], Record],
        session: ClientSession,
    ) -> None:
        """Note from whom records are hidden from now on, in the transaction that hides or shows them.

        Raises:
            StaleRecord: somebody else changed the book meanwhile.
        """
        found = self._fronts.find_one({"_id": citizen_id}, FIELDS | {"mark": 1}, session=session)
        history = self._after(history_of(citizen_id, found), touched)
        if found is None:
            front = Front.of(map(opened, self._records.find({"citizen_id": citizen_id}, session=session)))
            self.put(citizen_id, front, history, None, session)
            return
        # What is on the front page does not depend on who may see it: the sealed part stays as it is.
        same = {"_id": citizen_id, "version": found["version"], "mark": found.get("mark")}
        changed = {"mark": history.mark, "changes": document_of(history)}
        if self._fronts.update_one(same, {"$set": changed}, session=session).modified_count != 1:
            raise StaleRecord(citizen_id)

    def _after(self, history: History, touched: Iterable[Touched]) -> History:
        now = self._now()
        return history.after(Step(new_id(), now, tuple(touched)), now - self._kept - _MARGIN)

    def follow(
        self,
        citizen_id: str,
        written: Sequence[Written],
        opened: Callable[[Document], Record],
        session: ClientSession | None,
    ) -> None:
        """Bring a book's front page up to what was just written into it.

        Raises:
            StaleRecord: somebody else changed the book meanwhile.
        """
        held = self._held(citizen_id, session)
        # A look into either: how long filing takes must not tell who has a book already.
        known = self._is_fresh(citizen_id, written, session) if held is None else not self._decoy(session)
        front, history = self._brought_up(citizen_id, written, held, opened, session, known=known)
        self.put(citizen_id, front, history, held, session)

    def follow_many(
        self,
        written: Mapping[str, Sequence[Written]],
        looked: Looked,
        opened: Callable[[Document], Record],
        session: ClientSession,
    ) -> None:
        """The same for several books, by what was found as the transaction began.

        Raises:
            StaleRecord: somebody else changed one of the books meanwhile.
        """
        first, steps = list[Document](), list[ReplaceOne[Document]]()
        for whose, changes in written.items():
            held = looked.held.get(whose)
            known = held is not None or whose in looked.fresh
            told = self._brought_up(whose, changes, held, opened, session, known=known)
            before, made = self._step(whose, *told, held)
            if held is None:
                first.append(made)
            else:
                steps.append(ReplaceOne(before, made))
        try:
            if first:
                self._fronts.insert_many(first, session=session)
            turned = self._fronts.bulk_write(steps, session=session).modified_count if steps else 0
        except BulkWriteError as why:
            if all(each["code"] == _DUPLICATE for each in why.details["writeErrors"]):
                raise StaleRecord("front") from why
            raise
        if turned != len(steps):
            raise StaleRecord("front")

    def _brought_up(
        self,
        citizen_id: str,
        written: Sequence[Written],
        held: Held | None,
        opened: Callable[[Document], Record],
        session: ClientSession | None,
        *,
        known: bool,
    ) -> tuple[Front, History]:
        front = folded(Front() if held is None else held.front, written) if known else None
        if front is None:
            front = Front.of(map(opened, self._records.find({"citizen_id": citizen_id}, session=session)))
        history = history_of(citizen_id, None) if held is None else held.history
        return front, self._after(history, map(_touched, written))

    def _is_fresh(self, citizen_id: str, written: Sequence[Written], session: ClientSession | None) -> bool:
        """Whether a book held nothing before this was written into it."""
        some = self._records.find({"citizen_id": citizen_id}, {"_id": 1}, session=session)
        return {each["_id"] for each in some.limit(len(written) + 1)} <= {after.id for _, after in written}

    def _decoy(self, session: ClientSession | None) -> bool:
        return self._records.find_one({"citizen_id": ""}, {"_id": 1}, session=session) is not None

    def put(
        self,
        citizen_id: str,
        front: Front,
        history: History,
        held: Held | None,
        session: ClientSession | None,
    ) -> None:
        """Keep a first version, or the next over what was held.

        Raises:
            StaleRecord: somebody else changed the book meanwhile.
        """
        before, made = self._step(citizen_id, front, history, held)
        try:
            # One command for either: which it was must not tell who has a book already.
            done = self._fronts.replace_one(before, made, upsert=held is None, session=session)
        except DuplicateKeyError as why:
            raise StaleRecord(citizen_id) from why
        if done.modified_count != 1 and done.upserted_id is None:
            raise StaleRecord(citizen_id)

    def _step(
        self, citizen_id: str, front: Front, history: History, held: Held | None
    ) -> tuple[Document, Document]:
        """What has to be there still, and what takes its place."""
        version = 1 if held is None else held.version + 1
        made = self._document(citizen_id, front, version)
        made |= {"mark": history.mark, "changes": document_of(history)}
        mark = None if held is None else held.mark
        return {"_id": citizen_id, "version": version - 1, "mark": mark}, made

    def months(self, citizen_id: str) -> Mapping[str, int] | None:
        """How many records begin in each month, if that is known."""
        found = self._fronts.find_one({"_id": citizen_id}, {"months": 1})
        return None if found is None else dict(found["months"])

    def load(self, newest: Sequence[Record]) -> None:
        """The front pages of whole books; one that is there stays. For filling a database."""
        books = sorted(newest, key=lambda each: each.citizen_id)
        by_book = groupby(books, key=lambda each: each.citizen_id)
        insert_new(self._fronts, [self._document(whose, Front.of(book), 1) for whose, book in by_book])

    def _document(self, citizen_id: str, front: Front, version: int) -> Document:
        made: Document = {"_id": citizen_id, "citizen_id": citizen_id, "version": version}
        made["content"] = self._cipher.seal_json(place_of(made), packed(front))
        return made | {"months": front.months, "rules": RULES}


def _touched(written: Written) -> Touched:
    before, after = written
    return Touched(after.id, None if before is None else before.hidden_from, after.hidden_from)


def place_of(found: Mapping[str, Any]) -> Place:
    """Where a front page's sealed part belongs."""
    whose = found["citizen_id"]
    return Place(whose, _CLINICAL, COLLECTION, whose, "content", found["version"])


def folded(front: Front | None, written: Iterable[Written]) -> Front | None:
    """The front page with what is new folded in; None for a correction, after which the whole book tells, or
    where there is none to fold into.

    Always then, though it is not always needed: else the work would tell the sender whether others wrote of
    the same.
    """
    if front is None:
        return None
    for before, after in written:
        if before is not None:
            return None
        front.add(after)
    return front


def first_day_for(months: Mapping[str, int], after: Position | None, wanted: int) -> str | None:
    """After which day a book holds enough for a page; None if that is the whole of what is left.

    The day before a month's first as no calendar has it: the embedded database leaves the bound itself out of
    a `$gte` on a descending key.
    """
    begun = sorted((name for name in months if after is None or name <= after.occurred[:7]), reverse=True)
    held = 0
    for name in begun[:-1]:
        # Of the month in which the page before ended, all may have been on it.
        held += months[name] if after is None or name < after.occurred[:7] else 0
        if held >= wanted:
            return f"{name}-00"
    return None
