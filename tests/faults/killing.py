"""Kill, again and again, under load, and see what holds: few rounds in a test run, many in a soak."""

from __future__ import annotations

import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.faults.figures import note
from tests.faults.load import Damage, Ledger, Writer, inspect
from tests.faults.plant import Answer, Pair, Plant, eventually, pair, patiently
from tests.world import bundle, condition
from wallet_api.infra.ids import new_id

WRITERS = 4
BETWEEN = 20
"""Writes that are acknowledged from one kill to the next, at least."""
READY = 5.0
"""Seconds from a kill until the API serves again, on a machine that does nothing else."""
SURELY = 60.0
PATIENCE = 300
TOLD = {"cut", "409 request_closed"}
"""What else an outage may look like. A killed embedded database no longer knows which writes it took: the
driver's second try at an approval then meets the first, and the citizen is told that it is answered."""


def kill_the_database(plant: Plant, times: int) -> None:
    """F1: SIGKILL to the database under four writers. Nothing promised is lost, nothing stands by half."""
    ledger, ready = Ledger(), list[float]()
    writers = [Writer(plant, pair(plant.world), ledger, number) for number in range(WRITERS)]
    for each in writers:
        each.start()
    try:
        for _ in range(times):
            done = len(ledger.promised)
            assert eventually(lambda done=done: len(ledger.promised) >= done + BETWEEN, 120), ledger.refused
            pid = plant.database.pid
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            assert eventually(lambda pid=pid: plant.database.pid not in (0, pid), SURELY)
            plant.await_ready(SURELY)
            ready.append(time.monotonic() - killed)
            if times > 5:  # what dies again within five seconds is restarted ever more slowly, by design
                time.sleep(5.5)
        done = len(ledger.promised)
        assert eventually(lambda: len(ledger.promised) >= done + 20, 90), ledger.refused
    finally:
        stop(writers)  # or they would go on for as long as the process that tests
    damage = inspect(plant.world.db, ledger)
    took = f"ready after {statistics.median(ready):.2f} s, at most {max(ready):.2f} s"
    _tell("F1 kill -9 database", times, ledger, damage, took)
    if times > 5:  # a soak has the machine to itself, a test run has not
        assert statistics.median(ready) <= READY
    strange = [said for said in ledger.refused if said not in TOLD and not said.startswith("503 ")]
    assert strange == [], "an outage must look like one"
    assert ledger.refused["409 request_closed"] <= times
    check(damage, ledger)


def kill_an_api_worker(plant: Plant, times: int) -> None:
    """F2: SIGKILL to an API worker while it writes; the client sends the same again until it is answered."""
    chance = random.Random(2026)

    def shoot() -> None:
        time.sleep(chance.uniform(0.0, 0.2))
        workers = plant.workers()
        if workers:
            os.kill(chance.choice(workers), signal.SIGKILL)

    again = disturb(plant, "F2 kill -9 API worker", times, shoot)
    assert eventually(lambda: len(plant.workers()) == 2, 60), "gunicorn did not replace its workers"
    assert again or times < 20, "nobody had to ask twice: the kills hit nothing"


def disturb(plant: Plant, fault: str, times: int, harm: Callable[[], object]) -> int:
    """Two people write without pause while `harm` is done again and again; each write must happen once.

    What was not answered is sent again, the same. Gives back how often that was needed.
    """
    people = [pair(plant.world) for _ in range(2)]
    rounds, again, over = [0, 0], [0], threading.Event()
    threads = [
        threading.Thread(target=_work, args=(plant, people[n], n, rounds, again, over), daemon=True)
        for n in range(2)
    ]
    for each in threads:
        each.start()
    for _ in range(times):
        done = sum(rounds)
        # Who is killed within a transaction holds what it touched until the database gives up on it: 60 s.
        assert eventually(lambda done=done: sum(rounds) > done, 150), "nobody gets anything done"
        harm()
    over.set()
    for each in threads:
        each.join(150)
        assert not each.is_alive()
    wrong = [each for n in range(2) for each in _not_once(plant, people[n], rounds[n])]
    damage = inspect(plant.world.db, Ledger())
    more = f"{sum(rounds)} rounds of record, request, grant, withdrawal; {again[0]} sent again"
    note(fault, times, lost=len(wrong), half=len(damage.half), more=more)
    assert wrong == [] and damage == Damage()
    return again[0]


def _work(
    plant: Plant, who: Pair, number: int, rounds: list[int], again: list[int], over: threading.Event
) -> None:
    while not over.is_set():
        again[0] += _insist(plant, who, f"s{number}-{rounds[number]}")
        rounds[number] += 1


def _insist(plant: Plant, who: Pair, name: str) -> int:
    """One round of four writes, each sent with one key until it is answered; how often it was sent again."""
    world, again = plant.world, 0
    version = world.services.consent.notice("TREAT", "vi").version

    def post(path: str, token: str, body: object, **more: Any) -> Answer:
        nonlocal again
        headers, waited = {"Idempotency-Key": new_id()}, 0
        while waited < PATIENCE:
            answer = plant.try_call("POST", path, token, body, headers=headers, **more)
            # 409 here: who was killed in the middle of it holds the key for ten seconds more.
            if answer is not None and answer.status_code not in (409, 503):
                again += waited > 0
                return answer
            waited += 1
            time.sleep(0.3)
        raise AssertionError(f"{path} was never answered")

    sent = bundle(who.person, condition(name))
    taken = post("/provider/intake/fhir-bundles", who.doctor_token, sent, kind="application/fhir+json")
    assert taken.status_code == 202, taken.text
    assert post("/provider/consent-requests", who.doctor_token, world.proposal(who.person)).status_code == 202
    newest = _listed(plant, who, "consent-requests")[0]["id"]
    said = {"notice": {"version": version, "locale": "vi"}}
    answer = post(f"/citizens/me/consent-requests/{newest}/approval", who.citizen_token, said)
    assert answer.status_code == 201, answer.text
    grant = _listed(plant, who, "grants")[0]["id"]
    assert post(f"/citizens/me/grants/{grant}/withdrawal", who.citizen_token, {}).status_code == 200
    return again


def _listed(plant: Plant, who: Pair, what: str) -> list[dict[str, Any]]:
    for _ in range(100):
        answer = plant.try_call("GET", f"/citizens/me/{what}", who.citizen_token)
        if answer is not None and answer.status_code == 200:
            return list(answer.json()["items"])
        time.sleep(0.05)
    raise AssertionError(f"{what} cannot be listed")


def _not_once(plant: Plant, who: Pair, rounds: int) -> list[str]:
    """Whatever of one person's rounds did not happen exactly once."""
    with patiently(plant.world.db):
        mine = {"citizen_id": who.person.id}
        counts = {
            name: len(list(plant.world.db[name].find(mine)))
            for name in ("records", "grants", "consent_requests")
        }
        versions = [each["version"] for each in plant.world.db["records"].find(mine)]
        states = Counter(each["state"] for each in plant.world.db["grants"].find(mine))
        standing = [len(each["live"]) for each in plant.world.db["standings"].find(mine)]
    wanted = rounds
    wrong = [f"{name}: {count} of {wanted}" for name, count in counts.items() if count != wanted]
    wrong += [f"{len(versions)} records, versions {set(versions)}"] if set(versions) - {1} else []
    wrong += [f"grants {states}"] if set(states) != {"withdrawn"} else []
    return wrong + ([f"live {standing}"] if sum(standing) else [])


def stop(writers: list[Writer]) -> None:
    for each in writers:
        each.over.set()
    for each in writers:
        each.join(90)
        assert not each.is_alive()


def check(damage: Damage, ledger: Ledger) -> None:
    assert ledger.promised, "nobody was promised anything: the test saw nothing"
    assert damage == Damage()


def _tell(fault: str, tries: int, ledger: Ledger, damage: Damage, more: str) -> None:
    seen = f"{len(ledger.promised)} writes acknowledged, refused {dict(ledger.refused)}, {more}"
    note(fault, tries, lost=len(damage.lost), half=len(damage.half), unlogged=len(damage.unlogged), more=seen)
