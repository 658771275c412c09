"""Proposing, confirming and undoing a merge of two books."""

from __future__ import annotations

from typing import Any

from tests.world import Json, Person, World, found_in


def said(person: Person) -> Json:
    """How a registrar names somebody."""
    return {"national_id": person.number, "birth_date": person.born.isoformat()}


def propose(world: World, surviving: Person, absorbed: Person, by: Any = None, **over: Any) -> Any:
    """What a registrar is answered who has the decision that re-issued a number."""
    body = {
        "surviving": said(surviving),
        "absorbed": said(absorbed),
        "reason": "number_reissued",
        "evidence_kind": "reissue_decision",
        "paper_number": "QD-2026-000012",
        "accepts": ["two_numbers"],
    } | over
    return world.post("/ops/merges", by or world.ops("registrar"), body)


def decide(world: World, merge_id: str, decision: str, by: Any = None, reason: str | None = None) -> Any:
    """What a reviewer is answered."""
    body: Json = {"decision": decision}
    if reason is not None:
        body["reason"] = reason
    return world.post(f"/ops/merges/{merge_id}/decision", by or world.ops("reviewer"), body)


def merge(world: World, surviving: Person, absorbed: Person, **over: Any) -> str:
    """Two books become one, after the week; the id of the merge."""
    made = propose(world, surviving, absorbed, **over)
    assert made.status_code == 201, made.get_data(as_text=True)
    world.forward(days=7)
    answer = decide(world, found_in(made)["id"], "confirm")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert found_in(answer)["done"] is True
    return str(found_in(answer)["id"])


def part(world: World, merge_id: str) -> Json:
    """It was a mistake: two reviewers say so; the case."""
    assert decide(world, merge_id, "part", reason="two_people").status_code == 200
    answer = decide(world, merge_id, "confirm_parting")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert (found_in(answer)["state"], found_in(answer)["done"]) == ("parted", True)
    return found_in(answer)
