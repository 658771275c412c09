"""One wallet for all tests of this folder; each test brings its own people and organisations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.listening import Operations
from tests.world import START, World
from wallet_api.infra.ids import new_id


@pytest.fixture(scope="session")
def operations() -> Operations:
    """Listens to the database of the shared wallet."""
    return Operations()


@pytest.fixture(scope="session")
def shared_world(
    embedded_uri: str, operations: Operations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The wallet, on a database of its own."""
    db = operations.open_database(embedded_uri, f"api_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    yield made
    made.services.log.close()
    db.client.close()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The wallet at its usual hour."""
    shared_world.clock.set_to(START)
    yield shared_world
