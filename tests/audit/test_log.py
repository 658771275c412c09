"""Nothing is acknowledged before it is durable, and no failure leaves a gap or a fork."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.audit.events import NOW, an_event
from wallet_api.audit import log as log_module
from wallet_api.audit.chain import AuditRow, verify
from wallet_api.audit.checkpoint import CheckpointSigner
from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.log import AccessLog
from wallet_api.audit.memory import MemoryAuditStore
from wallet_api.audit.verify import verify_all
from wallet_api.infra.crypto.keystore import MemoryKeyStore


class DiskFull(Exception):
    pass


class ScriptedStore(MemoryAuditStore):
    """A store whose writes wait for a gate, and fail after storing as many rows as the script says."""

    def __init__(self, *script: int | None) -> None:
        super().__init__()
        self.script = list(script)
        self.gate = threading.Event()
        self.gate.set()
        self.groups: list[int] = []
        self.writing = threading.Event()

    def append(self, rows: Sequence[AuditRow]) -> None:
        self.writing.set()
        self.gate.wait(30)
        self.groups.append(len(rows))
        stored = self.script.pop(0) if self.script else None
        super().append(rows[:stored])
        if stored is not None:
            raise DiskFull


def a_log(store) -> AccessLog:
    return AccessLog(store, lambda: NOW)


def in_threads(count: int, work: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def until_queued(log: AccessLog, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(log._writer._queue) < count:
        assert time.monotonic() < deadline, "the events never queued"
        time.sleep(0.005)


def stored(store: MemoryAuditStore, log: AccessLog) -> list[AuditRow]:
    return list(store.rows(log._writer.log_id, 999))


def test_an_event_is_in_the_log_when_append_returns(store):
    log = a_log(store)
    entry_id = log.append(an_event(1))
    [entry] = log.entries("an")
    assert (entry.entry_id, entry.seq, entry.event) == (entry_id, 0, an_event(1))


def test_append_does_not_return_before_the_store_has_answered():
    store = ScriptedStore()
    store.gate.clear()
    log, answered = a_log(store), threading.Event()

    def work(_: int) -> None:
        log.append(an_event())
        answered.set()

    [thread] = in_threads(1, work)
    assert store.writing.wait(30)
    assert not answered.wait(0.2)
    store.gate.set()
    thread.join(30)
    assert answered.is_set()


def test_what_queues_during_one_write_goes_with_the_next():
    store = ScriptedStore()
    store.gate.clear()
    log = a_log(store)
    threads = in_threads(1, lambda number: log.append(an_event(number)) and None)
    assert store.writing.wait(30)
    threads += in_threads(31, lambda number: log.append(an_event(number)) and None)
    until_queued(log, 31)
    store.gate.set()
    for thread in threads:
        thread.join(30)
    assert store.groups == [1, 31]


def test_32_threads_get_32_places_in_one_unbroken_chain(store):
    log, given = a_log(store), []

    def work(number: int) -> None:
        for turn in range(4):
            given.append(log.append(an_event(number * 100 + turn)))

    for thread in in_threads(32, work):
        thread.join(30)
    assert len(set(given)) == len(given) == 128
    rows = list(store.rows(log._writer.log_id, 999))
    assert [row.seq for row in rows] == list(range(128))
    assert verify(rows) is None
    assert {row.entry_id for row in rows} == set(given)


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_failed_write_acknowledges_nothing_and_leaves_no_gap(kept: int):
    """`kept` rows of the failed group had reached the store: none, some, or all of them."""
    store = ScriptedStore()
    store.gate.clear()
    log, refused = a_log(store), []
    [first] = in_threads(1, lambda number: log.append(an_event(number)) and None)
    assert store.writing.wait(30)

    def work(number: int) -> None:
        with pytest.raises(LogUnavailable):
            log.append(an_event(number))
        refused.append(number)

    rest = in_threads(3, work)
    until_queued(log, 3)
    store.script = [None, kept]
    store.gate.set()
    for thread in [first, *rest]:
        thread.join(30)
    assert sorted(refused) == [0, 1, 2]
    assert len(stored(store, log)) == 1 + kept
    log.append(an_event(50))
    assert [row.seq for row in stored(store, log)] == [0, 1, 2, 3, 4]
    assert verify(stored(store, log)) is None


def test_while_the_store_stays_down_newcomers_are_refused_and_take_no_place():
    store = ScriptedStore(0, 0, 0, 0)
    log = a_log(store)
    for number in range(4):
        with pytest.raises(LogUnavailable):
            log.append(an_event(number))
    assert stored(store, log) == []
    log.append(an_event(50))
    assert [row.event["request_id"] for row in stored(store, log)] == ["request0", "request50"]
    assert verify(stored(store, log)) is None


def test_a_late_copy_of_a_failed_write_does_not_fork_the_log():
    """The server went on with the write after we had given it up, between our look and our second write."""

    class Late(ScriptedStore):
        late: tuple[AuditRow, ...] = ()

        def append(self, rows: Sequence[AuditRow]) -> None:
            if not self.groups:
                self.late = tuple(rows)
            elif self.late:
                late, self.late = self.late, ()
                MemoryAuditStore.append(self, late)
            super().append(rows)

    store = Late(0)
    log = a_log(store)
    for number in range(2):
        with pytest.raises(LogUnavailable):
            log.append(an_event(number))
    log.append(an_event(2))
    assert [row.event["request_id"] for row in stored(store, log)] == ["request0", "request2"]
    assert verify(stored(store, log)) is None


def test_events_handed_over_together_are_one_write_and_all_of_them_are_told_of_a_failure():
    store = ScriptedStore()
    log = a_log(store)
    log.append_all([])
    told = log.append_all([an_event(number) for number in range(20)])
    assert [row.entry_id for row in stored(store, log)] == told and len(set(told)) == 20
    assert verify(stored(store, log)) is None
    log.close()
    with pytest.raises(LogUnavailable):
        log.append_all([an_event(20), an_event(21)])


def test_a_store_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(log_module, "WAIT_SECONDS", 0.2)
    store = ScriptedStore()
    store.gate.clear()
    log = a_log(store)
    for number in range(2):
        with pytest.raises(LogUnavailable, match="in time"):
            log.append(an_event(number))
    store.gate.set()
    monkeypatch.setattr(log_module, "WAIT_SECONDS", 5)
    log.append(an_event(2))
    assert [row.event["request_id"] for row in stored(store, log)] == ["request0", "request2"]


def test_close_writes_what_is_queued_and_then_refuses():
    store = ScriptedStore()
    store.gate.clear()
    log = a_log(store)
    threads = in_threads(1, lambda number: log.append(an_event(number)) and None)
    assert store.writing.wait(30)
    threads += in_threads(4, lambda number: log.append(an_event(number)) and None)
    until_queued(log, 4)
    threading.Timer(0.1, store.gate.set).start()
    log.close()
    for thread in threads:
        thread.join(30)
    assert len(stored(store, log)) == 5
    with pytest.raises(LogUnavailable):
        log.append(an_event())


def test_close_settles_what_a_failure_left_open():
    store = ScriptedStore(0)
    log = a_log(store)
    with pytest.raises(LogUnavailable):
        log.append(an_event())
    log.close()
    assert len(stored(store, log)) == 1


_FORK = """
import os
from tests.audit.events import NOW, an_event
from wallet_api.audit.log import AccessLog
from wallet_api.audit.memory import MemoryAuditStore
store = MemoryAuditStore()
log = AccessLog(store, lambda: NOW)
log.append(an_event(1))
child = os.fork()
if child == 0:
    log.append(an_event(2))
    logs = store.logs()
    os._exit(0 if sorted(one.rows for one in logs.values()) == [1, 1] else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
log.append(an_event(3))
raise SystemExit(status or [one.rows for one in store.logs().values()] != [2])
"""


def test_a_forked_child_begins_a_log_of_its_own():
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", _FORK], check=True, timeout=60, cwd=root)


def test_a_checkpoint_covers_what_is_stored_and_nothing_else():
    store, keys = ScriptedStore(), CheckpointSigner(MemoryKeyStore())
    log = AccessLog(store, lambda: NOW, keys)
    assert log.checkpoint() is None
    for number in range(5):
        log.append(an_event(number))
    store.script = [0]
    with pytest.raises(LogUnavailable):
        log.append(an_event(5))
    five = keys.open(log.checkpoint() or "")
    log.append(an_event(6))
    seven = keys.open(log.checkpoint() or "")
    assert (five.size, seven.size) == (5, 7)
    assert verify_all(store, [five, seven]).ok
    assert a_log(store).checkpoint() is None


def test_the_citizens_page_goes_on_where_the_last_ended(store):
    log = a_log(store)
    given = [
        log.append(an_event(number // 2, citizen_id="an" if number % 3 else "binh")) for number in range(12)
    ]
    log.append(an_event(99, citizen_id=None))
    mine = [entry for number, entry in enumerate(given) if number % 3]
    page = log.entries("an", limit=3)
    seen: list[str] = []
    while page:
        seen += [entry.entry_id for entry in page]
        page = log.entries("an", before=seen[-1], limit=3)
    assert seen == mine[::-1]
    assert log.entries("chi") == ()
