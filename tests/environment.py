"""A wallet that commands run in this process find, because the environment names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database


def told_of(folder: Path, uri: str, database: str) -> dict[str, str]:
    """What the environment says of a wallet."""
    return {
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_MONGO_URI": uri,
        "WALLET_DATABASE": database,
    }


def world_here(uri: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new wallet on that database server, named by the environment for as long as it lives."""
    db = open_database(uri, f"here_{new_id()}")
    world = World(db, folder)
    told = told_of(folder, uri, db.name) | {"WALLET_CLOCK_FILE": str(folder / "clock")}
    for name, value in told.items():
        patch.setenv(name, value)
    yield world
    world.services.log.close()
    db.client.close()
