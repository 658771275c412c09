"""C26: a visit code serves once, for five minutes, and opens nothing by itself."""

from __future__ import annotations

from tests.world import Doctor, Person, World, found_in


def made(world: World, person: Person) -> str:
    return str(found_in(world.post("/citizens/me/visit-codes", person))["visit_code"])


def asked(world: World, doctor: Doctor, person: Person, code: str) -> tuple[int, str]:
    answer = world.post(
        "/provider/consent-requests", doctor, world.proposal(person, citizen={"visit_code": code})
    )
    return answer.status_code, str(found_in(answer).get("code", ""))


def test_c26_a_visit_code_ends_after_five_minutes_and_after_one_use(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    late, used = made(world, an), made(world, an)
    assert asked(world, doctor, an, used)[0] == 202
    assert asked(world, doctor, an, used) == (422, "visit_code_invalid")
    assert asked(world, world.doctor(), an, used) == (422, "visit_code_invalid")
    world.forward(minutes=5)
    assert asked(world, doctor, an, late) == (422, "visit_code_invalid")


def test_c26_a_code_that_never_was_is_answered_like_one_that_is_over(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    over = made(world, an)
    world.forward(minutes=6)
    for code in (over, "AAAAA-AAAAA", "22222-22222"):
        assert asked(world, doctor, an, code) == (422, "visit_code_invalid"), code
    assert found_in(world.get("/citizens/me/consent-requests", an))["items"] == []


def test_c26_a_code_lets_ask_and_nothing_else(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    answer = world.post(
        "/provider/consent-requests",
        doctor,
        world.proposal(an, citizen={"visit_code": made(world, an)}),
    )
    told = found_in(answer)
    assert (told["state"], set(told) & {"citizen_ref", "name"}) == ("requested", set())
    body = {"citizen_ref": told["id"], "purpose": "TREAT"}
    assert world.post("/provider/access-sessions", doctor, body).status_code in (404, 422)
    request = world.newest_request(an)["id"]
    assert world.post(f"/citizens/me/consent-requests/{request}/refusal", an).status_code == 200
    outcome = world.get(f"/provider/consent-requests/{told['id']}", doctor)
    assert "citizen_ref" not in found_in(outcome)
