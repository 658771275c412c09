"""Books that continue in one another, read as one by the person they are about.

Nothing is moved by a merge of books. Whoever may read several is given this in the place of the records: it
asks each book with the same predicate and puts the answers together in the order that was asked for. Books
that are not merged are never read through it, and pay nothing for it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain

from consent.predicate import Predicate
from wallet_api.infra.crypto.framing import framed
from wallet_api.records.changes import History, Step
from wallet_api.records.front import Lines, Sections, front_lines
from wallet_api.records.front_rules import SECTIONS
from wallet_api.records.model import Filter, Position, Record
from wallet_api.records.ports import Recent, Records, Unit

OthersOf = Callable[[str], Sequence[str]]
"""The books that continue in somebody's own, as far as whoever reads may see them."""


class JoinedRecords:
    """`records.ports.Records` for eyes that see several books as one. What writes goes to one book."""

    def __init__(self, records: Records, others: OthersOf) -> None:
        self._records = records
        self._others = others
        self.save = records.save
        self.newest = records.newest
        self.written_by = records.written_by
        self.hide_written = records.hide_written
        self.show_written = records.show_written

    def page(
        self, citizen_id: str, predicate: Predicate, asked: Filter, after: Position | None, limit: int
    ) -> list[Record]:
        """At most `limit` admitted records after a position: as many from each book, the first of all."""
        pages = [self._records.page(book, predicate, asked, after, limit) for book in self._books(citizen_id)]
        found = sorted(chain.from_iterable(pages), key=_place, reverse=not asked.oldest_first)
        return found[:limit]

    def get(self, citizen_id: str, record_id: str, predicate: Predicate) -> Record | None:
        """One record, in whichever book it is."""
        for book in self._books(citizen_id):
            found = self._records.get(book, record_id, predicate)
            if found is not None:
                return found
        return None

    def versions(self, citizen_id: str, record_id: str, predicate: Predicate) -> list[Record]:
        """All versions of a record, in whichever book it is."""
        for book in self._books(citizen_id):
            found = self._records.versions(book, record_id, predicate)
            if found:
                return found
        return []

    def count(self, citizen_id: str, predicate: Predicate) -> dict[str, int]:
        """How many records of each category the predicate admits in all books."""
        found = Counter[str]()
        for book in self._books(citizen_id):
            found.update(self._records.count(book, predicate))
        return dict(found)

    def admitted_ids(self, citizen_id: str, predicate: Predicate) -> frozenset[str]:
        """The ids of all admitted records of all books."""
        books = self._books(citizen_id)
        return frozenset(chain.from_iterable(self._records.admitted_ids(book, predicate) for book in books))

    def of_categories(
        self,
        citizen_id: str,
        categories: Sequence[str],
        predicate: Predicate,
        unit: Unit = None,
        recent: Recent | None = None,
    ) -> list[Record]:
        """All admitted newest versions in these categories, of all books."""
        return [
            each
            for book in self._books(citizen_id)
            for each in self._records.of_categories(book, categories, predicate, unit, recent)
        ]

    def written_for(self, citizen_id: str, organisation_id: str, predicate: Predicate) -> list[Record]:
        """All admitted newest versions of what one organisation wrote into any of the books."""
        return [
            each
            for book in self._books(citizen_id)
            for each in self._records.written_for(book, organisation_id, predicate)
        ]

    def front(
        self, citizen_id: str, predicate: Predicate, today: date, sections: Sections = SECTIONS
    ) -> dict[str, Lines]:
        """The lines of each section over all books, read whole: each keeps a page of its own alone."""
        if not self._others(citizen_id):
            return self._records.front(citizen_id, predicate, today, sections)
        wanted = sorted({name for section in sections.values() for name in section.categories})
        return front_lines(self.of_categories(citizen_id, wanted, predicate), today, sections)

    def history(self, citizen_id: str) -> History:
        """The changes of all books in the order of their times; a mark of all names that of each.

        A change that turns up before one that was told already makes the copy begin anew.
        """
        books = self._books(citizen_id)
        kept = [self._records.history(book) for book in books]
        if len(kept) == 1:
            return kept[0]
        marks = [each.base for each in kept]
        base, steps = _mark(books, marks), list[Step]()
        changes = [(step.at, place, step) for place, each in enumerate(kept) for step in each.steps]
        for _, place, step in sorted(changes, key=lambda each: each[:2]):
            marks[place] = step.mark
            steps.append(step._replace(mark=_mark(books, marks)))
        return History(base, tuple(steps))

    def admitted(self, citizen_id: str, record_ids: Sequence[str], predicate: Predicate) -> dict[str, Record]:
        """Those of these records that the predicate admits, in any of the books."""
        found: dict[str, Record] = {}
        for book in self._books(citizen_id):
            found |= self._records.admitted(book, record_ids, predicate)
        return found

    def following(self, citizen_id: str, after: str, predicate: Predicate, limit: int) -> list[Record]:
        """At most `limit` admitted records whose ids come after one, of all books in the order of ids."""
        pages = [self._records.following(book, after, predicate, limit) for book in self._books(citizen_id)]
        return sorted(chain.from_iterable(pages), key=lambda each: each.id)[:limit]

    def set_hidden(
        self, citizen_id: str, record_id: str, audience: str, *, hidden: bool, unit: Unit = None
    ) -> bool:
        """Hide the record from an audience, or show it again, in whichever book it is; False: absent."""
        return any(
            self._records.set_hidden(book, record_id, audience, hidden=hidden, unit=unit)
            for book in self._books(citizen_id)
        )

    def _books(self, citizen_id: str) -> tuple[str, ...]:
        return (citizen_id, *self._others(citizen_id))


def joined(records: Records, others: Sequence[str]) -> Records:
    """The records as somebody sees them to whom these books are one with the one they name."""
    return JoinedRecords(records, lambda _: others) if others else records


def _mark(books: Sequence[str], marks: Sequence[str]) -> str:
    named = chain.from_iterable(zip(books, marks, strict=True))
    return hashlib.sha256(framed("joined books", *named)).hexdigest()


def _place(record: Record) -> tuple[str, str]:
    return record.occurred_on.first_day.isoformat(), record.id
