"""F2, F13, graceful ends: API workers are killed, told to stop, or asked for the same thing at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults import killing
from tests.faults.figures import note
from tests.faults.load import Ledger, Writer, inspect
from tests.faults.plant import Plant, eventually, pair, planted


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with planted(tmp_path_factory.mktemp("plant")) as made:
        yield made


def test_what_is_sent_again_after_a_workers_death_happens_once(plant: Plant) -> None:
    killing.kill_an_api_worker(plant, 5)


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
    for pid in plant.workers():
        os.kill(pid, signal.SIGTERM)
        time.sleep(1)
    assert eventually(lambda: len(plant.workers()) == 2)
    killing.stop(writers)
    damage = inspect(plant.world.db, ledger)
    killing.check(damage, ledger)
    assert ledger.refused["cut"] <= len(writers), "at most who was just connecting is cut off"


def test_the_server_told_to_stop_drains_and_ends(plant: Plant) -> None:
    """The database stands still for a second, so that requests are in hand when SIGTERM comes."""
    who = pair(plant.world)
    assert plant.call("GET", "/citizens/me/grants", who.citizen_token).status_code == 200
    assert plant.api is not None
    os.kill(plant.database.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(4) as pool:
            asked = [
                pool.submit(plant.call, "GET", "/citizens/me/grants", who.citizen_token) for _ in range(4)
            ]
            time.sleep(0.7)
            plant.api.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            os.kill(plant.database.pid, signal.SIGCONT)
            statuses = [each.result().status_code for each in asked]
    finally:
        os.kill(plant.database.pid, signal.SIGCONT)
    begun = time.monotonic()
    assert plant.api.wait(12) == 0
    note("graceful stop", 4, lost=0, more=f"answers {statuses}, ended in {time.monotonic() - begun:.1f} s")
    assert statuses == [200] * 4
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
    plant.await_ready(20)
    assert plant.api.poll() is None
    note("workers start before the database", 1, more="they wait; the server lives")
