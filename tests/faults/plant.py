"""A whole wallet of real processes that a test may kill: database, API workers, and what else it asks for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymongo
import requests

from tests.world import Doctor, Person, World
from wallet_api.infra.embedded import EmbeddedServer
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import open_database

ROOT = Path(__file__).parents[2]
Answer = requests.Response


@dataclass
class Plant:
    """The processes of one wallet. `world` is a second way in, in this process, to prepare and to look."""

    folder: Path
    database: EmbeddedServer
    world: World
    port: int
    env: dict[str, str]
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    api: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_api(self, entry: str = "wsgi:app", **env: str) -> subprocess.Popen[bytes]:
        """gunicorn with the very configuration of production."""
        config = str(ROOT / "deploy" / "gunicorn.conf.py")
        command = [sys.executable, "-m", "gunicorn", "-c", config, entry]
        self.api = self.start("api", command, **env)
        return self.api

    def start(self, name: str, command: list[str], **env: str) -> subprocess.Popen[bytes]:
        """Any other process of this wallet; ended with it."""
        with self.log(name).open("ab") as log:
            made = subprocess.Popen(
                command, cwd=ROOT, env=self.env | env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.children.append(made)
        return made

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def workers(self) -> list[int]:
        """The API's worker processes."""
        assert self.api is not None
        return children_of(self.api.pid)

    def await_ready(self, seconds: float = 120.0, path: str = "/readyz") -> float:
        """Seconds until the API says it can serve."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            answer = self.try_call("GET", path, timeout=5)
            if answer is not None and answer.status_code == 200:
                return time.monotonic() - begun
            time.sleep(0.1)
        raise AssertionError(f"not ready in {seconds:g} s: {self.log('api').read_text()[-2000:]}")

    def call(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        kind: str = "application/json",
        timeout: float = 30.0,
        follow: bool = True,
    ) -> Answer:
        """One request over a connection of its own. Raises requests.RequestException."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent["Content-Type"] = kind
        url = self.url + (path if path.startswith(("/healthz", "/readyz", "/oauth")) else f"/api/v1{path}")
        return requests.request(method, url, headers=sent, json=body, timeout=timeout, allow_redirects=follow)

    def try_call(self, *args: Any, **more: Any) -> Answer | None:
        """The same; None when the connection failed."""
        try:
            return self.call(*args, **more)
        except requests.RequestException:
            return None

    def end(self) -> None:
        for each in reversed(self.children):
            if each.poll() is None:
                each.send_signal(signal.SIGCONT)
                each.terminate()
        for each in self.children:
            try:
                each.wait(30)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
        self.world.services.log.close()
        self.world.db.client.close()
        self.database.stop(grace=0)


@contextmanager
def planted(
    folder: Path,
    *,
    api: bool = True,
    workers: int = 2,
    mongo: Callable[[str], str] | None = None,
    start_database: Callable[[EmbeddedServer], None] = lambda server: server.start(),
    database_at: Path | None = None,
    patience: float = 10.0,
    **env: str,
) -> Iterator[Plant]:
    """A wallet whose database is watched by its supervisor; `mongo` may lead the API there another way."""
    server = EmbeddedServer(database_at or folder / "db")
    start_database(server)
    server.supervise(patience, every=0.1)
    port = free_port()
    told = {
        "WALLET_ENV": "dev",
        "WALLET_LIMITS": "off",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_CLOCK_FILE": str(folder / "clock"),
        "WALLET_DATABASE": "wallet",
        "WALLET_MONGO_URI": mongo(server.uri) if mongo else f"embedded:{database_at or folder / 'db'}",
        "WALLET_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "WALLET_LOG_LEVEL": "WARNING",
        "WALLET_VNEID_ISSUER": "http://127.0.0.1:9",
        "WALLET_OPS_ISSUER": "http://127.0.0.1:9",
        "WEB_CONCURRENCY": str(workers),
        "PORT": str(port),
    } | env
    here = {name: value for name, value in told.items() if name.startswith("WALLET_")}
    try:
        world = World(open_database(server.uri, "wallet"), folder, **(here | {"PORT": str(port)}))
    except BaseException:
        server.stop(grace=0)
        raise
    bare = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
    plant = Plant(folder, server, world, port, bare | told)
    try:
        if api:
            plant.start_api()
            plant.await_ready()
        yield plant
    finally:
        plant.end()


def children_of(pid: int) -> list[int]:
    """The living children of a process, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def eventually(question: Callable[[], object], seconds: float = 60.0) -> bool:
    limit = time.monotonic() + seconds
    while not question():
        if time.monotonic() > limit:
            return False
        time.sleep(0.1)
    return True


@dataclass(frozen=True)
class Pair:
    """A citizen and a doctor with tokens made beforehand: they are good while the database is away."""

    person: Person
    doctor: Doctor
    citizen_token: str
    doctor_token: str


def pair(world: World, doctor: Doctor | None = None) -> Pair:
    person, doctor = world.person(), doctor or world.doctor()
    return Pair(person, doctor, person.token, doctor.token)


def patiently(db: Any, seconds: float = 60.0) -> Any:
    """For looking at a whole database: more time than a request has."""
    return pymongo.timeout(seconds)
