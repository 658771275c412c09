"""F2, F13, graceful ends: API workers are killed, told to stop, or asked for the same thing at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from tests.faults import killing
from tests.faults.figures import note
from tests.faults.load import Ledger, Writer, inspect
from tests.faults.plant import Answer, Plant, eventually, pair, planted
from tests.halting import halt


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("plant")
    (folder / "numbers").mkdir()
    with planted(folder, PROMETHEUS_MULTIPROC_DIR=str(folder / "numbers")) as made:
        yield made


def numbers(plant: Plant) -> Path:
    """Where the workers add up what they count; gone with the server."""
    return plant.folder / "numbers"


def four_in_hand(plant: Plant, pool: ThreadPoolExecutor) -> list[Future[Answer]]:
    """Four requests that the API has begun and cannot answer: its database stands still from here on."""
    who = pair(plant.world)
    for _ in range(10):
        before = in_flight(plant)
        halt(plant.database.pid)
        asked = [pool.submit(plant.call, "GET", "/citizens/me/grants", who.citizen_token) for _ in range(4)]
        if eventually(lambda before=before: in_flight(plant) >= before + 4, 2.0):
            return asked
        os.kill(plant.database.pid, signal.SIGCONT)
        wait(asked)
        plant.await_ready()
    pytest.skip("this machine is too busy to have four requests in hand within two seconds")


def in_flight(plant: Plant) -> float:
    """Requests being answered now, by the workers' own count."""
    collector = MultiProcessCollector(CollectorRegistry(), path=str(numbers(plant)))
    found = (each for family in collector.collect() for each in family.samples)
    return sum(each.value for each in found if each.name == "wallet_requests_in_flight")


def test_what_is_sent_again_after_a_workers_death_happens_once(plant: Plant) -> None:
    killing.kill_an_api_worker(plant, 3)


def test_of_eight_who_approve_the_same_one_wins(plant: Plant) -> None:
    who, rounds, winners = pair(plant.world), 3, list[int]()
    version = plant.world.services.consent.notice("TREAT", "vi").version
    said = {"notice": {"version": version, "locale": "vi"}}
    for _ in range(rounds):
        plant.world.ask(who.doctor, who.person)
        path = f"/citizens/me/consent-requests/{plant.world.newest_request(who.person)['id']}/approval"
        with ThreadPoolExecutor(8) as pool:
            answers = [
                each.result()
                for each in [pool.submit(plant.call, "POST", path, who.citizen_token, said) for _ in range(8)]
            ]
        assert {each.status_code for each in answers} == {201, 409}
        winners.append(sum(each.status_code == 201 for each in answers))
    damage = inspect(plant.world.db, Ledger())
    note("F13 one consent, 8 at once", rounds, half=len(damage.half), more=f"winners {winners}")
    assert winners == [1] * rounds and damage.half == []


def test_a_worker_told_to_stop_answers_what_it_has_begun(plant: Plant) -> None:
    ledger = Ledger()
    writers = [Writer(plant, pair(plant.world), ledger, 100 + number) for number in range(3)]
    for each in writers:
        each.start()
    assert eventually(lambda: len(ledger.promised) > 10)
    before = plant.workers()
    for pid in before:
        os.kill(pid, signal.SIGTERM)
        # The other one serves until this one has a successor.
        assert eventually(lambda pid=pid: pid not in (now := plant.workers()) and len(now) == 2)
    assert not set(before) & set(plant.workers())
    killing.stop(writers)
    damage = inspect(plant.world.db, ledger)
    killing.check(damage, ledger)
    cut = ledger.refused["cut"]
    assert cut <= 2 * len(writers), "of each worker's callers at most who was just connecting is cut off"


def test_the_server_told_to_stop_drains_and_ends(plant: Plant) -> None:
    """The database stands still for a moment, so that requests are in hand when SIGTERM comes."""
    assert plant.api is not None
    with ThreadPoolExecutor(4) as pool:
        try:
            asked = four_in_hand(plant, pool)
            plant.api.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        finally:
            os.kill(plant.database.pid, signal.SIGCONT)
        statuses = [each.result().status_code for each in asked]
    begun = time.monotonic()
    assert plant.api.wait(60) == 0
    note("graceful stop", 4, lost=0, more=f"answers {statuses}, ended in {time.monotonic() - begun:.1f} s")
    # 503 where the machine was so busy that a second of silence became the three that a request waits.
    assert set(statuses) <= {200, 503}, "what was begun was not answered"
    numbers(plant).mkdir()
    plant.start_api()
    plant.await_ready()


def test_a_worker_that_starts_while_the_database_is_away_waits_for_it(plant: Plant) -> None:
    """gunicorn would end the whole server when a worker cannot load its application."""
    assert plant.api is not None
    pid = plant.database.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(4, os.kill, (pid, signal.SIGCONT)).start()
    for worker in plant.workers():
        os.kill(worker, signal.SIGKILL)
    plant.await_ready()
    assert plant.api.poll() is None
    note("workers start before the database", 1, more="they wait; the server lives")
