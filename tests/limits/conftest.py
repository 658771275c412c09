"""Counters to test with: in memory, in the database, and in a Redis of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import redis
from pymongo.database import Database

from tests.world import START, World
from wallet_api.app import create_app
from wallet_api.infra.counters import Counters, MemoryCounters, SharedCounters, redis_counters
from wallet_api.infra.ids import new_id
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import ensure_indexes, open_database
from wallet_api.settings import Settings
from wallet_api.stores.limits import INDEXES, DatabaseStorage
from wallet_api.wiring.limits import build_limits


@dataclass
class OwnRedis:
    """A Redis on a port of its own that can be killed and started again."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        quiet = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", *quiet]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client, until = redis.Redis(port=self.port), time.monotonic() + 30
        while time.monotonic() < until:
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError("redis-server")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not on PATH")
    server = OwnRedis(free_port(), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["memory", "database", "redis"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters()
    elif request.param == "redis":
        yield redis_counters(request.getfixturevalue("own_redis").url)
    else:
        db: Database[dict[str, Any]] = request.getfixturevalue("embedded_db")
        ensure_indexes(db, INDEXES)
        yield SharedCounters(DatabaseStorage(db))


@pytest.fixture(scope="session")
def base(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The wallet all others of this folder are made of: one database, one set of keys, no limits."""
    db = open_database(embedded_uri, f"limits_{new_id()}")
    world = World(db, tmp_path_factory.mktemp("wallet"))
    yield world
    world.services.log.close()
    db.client.close()


@pytest.fixture
def new_world(base: World) -> Callable[..., World]:
    """Makes wallets with limits as told, else the defaults. Nothing is counted yet."""
    base.clock.set_to(START)
    base.db["limits"].delete_many({})

    def make(**over: str) -> World:
        data = base.settings.data_dir
        told = {
            "WALLET_ENV": "dev",
            "WALLET_DATA_DIR": str(data),
            "WALLET_CLOCK_FILE": str(data / "clock"),
            "WALLET_DATABASE": base.db.name,
            "WALLET_CONCURRENT": "100",
        }
        settings, world = Settings.from_env(told | over), copy(base)
        limits = build_limits(settings, base.db, base.services.blind)
        world.services = replace(base.services, settings=settings, limits=limits)
        world.settings, world.app = settings, create_app(settings, world.services)
        return world

    return make
