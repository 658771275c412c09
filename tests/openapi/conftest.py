"""Real wallets behind HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openapi.served import served
from tests.world import World


@pytest.fixture(scope="module")
def running(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """A wallet, and where it listens."""
    with served(embedded_uri, tmp_path_factory.mktemp("wallet")) as found:
        yield found
