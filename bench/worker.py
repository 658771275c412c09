"""worker: how soon one API worker answers after it is started, and what memory it takes after 2,000 requests.

The floor is a bare Flask application with the driver, under the same server, started in turn with it. The
database runs already and has its indexes: what is measured is the worker.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import PIPELINE, Options
from bench.figure import Figure, at_most
from bench.ground import environment
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import free_port
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

ROUNDS = 3
REQUESTS = 2000
PATIENCE = 60.0  # seconds


def figures(_: Options) -> Iterator[Figure]:
    """Seconds to the first answer and megabytes held, of the wallet and of the bare application."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        server = server_at(Path(folder) / "db")
        try:
            env = environment(Path(folder), free_port())
            services = build_services(Settings.from_env(env))
            services.keys.kek_for(services.now())
            services.log.close()
            yield from _measured(env)
        finally:
            server.stop(grace=0)


def _measured(env: dict[str, str]) -> Iterator[Figure]:
    mine, floor = [], []
    for _ in range(ROUNDS):
        mine.append(_started("wsgi:app", env))
        floor.append(_started("bench.bare:app", env | {PIPELINE: "[]"}))
    yield at_most("worker_start", statistics.median(start for start, _ in mine), "seconds", 2)
    yield Figure("worker_start_floor", statistics.median(start for start, _ in floor), "seconds")
    yield at_most("worker_memory", statistics.median(held for _, held in mine), "megabytes", 150)
    yield Figure("worker_memory_floor", statistics.median(held for _, held in floor), "megabytes")


def _started(app: str, env: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start to the first 200, and megabytes resident after the requests."""
    port = free_port()
    shape = ["--workers", "1", "--worker-class", "gthread", "--threads", "8", "--log-level", "error"]
    command = [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", *shape]
    began = time.perf_counter()
    running = subprocess.Popen(command, env=env | {"PORT": str(port)})  # noqa: S603 - our own server
    try:
        while not _answers(port):
            if time.perf_counter() - began > PATIENCE:
                raise TimeoutError(app)
            time.sleep(0.01)
        took = time.perf_counter() - began
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for _ in range(REQUESTS):
            link.request("GET", "/healthz")
            link.getresponse().read()
        link.close()
        return took, _resident(running.pid)
    finally:
        running.terminate()
        running.wait(15)


def _answers(port: int) -> bool:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        link.request("GET", "/healthz")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def _resident(server: int) -> float:
    """Megabytes of the largest child of the server: its one worker."""
    held = []
    for child in Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii").split():
        for line in Path(f"/proc/{child}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                held.append(int(line.split()[1]) / 1024)
    return max(held)
