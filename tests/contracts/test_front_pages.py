"""Every record store answers the front page that a fold over the admitted records gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from consent.predicate import GUARDIANS, Clause, Period, Predicate, guardian_eyes, own_eyes
from tests.contracts.test_record_stores import Book, a_record, next_version, stores
from tests.examples import MANY, examples
from wallet_api.infra.clock import system_now
from wallet_api.infra.ids import new_id
from wallet_api.records.changes import KEPT
from wallet_api.records.front import Front, front_lines
from wallet_api.records.front_rules import RULES, SECTIONS, SUMMARY
from wallet_api.records.memory import MemoryRecords
from wallet_api.records.model import PartialDate, Record
from wallet_api.stores import book_fronts
from wallet_api.stores.book_fronts import MongoFronts

TODAY = date(2026, 3, 1)
DAYS = ("2024", "2025-12", "2026-01-01", "2026-02-28", "2026-03-01", "2026-06-01")
STATES = ("active", "resolved", "entered-in-error", "")


def told(category: str, text: str, state: str) -> dict[str, Any]:
    """A resource of a category about something."""
    concept = {"text": text, "coding": [{"system": "http://loinc.org", "code": text}]}
    if category == "condition":
        return {"resourceType": "Condition", "code": concept} | (
            {"clinicalStatus": {"coding": [{"code": state}]}} if state else {}
        )
    if category == "medication":
        return {"resourceType": "MedicationRequest", "medicationCodeableConcept": concept, "status": state}
    kind = {"visit": "Encounter", "procedure": "Procedure"}.get(category, "Observation")
    return {"resourceType": kind, "code": concept, "status": "planned" if state == "active" else state}


resources = st.builds(
    lambda category, text, state: (category, told(category, text, state)),
    st.sampled_from(("condition", "medication", "visit", "lab_result", "vital_sign", "procedure")),
    st.sampled_from(("882-1", "E11", "82810-3")),
    st.sampled_from(STATES),
)
writings = st.tuples(
    st.integers(0, 7),
    resources,
    st.sampled_from(DAYS),
    st.booleans(),
    st.sampled_from((frozenset(), frozenset({GUARDIANS}))),
)
books = st.lists(writings, max_size=14)


SHORT = {name: replace(section, shown=1) for name, section in SUMMARY.items()}
"""One line a section, so that there is more than is shown: what lies below must not matter."""


@pytest.fixture(params=["memory", "embedded"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    if request.param == "memory":
        yield MemoryRecords()
        return
    db: Database[dict[str, Any]] = request.getfixturevalue("kept_db")
    from wallet_api.infra.mongo import ensure_indexes

    ensure_indexes(db, book_fronts.INDEXES)
    yield stores(db)


def filled(book: Book, said: list[Any]) -> tuple[str, list[Record]]:
    """Somebody's book after these writings, one after the other, and its newest versions."""
    whose, newest = new_id(), dict[int, Record]()
    for which, (category, resource), day, self_reported, hidden in said:
        over = {
            "category": category,
            "resource": resource,
            "occurred_on": PartialDate(day),
            "hidden_from": hidden,
        }
        if which in newest:
            newest[which] = next_version(newest[which], **over)
        else:
            newest[which] = a_record(
                citizen_id=whose, self_reported=self_reported, labels=frozenset(), **over
            )
        book.save([newest[which]], None)
    return whose, list(newest.values())


@settings(
    max_examples=examples(25, 300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=not MANY,
)
@given(books)
def test_a_front_page_is_the_fold_over_what_is_admitted(book: Book, said: list[Any]) -> None:
    whose, newest = filled(book, said)
    some = Predicate((Clause(frozenset({"condition", "visit"}), Period(date(2025, 1, 1)), frozenset()),))
    for predicate in (own_eyes(), guardian_eyes(), some, Predicate()):
        admitted = [each for each in newest if predicate.admits(each.facts())]
        for page in (SECTIONS, SUMMARY, SHORT):
            assert book.front(whose, predicate, TODAY, page) == front_lines(admitted, TODAY, page)


def test_what_is_over_for_one_reader_goes_on_for_another(book: Book) -> None:
    """A guardian from whom the end of an illness is hidden is shown the illness: it had never ended."""
    whose, goes_on, is_over = (
        new_id(),
        told("condition", "E11", "active"),
        told("condition", "E11", "resolved"),
    )
    first = a_record(citizen_id=whose, labels=frozenset(), resource=goes_on)
    hidden = frozenset({GUARDIANS})
    last = replace(
        first, id=new_id(), resource=is_over, occurred_on=PartialDate("2026-04"), hidden_from=hidden
    )
    book.save([first, last], None)
    assert book.front(whose, own_eyes(), TODAY)["conditions"].lines == []
    assert [line.record for line in book.front(whose, guardian_eyes(), TODAY)["conditions"].lines] == [first]


@settings(max_examples=examples(60, 500), deadline=None, derandomize=not MANY)
@given(books)
def test_folding_in_one_by_one_is_folding_the_whole(said: list[Any]) -> None:
    front, newest = Front(), dict[str, Record]()
    made = MemoryRecords()
    filled(made, said)
    for chain in made._chains.values():
        for before, after in zip((None, *reversed(chain)), reversed(chain), strict=False):
            newest[after.id] = after
            if before is None:
                front.add(after)
            else:
                front = Front.of(newest.values())
            assert front == Front.of(newest.values())


def test_what_was_kept_by_other_rules_is_shown(kept_db: Database[dict[str, Any]]) -> None:
    """A book of an older release is read whole until its next writing, which keeps it by today's rules."""
    book, whose = stores(kept_db), new_id()
    first = a_record(citizen_id=whose, category="procedure", labels=frozenset(), resource=PROCEDURE)
    book.save([first], None)
    kept = kept_db[book_fronts.COLLECTION]
    older = MongoFronts(kept_db, book._cipher, system_now, KEPT)._document(whose, Front(), 1)
    for outdated in ({"rules": 1}, {}):
        kept.replace_one({"_id": whose}, {k: v for k, v in older.items() if k != "rules"} | outdated)
        found = book.front(whose, own_eyes(), TODAY, SUMMARY)
        assert [line.record for line in found["procedures"].lines] == [first]
    book.save([replace(first, id=new_id(), resource={**PROCEDURE, "code": {"text": "b"}})], None)
    now = kept.find_one({"_id": whose})
    assert now is not None and (now["rules"], now["version"]) == (RULES, 2)
    assert len(book.front(whose, own_eyes(), TODAY, SUMMARY)["procedures"].lines) == 2


PROCEDURE = {"resourceType": "Procedure", "code": {"text": "a"}, "status": "completed"}


def test_a_front_page_kept_of_a_book_tells_no_disease(kept_db: Database[dict[str, Any]]) -> None:
    book = stores(kept_db)
    record = a_record(citizen_id=new_id(), resource={"resourceType": "Condition", "code": {"text": "lao"}})
    book.save([record], None)
    kept = kept_db[book_fronts.COLLECTION].find_one({"_id": record.citizen_id})
    plain = {"_id", "citizen_id", "version", "content", "months", "rules", "mark", "changes"}
    assert kept is not None and set(kept) == plain
    assert record.id.encode() not in bytes(kept["content"])
