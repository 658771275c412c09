"""One wallet for all tests of a filled database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.environment import lone_world
from tests.world import World


@pytest.fixture(scope="module")
def world(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A wallet of its own: its access log is counted and verified."""
    with lone_world(embedded_uri, tmp_path_factory.mktemp("population")) as made:
        yield made
