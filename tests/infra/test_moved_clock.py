"""A wallet whose clock is moved loses nothing to the database's own: what is good by its time stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.world import World
from wallet_api.infra.mongo import IndexConflict, ensure_indexes
from wallet_api.settings import Settings
from wallet_api.wiring.indexes import ALL_INDEXES
from wallet_api.wiring.schema import migrations_of, ready_schema

YEARS = 60 * 366 * 86400
SWEPT = [each for each in ALL_INDEXES if each.ttl is not None]


def lives(db: Database[Any]) -> set[int]:
    """After how many seconds the database takes away what has run out."""
    found = (db[each.collection].index_information() for each in SWEPT)
    return {
        index["expireAfterSeconds"]
        for one in found
        for index in one.values()
        if "expireAfterSeconds" in index
    }


def ready(db: Database[Any], **over: Any) -> None:
    told = replace(Settings.from_env({"WALLET_ENV": "dev"}), **over)
    ready_schema(told, db, lambda: datetime.now(UTC))


def test_the_wallet_of_these_tests_is_swept_by_nobody(world: World) -> None:
    assert len(SWEPT) >= 7 and min(lives(world.db)) > YEARS


def test_the_kind_of_clock_may_change_from_run_to_run(embedded_db: Database[Any], tmp_path: Path) -> None:
    ready(embedded_db)
    assert lives(embedded_db) == {0}
    ready(embedded_db, clock_file=tmp_path / "clock")
    assert min(lives(embedded_db)) > YEARS
    ready(embedded_db)
    assert lives(embedded_db) == {0}


def test_elsewhere_than_in_development_nothing_is_changed(embedded_db: Database[Any]) -> None:
    ensure_indexes(embedded_db, [each.unswept() for each in ALL_INDEXES])
    there = replace(Settings.from_env({"WALLET_ENV": "dev"}), env="prod")
    with pytest.raises(IndexConflict):
        migrations_of(there, embedded_db, lambda: datetime.now(UTC), lambda _: None).run()
    assert min(lives(embedded_db)) > YEARS
