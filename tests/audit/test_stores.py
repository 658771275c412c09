"""Every access-log store keeps the same promises; the one in the database is journaled and indexed."""

from __future__ import annotations

import pymongo
import pytest
from pymongo.errors import BulkWriteError
from pymongo.monitoring import CommandListener

from tests.audit.events import an_event, rows_of
from wallet_api.audit.memory import DuplicateRow
from wallet_api.audit.verify import LogFault, verify_all
from wallet_api.infra.crypto.wrapped_keys import WrappedKey
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.stores.audit_log import INDEXES, MongoAuditLog
from wallet_api.stores.citizen_keys import MongoCitizenKeys

ROWS = rows_of([an_event(number) for number in range(10)])


def test_rows_come_back_as_they_were_written(store):
    store.append(ROWS)
    assert list(store.rows("log1", 9)) == ROWS
    assert list(store.rows("log1", 3)) == ROWS[:4]
    assert list(store.rows("log2", 9)) == []


def test_a_place_in_a_log_is_taken_once(store):
    store.append(ROWS[:5])
    with pytest.raises((DuplicateRow, BulkWriteError)):
        store.append(ROWS[3:])
    assert store.present("log1", 0, 9) == 5


def test_what_is_stored_of_a_failed_write_is_its_beginning(store):
    store.append(ROWS[2:3])
    with pytest.raises((DuplicateRow, BulkWriteError)):
        store.append(ROWS)
    assert [row.seq for row in store.rows("log1", 9)] == [0, 1, 2]


def test_present_counts_within_its_bounds(store):
    store.append(ROWS)
    store.append(rows_of([an_event(3)], "log2"))
    assert store.present("log1", 3, 6) == 4
    assert store.present("log1", 8, 20) == 2
    assert store.present("log3", 0, 20) == 0


def test_a_whole_store_verifies(store):
    store.append(ROWS)
    store.append(rows_of([an_event(number) for number in range(3)], "log2"))
    report = verify_all(store)
    assert (report.ok, report.logs, report.rows) == (True, 2, 13)


@pytest.fixture
def database(embedded_db):
    ensure_indexes(embedded_db, INDEXES)
    MongoAuditLog(embedded_db).append(ROWS)
    MongoAuditLog(embedded_db).append(rows_of([an_event(1)], "log2"))
    return embedded_db


def _move(log, row, **changes):
    found = log.find_one({"entry_id": row.entry_id})
    log.delete_one({"entry_id": row.entry_id})
    log.insert_one({**found, **changes})


TAMPERINGS = {
    "flip": (lambda log: log.update_one({"entry_id": ROWS[4].entry_id}, {"$set": {"decision": "refuse"}}), 4),
    "flip hash": (
        lambda log: log.update_one({"entry_id": ROWS[4].entry_id}, {"$set": {"hash": bytes(32)}}),
        4,
    ),
    "no hash": (lambda log: log.update_one({"entry_id": ROWS[4].entry_id}, {"$unset": {"hash": 1}}), 4),
    "bad type": (lambda log: log.update_one({"entry_id": ROWS[4].entry_id}, {"$set": {"at": 1.5}}), 4),
    "added field": (lambda log: log.update_one({"entry_id": ROWS[4].entry_id}, {"$set": {"x": "y"}}), 4),
    "other citizen": (
        lambda log: log.update_one({"entry_id": ROWS[4].entry_id}, {"$set": {"citizen_id": "b"}}),
        4,
    ),
    "drop": (lambda log: log.delete_one({"entry_id": ROWS[4].entry_id}), 4),
    "drop first": (lambda log: log.delete_one({"entry_id": ROWS[0].entry_id}), 0),
    "move to end": (lambda log: _move(log, ROWS[4], seq=10), 4),
    "move out of order": (lambda log: _move(log, ROWS[9], seq=-1), 9),
    "rename": (lambda log: _move(log, ROWS[4], entry_id="2020" + ROWS[4].entry_id[4:]), 4),
    "lose place": (lambda log: log.update_one({"entry_id": ROWS[9].entry_id}, {"$set": {"seq": "9"}}), 9),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_in_the_database_is_named(database, name: str):
    tamper, first_bad = TAMPERINGS[name]
    tamper(database["audit_log"])
    assert verify_all(MongoAuditLog(database)).faults == (LogFault("log1", first_bad),)


def test_a_row_without_a_log_is_noticed(database):
    database["audit_log"].update_one({"entry_id": ROWS[9].entry_id}, {"$unset": {"log_id": 1}})
    assert not verify_all(MongoAuditLog(database)).ok


def _plan(db, asked):
    found = db["audit_log"].find(asked).explain()
    return str(found["queryPlanner"]["winningPlan"])


@pytest.mark.parametrize(
    "asked",
    [
        {"citizen_id": "an"},
        {"citizen_id": "an", "entry_id": {"$lt": ROWS[5].entry_id}},
        {"_id": {"$in": ["log1~000000000002", "log1~000000000003"]}},
    ],
)
def test_the_logs_queries_use_an_index(database, asked):
    assert "IXSCAN" in _plan(database, asked)
    assert "COLLSCAN" in _plan(database, {"reason": "granted"})


class Heard(CommandListener):
    def __init__(self) -> None:
        self.commands: list[dict] = []

    def started(self, event) -> None:
        if event.command_name in ("insert", "update", "delete", "find"):
            self.commands.append(dict(event.command))

    def succeeded(self, event) -> None: ...

    def failed(self, event) -> None: ...


def test_writes_are_journaled_and_reads_durable_whatever_the_client_was_set_to(embedded_uri):
    heard = Heard()
    with pymongo.MongoClient(embedded_uri, w=1, event_listeners=[heard]) as client:
        db = client["test_concerns"]
        MongoAuditLog(db).append(ROWS)
        MongoAuditLog(db).present("log1", 0, 5)
        keys, key = MongoCitizenKeys(db), WrappedKey("an", "clinical", 1, "2026-11", b"w")
        keys.add(key)
        keys.find("an", "clinical")
        keys.rewrap(key, b"x", "2026-12")
        keys.remove("an", "clinical")
        client.drop_database("test_concerns")
    for command in heard.commands:
        if "find" in command:
            assert command["readConcern"]["level"] == "majority"
        else:
            assert command["writeConcern"] == {"w": "majority", "j": True}
    assert len(heard.commands) == 6
