"""The seam to the database: indexes declared once, transactions all or nothing, faults in time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import AutoReconnect, BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from tests.plans import plan_stages
from wallet_api.infra.database_faults import PerhapsDone, meaning_of
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import (
    BATCH_TIMEOUT_MS,
    DATABASE_ERRORS,
    Document,
    Index,
    IndexConflict,
    connect,
    ensure_indexes,
    open_database,
    transaction,
)
from wallet_api.settings import Settings

INDEXES = (
    Index("grants", ("citizen_id", ("decided_at", -1))),
    Index("grants", ("request_id",), unique=True),
    Index("codes", ("expires_at",), ttl=0),
    Index("people", ("email",), unique=True, partial={"email": {"$exists": True}}),
)

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def db(any_db: Database[Document]) -> Database[Document]:
    return any_db


def test_declared_indexes_are_there_and_do_their_work(db: Database[Document]) -> None:
    ensure_indexes(db, INDEXES)
    ensure_indexes(db, INDEXES)
    assert set(db.grants.index_information()) == {"_id_", "citizen_id_1_decided_at_-1", "request_id_1"}
    assert db.codes.index_information()["expires_at_1"]["expireAfterSeconds"] == 0
    db.people.insert_many([{"name": "no email"}, {"name": "none either"}, {"email": "one"}])
    with pytest.raises(DuplicateKeyError):
        db.people.insert_one({"email": "one"})


def test_eight_callers_may_create_the_same_indexes_at_once(db: Database[Document]) -> None:
    faults: list[BaseException] = []

    def create() -> None:
        try:
            ensure_indexes(db, INDEXES)
        except PyMongoError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_an_index_that_differs_is_told_and_not_changed(db: Database[Document]) -> None:
    ensure_indexes(db, [Index("codes", ("expires_at",), ttl=60)])
    with pytest.raises(IndexConflict, match="codes"):
        ensure_indexes(db, INDEXES)
    assert db.codes.index_information()["expires_at_1"]["expireAfterSeconds"] == 60


def test_times_come_back_aware(db: Database[Document]) -> None:
    now = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    db.things.insert_one({"_id": 1, "at": now})
    assert (db.things.find_one() or {})["at"] == now


def test_writes_are_journaled_majority_writes(db: Database[Document]) -> None:
    assert db.things.write_concern.document == {"w": "majority", "j": True}
    assert db.client.options.timeout == 3.0


def test_a_transaction_has_the_time_of_its_client(embedded_db: Database[Document], embedded_uri: str) -> None:
    hurried = open_database(embedded_uri, embedded_db.name, timeout_ms=200)
    embedded_db.create_collection("things")

    def work(session: ClientSession) -> None:
        time.sleep(0.3)
        hurried.things.insert_one({"_id": "late"}, session=session)

    with pytest.raises(PyMongoError) as refused:
        transaction(hurried, work)
    assert refused.value.timeout and embedded_db.things.count_documents({}) == 0
    hurried.client.close()


def test_a_batch_has_more_time_than_a_request(embedded_uri: str) -> None:
    with open_database(embedded_uri, "any", BATCH_TIMEOUT_MS).client as client:
        assert client.options.timeout == 20.0


def test_a_refused_transaction_leaves_nothing(db: Database[Document]) -> None:
    ensure_indexes(db, [Index("keys", ("key",), unique=True)])
    db.keys.insert_one({"key": "taken"})

    def work(session: ClientSession) -> None:
        db.things.insert_one({"_id": "half"}, session=session)
        db.keys.insert_one({"key": "taken"}, session=session)

    with pytest.raises(DuplicateKeyError):
        transaction(db, work)
    assert db.things.find_one() is None


def test_transactions_that_meet_are_run_again_and_none_is_lost(db: Database[Document]) -> None:
    db.counters.insert_one({"_id": 1, "value": 0})

    def work(session: ClientSession) -> int:
        value = (db.counters.find_one({"_id": 1}, session=session) or {})["value"] + 1
        db.counters.update_one({"_id": 1}, {"$set": {"value": value}}, session=session)
        return int(value)

    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.extend(transaction(db, work) for _ in range(10)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(1, 41))
    assert (db.counters.find_one() or {})["value"] == 40


def test_a_transaction_that_never_succeeds_gives_up_in_time(db: Database[Document]) -> None:
    def work(session: ClientSession) -> None:
        raise OperationFailure("conflict", 112, {"errorLabels": ["TransientTransactionError"]})

    begun = time.monotonic()
    with pytest.raises(DATABASE_ERRORS):
        transaction(db, work)
    assert time.monotonic() - begun < 12  # 3 s, and what a busy machine adds


def test_a_duplicate_met_on_the_second_run_may_be_the_first_runs_own(db: Database[Document]) -> None:
    ends = iter([AutoReconnect("cut", errors={"errorLabels": ["TransientTransactionError"]})])

    def work(session: ClientSession) -> None:
        fault = next(ends, None)
        if fault is not None:  # the answer is lost with the connection, what it wrote is not
            db.things.insert_one({"_id": "once"})
            raise fault
        db.things.insert_many([{"_id": "once"}], session=session)

    with pytest.raises(PerhapsDone) as found:
        transaction(db, work)
    assert meaning_of(found.value) == "passing"
    with pytest.raises(BulkWriteError) as found_at_once:
        transaction(db, work)
    assert meaning_of(found_at_once.value) == "clash"


def test_a_database_that_is_gone_is_an_error_within_the_time_allowed() -> None:
    db = open_database(f"mongodb://127.0.0.1:{free_port()}/", "wallet")
    begun = time.monotonic()
    with pytest.raises(DATABASE_ERRORS):
        db.things.find_one()
    assert time.monotonic() - begun < 12  # 3 s, and what a busy machine adds
    db.client.close()


def test_a_plan_tells_an_index_from_a_scan(db: Database[Document]) -> None:
    ensure_indexes(db, INDEXES)
    db.grants.insert_one({"citizen_id": "c", "request_id": "r"})
    assert plan_stages(db.grants, {"citizen_id": "c"}) == ["FETCH", "IXSCAN citizen_id_1_decided_at_-1"]
    scan = plan_stages(db.grants, {"other": 1})
    assert scan == ["COLLSCAN"]
    pipeline = [{"$match": {"citizen_id": "c"}}, {"$match": {"other": {"$ne": 1}}}, {"$limit": 5}]
    stages = plan_stages(db.grants, pipeline)
    assert "IXSCAN citizen_id_1_decided_at_-1" in stages
    assert "COLLSCAN" not in stages


def test_connect_starts_the_embedded_database_once(tmp_path: Path) -> None:
    settings = Settings.from_env({"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(tmp_path)})
    db = connect(settings)
    db.things.insert_one({"_id": 1})
    again = connect(settings)
    assert again.things.find_one() == {"_id": 1}
    server = server_at(settings.embedded_path)
    assert server.owned
    server.stop(grace=0)
    restarted = connect(settings)
    assert restarted.things.find_one() == {"_id": 1}  # a stopped one is started again
    for one in (db, again, restarted):
        one.client.close()
    server.stop(grace=0)
