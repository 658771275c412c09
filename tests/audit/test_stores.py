"""Every access-log store keeps the same promises; the one in the database is journaled and indexed."""

from __future__ import annotations

import pymongo
import pytest
from pymongo.errors import BulkWriteError
from pymongo.monitoring import CommandListener

from tests.audit.events import an_event, rows_of
from tests.plans import plan_stages
from wallet_api.audit.memory import DuplicateRow
from wallet_api.audit.verify import LogFault, verify_all
from wallet_api.infra.crypto.wrapped_keys import WrappedKey
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.stores.audit_log import INDEXES, MongoAuditLog, entries_pipeline
from wallet_api.stores.citizen_keys import MongoCitizenKeys

ROWS = rows_of([an_event(number) for number in range(10)])


def test_rows_come_back_as_they_were_written(store):
    store.append(ROWS)
    assert list(store.rows("log1", 9)) == ROWS
    assert list(store.rows("log1", 3)) == ROWS[:4]
    assert list(store.rows("log2", 9)) == []


def test_a_place_in_a_log_is_taken_once(store):
    store.append(ROWS[:5])
    for again in (ROWS[:5], ROWS[:3], ROWS):
        with pytest.raises((DuplicateRow, BulkWriteError)):
            store.append(again)
    assert store.present("log1", 0, 9) == 5


def test_what_is_stored_of_a_failed_write_is_its_beginning(store):
    far = rows_of([an_event(20 * number) for number in range(10)])  # too far apart for one document
    store.append(far[2:3])
    with pytest.raises((DuplicateRow, BulkWriteError)):
        store.append(far)
    assert [row.seq for row in store.rows("log1", 9)] == [0, 1, 2]


def test_present_counts_within_its_bounds(store):
    store.append(ROWS)
    store.append(rows_of([an_event(3)], "log2"))
    assert store.present("log1", 3, 6) == 4
    assert store.present("log1", 8, 20) == 2
    assert store.present("log3", 0, 20) == 0
    many = rows_of([an_event(number % 7) for number in range(450)], "log4")
    store.append(many)
    for first, last in ((0, 449), (150, 250), (199, 200), (0, 0), (449, 449), (440, 999)):
        assert store.present("log4", first, last) == min(last, 449) - first + 1, (first, last)
    assert list(store.rows("log4", 449)) == many and list(store.rows("log4", 210)) == many[:211]


def test_a_whole_store_verifies(store):
    store.append(ROWS)
    store.append(rows_of([an_event(number) for number in range(3)], "log2"))
    report = verify_all(store)
    assert (report.ok, report.logs, report.rows) == (True, 2, 13)


@pytest.fixture
def database(embedded_db):
    ensure_indexes(embedded_db, INDEXES)
    for first, past in ((0, 3), (3, 8), (8, 10)):
        MongoAuditLog(embedded_db).append(ROWS[first:past])
    MongoAuditLog(embedded_db).append(rows_of([an_event(1)], "log2"))
    return embedded_db


def group_with(log, seq):
    return log.find_one({"log_id": "log1", "rows.seq": seq})


def change(seq, work):
    """Change the list of rows in which a row stands."""

    def tamper(log):
        group = group_with(log, seq)
        work(group["rows"], next(at for at, row in enumerate(group["rows"]) if row["seq"] == seq))
        log.update_one({"_id": group["_id"]}, {"$set": {"rows": group["rows"]}})

    return tamper


def put(seq, name, value):
    return change(seq, lambda rows, at: rows[at].update({name: value}))


def say(seq, name, value):
    return change(seq, lambda rows, at: rows[at]["event"].update({name: value}))


def head(seq, **changes):
    return lambda log: log.update_one({"_id": group_with(log, seq)["_id"]}, {"$set": changes})


def moved(seq, **changes):
    def tamper(log):
        found = group_with(log, seq)
        log.delete_one({"_id": found["_id"]})
        log.insert_one({**found, **changes})

    return tamper


TAMPERINGS = {
    "flip a hash": (put(4, "hash", bytes(32)), 4),
    "flip a link": (put(4, "prev", bytes(32)), 4),
    "no hash": (change(4, lambda rows, at: rows[at].pop("hash")), 4),
    "no event": (put(4, "event", None), 4),
    "bad type": (say(4, "at", 1.5), 4),
    "no time": (change(4, lambda rows, at: rows[at]["event"].pop("at")), 4),
    "added field": (say(4, "x", "y"), 4),
    "added to the row": (put(4, "x", "y"), 4),
    "another citizen": (say(4, "citizen_id", "binh"), 4),
    "a citizen that is no text": (say(4, "citizen_id", ["an"]), 4),
    "drop the first group": (lambda log: log.delete_one({"_id": ROWS[0].log_id + "~000000000000"}), 0),
    "drop a group": (lambda log: log.delete_one({"_id": ROWS[0].log_id + "~000000000003"}), 3),
    "lose a place": (put(9, "seq", "9"), 9),
    "renumber": (put(4, "seq", 5), 4),
    "another place": (moved(4, _id="log1~000000000011"), 3),
    "a second copy": (lambda log: log.insert_one(group_with(log, 4) | {"_id": "log1~000000000010"}), 10),
    "a group without rows": (head(9, rows=[]), 8),
    "a group whose rows are no list": (head(4, rows="x"), 3),
    "hide from the citizen": (head(4, citizens=[]), 3),
    "hide behind another": (head(4, citizens=["binh"]), 3),
    "show to a stranger": (head(4, citizens=["an", "binh"]), 7),
    "show too late": (head(4, newest="2020"), 7),
    "a field beside the rows": (head(4, x=1), 7),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_in_the_database_is_named(database, name: str):
    tamper, first_bad = TAMPERINGS[name]
    tamper(database["audit_log"])
    assert verify_all(MongoAuditLog(database)).faults == (LogFault("log1", first_bad),)


def test_a_group_without_a_log_is_noticed(database):
    log = database["audit_log"]
    log.update_one({"_id": group_with(log, 9)["_id"]}, {"$unset": {"log_id": 1}})
    assert not verify_all(MongoAuditLog(database)).ok


@pytest.mark.parametrize(
    "asked",
    [
        entries_pipeline("an", None, 51),
        entries_pipeline("an", "2026-11-21T08:00:04.000Z", 51),
        {"citizen_id": "an"},
        {"citizen_id": "an", "entry_id": {"$lt": ROWS[5].entry_id}},
        {"_id": {"$in": ["log1~000000000002", "log1~000000000003"]}},
    ],
)
def test_the_logs_queries_use_an_index(database, asked):
    assert any(stage.startswith("IXSCAN") for stage in plan_stages(database["audit_log"], asked))
    assert "COLLSCAN" in plan_stages(database["audit_log"], {"rows.event.reason": "granted"})


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
