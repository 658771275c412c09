"""Every hostile value at every place of every body, every hostile name at every place of every path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.security import test_hostile_inputs as hostile_inputs
from tests.security.hostile_operations import Knocker, Operation
from tests.world import World
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("sessions_read_once")]
every, knock = hostile_inputs.every, hostile_inputs.knock


@pytest.fixture(scope="module")
def shared_world(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A wallet of its own: it is read whole before and after, and others fill theirs by the million."""
    db = open_database(embedded_uri, f"hostile_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("hostile"))
    yield made
    made.services.log.close()
    db.client.close()


@pytest.fixture(autouse=True)
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile_inputs, "SHARED_BY", 1)


def test_a_hostile_value_in_a_well_formed_body_is_taken(
    world: World, every: list[Operation], shared_world: World, record_property: Any
) -> None:
    hostile_inputs.test_a_hostile_value_in_a_well_formed_body_is_taken(
        world, every, shared_world, record_property
    )


def test_a_hostile_path_is_known(every: list[Operation], knock: Knocker) -> None:
    hostile_inputs.test_a_hostile_path_is_known(every, knock)
