"""F3: the database stands still. Nobody waits long, nobody is told what is not so, and then all is well."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass

from tests.faults.figures import note
from tests.faults.plant import Pair, Plant, pair
from tests.halting import halt
from tests.world import bundle, condition

READERS = 6
ANSWERED = 3.5


@dataclass(frozen=True)
class Told:
    """One answer that was asked for while the database stood still."""

    status: int
    took: float
    kind: str
    code: str


def stop_the_database(plant: Plant, seconds: float, alive: float, slack: float = 0.0) -> None:
    """SIGSTOP for that long: 503 problems within 3.5 s, liveness within `alive`, normal 1 s after SIGCONT.

    `slack`: seconds more where the machine has other things to do.
    """
    who = pair(plant.world)
    plant.world.send(who.doctor, bundle(who.person, condition()))
    assert _read(plant, who).status == 200
    over, told, lived = threading.Event(), list[Told](), list[float]()
    pid = plant.database.pid
    halt(pid)
    try:
        readers = [threading.Thread(target=_ask, args=(plant, who, over, told)) for _ in range(READERS)]
        for each in readers:
            each.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            begun = time.monotonic()
            assert plant.call("GET", "/healthz").status_code == 200
            lived.append(time.monotonic() - begun)
            time.sleep(0.2)
        over.set()
        for each in readers:
            each.join(30)
        unready = plant.call("GET", "/readyz").status_code
    finally:
        os.kill(pid, signal.SIGCONT)
    begun = time.monotonic()
    back = _read(plant, who).status
    took = time.monotonic() - begun
    slowest = max(each.took for each in told)
    more = f"503 within {slowest:.2f} s, alive within {max(lived) * 1000:.0f} ms, back in {took:.2f} s"
    note("F3 database silent", len(told), lost=0, unlogged=0, more=more)
    answers = {(each.status, each.kind, each.code) for each in told}
    assert answers == {(503, "application/problem+json", "unavailable")}, answers
    assert slowest <= ANSWERED + slack and max(lived) <= alive
    assert unready == 503
    assert back == 200 and took <= 1.0 + slack
    assert plant.database.pid == pid, "a database that came back by itself was restarted"


def _ask(plant: Plant, who: Pair, over: threading.Event, told: list[Told]) -> None:
    while not over.is_set():
        told.append(_read(plant, who))


def _read(plant: Plant, who: Pair) -> Told:
    begun = time.monotonic()
    answer = plant.call("GET", "/citizens/me/records", who.citizen_token)
    kind = answer.headers["Content-Type"].partition(";")[0]
    return Told(answer.status_code, time.monotonic() - begun, kind, str(answer.json().get("code")))
