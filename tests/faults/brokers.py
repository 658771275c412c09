"""Real brokers on ports of their own, to be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.plant import eventually
from wallet_api.infra.machine import free_port, port_taken

RABBITMQ = (
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "rabbitmq-server",
    "/usr/sbin/rabbitmq-server",
    "/usr/local/sbin/rabbitmq-server",
)
"""Debian's own first: the one on its path turns root into a user who may not read the folder of a test."""


class Broker:
    """One broker process, and where workers find it."""

    def __init__(
        self, url: str, port: int, command: Sequence[str], log: Path, env: Mapping[str, str]
    ) -> None:
        self.url, self._port, self._command, self._log, self._env = url, port, command, log, env
        self._process = self._start()

    def kill(self, away: float = 1.5) -> None:
        """SIGKILL to it and all it started; back after so many seconds."""
        self.end()
        time.sleep(away)
        self._process = self._start()

    def end(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def up(self, seconds: float = 20.0) -> bool:
        return eventually(lambda: port_taken(self._port), seconds)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env=os.environ | self._env,
                cwd=self._log.parent,
                start_new_session=True,
            )


@contextmanager
def redis(folder: Path) -> Iterator[Broker]:
    """A Redis that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: a broker that is killed is not tried")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    broker = Broker(f"redis://127.0.0.1:{port}/0", port, command, folder / "redis.log", {})
    try:
        assert broker.up(), (folder / "redis.log").read_text()
        yield broker
    finally:
        broker.end()


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Broker]:
    """A RabbitMQ node that listens on this machine only; its durable queues outlive it."""
    program = _first(RABBITMQ)
    if program is None:
        pytest.skip("rabbitmq-server is not installed: that broker is not tried")
    port, distribution = free_port(), free_port()
    env = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"wallet{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "rabbit"),
        "RABBITMQ_LOG_BASE": str(folder / "rabbit-logs"),
        "RABBITMQ_PID_FILE": str(folder / "rabbit.pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "no-plugins"),
    }
    with _epmd() as names:
        url, log = f"amqp://guest:guest@127.0.0.1:{port}//", folder / "rabbit.log"
        broker = Broker(url, port, [program], log, env | names)
        try:
            if not broker.up(60):
                pytest.skip(f"rabbitmq-server does not start here: {log.read_text()[-300:]}")
            yield broker
        finally:
            broker.end()


@contextmanager
def _epmd() -> Iterator[dict[str, str]]:
    """Erlang's register of nodes, on a port of its own: a node would leave one behind that outlives it."""
    program, port = shutil.which("epmd"), free_port()
    where = {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(port)}
    if program is None:
        pytest.skip("epmd of Erlang is not found: that broker is not tried")
    process = subprocess.Popen([program], env=os.environ | where, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: port_taken(port))
        yield where
    finally:
        process.kill()
        process.wait()


def _first(places: Sequence[str]) -> str | None:
    return next((found for place in places if (found := shutil.which(place)) is not None), None)
