"""The record stores keep every version, and a compiled predicate admits what the predicate admits."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from consent.model import Period
from consent.predicate import (
    GUARDIANS,
    NOTHING,
    PROVIDERS,
    Clause,
    Predicate,
    author_eyes,
    guardian_eyes,
    organisation_audience,
    own_eyes,
)
from tests.examples import MANY, examples
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.citizen_keys import SealBroken
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.records.errors import StaleRecord
from wallet_api.records.memory import MemoryIntakes, MemoryRecords
from wallet_api.records.model import (
    SENDINGS,
    Filter,
    Intake,
    PartialDate,
    Position,
    Record,
    Row,
    Sent,
    Source,
)
from wallet_api.records.ports import Intakes, Recent
from wallet_api.stores import intakes, records
from wallet_api.stores.intakes import MongoIntakes
from wallet_api.stores.records import MongoRecords

Book = MemoryRecords | MongoRecords
T = TypeVar("T")
NOW = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
CATEGORIES = ("condition", "immunization", "visit")
LABELS = ("PSY", "HIV", "R")
ORGANISATIONS = ("org-1", "org-2")
AUDIENCES = (GUARDIANS, PROVIDERS, organisation_audience("org-1"))
DATES = ("2025", "2026", "2026-01", "2026-01-01", "2026-01-31", "2026-02", "2026-02-15", "2026-12-31")


def cipher() -> CitizenCipher:
    return CitizenCipher(MemoryWrappedKeys(), MemoryKeyStore(), lambda: NOW)


def stores(db: Database[dict[str, Any]]) -> MongoRecords:
    ensure_indexes(db, records.INDEXES)
    return MongoRecords(db, cipher(), BlindIndex(MemoryKeyStore()))


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    if request.param == "memory":
        yield MemoryRecords()
    else:
        yield from databases(request, stores)


def databases(
    request: pytest.FixtureRequest, store_of: Callable[[Database[dict[str, Any]]], T]
) -> Iterator[T]:
    """A store on a fresh embedded database, or on WALLET_TEST_MONGO_URI."""
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if request.param == "mongodb" and not uri:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")
    db = open_database(
        uri if request.param == "mongodb" and uri else request.getfixturevalue("embedded_uri"),
        f"test_{new_id()}",
    )
    yield store_of(db)
    if request.param == "mongodb":
        db.client.drop_database(db.name)
    db.client.close()


def a_record(**over: Any) -> Record:
    base = Record(
        id=new_id(),
        citizen_id="citizen",
        version=1,
        category="condition",
        occurred_on=PartialDate("2026-03-04"),
        recorded_at=NOW,
        source=Source("org-1", "bs", "fhir-bundle", NOW),
        resource={"resourceType": "Condition", "code": {"text": "tăng huyết áp"}, "n": 1.5},
        fingerprint="f1",
        labels=frozenset({"PSY"}),
    )
    return replace(base, **over)


def next_version(record: Record, **over: Any) -> Record:
    changed = {"resource": {"resourceType": "Condition"}, "fingerprint": "f2", "reason": "resent_by_source"}
    return replace(record, version=record.version + 1, **(changed | over))


def test_a_record_comes_back_whole(book: Book) -> None:
    record = a_record(hidden_from=frozenset({GUARDIANS}), occurred_on=PartialDate("2026-03"))
    book.save([record], None)
    assert book.newest("citizen", [record.id], None).get(record.id) == record
    assert book.get("citizen", record.id, own_eyes()) == record
    assert book.newest("stranger", [record.id], None).get(record.id) is None
    assert book.get("stranger", record.id, own_eyes()) is None
    assert book.versions("stranger", record.id, own_eyes()) == []


def test_every_version_stays_readable_and_none_is_skipped(book: Book) -> None:
    first = a_record()
    second = next_version(first)
    third = next_version(second, category="visit")
    for each in (first, second, third):
        book.save([each], None)
    assert book.versions("citizen", first.id, own_eyes()) == [third, second, first]
    assert book.newest("citizen", [first.id], None).get(first.id) == third
    for stale in (first, second, third, replace(third, version=5)):
        with pytest.raises(StaleRecord):
            book.save([stale], None)
    assert book.versions("citizen", first.id, own_eyes()) == [third, second, first]


def test_twenty_corrections_at_once_leave_one(book: Book) -> None:
    first = a_record()
    book.save([first], None)

    def correct(number: int) -> str:
        try:
            fresh = next_version(first, fingerprint=f"by {number}")
            book.in_unit(lambda unit: book.save([fresh], unit))
        except StaleRecord:
            return "stale"
        return "kept"

    with ThreadPoolExecutor(20) as pool:
        assert Counter(pool.map(correct, range(20))) == {"kept": 1, "stale": 19}
    assert [each.version for each in book.versions("citizen", first.id, own_eyes())] == [2, 1]


def test_a_unit_that_fails_leaves_nothing(book: Book) -> None:
    first, other = a_record(), a_record()
    book.save([first], None)

    def work(unit: Any) -> None:
        book.save([other], unit)
        book.save([next_version(first)], unit)
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        book.in_unit(work)
    assert book.newest("citizen", [other.id], None).get(other.id) is None
    assert book.versions("citizen", first.id, own_eyes()) == [first]


def test_an_older_version_is_shown_only_if_it_is_admitted_itself(book: Book) -> None:
    secret = a_record(labels=frozenset({"HIV"}))
    book.save([secret], None)
    book.save([next_version(secret, labels=frozenset())], None)
    open_eyes = Predicate((Clause(None, Period(), frozenset()),))
    assert [each.version for each in book.versions("citizen", secret.id, open_eyes)] == [2]
    closed = a_record(labels=frozenset())
    book.save([closed], None)
    book.save([next_version(closed, labels=frozenset({"HIV"}))], None)
    assert book.versions("citizen", closed.id, open_eyes) == []


def test_hiding_and_showing_touch_one_record_and_one_audience(book: Book) -> None:
    one, other = a_record(), a_record()
    book.save([one], None)
    book.save([other], None)
    assert book.set_hidden("citizen", one.id, GUARDIANS, hidden=True)
    assert book.set_hidden("citizen", one.id, GUARDIANS, hidden=True)
    assert not book.set_hidden("stranger", one.id, GUARDIANS, hidden=True)
    assert not book.set_hidden("citizen", "absent", GUARDIANS, hidden=True)
    assert book.get("citizen", one.id, guardian_eyes()) is None
    assert book.get("citizen", other.id, guardian_eyes()) == other
    assert book.get("citizen", one.id, own_eyes()) == replace(one, hidden_from=frozenset({GUARDIANS}))
    assert book.set_hidden("citizen", one.id, GUARDIANS, hidden=False)
    assert book.get("citizen", one.id, guardian_eyes()) == one


def test_showing_a_record_again_shows_its_older_versions_again(book: Book) -> None:
    first = a_record()
    book.save([first], None)
    book.set_hidden("citizen", first.id, GUARDIANS, hidden=True)
    book.save([next_version(first, hidden_from=frozenset({GUARDIANS}))], None)
    assert book.versions("citizen", first.id, guardian_eyes()) == []
    book.set_hidden("citizen", first.id, GUARDIANS, hidden=False)
    assert [each.version for each in book.versions("citizen", first.id, guardian_eyes())] == [2, 1]


def test_what_an_organisation_wrote_is_found_newest_first(book: Book) -> None:
    made = [a_record(recorded_at=NOW.replace(minute=minute)) for minute in (2, 3, 1)]
    foreign = a_record(source=Source("org-2", None, "fhir-bundle", NOW))
    for each in (*made, foreign):
        book.save([each], None)
    newest = [("citizen", made[index].id) for index in (1, 0, 2)]
    assert book.written_by("org-1", 2) == newest[:2]
    assert book.written_by("org-1", 9) == newest
    assert book.get("citizen", foreign.id, author_eyes("org-1")) is None
    assert book.get("citizen", foreign.id, author_eyes("org-2")) == foreign


def test_a_record_moved_to_another_place_does_not_open(any_db: Database[dict[str, Any]]) -> None:
    book = stores(any_db)
    one, other = a_record(), a_record(citizen_id="other")
    book.save([one], None)
    book.save([other], None)
    stolen = any_db["records"].find_one({"_id": one.id})
    assert stolen is not None
    any_db["records"].update_one({"_id": other.id}, {"$set": {"content": stolen["content"]}})
    with pytest.raises(SealBroken):
        book.get("other", other.id, own_eyes())
    any_db["records"].update_one({"_id": one.id}, {"$set": {"version": 2}})
    with pytest.raises(SealBroken):
        book.get("citizen", one.id, own_eyes())


def test_planning_reads_the_newest_versions_of_its_categories(book: Book) -> None:
    dose, visit = a_record(category="immunization"), a_record(category="visit")
    book.save([dose], None)
    book.save([visit], None)
    fresh = next_version(dose)
    book.save([fresh], None)
    assert book.of_categories("citizen", ("immunization", "checkup"), own_eyes()) == [fresh]
    assert book.in_unit(lambda unit: book.of_categories("citizen", ("visit",), own_eyes(), unit)) == [visit]
    assert book.of_categories("stranger", ("visit",), own_eyes()) == []
    day = visit.occurred_on.first_day
    for since, found in ((day, [fresh, visit]), (day + timedelta(days=1), [fresh])):
        recent = Recent(("visit",), since)
        told = book.of_categories("citizen", ("immunization",), own_eyes(), None, recent)
        assert sorted(told, key=lambda each: each.id) == sorted(found, key=lambda each: each.id)
    book.set_hidden("citizen", fresh.id, GUARDIANS, hidden=True)
    assert book.of_categories("citizen", ("immunization", "visit"), guardian_eyes()) == [visit]
    assert book.of_categories("citizen", ("immunization", "visit"), NOTHING) == []


# --- the predicate in the database's words ---------------------------------------------------------------

DRAWN = Random(7)


def some_of(names: Sequence[str]) -> frozenset[str]:
    """Often none of them."""
    return frozenset(name for name in names if DRAWN.random() < 0.25)


RECORDS = [
    a_record(
        id=new_id(),
        category=DRAWN.choice(CATEGORIES),
        occurred_on=PartialDate(DRAWN.choice(DATES)),
        source=Source(
            DRAWN.choice(ORGANISATIONS) if DRAWN.random() < 0.8 else None, None, "fhir-bundle", NOW
        ),
        labels=some_of(LABELS),
        hidden_from=some_of(AUDIENCES),
    )
    for _ in range(60)
]
ALL_YEAR = PartialDate("2026")
RECORDS.append(a_record(id=new_id(), category=CATEGORIES[0], occurred_on=ALL_YEAR, labels=frozenset()))
days = st.none() | st.sampled_from(
    [date(2025, 1, 1), date(2026, 1, 1), date(2026, 1, 31), date(2026, 12, 31)]
)
periods = st.builds(Period, days, days)
clauses = st.builds(
    Clause,
    st.none() | st.frozensets(st.sampled_from(CATEGORIES)),
    periods,
    st.none() | st.frozensets(st.sampled_from(LABELS)),
    st.none() | st.sampled_from(ORGANISATIONS),
    st.none() | st.frozensets(st.sampled_from([*(each.id for each in RECORDS), "absent"])),
)
predicates = st.builds(
    Predicate, st.lists(clauses, max_size=3).map(tuple), st.frozensets(st.sampled_from(AUDIENCES)), days
)
filters = st.builds(Filter, st.none() | st.frozensets(st.sampled_from(CATEGORIES), min_size=1), days, days)


@pytest.fixture(scope="module", params=["memory", "embedded", "mongodb"])
def full_book(request: pytest.FixtureRequest) -> Iterator[Book]:
    made = iter([MemoryRecords()]) if request.param == "memory" else databases(request, stores)
    for book in made:
        for record in RECORDS:
            book.save([record], None)
        yield book


def asked_for(record: Record, asked: Filter) -> bool:
    facts = record.facts()
    return (
        (asked.categories is None or facts.category in asked.categories)
        and (asked.first is None or facts.first_day >= asked.first)
        and (asked.last is None or facts.last_day <= asked.last)
    )


def newest_first(found: list[Record]) -> list[str]:
    order = sorted(found, key=lambda each: (each.occurred_on.first_day, each.id), reverse=True)
    return [each.id for each in order]


@settings(
    max_examples=examples(40, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=not MANY,
)
@given(predicates, filters, st.integers(3, 30))
def test_a_store_admits_exactly_what_the_predicate_admits(
    full_book: Book, predicate: Predicate, asked: Filter, limit: int
) -> None:
    admitted = [each for each in RECORDS if predicate.admits(each.facts())]
    expected = newest_first([each for each in admitted if asked_for(each, asked)])
    found: list[str] = []
    after = None
    while page := full_book.page("citizen", predicate, asked, after, limit):
        found += [each.id for each in page]
        after = Position(page[-1].occurred_on.first_day.isoformat(), page[-1].id)
    assert found == expected
    assert full_book.count("citizen", predicate) == Counter(each.category for each in admitted)
    assert full_book.admitted_ids("citizen", predicate) == {each.id for each in admitted}
    some = RECORDS[len(found) % len(RECORDS)]
    got = full_book.get("citizen", some.id, predicate)
    assert (got is not None) == (some in admitted)


PERIODS = (
    Period(),
    Period(date(2026, 1, 1)),
    Period(last=date(2026, 1, 31)),
    Period(date(2026, 1, 1), date(2026, 1, 31)),
)


@pytest.mark.parametrize("hidden", [frozenset(), frozenset(AUDIENCES[:1])])
@pytest.mark.parametrize("opened", [frozenset(), frozenset(LABELS[:1])])
def test_what_only_its_category_decides_is_still_held_to_day_label_and_hiding(
    full_book: Book, opened: frozenset[str], hidden: frozenset[str]
) -> None:
    for mine, other, decided_on in itertools.product(PERIODS, PERIODS, (None, date(2026, 1, 15))):
        clauses = (
            Clause(frozenset(CATEGORIES[:1]), mine, opened),
            Clause(frozenset(CATEGORIES[1:2]), other, frozenset()),
        )
        for some in (clauses[:1], clauses):
            predicate = Predicate(some, hidden, decided_on)
            admitted = newest_first([each for each in RECORDS if predicate.admits(each.facts())])
            found = full_book.page("citizen", predicate, Filter(), None, 100)
            assert [each.id for each in found] == admitted


def test_a_category_is_the_whole_word_and_no_pattern(book: Book) -> None:
    likenesses = ("visit", "visits", "revisit", "lab.x", "lab-x", "visit\n", "Visit")
    book.save([a_record(id=new_id(), category=each, labels=frozenset()) for each in likenesses], None)
    for granted in (frozenset({"visit", "lab.x"}), frozenset({"lab.x"})):
        predicate = Predicate((Clause(granted, Period(), frozenset()),), frozenset(AUDIENCES[:1]))
        found = book.page("citizen", predicate, Filter(), None, 100)
        assert {each.category for each in found} == granted


def test_no_clause_admits_nothing(full_book: Book) -> None:
    named = Clause(None, Period(), None, record_ids=frozenset())
    for predicate in (NOTHING, Predicate((Clause(frozenset(), Period(), None),)), Predicate((named,))):
        assert full_book.page("citizen", predicate, Filter(), None, 100) == []
        assert full_book.count("citizen", predicate) == {}
        assert full_book.get("citizen", RECORDS[0].id, predicate) is None


# --- what was sent ---------------------------------------------------------------------------------------


def intake_stores(db: Database[dict[str, Any]]) -> MongoIntakes:
    ensure_indexes(db, intakes.INDEXES)
    return MongoIntakes(db, cipher())


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def sent(request: pytest.FixtureRequest) -> Iterator[Intakes]:
    if request.param == "memory":
        yield MemoryIntakes()
    else:
        yield from databases(request, intake_stores)


def an_intake() -> Intake:
    rows = (Row(1, True, "accepted", record_id="r"), Row(2, False, "date_missing", "/entry/2/resource", "x"))
    return Intake(new_id(), "org-1", "fhir-bundle", NOW, rows, "citizen")


def test_a_report_comes_back_to_its_sender_alone(sent: Intakes) -> None:
    made = an_intake()
    sent.add(made)
    assert sent.get("org-1", made.id) == made
    assert sent.get("org-2", made.id) is None and sent.get("org-1", "absent") is None
    parked = replace(an_intake(), citizen_id=None)
    sent.park(parked, "bệnh án".encode())
    assert sent.get("org-1", parked.id) is None, "parking is not reporting"


def test_what_was_sent_of_a_visit_is_found_newest_first_and_not_for_ever(sent: Intakes) -> None:
    names = [f"row {number}" for number in range(SENDINGS + 2)]
    for number, name in enumerate(names):
        told = (Sent(name, f"record {number}", f"/HOSO/0/XML4/{number}"),)
        when = NOW + timedelta(minutes=number)
        made = replace(an_intake(), received_at=when, edition="3176", visit="visit", sent=told)
        sent.add(made)
        assert sent.get("org-1", made.id) == made
    sent.add(an_intake())
    sent.add(replace(an_intake(), visit="other", sent=(Sent("x", "y", "/"),)))
    assert [each.name for each in sent.sent_of("visit")] == names[:1:-1]
    assert sent.sent_of("absent") == []


def test_what_fits_nobody_is_kept_sealed(any_db: Database[dict[str, Any]]) -> None:
    made = an_intake()
    intake_stores(any_db).park(made, "bệnh án".encode())
    (kept,) = any_db["parked_intakes"].find({})
    assert kept["_id"] == made.id and "bệnh án".encode() not in kept["body"]


def test_a_book_is_paged_from_either_end(book: Book) -> None:
    """With many records of a day, and days known to the month or year alone."""
    days = ("2026-03-04", "2026-03-04", "2026-03-04", "2026-03", "2026", "2026-01-01", "2026-12-31", "2025")
    book.save([a_record(occurred_on=PartialDate(each)) for each in days * 2], None)
    for oldest_first in (False, True):
        asked = Filter(oldest_first=oldest_first)
        found: list[Record] = []
        after = None
        while page := book.page("citizen", own_eyes(), asked, after, 3):
            found += page
            after = Position(page[-1].occurred_on.first_day.isoformat(), page[-1].id)
        places = [(each.occurred_on.first_day, each.id) for each in found]
        assert len(places) == 2 * len(days)
        assert places == sorted(places, reverse=not oldest_first)
