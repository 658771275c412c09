"""Shared fixtures: one embedded database server for the session, a fresh database for each test."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings
from pymongo.database import Database

import wallet_api.infra.mongo as mongo_settings
import wallet_api.stores.limits as limits_store
from tests.listening import Operations
from tests.read_once import callers_read_once
from tests.world import START, World
from wallet_api.infra import counters
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database

# How long one made-up example takes tells of the machine, not of the property.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")

MEMORY: Final = Path("/dev/shm")
ROOM: Final = 8 * 2**30
PATIENCE: Final = mongo_settings._TIMEOUT_MS
# Tests share a machine with whatever else it does; see `impatient`.
mongo_settings._TIMEOUT_MS = 20_000
limits_store._TIMEOUT = counters._REDIS_TIMEOUT = 20.0


LONGEST: Final = ("tests/story/", "tests/cli/test_run.py", "tests/fence/test_processes.py")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was loaded by now stays: the garbage collector need not look through all of it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first: one of them last would have the other worker wait for it."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="module")
def impatient() -> Iterator[None]:
    """For files that try what becomes of a silent database: it is waited for as long as in production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mongo_settings, "_TIMEOUT_MS", PATIENCE)
        yield


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command run in this process sends logs to an output that ends with its test: from then on every line
    would end in a printed traceback, which takes half the time of a request."""
    root, wallet = logging.getLogger(), logging.getLogger("wallet")
    before, levels = list(root.handlers), (root.level, wallet.level)
    yield
    if len(root.handlers) != len(before) or any(each not in before for each in root.handlers):
        root.handlers = before
    root.setLevel(levels[0])
    wallet.setLevel(levels[1])


@pytest.fixture(scope="session")
def embedded_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded database server that lives as long as the test session.

    It keeps its files in memory where there is room: waiting for a disk proves nothing here. What survives
    `kill -9` and a full disk is tried by servers of their own, in tests/faults.
    """
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(prefix="wallet-test-", dir=MEMORY if roomy else None) as folder:
        with pytest.MonkeyPatch.context() as patch:
            # Each test has collections of its own: thousands, all of which a checkpoint looks at.
            patch.setenv("SECANTUS_CHECKPOINT_SECONDS", "60")
            server = server_at(Path(folder) / "db")
        yield server.uri
        server.stop(grace=0)


@pytest.fixture
def embedded_db(embedded_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """A fresh database on the embedded server."""
    yield from _fresh(embedded_uri)


@pytest.fixture(scope="session")
def operations() -> Operations:
    """Listens to the database of the shared wallet."""
    return Operations()


@pytest.fixture(scope="session")
def one_world(
    embedded_uri: str, operations: Operations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One wallet for all tests that bring their own people and organisations."""
    db = operations.open_database(embedded_uri, f"shared_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    yield made
    made.services.log.close()
    db.client.close()


@pytest.fixture(scope="module")
def sessions_read_once() -> Iterator[None]:
    """For files in which no session ends, no client and no place on a roster changes."""
    with callers_read_once():
        yield


@pytest.fixture(scope="module")
def shared_world(one_world: World) -> World:
    """That wallet, at its usual hour when a file begins: what a file prepares once is prepared then."""
    one_world.clock.set_to(START)
    return one_world


@pytest.fixture
def world(shared_world: World) -> World:
    """That wallet, at its usual hour."""
    shared_world.clock.set_to(START)
    return shared_world


@pytest.fixture(params=["embedded", "mongodb"])
def any_db(request: pytest.FixtureRequest) -> Iterator[Database[dict[str, Any]]]:
    """A fresh database on the embedded server and, when WALLET_TEST_MONGO_URI is set, on that MongoDB."""
    uri = os.environ.get("WALLET_TEST_MONGO_URI")
    if request.param == "mongodb" and not uri:
        pytest.skip("WALLET_TEST_MONGO_URI is not set")
    if request.param == "mongodb" and uri:
        yield from _fresh(uri, keep_clean=True)
    else:
        # The embedded server goes with the session; dropping database by database would only cost time.
        yield request.getfixturevalue("embedded_db")


def _fresh(uri: str, *, keep_clean: bool = False) -> Iterator[Database[dict[str, Any]]]:
    db = open_database(uri, f"test_{new_id()}")
    yield db
    if keep_clean:
        db.client.drop_database(db.name)
    db.client.close()
