"""Front pages in MongoDB: one document a book, written in the transaction of what changes the book.

Which record stands on which line is sealed: it tells what is wrong with somebody. How many records begin in
each month is in clear, like the days themselves, so that a page of the timeline knows how far it must look.
A book without such a document is older than front pages, or its document than the rules of today: it is read
whole, and gets a new one at its next writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.records.errors import StaleRecord
from wallet_api.records.front import Front, packed, unpacked
from wallet_api.records.front_rules import RULES
from wallet_api.records.model import Position, Record
from wallet_api.stores.bulk import insert_new

Document = dict[str, Any]
Written = tuple[Record | None, Record]
"""What was written, and the version it was written over; None for a new record."""
COLLECTION: Final = "book_fronts"
_CLINICAL: Final = "clinical"

# It has the collection made at the start, which no transaction could do; the key never changes.
INDEXES = (Index(COLLECTION, ("citizen_id",)),)


class MongoFronts:
    """The front pages of all books. A session is that of the transaction that changes the book."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher) -> None:
        self._fronts = db[COLLECTION]
        self._records = db["records"]
        self._cipher = cipher

    def get(self, citizen_id: str) -> Front | None:
        """The front page of a book, if it has one by the rules of today."""
        return self._held(citizen_id, None)[0]

    def _held(self, citizen_id: str, session: ClientSession | None) -> tuple[Front | None, int]:
        """The front page and the version of its document; 0: there is none."""
        found = self._fronts.find_one({"_id": citizen_id}, session=session)
        if found is None:
            return None, 0
        # Opened even if it is of other rules: filing takes the same work for either.
        sections = self._cipher.open_json(place_of(found), found["content"])
        current = found.get("rules") == RULES
        return unpacked(sections, found["months"]) if current else None, found["version"]

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
        held, version = self._held(citizen_id, session)
        # A look into either: how long filing takes must not tell who has a book already.
        known = not self._decoy(session) if version else self._is_fresh(citizen_id, written, session)
        empty = Front() if version == 0 else None
        front = folded(held or empty, written) if known else None
        if front is None:
            front = Front.of(map(opened, self._records.find({"citizen_id": citizen_id}, session=session)))
        self.put(citizen_id, front, version + 1, session)

    def _is_fresh(self, citizen_id: str, written: Sequence[Written], session: ClientSession | None) -> bool:
        """Whether a book held nothing before this was written into it."""
        some = self._records.find({"citizen_id": citizen_id}, {"_id": 1}, session=session)
        return {each["_id"] for each in some.limit(len(written) + 1)} <= {after.id for _, after in written}

    def _decoy(self, session: ClientSession | None) -> bool:
        return self._records.find_one({"citizen_id": ""}, {"_id": 1}, session=session) is not None

    def put(self, citizen_id: str, front: Front, version: int, session: ClientSession | None) -> None:
        """Keep version 1, or version n over n-1.

        Raises:
            StaleRecord: somebody else changed the book meanwhile.
        """
        made = self._document(citizen_id, front, version)
        before = {"_id": citizen_id, "version": version - 1}
        try:
            # One command for either: which it was must not tell who has a book already.
            done = self._fronts.replace_one(before, made, upsert=version == 1, session=session)
        except DuplicateKeyError as why:
            raise StaleRecord(citizen_id) from why
        if done.modified_count != 1 and done.upserted_id is None:
            raise StaleRecord(citizen_id)

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
