"""The long run of made-up requests: ten times as many, of another seed each time. The seed is printed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.openapi import peopled
from tests.openapi.fuzzing import Run
from tests.openapi.served import served
from tests.openapi.test_schemathesis import IDENTITIES, PARTS, told
from tests.world import START, World

pytestmark = pytest.mark.soak
EXAMPLES = {"citizen": 40, "provider": 120, "ops": 80, "public": 60}
SEED = random.SystemRandom().randrange(2**32)


@contextmanager
def time_standing_still(world: World) -> Iterator[None]:
    """Access tokens live five minutes: for this run the wallet's clock never gets that far."""
    done = threading.Event()

    def hold() -> None:
        while not done.wait(20):
            world.clock.set_to(START)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        done.set()
        holding.join()


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_found_by_many_more(
    part: str, embedded_uri: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    print(f"\nseed {SEED}")
    folder = tmp_path / "wallet"
    folder.mkdir()
    with served(embedded_uri, folder) as (world, url), time_standing_still(world):
        identities = IDENTITIES[part](world)
        throwaways = peopled.throwaways(world, 600) if part == "citizen" else ()
        run = Run(url, tmp_path / part, identities, PARTS[part], examples=EXAMPLES[part], seed=SEED)
        found = run.start(throwaways)
    told(part, found, record_property)
    assert found.code == 0, f"seed {SEED}\n{found.said}"
