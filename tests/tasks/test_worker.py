"""The worker as a process: one push goes out once, whatever is killed, doubled or half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from notifications.days import vn_day
from notifications.errors import BadChannel
from notifications.reminders import shard_of
from tests.tasks.worker_process import Services, build, seed, settings_of
from wallet_api import tasks
from wallet_api.infra.clock import FileClock
from wallet_api.infra.embedded import EmbeddedServer, server_at
from wallet_api.infra.queue import make_queue

EVENING = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)  # 20:30 in Vietnam: the window of a person is open


class Wallet:
    """One data folder with its database, and the workers a test has started on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = settings_of(folder)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, mode: str = "send") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.tasks.worker_process", str(self.folder), mode]
        with (self.folder / f"log-{len(self.workers)}").open("wb") as log:
            self.workers.append(
                subprocess.Popen(
                    command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, stderr=log
                )
            )
        return self.workers[-1]

    def pushes(self) -> list[str]:
        path = self.folder / "pushes"
        return path.read_text().splitlines() if path.exists() else []

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("log-*")))


def eventually(question: Callable[[], object], what: Wallet, seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < limit, what.log()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    server = server_at(tmp_path_factory.mktemp("server") / "db")
    yield server
    server.stop(grace=0)


@pytest.fixture
def wallet(tmp_path: Path, server: EmbeddedServer) -> Iterator[Wallet]:
    wallet = Wallet(tmp_path)
    # Each wallet finds the one database server in its own folder, and nothing in its database.
    wallet.settings.embedded_path.symlink_to(server._path)
    with MongoClient[Any](server.uri) as client:
        client.drop_database(wallet.settings.database)
    FileClock(tmp_path / "clock").set_to(EVENING)
    yield wallet
    for worker in wallet.workers:
        worker.kill()
        worker.wait()


@pytest.fixture
def services(wallet: Wallet) -> Iterator[Services]:
    services = build(wallet.settings)
    seed(services)
    yield services
    services.db.client.close()


def settled(services: Services) -> bool:
    return services.reminding.outbox.figures()["batches"].get("done", 0) > 0


def test_two_workers_with_two_beats_send_one_push_and_end_cleanly(wallet: Wallet, services: Services) -> None:
    workers = [wallet.start(), wallet.start()]
    eventually(lambda: settled(services), wallet)
    [push] = wallet.pushes()
    nid, installation = push.split()
    assert installation == "inst-of-parent"
    messages = services.reminding.inbox.page("parent", 9)
    assert nid in {each.nid for each in messages}, "the push points at nothing"
    states = {each.state.value for each in services.reminding.reminders.of_citizen("child")}
    assert states == {"accepted"}
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(60) for worker in workers] == [0, 0], wallet.log()
    events = [json.loads(line) for line in wallet.log().splitlines()]
    assert {"day_planned", "batch_sent"} <= {each["event"] for each in events}
    assert not [each for each in events if each["level"] == "ERROR"]
    for secret in ("child", "parent", "measles", "vaccination"):
        assert secret not in wallet.log()


def test_loops_without_a_broker_send_one_push_and_end_cleanly(wallet: Wallet, services: Services) -> None:
    """Two over the same shards and two over others: whoever comes first, it goes out once."""
    shard, half = shard_of("parent"), f"loop:{0 if shard_of('parent') < 32 else 32}-"
    mine = half + ("31" if shard < 32 else "63")
    loops = [wallet.start(mine), wallet.start("loop:0-63"), wallet.start("loop:0-63")]
    eventually(lambda: settled(services), wallet)
    assert len(wallet.pushes()) == 1 and not (wallet.folder / "broker").exists()
    # One that is still starting has not said yet how it wants to be stopped.
    eventually(lambda: all((wallet.folder / f"ready-{loop.pid}").exists() for loop in loops), wallet)
    for loop in loops:
        loop.send_signal(signal.SIGTERM)
    assert [loop.wait(60) for loop in loops] == [0, 0, 0], wallet.log()
    events = [json.loads(line) for line in wallet.log().splitlines()]
    assert "batch_sent" in {each["event"] for each in events}
    assert not [each for each in events if each["level"] == "ERROR"]


def test_a_loop_leaves_other_shards_alone(wallet: Wallet, services: Services) -> None:
    services.reminding.dispatch.plan_day(vn_day(EVENING))
    other = (shard_of("parent") + 1) % 64
    wallet.start(f"loop:{other}-{other}")
    time.sleep(3)
    assert not wallet.pushes()
    wallet.start(f"loop:{shard_of('parent')}-{shard_of('parent')}")
    eventually(lambda: settled(services), wallet)
    assert len(wallet.pushes()) == 1


def test_a_worker_killed_while_it_sends_loses_nothing(wallet: Wallet, services: Services) -> None:
    first = wallet.start("hang")
    eventually((wallet.folder / "hanging").exists, wallet)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert services.reminding.outbox.figures()["batches"]["leased"] == 1 and not wallet.pushes()
    wallet.start()
    time.sleep(3)
    assert not wallet.pushes(), "a lease that has not run out was taken away"
    FileClock(wallet.folder / "clock").set_to(EVENING + timedelta(minutes=3))
    eventually(lambda: settled(services), wallet)
    assert len(wallet.pushes()) == 1


def test_a_run_asked_for_by_another_process_is_done(wallet: Wallet, services: Services) -> None:
    make_queue(wallet.settings).send_task(tasks.PLAN_TASK, args=["2026-11-20"])
    assert list((wallet.folder / "broker" / "messages").glob("*.msg"))
    wallet.start()
    eventually(lambda: settled(services), wallet)
    folders = [wallet.folder / "broker" / name for name in ("messages", "control")]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_a_worker_that_cannot_be_built_does_not_start(wallet: Wallet) -> None:
    class Broken(Exception):
        pass

    def build_none(settings: object) -> Services:
        raise Broken

    with pytest.raises(Broken):
        tasks.run_worker(wallet.settings, build_none)


def test_a_worker_that_cannot_send_does_not_start(wallet: Wallet, services: Services) -> None:
    def no_sender() -> None:
        raise BadChannel

    mute = replace(services, reminding=replace(services.reminding, delivery=no_sender))
    with pytest.raises(BadChannel):
        tasks.run_worker(wallet.settings, lambda settings: mute)
