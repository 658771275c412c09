"""The everyday steps of a rights request over HTTP."""

from __future__ import annotations

from typing import Any

from tests.world import Json, Person, World, found_in


def asked(world: World, who: Person, kind: str, citizen: str = "me", **more: Any) -> Json:
    answer = world.post(f"/citizens/{citizen}/rights-requests", who, {"kind": kind} | more)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer)


def step(world: World, request: Json, name: str, body: Json, tag: str | None = None, by: Any = None) -> Any:
    headers = {"If-Match": tag or f'"{request["version"]}"'}
    path = f"/ops/rights-requests/{request['id']}/{name}"
    return world.post(path, by or world.ops("reviewer"), body, headers=headers)


def acknowledged(world: World, request: Json, **more: Any) -> Json:
    answer = step(world, request, "acknowledgement", {"with_others": False} | more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def completed(world: World, request: Json) -> Json:
    answer = step(world, acknowledged(world, request), "completion", {})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)
