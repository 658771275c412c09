"""Asking without wearing people out (C20): duplicates are one, a refusal brings a pause, nobody is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consent.asking import RULES
from tests.limits.conftest import base, new_world  # noqa: F401 - the fixtures of limited wallets
from tests.words import says
from tests.world import Doctor, Json, Person, World, found_in

NewWorld = Callable[..., World]
ASK = "/provider/consent-requests"


def ask(world: World, doctor: Doctor, number: str, **over: Any) -> Any:
    body = world.proposal(Named(number), citizen={"national_id": number}, **over)  # type: ignore[arg-type]  # a number is all it needs
    return world.post(ASK, doctor, body)


class Named:
    """Somebody by number alone."""

    def __init__(self, number: str) -> None:
        self.number = number


def requests_of(world: World, person: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/consent-requests", person))["items"])


def refuse(world: World, person: Person) -> None:
    request = world.newest_request(person)
    assert world.post(f"/citizens/me/consent-requests/{request['id']}/refusal", person).status_code == 200


@pytest.mark.parametrize("exists", [True, False])
def test_an_equal_open_request_gets_the_same_reference(world: World, exists: bool) -> None:
    doctor, an = world.doctor(), world.person()
    number = an.number if exists else f"001190{hash(doctor.organisation_id) % 10**6:06d}"
    first, second = (found_in(ask(world, doctor, number)) for _ in range(2))
    assert first == second and first["state"] == "requested"
    other = found_in(ask(world, doctor, number, categories=["condition"]))
    assert other["id"] != first["id"]
    assert found_in(ask(world, world.doctor(), number))["id"] != first["id"]
    if exists:
        assert len(requests_of(world, an)) == 3


def test_a_refused_request_still_answers_for_its_equals_and_the_citizen_is_asked_once(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    first = found_in(ask(world, doctor, an.number))
    refuse(world, an)
    assert found_in(ask(world, doctor, an.number)) == first
    assert [each["state"] for each in requests_of(world, an)] == ["refused"]


def test_during_the_pause_nothing_new_is_put_before_who_refused(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    ask(world, doctor, an.number)
    refuse(world, an)
    quiet = ask(world, doctor, an.number, categories=["condition"])
    assert (quiet.status_code, found_in(quiet)["state"]) == (202, "requested")
    polled = found_in(world.get(f"{ASK}/{found_in(quiet)['id']}", doctor))
    assert polled["state"] == "requested"
    assert len(requests_of(world, an)) == 1
    line = found_in(world.get("/citizens/me/access-log?limit=1", an))["items"][0]
    assert (line["action"], line["decision"]) == ("consent:requested", "refuse")
    assert line["reason"] == "cooling_off"
    assert ask(world, world.doctor(), an.number).status_code == 202
    assert len(requests_of(world, an)) == 2, "others are not paused"
    world.forward(days=7, minutes=1)
    assert found_in(world.get(f"{ASK}/{found_in(quiet)['id']}", doctor))["state"] == "closed"
    assert ask(world, doctor, an.number, categories=["immunization"]).status_code == 202
    assert len(requests_of(world, an)) == 3, "a week later they may ask again"
    assert timedelta(days=7) == RULES.cool_off


def test_a_shown_code_asks_whatever_was_refused(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    ask(world, doctor, an.number)
    refuse(world, an)
    code = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    body = world.proposal(an, citizen={"visit_code": code})
    assert world.post(ASK, doctor, body).status_code == 202
    assert len(requests_of(world, an)) == 2


def test_a_granted_request_makes_room_for_the_next(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    first = world.grant(doctor, an)
    again = found_in(ask(world, doctor, an.number))
    assert again["id"] != first.request_ref and again["state"] == "requested"


@pytest.mark.parametrize("exists", [True, False])
def test_so_many_may_be_open_under_one_number_and_no_more(world: World, exists: bool) -> None:
    doctor, an = world.doctor(), world.person()
    number = an.number if exists else "001190777790"
    kinds = ["condition", "immunization", "visit", "allergy", "medication", "lab_result"]
    answers = [ask(world, doctor, number, categories=[kind]) for kind in kinds]
    assert [each.status_code for each in answers] == [202] * RULES.most_open + [409]
    assert found_in(answers[-1])["code"] == "too_many_open_requests"
    world.forward(days=7, minutes=1)
    assert ask(world, doctor, number, categories=["lab_result"]).status_code == 202


def test_c20_thirty_requests_in_an_hour_are_capped_the_same_for_whoever_is_meant(
    new_world: NewWorld,  # noqa: F811 - the fixture
) -> None:
    world = new_world()
    seen = []
    for number in (world.person().number, "001190777791"):
        doctor = world.doctor()
        answers = [ask(world, doctor, number, reason=f"{turn}") for turn in range(15)]
        seen.append([each.status_code for each in answers])
    assert seen[0] == seen[1] and seen[0].count(202) <= 5 and set(seen[0][5:]) == {429}


def test_c20_a_yes_names_the_text_that_was_shown_and_a_fresh_sign_in(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    ask(world, doctor, an.number)
    request = world.newest_request(an)
    path = f"/citizens/me/consent-requests/{request['id']}/approval"
    assert world.post(path, an, {}).status_code == 422
    old = {"notice": {"version": "2025-01-01", "locale": "vi"}}
    assert found_in(world.post(path, an, old))["code"] == "notice_outdated"
    late = world.signed_in(an, ago=timedelta(minutes=6))
    answer = world.post(path, late, world.answer_to(request))
    assert found_in(answer)["code"] == "insufficient_user_authentication"


def test_c20_what_is_offered_first_is_the_shortest_and_nothing_exceeds_what_was_asked(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    ask(world, doctor, an.number, expires_at=(world.now() + timedelta(days=60)).isoformat())
    request = world.newest_request(an)
    offers = request["expiry_offers"]
    assert offers == sorted(offers) and offers[-1] == request["expires_at"] and len(offers) == 4
    soon = (world.now() + timedelta(hours=1)).isoformat()
    ask(world, doctor, an.number, expires_at=soon)
    request = world.newest_request(an)
    assert request["expiry_offers"] == [request["expires_at"]]


def test_ten_equal_requests_at_once_are_one(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    doctor, an = world.doctor(), world.person()
    token, body = doctor.token, world.proposal(an)
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: found_in(world.post(ASK, token, body)), range(10)))
    assert all(each["state"] == "requested" for each in found)
    assert len(requests_of(world, an)) == 1 and len({each["id"] for each in found}) == 1


def test_a_dump_of_what_is_open_names_no_number_and_no_disease(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    ask(world, doctor, an.number, labels=["HIV"])
    kept = str(list(world.db["askings"].find({})))
    assert an.number not in kept and not says(kept, "HIV") and "condition" not in kept
