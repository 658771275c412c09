"""The notification stores keep the ports' promises, on every database, and tell a thief nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.database import Database

from notifications import memory, memory_devices
from notifications.errors import LeaseLost
from notifications.memory_brakes import MemoryBrakes, MemoryTokens
from notifications.model import Preferences
from notifications.outgoing import Attempt, BatchState
from notifications.push_days import MemoryPushDays
from notifications.reminders import State, shard_of
from notifications.sessions import MemorySessionBook
from tests.contracts import notifications_contract as contract
from tests.contracts.notifications_contract import DAY, LEASE, NOW
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import ShelfKeyStore
from wallet_api.infra.crypto.shelf import MemoryShelf
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.stores import (
    brakes,
    devices,
    due_items,
    inbox,
    outbox,
    preferences,
    push_days,
    reminders,
    session_days,
)
from wallet_api.stores.reminding import MongoUnits, session_of

KINDS = (
    "due_items",
    "reminders",
    "outbox",
    "inbox",
    "devices",
    "brakes",
    "preferences",
    "push_days",
    "session_book",
    "tokens",
)
MODULES = (due_items, reminders, outbox, inbox, devices, brakes, preferences, push_days, session_days)
CHECKS = [
    pytest.param(kind, check, id=check.__name__) for kind in KINDS for check in contract.checks_of(kind)
]
SECRETS = (
    "measles",
    "vaccination",
    "epi_routine",
    "checkup",
    "Tiêu",
    "Nội",
    "fid-of",
    "inst-1",
    "circular",
    "on_day",
)


class Stores:
    """All of them on one database."""

    def __init__(self, db: Database[dict[str, Any]]) -> None:
        keystore = ShelfKeyStore(MemoryShelf(), create=True)
        cipher, blind = CitizenCipher(MemoryWrappedKeys(), keystore, lambda: NOW), BlindIndex(keystore)
        self.db = db
        self.due_items = due_items.MongoDueItems(db, cipher)
        self.reminders = reminders.MongoReminders(db, cipher, blind)
        self.outbox = outbox.MongoOutbox(db, cipher)
        self.inbox = inbox.MongoInbox(db, cipher)
        self.devices = devices.MongoDevices(db, cipher, blind)
        self.brakes = brakes.MongoBrakes(db)
        self.tokens = brakes.MongoTokens(db)
        self.preferences = preferences.MongoPreferences(db, cipher)
        self.push_days = push_days.MongoPushDays(db)
        self.session_book = session_days.MongoSessionBook(db)
        ensure_indexes(db, [index for module in MODULES for index in module.INDEXES])


MEMORY: dict[str, Callable[[], Any]] = {
    "due_items": memory.MemoryDueItems,
    "reminders": memory.MemoryReminders,
    "outbox": memory.MemoryOutbox,
    "inbox": memory.MemoryInbox,
    "devices": memory_devices.MemoryDevices,
    "brakes": MemoryBrakes,
    "tokens": MemoryTokens,
    "preferences": memory.MemoryPreferences,
    "push_days": MemoryPushDays,
    "session_book": MemorySessionBook,
}


@pytest.fixture
def stores(any_db: Database[dict[str, Any]]) -> Stores:
    return Stores(any_db)


@pytest.mark.parametrize(("kind", "check"), CHECKS)
def test_memory_keeps_the_promise(kind: str, check: Callable[[Any], None]) -> None:
    check(MEMORY[kind]())


@pytest.mark.parametrize(("kind", "check"), CHECKS)
def test_mongo_keeps_the_promise(kind: str, check: Callable[[Any], None], stores: Stores) -> None:
    check(getattr(stores, kind))


def fill(stores: Stores) -> None:
    stores.due_items.replace("child", [contract.make_item()], DAY)
    stores.reminders.plan(contract.make_reminder())
    stores.outbox.add(contract.make_batch())
    stores.inbox.add([contract.make_message()])
    stores.devices.register(contract.make_device())
    stores.preferences.save("parent", Preferences(frozenset({"checkup"})))
    stores.brakes.pause("fcm", NOW)
    stores.push_days.claim(DAY, "batch", {"parent": None})
    stores.session_book.publish(contract.make_session_days(), 0)


def test_a_dump_names_no_disease_no_text_and_no_address(stores: Stores) -> None:
    fill(stores)
    batch = stores.outbox.claim(7, NOW, LEASE)
    assert batch is not None
    stores.outbox.acknowledge(batch, Attempt(NOW, {"accepted": 1}), BatchState.QUEUED, batch.pushes, NOW)
    for name in stores.db.list_collection_names():
        rows = list(stores.db[name].find())
        dump = b"".join(bson.encode(row) for row in rows)
        assert rows and not [secret for secret in SECRETS if secret.encode() in dump], name
    [row] = stores.db["outbox"].find()
    assert b"parent" not in bson.encode(row), "a dump must not tell who gets a push on which day"


def test_equal_doses_of_two_people_have_different_tokens(stores: Stores) -> None:
    stores.reminders.plan(contract.make_reminder("a"))
    stores.reminders.plan(contract.make_reminder("b", citizen_id="sibling"))
    assert len({row["due_code"] for row in stores.db["reminders"].find()}) == 2


def test_a_unit_that_fails_leaves_nothing(stores: Stores) -> None:
    class Refused(Exception):
        pass

    def work(unit: object | None) -> None:
        stores.due_items.replace("child", [contract.make_item()], DAY, unit)
        stores.reminders.plan(contract.make_reminder(), unit)
        stores.outbox.add(contract.make_batch(), unit)
        stores.inbox.add([contract.make_message()], unit)
        raise Refused

    with pytest.raises(Refused):
        MongoUnits(stores.db)(work)
    assert stores.reminders.many(["rem-a"]) == {}
    assert stores.due_items.due_between(shard_of("child"), date.min, date.max, 9) == []
    assert stores.outbox.ready(NOW) == frozenset() and stores.inbox.page("parent", 9) == []


def test_a_unit_undoes_moves_cancellations_and_acknowledgements(stores: Stores) -> None:
    fill(stores)
    batch = stores.outbox.claim(7, NOW, LEASE)
    assert batch is not None

    def work(unit: object | None) -> None:
        assert stores.reminders.cancel_for("child", "measles", 1, "given", unit) == 1
        stores.outbox.acknowledge(batch, Attempt(NOW, {}), BatchState.DONE, unit=unit)
        assert stores.reminders.move(["rem-a"], [State.CANCELLED], State.PLANNED, unit=unit) == {"rem-a"}
        raise KeyError

    with pytest.raises(KeyError):
        MongoUnits(stores.db)(work)
    assert stores.reminders.many(["rem-a"]) == {"rem-a": contract.make_reminder()}
    stores.outbox.acknowledge(batch, Attempt(NOW, {}), BatchState.DONE)  # its lease stands


def test_a_foreign_unit_is_refused() -> None:
    with pytest.raises(TypeError):
        session_of("not a session")


def test_workers_at_once_get_different_batches(stores: Stores) -> None:
    for n in range(12):
        stores.outbox.add(contract.make_batch(f"b{n:02}"))
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: stores.outbox.claim(7, NOW, LEASE), range(12)))
    assert sorted(batch.id for batch in claims if batch) == [f"b{n:02}" for n in range(12)]


def test_figures_count_what_settled_and_what_waits(stores: Stores) -> None:
    assert stores.outbox.figures() == {"batches": {"queued": 0, "leased": 0}, "pushes": {}}
    for name, state in (("b1", BatchState.DONE), ("b2", BatchState.DEAD), ("b3", BatchState.QUEUED)):
        stores.outbox.add(contract.make_batch(name))
        batch = stores.outbox.claim(7, NOW, LEASE)
        assert batch is not None
        answers = {"accepted": 2, "unavailable": 1}
        stores.outbox.acknowledge(batch, Attempt(NOW, answers), state, due_at=NOW + LEASE)
        with pytest.raises(LeaseLost):
            stores.outbox.acknowledge(batch, Attempt(NOW, answers), state)
    assert stores.outbox.figures() == {
        "batches": {"queued": 1, "leased": 0, "done": 1, "dead": 1},
        "pushes": {"accepted": 6, "unavailable": 3},
    }
    for name in "abc":
        stores.reminders.plan(contract.make_reminder(name))
    stores.reminders.move(["rem-a"], [State.PLANNED], State.QUEUED)
    assert stores.reminders.figures() == {"planned": 2, "queued": 1}


def test_an_old_lease_cannot_settle_after_the_new_one_did(stores: Stores) -> None:
    stores.outbox.add(contract.make_batch())
    old = stores.outbox.claim(7, NOW, LEASE)
    assert old is not None and stores.outbox.sweep(NOW + LEASE) == 1
    with pytest.raises(LeaseLost):
        stores.outbox.acknowledge(old, Attempt(NOW, {}), BatchState.DONE)
    assert stores.outbox.sweep(NOW + LEASE) == 0


CLAIM_AND_HANG = """
import sys, time
from datetime import datetime, timedelta
from tests.contracts.test_notification_stores import Stores
from wallet_api.infra.mongo import open_database
stores = Stores(open_database(sys.argv[1], sys.argv[2]))
stores.outbox._cipher = type("Plain", (), {"open_json": staticmethod(lambda place, blob: {"pushes": []})})()
print(stores.outbox.claim(7, datetime.fromisoformat(sys.argv[3]), timedelta(seconds=120)).id, flush=True)
time.sleep(60)
"""


def test_a_worker_killed_between_claim_and_acknowledge_loses_nothing(
    embedded_uri: str, embedded_db: Database[dict[str, Any]]
) -> None:
    stores = Stores(embedded_db)
    stores.outbox.add(contract.make_batch())
    command = [sys.executable, "-c", CLAIM_AND_HANG, embedded_uri, embedded_db.name, NOW.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as worker:
        assert worker.stdout is not None and worker.stdout.readline().strip() == b"b1"
        os.kill(worker.pid, signal.SIGKILL)
    assert stores.outbox.claim(7, NOW + LEASE, LEASE) is None
    assert stores.outbox.sweep(NOW + LEASE) == 1
    again = stores.outbox.claim(7, NOW + LEASE, LEASE)
    assert again is not None and again.pushes == contract.make_batch().pushes


def test_an_address_registered_by_two_apps_at_once_ends_with_one(stores: Stores) -> None:
    shared = [contract.make_device(f"inst-{n}", citizen_id=f"c{n}", value="one-address") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(stores.devices.register, shared))
    found = stores.devices.addresses_of([each.citizen_id for each in shared], NOW)
    assert [len(some) for some in found.values()] == [1]


def test_many_ids_move_at_once_and_only_once(stores: Stores) -> None:
    names = [f"{n:03}" for n in range(210)]
    for name in names:
        stores.reminders.plan(contract.make_reminder(name))
    ids = [f"rem-{name}" for name in names]
    assert stores.reminders.move(ids, [State.PLANNED], State.QUEUED) == frozenset(ids)
    assert stores.reminders.move(ids, [State.PLANNED], State.QUEUED) == frozenset()


def test_microseconds_do_not_break_the_order_of_pages(stores: Stores) -> None:
    at = datetime(2026, 11, 20, 3, 0, 0, 123456, tzinfo=UTC)
    stores.inbox.add(
        [contract.make_message(f"m{n}", created_at=at + timedelta(microseconds=n)) for n in range(3)]
    )
    [first] = stores.inbox.page("parent", 1)
    rest = stores.inbox.page("parent", 9, (first.created_at, first.id))
    assert len({first.id, *(each.id for each in rest)}) == 3


def test_a_batch_with_a_known_id_is_not_put_back(stores: Stores) -> None:
    stores.outbox.add(contract.make_batch())
    batch = stores.outbox.claim(7, NOW, LEASE)
    stores.outbox.add(replace(contract.make_batch(), pushes=()))
    assert batch is not None and stores.outbox.claim(7, NOW, LEASE) is None
    stores.outbox.acknowledge(batch, Attempt(NOW, {}), BatchState.QUEUED, batch.pushes, NOW)
    again = stores.outbox.claim(7, NOW, LEASE)
    assert again is not None and again.pushes == batch.pushes


def test_the_same_database_seen_by_another_client_agrees(
    embedded_uri: str, embedded_db: Database[dict[str, Any]]
) -> None:
    ours = Stores(embedded_db)
    ours.brakes.stop("push.v1")
    with open_database(embedded_uri, embedded_db.name).client as client:
        assert brakes.MongoBrakes(client[embedded_db.name]).stopped("push.v1")
