"""One wallet for all tests of this folder; each test brings its own people and organisations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from pymongo import MongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from tests.world import START, World
from wallet_api.infra import mongo
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database


class Operations(CommandListener):
    """Which commands went to the database, by name and collection."""

    def __init__(self) -> None:
        self._counting: list[str] | None = None

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The commands of a block, sessions' own ones left out."""
        self._counting = []
        try:
            yield self._counting
        finally:
            self._counting = None

    def started(self, event: CommandStartedEvent) -> None:
        if self._counting is not None:
            self._counting.append(f"{event.command_name} {event.command.get(event.command_name)}")

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


@pytest.fixture(scope="session")
def operations() -> Operations:
    """Listens to the database of the shared wallet."""
    return Operations()


@pytest.fixture(scope="session")
def shared_world(
    embedded_uri: str, operations: Operations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The wallet, on a database of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mongo, "MongoClient", partial(MongoClient, event_listeners=[operations]))
        db = open_database(embedded_uri, f"api_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    yield made
    made.services.log.close()
    db.client.close()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The wallet at its usual hour."""
    shared_world.clock.set_to(START)
    yield shared_world
