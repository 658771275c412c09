"""One wallet for all tests of a filled database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import World
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database


@pytest.fixture(scope="module")
def world(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A wallet of its own: its access log is counted and verified."""
    db = open_database(embedded_uri, f"population_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("population"))
    yield made
    made.services.log.close()
    db.client.close()
