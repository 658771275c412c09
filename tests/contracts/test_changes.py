"""Whatever writers do while a reader pages, its copy ends as the book is; nothing unseen is told deleted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from consent.predicate import (
    DISPUTED,
    GUARDIANS,
    PROVIDERS,
    SAFETY,
    Predicate,
    guardian_eyes,
    own_eyes,
)
from tests.contracts.test_record_stores import NOW, Book, a_record, cipher, next_version, stores
from tests.examples import MANY, examples
from tests.listening import Operations, named
from tests.plans import plan_stages
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.migrations import MIGRATIONS
from wallet_api.records.changes import MOST, Change, ChangingBook, Held, History, Step, Touched, next_page
from wallet_api.records.errors import BookBusy, ResyncRequired
from wallet_api.records.memory import MemoryRecords
from wallet_api.records.model import Filter, Record
from wallet_api.stores import book_fronts
from wallet_api.stores.records import MongoRecords

AUDIENCES = (GUARDIANS, SAFETY, DISPUTED, PROVIDERS)
NO_HIDING = frozenset[str]()


@pytest.fixture(params=["memory", "embedded"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    if request.param == "memory":
        yield MemoryRecords()
        return
    yield embedded(request.getfixturevalue("kept_db"))


def embedded(db: Database[dict[str, Any]]) -> MongoRecords:
    ensure_indexes(db, book_fronts.INDEXES)
    return stores(db)


@dataclass
class Reader:
    """Somebody who keeps a copy."""

    book: ChangingBook
    whose: str
    eyes: Predicate
    held: Held = ()
    copy: dict[str, Record] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    """What was told as deleted and had never been handed over."""

    def page(self, limit: int = 3) -> bool:
        """Fetch one page; whether there is more."""
        found = next_page(self.book, self.whose, self.eyes, self.held, limit)
        assert len(found.changes) <= limit
        self.held = found.held
        for each in found.changes:
            self._merge(each)
        return found.more

    def _merge(self, change: Change) -> None:
        if change.record is not None:
            self.copy[change.record_id] = change.record
        elif self.copy.pop(change.record_id, None) is None:
            self.unseen.append(change.record_id)

    def catch_up(self) -> None:
        """Fetch until there is nothing more."""
        for _ in range(200):
            if not self.page():
                return
        raise AssertionError("it never ends")

    def listed(self, book: Book) -> dict[str, Record]:
        """The whole book, as the timeline has it."""
        found = book.page(self.whose, self.eyes, Filter(), None, 1000)
        return {each.id: each for each in found}


class Racing:
    """A book in which something is written between a reader's looks at it."""

    def __init__(self, book: Book, meanwhile: Callable[[], None]) -> None:
        self._book = book
        self._meanwhile = meanwhile

    def history(self, citizen_id: str) -> History:
        return self._book.history(citizen_id)

    def admitted(self, citizen_id: str, record_ids: Sequence[str], predicate: Predicate) -> dict[str, Record]:
        self._meanwhile()
        return self._book.admitted(citizen_id, record_ids, predicate)

    def following(self, citizen_id: str, after: str, predicate: Predicate, limit: int) -> list[Record]:
        self._meanwhile()
        return self._book.following(citizen_id, after, predicate, limit)


@dataclass
class Writers:
    """Everybody who changes one book."""

    book: Book
    whose: str
    newest: dict[int, Record] = field(default_factory=dict)

    def write(self, which: int, hidden: frozenset[str]) -> None:
        """A new record, or a new version of one that is there."""
        before = self.newest.get(which)
        if before is None:
            made = a_record(citizen_id=self.whose, hidden_from=hidden, labels=frozenset())
        else:
            stored = self.book.newest(self.whose, [before.id], None)[before.id]
            made = next_version(before, hidden_from=stored.hidden_from, fingerprint=new_id())
        self.newest[which] = made
        self.book.save([made], None)

    def turn(self, which: int, audience: str, hidden: bool) -> None:
        """Hide or show one record."""
        if which in self.newest:
            assert self.book.set_hidden(self.whose, self.newest[which].id, audience, hidden=hidden)

    def flag(self, raised: bool) -> None:
        """Hide or show all that one organisation wrote."""
        if raised:
            self.book.hide_written(self.whose, "org-1", NOW - timedelta(days=1), SAFETY)
        else:
            self.book.show_written(self.whose, "org-1", SAFETY)

    def do(self, act: tuple[Any, ...]) -> None:
        """One act as it was made up."""
        name, *said = act
        getattr(self, name)(*said)


acts = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 9), st.sampled_from((NO_HIDING, frozenset({SAFETY})))),
    st.tuples(st.just("turn"), st.integers(0, 9), st.sampled_from(AUDIENCES), st.booleans()),
    st.tuples(st.just("flag"), st.booleans()),
)
steps = st.one_of(acts, st.tuples(st.just("page"), st.integers(1, 4)), st.tuples(st.just("race"), acts))


def check(reader: Reader, book: Book) -> None:
    assert reader.copy == reader.listed(book)
    assert reader.unseen == [], "somebody was told of what they never had"


@settings(
    max_examples=examples(60, 1000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=not MANY,
)
@given(st.lists(steps, max_size=30))
def test_a_copy_follows_the_book_whatever_happens_meanwhile(said: list[tuple[Any, ...]]) -> None:
    follows(MemoryRecords(), said)


@settings(max_examples=examples(12, 200), deadline=None, derandomize=not MANY)
@given(said=st.lists(steps, min_size=4, max_size=20))
def test_a_copy_follows_an_embedded_book(embedded_book: MongoRecords, said: list[tuple[Any, ...]]) -> None:
    follows(embedded_book, said)


@pytest.fixture(scope="module")
def embedded_book(kept_db: Database[dict[str, Any]]) -> MongoRecords:
    return embedded(kept_db)


def follows(book: Book, said: list[tuple[Any, ...]]) -> None:
    writers, waiting = Writers(book, new_id()), list[tuple[Any, ...]]()

    def meanwhile() -> None:
        while waiting:
            writers.do(waiting.pop())

    racing = Racing(book, meanwhile)
    readers = [Reader(racing, writers.whose, eyes) for eyes in (own_eyes(), guardian_eyes())]
    for step in said:
        if step[0] == "page":
            for each in readers:
                each.page(step[1])
        elif step[0] == "race":
            waiting.append(step[1])
        else:
            writers.do(step)
    meanwhile()
    for each in readers:
        each.catch_up()
        check(each, book)


def test_many_writers_at_once_make_a_reader_miss_nothing(kept_db: Database[dict[str, Any]]) -> None:
    book, whose = embedded(kept_db), new_id()
    readers = [Reader(book, whose, eyes) for eyes in (own_eyes(), guardian_eyes())]

    def write(number: int) -> None:
        mine = a_record(citizen_id=whose, labels=frozenset())
        book.in_unit(lambda unit: book.save([mine], unit))
        if number % 2:
            book.set_hidden(whose, mine.id, random.choice((GUARDIANS, DISPUTED)), hidden=True)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(write, number) for number in range(24)]
        while not all(each.done() for each in done):
            for reader in readers:
                try:
                    reader.page(5)
                except BookBusy:
                    continue
        for each in done:
            each.result()
    for reader in readers:
        reader.catch_up()
        check(reader, book)
    assert len(readers[1].copy) == 12


def test_a_sync_of_nothing_is_one_read_by_the_books_id(embedded_uri: str) -> None:
    heard = Operations()
    db = heard.open_database(embedded_uri, f"contracts_{new_id()}")
    book, whose = embedded(db), new_id()
    for _ in range(3):
        book.save([a_record(citizen_id=whose)], None)
    reader = Reader(book, whose, guardian_eyes())
    reader.catch_up()
    with heard.heard() as nothing:
        reader.page()
    assert [named(each) for each in nothing] == ["find book_fronts"]
    assert nothing[0]["filter"] == {"_id": whose}
    assert any(
        each.startswith(("IXSCAN", "IDHACK", "EXPRESS"))
        for each in plan_stages(db["book_fronts"], nothing[0]["filter"])
    )
    db.client.close()


def test_what_is_hidden_from_a_reader_before_and_after_costs_as_much_as_nothing(embedded_uri: str) -> None:
    heard = Operations()
    db = heard.open_database(embedded_uri, f"contracts_{new_id()}")
    book, whose = embedded(db), new_id()
    shown = a_record(citizen_id=whose)
    book.save([shown], None)
    reader = Reader(book, whose, guardian_eyes())
    reader.catch_up()
    secret = a_record(citizen_id=whose, hidden_from=frozenset({SAFETY}))
    book.save([secret], None)
    book.set_hidden(whose, secret.id, DISPUTED, hidden=True)
    with heard.heard() as unseen:
        assert not reader.page()
    assert [named(each) for each in unseen] == ["find book_fronts"]
    assert reader.copy == {shown.id: shown} and reader.unseen == []
    db.client.close()


def test_a_tombstone_is_for_whoever_had_the_record(book: Book) -> None:
    writers = Writers(book, new_id())
    early, late = (Reader(book, writers.whose, guardian_eyes()) for _ in range(2))
    writers.write(0, NO_HIDING)
    early.catch_up()
    late.held = early.held
    writers.write(1, NO_HIDING)
    early.catch_up()
    writers.turn(1, GUARDIANS, True)
    found = {
        name: next_page(book, writers.whose, each.eyes, each.held, 9)
        for name, each in (("e", early), ("l", late))
    }
    assert found["e"].changes == [Change(writers.newest[1].id, None)]
    assert found["l"].changes == [], "this reader had never been given it"


def test_history_ends_and_whoever_is_behind_it_begins_anew() -> None:
    def step(number: int, touched: int = 1) -> Step:
        return Step(
            f"m{number}", NOW + timedelta(days=number), tuple([Touched("a", None, NO_HIDING)] * touched)
        )

    history = History("m0")
    for number in range(1, 10):
        history = history.after(step(number), NOW + timedelta(days=number - 3))
    assert [each.mark for each in history.steps] == ["m6", "m7", "m8", "m9"]
    assert (history.base, history.mark, list(history.since("m9"))) == ("m5", "m9", [])
    for gone in ("m4", "m0", "never"):
        with pytest.raises(ResyncRequired):
            history.since(gone)
    whole = history.after(step(10, MOST + 1), NOW)
    assert (whole.base, whole.steps) == ("m10", ())


def test_changes_leave_the_store_when_they_are_too_old(kept_db: Database[dict[str, Any]]) -> None:
    at = [NOW]
    ensure_indexes(kept_db, book_fronts.INDEXES)
    book = MongoRecords(kept_db, cipher(), BlindIndex(MemoryKeyStore()), lambda: at[0], timedelta(days=30))
    writers = Writers(book, new_id())
    writers.write(0, NO_HIDING)
    reader = Reader(book, writers.whose, own_eyes())
    reader.catch_up()
    at[0] = NOW + timedelta(days=29)
    writers.write(1, NO_HIDING)
    behind = replace(reader)
    reader.catch_up()
    check(reader, book)
    at[0] = NOW + timedelta(days=61)
    writers.write(2, NO_HIDING)
    with pytest.raises(ResyncRequired):
        behind.catch_up()


def test_what_an_older_release_writes_makes_a_copy_begin_anew(kept_db: Database[dict[str, Any]]) -> None:
    book = embedded(kept_db)
    writers = Writers(book, new_id())
    writers.write(0, NO_HIDING)
    reader = Reader(book, writers.whose, own_eyes())
    reader.catch_up()
    # It replaces the document, and knows neither of these.
    kept_db["book_fronts"].update_one({"_id": writers.whose}, {"$unset": {"mark": "", "changes": ""}})
    with pytest.raises(ResyncRequired):
        reader.page()
    fresh = Reader(book, writers.whose, own_eyes())
    fresh.catch_up()
    writers.write(1, NO_HIDING)
    writers.turn(0, DISPUTED, True)
    fresh.catch_up()
    check(fresh, book)


@pytest.mark.parametrize("fronts", [True, False])
def test_a_book_older_than_its_history_is_followed_all_the_same(
    kept_db: Database[dict[str, Any]], fronts: bool
) -> None:
    book, whose = embedded(kept_db), new_id()
    old = [a_record(citizen_id=whose) for _ in range(5)]
    book.load(old)
    if not fronts:
        kept_db["book_fronts"].delete_one({"_id": whose})
    readers = [Reader(book, whose, eyes) for eyes in (own_eyes(), guardian_eyes())]
    for each in readers:
        each.catch_up()
        assert len(each.copy) == 5
    book.set_hidden(whose, old[0].id, GUARDIANS, hidden=True)
    book.save([a_record(citizen_id=whose)], None)
    for each in readers:
        each.catch_up()
        check(each, book)


def test_a_book_that_changes_at_every_look_is_busy(book: Book) -> None:
    writers = Writers(book, new_id())
    racing = Racing(book, lambda: writers.write(len(writers.newest), NO_HIDING))
    with pytest.raises(BookBusy):
        Reader(racing, writers.whose, own_eyes()).page()


def test_when_no_old_code_is_left_every_copy_begins_anew_once(kept_db: Database[dict[str, Any]]) -> None:
    book = embedded(kept_db)
    writers = Writers(book, new_id())
    writers.write(0, NO_HIDING)
    reader = Reader(book, writers.whose, guardian_eyes())
    reader.catch_up()
    # As an older release hides: the record alone.
    hidden = {"$addToSet": {"hidden_from": GUARDIANS}}
    kept_db["records"].update_one({"_id": writers.newest[0].id}, hidden)
    reader.page()
    assert len(reader.copy) == 1
    (last,) = (each for each in MIGRATIONS if each.what == "copies begin anew")
    for _ in range(2):
        last.contract(kept_db)
        with pytest.raises(ResyncRequired):
            reader.page()
    fresh = Reader(book, writers.whose, guardian_eyes())
    fresh.catch_up()
    writers.write(1, NO_HIDING)
    fresh.catch_up()
    check(fresh, book)
