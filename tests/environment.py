"""A wallet that commands run in this process find, because the environment names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.world import World
from wallet_api.infra.clock import VIETNAM, FileClock
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database

MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=VIETNAM)
"""A working day: what is due on a public holiday waits, so that today would be right on most days only."""


def told_of(folder: Path, uri: str, database: str) -> dict[str, str]:
    """What the environment says of a wallet, whose clock stands at `MORNING` and goes on from there."""
    clock = folder / "clock"
    if not clock.exists():
        FileClock(clock).set_to(MORNING)
    return {
        "WALLET_CLOCK_FILE": str(clock),
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_MONGO_URI": uri,
        "WALLET_DATABASE": database,
    }


@contextmanager
def lone_world(uri: str, folder: Path) -> Iterator[World]:
    """A wallet on a new database of that server, which is nobody else's."""
    db = open_database(uri, f"lone_{new_id()}")
    world = World(db, folder)
    yield world
    world.services.log.close()
    db.client.close()


def world_here(uri: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new wallet on that database server, named by the environment for as long as it lives."""
    with lone_world(uri, folder) as world:
        for name, value in told_of(folder, uri, world.db.name).items():
            patch.setenv(name, value)
        yield world
