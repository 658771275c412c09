"""Planners killed again and again, over many people: nobody is lost, nobody told twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.planner.test_kills import Place, check_a_day, check_a_rebuild

pytestmark = pytest.mark.soak
PEOPLE = 1_000
KILLS = 12


@pytest.fixture
def place(embedded_uri: str, embedded_db: Database[dict[str, Any]], tmp_path: Path) -> Place:
    return Place(embedded_uri, embedded_db, tmp_path)


def test_a_day_is_planned_through_a_dozen_kills(
    place: Place, record_property: Callable[[str, object], None]
) -> None:
    for name, count in check_a_day(place, PEOPLE, KILLS, 4).items():
        record_property(name, count)


def test_a_rebuild_goes_through_a_dozen_kills(
    place: Place, record_property: Callable[[str, object], None]
) -> None:
    for name, count in check_a_rebuild(place, PEOPLE, KILLS, 4).items():
        record_property(name, count)
