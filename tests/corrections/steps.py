"""The everyday steps of corrections and disputes over HTTP."""

from __future__ import annotations

from typing import Any

from tests.world import Doctor, Json, Person, World, bundle, condition, found_in

PDF = b"%PDF-1.7 paper"


def filed(world: World, doctor: Doctor, person: Person, *rows: Json) -> str:
    """Send records; the id of the newest as the person knows it."""
    world.send(doctor, bundle(person, *(rows or (condition("c1"),))))
    return str(items(world.get("/citizens/me/records", person))[0]["id"])


def items(answer: Any) -> list[Json]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(found_in(answer)["items"])


def asked(world: World, who: Person, record_id: str, citizen: str = "me", **more: Any) -> Json:
    answer = ask(world, who, record_id, citizen, **more)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer)


def ask(world: World, who: Person, record_id: str, citizen: str = "me", **more: Any) -> Any:
    body = {"record_id": record_id, "record_version": 1, "kind": "wrong_value", "details": "Sai rồi"} | more
    return world.post(f"/citizens/{citizen}/correction-requests", who, body)


def answer(world: World, doctor: Doctor, request: Json, tag: str | None = None, **said: Any) -> Any:
    body = {"outcome": "refused", "refusal": "record_is_right"} | said
    path = f"/provider/correction-requests/{request['id']}/answer"
    return world.post(path, doctor, body, headers={"If-Match": tag or f'"{request["version"]}"'})


def not_mine(world: World, who: Person, record_id: str, citizen: str = "me") -> Any:
    return world.post(f"/citizens/{citizen}/records/{record_id}/not-mine", who)


def disputed(world: World, who: Person, record_id: str, citizen: str = "me") -> Json:
    made = not_mine(world, who, record_id, citizen)
    assert made.status_code == 200, made.get_data(as_text=True)
    return found_in(made)


def decide(
    world: World, dispute: Json, decision: str, reason: str, tag: str | None = None, by: Any = None
) -> Any:
    path = f"/ops/mismatches/{dispute['id']}/decision"
    headers = {"If-Match": tag or f'"{dispute["version"]}"'}
    return world.post(
        path, by or world.ops("reviewer"), {"decision": decision, "reason": reason}, headers=headers
    )
