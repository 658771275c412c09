"""A wallet that nobody else uses, for rules about the whole product."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.listening import Operations
from tests.world import World
from wallet_api.infra.ids import new_id


@pytest.fixture(scope="package")
def operations() -> Operations:
    """Listens to the database of the wallet of this folder."""
    return Operations()


@pytest.fixture(scope="package")
def world(
    embedded_uri: str, operations: Operations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The wallet of this folder."""
    db = operations.open_database(embedded_uri, f"rules_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    yield made
    made.services.log.close()
    db.client.close()
