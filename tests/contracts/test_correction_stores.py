"""Both stores of corrections, their files and disputes keep the same promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest

from tests.contracts.ground import NOW, Ground
from tests.plans import plan_stages
from wallet_api.corrections.desk import Asked, CorrectionDesk, Corrections, Files
from wallet_api.corrections.disputes import Disputes
from wallet_api.corrections.errors import (
    CorrectionClosed,
    DisputeClosed,
    NobodyToCorrect,
    StaleCorrection,
    StaleDispute,
    TooManyFiles,
)
from wallet_api.corrections.memory import MemoryCorrections, MemoryDisputes, MemoryFiles
from wallet_api.corrections.model import Answer, Correction, Dispute, EvidenceFile, Line, Relation
from wallet_api.corrections.rules import load_rules
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.stores import corrections as correction_store
from wallet_api.stores import disputes as dispute_store
from wallet_api.stores.corrections import MongoCorrectionFiles, MongoCorrections
from wallet_api.stores.disputes import MongoDisputes


@dataclass(frozen=True)
class Kept:
    """The three stores."""

    corrections: Corrections
    files: Files
    disputes: Disputes


@pytest.fixture
def kept(ground: Ground | None) -> Kept:
    if ground is None:
        return Kept(MemoryCorrections(), MemoryFiles(), MemoryDisputes())
    ground.indexed((*correction_store.INDEXES, *dispute_store.INDEXES))
    db, cipher = ground.db, ground.cipher
    return Kept(MongoCorrections(db, cipher), MongoCorrectionFiles(db, cipher), MongoDisputes(db))


def made(whose: str, to: str = "bv", days: int = 0, relation: Relation = "self") -> Correction:
    at = NOW + timedelta(days=days)
    lines = (Line("requested", relation, whose, at),)
    return Correction(
        new_id(), whose, to, "r1", 1, "wrong_date", 1, "requested", at, whose, relation, "lời của tôi", lines
    )


def test_a_request_comes_back_as_it_was_and_is_answered_once(kept: Kept) -> None:
    one = made(new_id())
    kept.corrections.add(one)
    kept.corrections.add(replace(one, details="other"))
    assert kept.corrections.get(one.id) == one
    assert kept.corrections.get(new_id()) is None
    done = one.answered(Answer(corrected_version=2, note="Đã sửa"), "bs", "bv", NOW)
    kept.corrections.save(done, expected=1)
    assert kept.corrections.get(one.id) == done
    with pytest.raises(StaleCorrection):
        kept.corrections.save(one.answered(Answer(refusal="not_shown"), "bs", "bv", NOW), expected=1)
    with pytest.raises(CorrectionClosed):
        done.answered(Answer(refusal="not_shown"), "bs", "bv", NOW)


def test_of_whom_was_erased_no_new_word_is_kept(kept: Kept) -> None:
    erased = replace(made(new_id()), details=None)
    done = erased.answered(Answer(refusal="not_shown", note="ông ấy"), "bs", "bv", NOW)
    kept.corrections.add(done)
    assert kept.corrections.get(done.id) == replace(done, answer=Answer(refusal="not_shown"))


def test_lists_are_in_order_and_cut_where_asked(kept: Kept) -> None:
    me, store = new_id(), kept.corrections
    mine = [made(me, days=-day, relation="guardian" if day % 2 else "self") for day in range(5)]
    others = [made(new_id(), "tram", -day) for day in range(3)]
    for each in (*mine, *others):
        store.add(each)
    assert store.of_citizen(me, None, None, 10) == mine
    assert store.of_citizen(me, None, mine[1].place, 2) == mine[2:4]
    assert store.of_citizen(me, "guardian", None, 10) == [mine[1], mine[3]]
    put = mine[::-1]
    assert store.of_organisation("bv", open=True, after=None, limit=10) == put
    assert store.of_organisation("bv", open=True, after=put[1].due_place, limit=2) == put[2:4]
    assert store.of_organisation("bv", open=False, after=None, limit=10) == []
    assert (store.open_of(me), store.open_of(new_id())) == (5, 0)
    last = mine[4].answer_by
    assert (store.overdue(last), store.overdue(last + timedelta(days=1))) == (0, 1)
    store.save(mine[4].answered(Answer(refusal="not_shown"), "bs", "bv", NOW), expected=1)
    assert (store.open_of(me), store.overdue(last + timedelta(days=1))) == (4, 0)
    assert len(store.of_organisation("bv", open=False, after=None, limit=10)) == 1


def test_the_last_day_is_the_tenth_and_a_vietnamese_one(kept: Kept) -> None:
    late = replace(made("x"), asked_at=datetime(2026, 11, 3, 18, tzinfo=UTC))  # it is the 4th in Viet Nam
    assert late.answer_by == date(2026, 11, 14)
    assert not late.overdue(date(2026, 11, 14))
    assert late.overdue(date(2026, 11, 15))


def file_of(request_id: str, size: int = 3) -> EvidenceFile:
    return EvidenceFile(new_id(), request_id, "me", "application/pdf", size, NOW, b"x" * size)


def test_of_all_files_sent_at_once_no_more_fit_than_there_may_be(kept: Kept) -> None:
    def send(file: EvidenceFile) -> bool:
        try:
            kept.files.add(file, 5)
        except TooManyFiles:
            return False
        return True

    request_id = new_id()
    sent = [file_of(request_id) for _ in range(8)]
    with ThreadPoolExecutor(8) as at_once:
        took = list(at_once.map(send, sent))
    assert sum(took) == len(kept.files.of(request_id)) == 5
    there = next(file for file, kept_it in zip(sent, took, strict=True) if kept_it)
    assert kept.files.add(there, 5) == there, "sent again"
    assert kept.files.get(request_id, there.id) == there
    assert kept.files.get(new_id(), there.id) is None
    assert kept.files.get(request_id, new_id()) is None


def said(whose: str, minute: int = 0, relation: Relation = "self") -> Dispute:
    at = NOW + timedelta(minutes=minute)
    line = (Line("open", relation, whose, at),)
    return Dispute(new_id(), whose, "bv", "r1", "condition", 1, "open", at, whose, relation, line)


def test_a_dispute_goes_from_version_to_version(kept: Kept) -> None:
    one, store = said(new_id()), kept.disputes
    store.put(one, expected=0)
    assert store.get(one.id) == one
    with pytest.raises(StaleDispute):
        store.put(one, expected=0)
    back = one.taken_back("self", "x", NOW)
    store.put(back, expected=1)
    with pytest.raises(StaleDispute):
        store.put(one.decided("keep", "identity_matches", "r", NOW), expected=1)
    assert store.get(one.id) == back


def test_a_dispute_takes_no_step_that_is_not_its_own() -> None:
    one = said(new_id())
    removed = one.decided("remove", "identity_differs", "r", NOW)
    for over in (
        removed,
        one.decided("keep", "identity_matches", "r", NOW),
        one.taken_back("self", "x", NOW),
    ):
        with pytest.raises(DisputeClosed):
            over.taken_back("self", "x", NOW)
        with pytest.raises(DisputeClosed):
            over.decided("remove", "identity_differs", "r", NOW)
    for never in (one, removed):
        with pytest.raises(DisputeClosed):
            never.opened_again("self", "x", NOW)
    again = one.taken_back("self", "x", NOW).opened_again("guardian", "y", NOW)
    assert (again.version, again.state, again.relation, len(again.history)) == (3, "open", "guardian", 3)


def test_disputes_are_listed_newest_first_and_queued_oldest_first(kept: Kept) -> None:
    me, store = new_id(), kept.disputes
    mine = [said(me, minute, "guardian" if minute % 2 else "self") for minute in range(4)]
    for each in mine:
        store.put(each, expected=0)
    assert store.of_citizen(me, None, None, 10) == mine[::-1]
    assert store.of_citizen(me, None, mine[2].place, 1) == [mine[1]]
    assert store.of_citizen(me, "guardian", None, 10) == [mine[3], mine[1]]
    assert store.queue(open=True, after=None, limit=10) == mine
    assert store.queue(open=True, after=mine[0].place, limit=2) == mine[1:3]
    store.put(mine[0].taken_back("self", me, NOW), expected=1)
    assert [each.id for each in store.queue(open=False, after=None, limit=10)] == [mine[0].id]


def test_every_list_reads_an_index(embedded_db: Any) -> None:
    ensure_indexes(embedded_db, (*correction_store.INDEXES, *dispute_store.INDEXES))
    row = {
        "citizen_id": "a",
        "organisation_id": "o",
        "relation": "self",
        "place": "x",
        "open": True,
        "due": "2",
    }
    of_citizen = (
        {"citizen_id": "a", "place": {"$lt": "z"}},
        {"citizen_id": "a", "relation": "self", "place": {"$lt": "z"}},
    )
    asked = {
        "correction_requests": (
            *of_citizen,
            {"citizen_id": "a", "open": True},
            {"organisation_id": "o", "open": True, "due": {"$gt": "1"}},
            {"open": True, "due": {"$lt": "3"}},
        ),
        "disputes": (*of_citizen, {"open": True, "place": {"$gt": "a"}}),
        "correction_files": ({"correction_id": "a"}, {"citizen_id": "a"}),
    }
    for name, questions in asked.items():
        rows = embedded_db[name]
        rows.insert_one(row | {"correction_id": new_id()})
        for question in questions:
            assert any(stage.startswith("IXSCAN") for stage in plan_stages(rows, question)), question


def test_what_no_organisation_wrote_is_put_to_nobody(kept: Kept) -> None:
    desk = CorrectionDesk(kept.corrections, kept.files, lambda: NOW)
    mine = Asked(new_id(), "me", None, "r1", 1, "wrong_date", "x", "me", "self")
    with pytest.raises(NobodyToCorrect):
        desk.ask(mine, lambda _: None)
    assert kept.corrections.get(mine.id) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("kinds"),
        lambda told: told.update(extra={}),
        lambda told: told["refusals"].clear(),
        lambda told: told["states"]["refused"].pop("en"),
        lambda told: told["states"]["refused"].update(vi=""),
    ],
)
def test_a_file_of_codes_that_is_not_whole_stops_the_start(spoil: Callable[[Any], Any]) -> None:
    raw = files("wallet_api.corrections").joinpath("rules.json").read_text(encoding="utf-8")
    told = json.loads(raw)
    spoil(told)
    with pytest.raises(ValueError, match="codes of corrections"):
        load_rules(json.dumps(told))
