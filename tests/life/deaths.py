"""Reporting, confirming and undoing a death."""

from __future__ import annotations

from typing import Any

from tests.life.births import today
from tests.world import Json, Person, World, found_in


def report(world: World, person: Person, registrar: Any = None, **over: str) -> Any:
    """What a registrar is answered who reports that somebody died today."""
    body = {
        "national_id": person.number,
        "birth_date": person.born.isoformat(),
        "died_on": today(world).isoformat(),
        "evidence_kind": "death_certificate",
        "paper_number": "KT-2026-000045",
    } | over
    return world.post("/ops/deaths", registrar or world.ops("registrar"), body)


def decide(world: World, death_id: str, decision: str, by: Any = None, reason: str | None = None) -> Any:
    """What a reviewer is answered."""
    body: Json = {"decision": decision}
    if reason is not None:
        body["reason"] = reason
    return world.post(f"/ops/deaths/{death_id}/decision", by or world.ops("reviewer"), body)


def die(world: World, person: Person) -> str:
    """Somebody dies, by both people; the id of the report."""
    made = found_in(report(world, person))["id"]
    answer = decide(world, made, "confirm")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert found_in(answer)["done"] is True
    return str(made)


def revive(world: World, death_id: str) -> None:
    """It was a mistake."""
    answer = decide(world, death_id, "reverse", reason="person_lives")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert found_in(answer)["state"] == "reversed"
