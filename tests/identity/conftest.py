"""The upstream provider, the clock and the world of the identity tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.identity.upstream import Upstream
from tests.identity.world import AN, Clock, World, make_world


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def upstream(clock: Clock) -> Iterator[Upstream]:
    found = Upstream(clock)
    found.person = dict(AN)
    yield found
    found.stop()


@pytest.fixture
def world(upstream: Upstream, clock: Clock) -> World:
    return make_world(upstream, clock)
