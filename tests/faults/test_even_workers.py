"""Kept-open connections lie evenly on the API's workers, also after one of them died."""

from __future__ import annotations

import http.client
import os
import runpy
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.figures import note
from tests.faults.plant import ROOT, Plant, eventually, planted
from wallet_api.infra.evenness import Evenness

CALLERS = 9
ESTABLISHED = "01"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with planted(tmp_path_factory.mktemp("plant")) as made:
        yield made


def held_by(pid: int, port: int) -> int:
    """The connections from outside that a process holds, by /proc."""
    sockets = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == ESTABLISHED:
            sockets.add(f"socket:[{fields[9]}]")
    held = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            held += str(each.readlink()) in sockets
    return held


class Caller:
    """A client that keeps its connection for as long as it is let, and comes again when it is not."""

    def __init__(self, port: int) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.lost = 0

    def ask(self) -> None:
        try:
            self._link.request("GET", "/healthz")
            answer = self._link.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):  # its worker was killed
            self._link.close()
            self.lost += 1
        else:
            assert answer.status == 200

    def close(self) -> None:
        self._link.close()


def even(plant: Plant, callers: list[Caller]) -> bool:
    """Whether the workers hold as many as each other, after everyone has asked once more."""
    for each in callers:
        each.ask()
    held = [held_by(pid, plant.port) for pid in plant.workers()]
    return len(held) == 2 and sum(held) == CALLERS and max(held) - min(held) <= 1


def test_who_keeps_asking_is_spread_evenly_and_so_again_after_a_workers_death(plant: Plant) -> None:
    callers = [Caller(plant.port) for _ in range(CALLERS)]
    try:
        assert eventually(lambda: even(plant, callers), 20)
        killed = plant.workers()[0]
        os.kill(killed, signal.SIGKILL)
        # They keep asking: a caller that is silent for five seconds is let go by any worker.
        assert eventually(lambda: even(plant, callers) and killed not in plant.workers(), 60), (
            "its successor has none, the survivor all"
        )
        lost = sum(each.lost for each in callers)
        assert lost <= CALLERS // 2 + 1, "only who was with the dead worker is cut off"
        note("a worker killed, callers that stay", CALLERS, more=f"{lost} cut off, then even again")
    finally:
        for each in callers:
            each.close()


def test_a_worker_that_holds_more_lets_the_other_take_a_new_one_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    worker_class: Any = runpy.run_path(str(ROOT / "deploy" / "gunicorn.conf.py"))["PatientWorker"]
    evenness = Evenness()
    worker = worker_class.__new__(worker_class)
    worker.place, other = evenness.place(), evenness.place()
    worker.nr_conns, worker.cfg, worker.enqueue_req = 0, SimpleNamespace(), lambda conn: conn.sock.close()
    slept = list[float]()
    monkeypatch.setattr(time, "sleep", slept.append)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        for mine, waits in ((0, 0), (1, 0), (2, 1)):
            worker.place.tell(mine)
            other.tell(1)
            with closing(socket.create_connection(listener.getsockname())):
                worker.accept(listener)
            assert len(slept) == waits
