"""F1, F3: the database is killed or falls silent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import killing, silence
from tests.faults.plant import Plant, planted


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with planted(tmp_path_factory.mktemp("plant"), patience=60.0) as made:
        yield made


def test_nothing_promised_is_lost_when_the_database_is_killed_under_writers(plant: Plant) -> None:
    killing.kill_the_database(plant, 2)


def test_a_silent_database_is_a_503_in_time_and_forgotten_a_second_after(plant: Plant) -> None:
    silence.stop_the_database(plant, seconds=4.0, alive=6.0, slack=8.0)
