"""A citizen's list is exact whatever the groups: every entry once, newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audit.events import an_event, rows_of
from tests.examples import examples
from wallet_api.audit.chain import AuditRow
from wallet_api.audit.verify import verify_all
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db
from wallet_api.migrations import MIGRATIONS
from wallet_api.stores.audit_log import MongoAuditLog

PEOPLE = st.sampled_from(["an", "binh", None])
WRITES = st.lists(st.lists(st.tuples(PEOPLE, st.integers(0, 24)), min_size=1, max_size=8), max_size=8)


def single(row: AuditRow) -> dict[str, Any]:
    """A row as the release before groups stored it."""
    event = {**row.event, "at": datetime.fromisoformat(str(row.event["at"]))}
    place = {"_id": f"{row.log_id}~{row.seq:012d}", "entry_id": row.entry_id, "log_id": row.log_id}
    return {**event, **place, "seq": row.seq, "prev": row.prev, "hash": row.hash}


def pages(store: MongoAuditLog, citizen_id: str, limit: int) -> Iterator[str]:
    before = None
    while page := store.entries(citizen_id, before, limit):
        assert len(page) <= limit
        yield from (row.entry_id for row in page)
        before = page[-1].entry_id


def filled(db: Db, logs: list[list[list[tuple[str | None, int]]]]) -> list[AuditRow]:
    """Store logs, each in the groups given; the first log in the old form."""
    written: list[AuditRow] = []
    for number, groups in enumerate(logs):
        events = [an_event(second, citizen_id=who) for group in groups for who, second in group]
        rows = rows_of(events, f"{new_id()}")
        written += rows
        for group in groups:
            part, rows = rows[: len(group)], rows[len(group) :]
            if number:
                MongoAuditLog(db).append(part)
            else:
                db["audit_log"].insert_many([single(row) for row in part])
    return written


@settings(
    max_examples=examples(8, 80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(logs=st.lists(WRITES, min_size=1, max_size=3), limit=st.integers(1, 5))
def test_pages_hold_every_entry_once_and_in_order(embedded_db: Db, logs: Any, limit: int) -> None:
    embedded_db["audit_log"].delete_many({})
    rows, store = filled(embedded_db, logs), MongoAuditLog(embedded_db)
    for citizen_id in ("an", "binh", "chi"):
        mine = (row.entry_id for row in rows if row.event.get("citizen_id") == citizen_id)
        assert list(pages(store, citizen_id, limit)) == sorted(mine, reverse=True)
    report = verify_all(store)
    assert report.ok and report.rows == len(rows)


def test_a_page_that_ends_within_a_group_goes_on_there(embedded_db: Db) -> None:
    store = MongoAuditLog(embedded_db)
    rows = rows_of([an_event(0) for _ in range(200)])
    store.append(rows)
    assert embedded_db["audit_log"].count_documents({}) == 1
    assert list(pages(store, "an", 7)) == [row.entry_id for row in reversed(rows)]
    assert list(store.entries("an", rows[9].entry_id, 50)) == rows[8::-1], "whole rows, links and all"


def test_no_document_spans_more_than_a_page_looks_back_over(embedded_db: Db) -> None:
    store = MongoAuditLog(embedded_db)
    store.append(rows_of([an_event(second) for second in (0, 10, 11, 5, 30)]))
    groups = [[row["seq"] for row in each["rows"]] for each in embedded_db["audit_log"].find({}).sort("_id")]
    assert groups == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    "change", [{"decision": "refuse"}, {"hash": bytes(32)}, {"citizen_id": "binh"}, {"x": 1}]
)
def test_rows_in_the_old_form_are_verified_as_ever(embedded_db: Db, change: dict[str, Any]) -> None:
    rows, log = rows_of([an_event(number) for number in range(6)]), embedded_db["audit_log"]
    log.insert_many([single(row) for row in rows[:4]])
    MongoAuditLog(embedded_db).append(rows[4:])
    assert verify_all(MongoAuditLog(embedded_db)).ok
    assert MongoAuditLog(embedded_db).present("log1", 1, 9) == 5
    log.update_one({"entry_id": rows[2].entry_id}, {"$set": change})
    (fault,) = verify_all(MongoAuditLog(embedded_db)).faults
    assert fault.seq == 2


def test_the_database_takes_groups_only_when_the_migration_is_done(embedded_db: Db) -> None:
    for each in MIGRATIONS:
        each.expand(embedded_db)
    rows, log = rows_of([an_event(number) for number in range(6)]), embedded_db["audit_log"]
    log.insert_one(single(rows[0]))
    next(each for each in MIGRATIONS if each.number == 3).contract(embedded_db)
    with pytest.raises(Exception, match="validation"):
        log.insert_one(single(rows[1]))
    MongoAuditLog(embedded_db).append(rows[1:])
    assert verify_all(MongoAuditLog(embedded_db)).ok
