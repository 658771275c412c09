"""The promises of `Emergencies` and `Askings`, kept in memory, in the embedded database and in MongoDB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from consent.asking import Asking, Askings
from consent.emergency import Emergencies, Emergency
from consent.errors import StaleVersion
from consent.memory_emergencies import MemoryAskings, MemoryEmergencies
from consent.model import Step
from tests.plans import plan_stages
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.stores import askings, emergencies

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "embedded", "mongodb"])
def places(request: pytest.FixtureRequest) -> Iterator[Database[dict[str, Any]] | None]:
    """Where things are kept: nowhere, in the embedded database, in a MongoDB."""
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if request.param == "memory":
        yield None
    elif request.param == "embedded":
        yield request.getfixturevalue("embedded_db")
    elif uri:
        db = open_database(uri, f"test_{new_id()}")
        yield db
        db.client.drop_database(db.name)
        db.client.close()
    else:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")


def kept_in(db: Database[dict[str, Any]]) -> emergencies.MongoEmergencies:
    ensure_indexes(db, emergencies.INDEXES)
    cipher = CitizenCipher(MemoryWrappedKeys(), MemoryKeyStore(), lambda: NOW)
    return emergencies.MongoEmergencies(db, cipher)


@pytest.fixture
def store(places: Database[dict[str, Any]] | None) -> Emergencies:
    return MemoryEmergencies() if places is None else kept_in(places)


def access(**over: Any) -> Emergency:
    made = Emergency(
        id=new_id(),
        citizen_id="an",
        told_id="an",
        met="person",
        organisation_id="hospital",
        practitioner_id="khanh",
        reason_code="unconscious",
        reason="found on the road",
        opened_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        review_by=NOW + timedelta(hours=72),
        history=(Step("emergency:opened", "khanh", NOW, "unconscious"),),
    )
    return replace(made, **over)


def test_what_should_have_been_decided_is_counted(store: Emergencies) -> None:
    early, late = access(), access(review_by=NOW + timedelta(hours=100))
    decided = access(state="justified")
    for each in (early, late, decided):
        store.add(each, None)
    counts = [store.overdue(NOW + timedelta(hours=hours)) for hours in (71, 72, 99, 100)]
    assert counts == [0, 1, 1, 2]


def test_what_is_kept_comes_back_whole(store: Emergencies) -> None:
    made = access(told_id=None, met="nobody", earlier=2)
    store.add(made, None)
    assert store.get(made.id) == made and store.get("absent") is None


def test_a_version_is_replaced_once_and_keeps_when_they_were_told(store: Emergencies) -> None:
    made = access()
    store.add(made, None)
    store.mark_told(made.id, NOW + timedelta(seconds=1))
    store.mark_told(made.id, NOW + timedelta(seconds=9))
    step = Step("emergency:not_justified", "reviewer", NOW, "nobody was there")
    decided = replace(made, state="not_justified", suspends=True, version=2, history=(*made.history, step))
    store.save(decided, expected=1)
    assert store.get(made.id) == replace(decided, told_at=NOW + timedelta(seconds=1))
    with pytest.raises(StaleVersion):
        store.save(decided, expected=1)


def test_who_is_suspended_and_what_is_running(store: Emergencies) -> None:
    old = access(expires_at=NOW, suspends=True, practitioner_id="binh")
    for each in (access(), old, access(organisation_id="clinic")):
        store.add(each, None)
    assert store.suspended("hospital", "binh")
    assert not store.suspended("hospital", "khanh") and not store.suspended("clinic", "binh")
    assert len(store.running("hospital", "khanh", NOW)) == 1
    assert store.running("hospital", "binh", NOW) == []


def test_earlier_accesses_are_those_of_the_same_organisation_to_the_same_book(store: Emergencies) -> None:
    for each in (access(), access(opened_at=NOW - timedelta(days=40)), access(citizen_id="binh")):
        store.add(each, None)
    store.add(access(organisation_id="clinic"), None)
    assert store.earlier("an", "hospital", NOW - timedelta(days=30)) == 1
    assert store.earlier("an", "hospital", NOW) == 1
    assert store.earlier("nobody", "hospital", NOW - timedelta(days=30)) == 0


def test_the_queue_begins_with_what_is_due_and_the_untold_with_the_oldest(store: Emergencies) -> None:
    late, soon = access(review_by=NOW + timedelta(hours=99)), access(review_by=NOW)
    done = access(state="justified", told_id=None, opened_at=NOW + timedelta(hours=1))
    older = access(state="justified", told_at=NOW)
    for each in (late, soon, done, older):
        store.add(each, None)
    assert [each.id for each in store.queue("open", 9)] == [soon.id, late.id]
    assert [each.id for each in store.queue("justified", 9)] == [done.id, older.id]
    assert len(store.queue(None, 3)) == 3
    assert {each.id for each in store.untold(9)} == {late.id, soon.id}
    store.mark_told(late.id, NOW)
    assert [each.id for each in store.untold(9)] == [soon.id]


def test_every_look_at_emergencies_uses_an_index(any_db: Database[dict[str, Any]]) -> None:
    kept_in(any_db)
    rows = any_db[emergencies.COLLECTION]
    who = {"organisation_id": "hospital", "practitioner_id": "khanh"}
    for asked in (
        {"citizen_id": "an", "organisation_id": "hospital", "opened_at": {"$gte": NOW}},
        who | {"suspends": True},
        who | {"expires_at": {"$gt": NOW}},
        {"state": "open"},
        {"untold": True},
    ):
        assert any(stage.startswith("IXSCAN") for stage in plan_stages(rows, asked)), asked


@pytest.fixture
def book(places: Database[dict[str, Any]] | None) -> Askings:
    if places is None:
        return MemoryAskings()
    ensure_indexes(places, askings.INDEXES)
    return askings.MongoAskings(places)


def test_what_is_open_is_replaced_by_the_version_that_was_read(book: Askings) -> None:
    mine = Asking("like", "an", "request", NOW + timedelta(days=7))
    assert book.get("whom").version == 0 and book.get("whom").askings == ()
    assert book.put("whom", [mine], expected=0)
    assert not book.put("whom", [], expected=0), "somebody was faster"
    assert book.get("whom").askings == (mine,)
    assert book.put("whom", [], expected=1)
    assert book.get("whom").askings == () and book.get("other").version == 0
    assert book.refused_at("an", "hospital", NOW) is None
