"""What was granted once costs a decision of today nothing: it examines what it examined without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pymongo
import pytest

from tests.listening import Operations
from tests.world import Granted, World, bundle, condition
from wallet_api.infra.ids import new_id
from wallet_api.wiring import licences

AT_ONCE = 2_000
MINE, THEIRS = 100, 100
"""Past grants of the citizen, and past grants of others to the same organisation."""


@pytest.fixture(scope="module")
def granted(shared_world: World) -> Granted:
    """A grant in force."""
    doctor, person = shared_world.doctor(), shared_world.person()
    shared_world.send(doctor, bundle(person, condition()))
    return shared_world.grant(doctor, person)


def remember(made: Granted, mine: int, theirs: int) -> None:
    """A past of withdrawn grants: so many of this citizen, so many of others to this organisation."""
    consents: Any = made.world.services.consent._consents
    now = consents.grant(made.person.id, made.grant["id"])
    over = replace(now, state="withdrawn", ended_at=now.granted_at, version=2)
    rows, first = made.world.db["grants"], replace(over, id=new_id())
    consents.load([], [first])
    kept: Any = rows.find_one({"_id": first.id})
    # One is written as the store writes it; the others differ in nothing but whose they are.
    for count, whose in ((mine - 1, made.person.id), (theirs, None)):
        for part in range(0, count, AT_ONCE):
            size = min(AT_ONCE, count - part)
            with pymongo.timeout(300):
                rows.insert_many(
                    [kept | {"_id": new_id(), "citizen_id": whose or new_id()} for _ in range(size)],
                    ordered=False,
                )


def examined(made: Granted, operations: Operations) -> list[tuple[str, str, int]]:
    """(verb, collection, documents the first stage meets) of every look behind opening and reading once."""
    with operations.heard() as commands:
        made.read(made.session())
    found = []
    for command in commands:
        verb = next(iter(command))
        if verb not in ("find", "aggregate", "update"):
            continue
        queries = {
            "find": lambda one: [one.get("filter", {})],
            "aggregate": lambda one: [one["pipeline"][0].get("$match", {})],
            "update": lambda one: [each["q"] for each in one["updates"]],
        }[verb](command)
        for query in queries:
            meets = made.world.db[command[verb]].count_documents(query)
            found.append((verb, str(command[verb]), meets))
    return sorted(found)


def test_c25_past_grants_change_the_documents_a_decision_examines_by_none(
    granted: Granted, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licences, "HELD_SECONDS", 0.0)  # looked up each time, however long this takes
    examined(granted, operations)  # what is told and held once is told and held now
    before = examined(granted, operations)
    remember(granted, MINE, THEIRS)
    examined(granted, operations)  # what was held may have run out in the minutes that took
    after = examined(granted, operations)
    assert after == before
    assert "grants" not in {collection for _, collection, _ in after}
    assert max(meets for _, collection, meets in after if collection == "standings") == 1
