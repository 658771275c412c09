"""Every fault at full measure: the bodies are those of `tests/faults`, which tries each a few times."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults import disk, killing, silence
from tests.faults.figures import note
from tests.faults.leaking import read_while_the_log_fails
from tests.faults.load import Ledger, Writer, inspect
from tests.faults.plant import Plant, eventually, pair, planted
from tests.faults.pushing import Sending, send_through_failures, worker_harm
from tests.faults.test_network import cut_and_delay, led_through_a_proxy
from tests.notifications.storm import weather
from tests.world import World

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    # A database that stands still for ten seconds is otherwise restarted just then.
    with planted(tmp_path_factory.mktemp("plant"), patience=30.0) as made:
        yield made


def test_f1_twenty_kills_of_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killing, "BETWEEN", 40)
    with planted(tmp_path) as plant:
        killing.kill_the_database(plant, 20)


def test_f2_fifty_kills_of_api_workers(tmp_path: Path) -> None:
    with planted(tmp_path) as plant:
        killing.kill_an_api_worker(plant, 50)


def test_f3_a_database_that_stands_still_for_ten_seconds(plant: Plant) -> None:
    silence.stop_the_database(plant, seconds=10.0, alive=0.1)


def test_f4_a_disk_that_fills_up_three_times(tmp_path: Path) -> None:
    disk.fill_the_disk(tmp_path, times=3)


def test_f5_forty_cuts_and_delays(tmp_path: Path) -> None:
    with led_through_a_proxy(tmp_path) as (plant, proxy):
        cut_and_delay(plant, proxy, 40)


def test_f2_f9_push_workers_and_fcm_with_twice_the_families(tmp_path: Path) -> None:
    with planted(tmp_path, api=False) as plant:
        sending = Sending(plant)
        harm = worker_harm(sending)
        send_through_failures(sending, "F2/F9 push worker, files, FCM", families=14, harm=harm, times=2)


def test_f1_the_database_is_killed_while_pushes_go_out(tmp_path: Path) -> None:
    with planted(tmp_path, api=False) as plant:

        def harm(_: int) -> None:
            pid = plant.database.pid
            os.kill(pid, signal.SIGKILL)
            assert eventually(lambda: plant.database.pid not in (0, pid), 60)

        send_through_failures(Sending(plant), "F1 database, pushes", families=14, harm=harm, times=2)


def test_f9_storms_over_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hanging, cut, throttled, 30 % gone, GOAWAY, dying workers, jumping clocks: 4,000 people each."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "receiver.crt"))
    for seed in range(10, 15):
        found = weather(tmp_path, people=4000, batch=500, seed=seed, rough=0.01)
        repeats = f"{found.repeats} repeated under their id, {found.goaways} GOAWAY, answers {found.answers}"
        note(f"F9 storm {seed}", found.deaths, lost=found.lost, half=found.wrong, more=repeats)
        assert (found.lost, found.wrong, found.gone_left) == (0, 0, 0)


def test_f11_ten_thousand_reads_while_the_log_fails(world: World) -> None:
    disclosed, unlogged = read_while_the_log_fails(world, 10_000, share=0.01)
    assert disclosed > 9_000 and unlogged == 0


def test_f14_syncs_that_fail(plant: Plant) -> None:
    disk.refuse_to_sync(plant, seconds=3.0)


def test_f14_no_file_descriptors_left(tmp_path: Path) -> None:
    """Each worker may open 64; two hundred idle clients take them all, and then go."""
    with planted(tmp_path) as plant:
        ledger, limits = Ledger(), (64, 64)
        writer = Writer(plant, pair(plant.world), ledger, 0)
        for pid in plant.workers():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        workers = set(plant.workers())
        writer.start()
        assert eventually(lambda: len(ledger.promised) > 10, 60)
        with ExitStack() as idle:
            for _ in range(200):
                idle.enter_context(socket.create_connection(("127.0.0.1", plant.port), timeout=5))
            time.sleep(3)
        begun = time.monotonic()
        plant.await_ready(15)
        back = time.monotonic() - begun
        done = len(ledger.promised)
        assert eventually(lambda: len(ledger.promised) > done + 10, 60), ledger.refused
        writer.over.set()
        writer.join(60)
        damage = inspect(plant.world.db, ledger)
        same = set(plant.workers()) == workers
        note(
            "F14 64 file descriptors",
            200,
            lost=len(damage.lost),
            half=len(damage.half),
            unlogged=len(damage.unlogged),
            more=f"ready {back:.1f} s after, workers {'lived' if same else 'were replaced'}",
        )
        killing.check(damage, ledger)
