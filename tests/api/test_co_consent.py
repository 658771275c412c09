"""A child of seven or more and who represents it both agree, one after the other, and nothing before that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from tests.world import Doctor, Json, Person, World, bundle, condition, found_in, immunization

TEENAGER = date(2011, 2, 1)
SCHOOLCHILD = date(2017, 5, 1)


@pytest.fixture
def mother(world: World) -> Person:
    return world.person("Nguyễn Thị Mẹ")


@pytest.fixture(scope="module")
def doctor(shared_world: World) -> Doctor:
    return shared_world.doctor()


def asked(world: World, doctor: Doctor, child: Person, **over: Any) -> tuple[str, Json]:
    """A request about a child: the asker's reference, and the request as the child sees it."""
    reference = world.ask(doctor, child, **over)
    return reference, world.newest_request(child)


def say(world: World, who: Person, child: Person, request: Json, step: str, **over: Any) -> Any:
    name = "me" if who.id == child.id else child.id
    path = f"/citizens/{name}/consent-requests/{request['id']}/{step}"
    return world.post(path, who, world.answer_to(request, **over))


def shown(world: World, who: Person, child: Person, request: Json) -> Json:
    return found_in(world.get(f"/citizens/{child.id}/consent-requests/{request['id']}", who))


@pytest.mark.parametrize("first", ["child", "mother"])
def test_the_second_yes_forms_the_grant_and_both_are_its_evidence(
    world: World, mother: Person, doctor: Doctor, first: str
) -> None:
    child = world.child_of(mother, TEENAGER)
    world.send(doctor, bundle(child, condition(), immunization()))
    reference, request = asked(world, doctor, child)
    assert request["needs"] == ["child", "representative"]
    one, other = (child, mother) if first == "child" else (mother, child)
    kept = say(world, one, child, request, "approval")
    assert kept.status_code == 202
    assert (found_in(kept)["state"], len(found_in(kept)["signatures"])) == ("requested", 1)
    assert shown(world, other, child, request)["needs"] == (
        ["representative"] if first == "child" else ["child"]
    )
    outcome = f"/provider/consent-requests/{reference}"
    assert found_in(world.get(outcome, doctor)) == {"id": reference, "state": "requested"}
    made = say(world, other, child, request, "co-approval")
    assert made.status_code == 201
    assert {each["role"] for each in found_in(made)["signatures"]} == {"child", "representative"}
    assert found_in(world.get(outcome, doctor))["state"] == "granted"
    receipt = world.services.consent.grant(child.id, found_in(made)["id"])
    assert {each.evidence.person_id for each in receipt.signatures} == {child.id, mother.id}
    actions = [each["action"] for each in found_in(world.get("/citizens/me/access-log", child))["items"]]
    assert actions.count("consent:signed") == 1 and actions.count("consent:granted") == 1


def test_what_comes_of_two_answers_is_never_wider_than_either(
    world: World, mother: Person, doctor: Doctor
) -> None:
    child = world.child_of(mother, TEENAGER)
    _, request = asked(world, doctor, child)
    soon = (world.now() + timedelta(days=3)).isoformat()
    assert say(world, child, child, request, "approval", categories=["condition"]).status_code == 202
    made = say(world, mother, child, request, "co-approval", expires_at=soon)
    assert (made.status_code, found_in(made)["categories"]) == (201, ["condition"])
    assert found_in(made)["expires_at"][:10] == soon[:10]
    assert sorted(found_in(made)["held_back"]) == ["categories", "expires_at"]


def test_nothing_in_common_gives_nothing(world: World, mother: Person, doctor: Doctor) -> None:
    child = world.child_of(mother, TEENAGER)
    _, request = asked(world, doctor, child)
    assert say(world, child, child, request, "approval", categories=["condition"]).status_code == 202
    other = say(world, mother, child, request, "co-approval", categories=["immunization"])
    assert (other.status_code, found_in(other)["errors"][0]["pointer"]) == (422, "/categories")
    assert found_in(world.get("/citizens/me/grants", child))["items"] == []


def test_neither_can_be_both(world: World, mother: Person, doctor: Doctor) -> None:
    child = world.child_of(mother, TEENAGER)
    _, request = asked(world, doctor, child)
    for who in (child, mother):
        early = say(world, who, child, request, "co-approval")
        assert (early.status_code, found_in(early)["code"]) == (409, "first_signature_missing")
    for _ in range(2):
        assert say(world, mother, child, request, "approval").status_code == 202
    assert say(world, mother, child, request, "co-approval").status_code == 409
    second = say(world, child, child, request, "approval")
    assert (second.status_code, found_in(second)["code"]) == (409, "co_consent_required")
    assert say(world, child, child, request, "co-approval").status_code == 201
    assert say(world, child, child, request, "co-approval").status_code == 409, "it is answered"


@pytest.mark.parametrize("signer", ["mother", "child"])
@pytest.mark.parametrize("refuser", ["mother", "father", "child"])
def test_a_refusal_wins_over_an_approval_that_is_not_complete(
    world: World, mother: Person, doctor: Doctor, signer: str, refuser: str
) -> None:
    child, father = world.child_of(mother, TEENAGER), world.person("Nguyễn Văn Bố")
    world.guard(father, child)
    people = {"mother": mother, "father": father, "child": child}
    reference, request = asked(world, doctor, child)
    assert say(world, people[signer], child, request, "approval").status_code == 202
    name = "me" if refuser == "child" else child.id
    refused = world.post(f"/citizens/{name}/consent-requests/{request['id']}/refusal", people[refuser])
    assert refused.status_code == 200
    for who in people.values():
        assert say(world, who, child, request, "co-approval").status_code == 409
    assert found_in(world.get("/citizens/me/grants", child))["items"] == []
    outcome = f"/provider/consent-requests/{reference}"
    assert found_in(world.get(outcome, doctor))["state"] == "requested", "and the asker cannot tell"


def test_a_child_under_seven_cannot_sign_and_its_guardian_signs_alone(
    world: World, mother: Person, doctor: Doctor
) -> None:
    child = world.child_of(mother, date(2024, 2, 1))
    _, request = asked(world, doctor, child)
    assert request["needs"] == ["representative"]
    assert say(world, child, child, request, "approval").status_code == 409
    made = say(world, mother, child, request, "approval")
    assert (made.status_code, found_in(made)["signatures"]) == (201, [])


def test_both_need_a_fresh_sign_in(world: World, mother: Person, doctor: Doctor) -> None:
    child = world.child_of(mother, TEENAGER)
    _, request = asked(world, doctor, child)
    stale = world.signed_in(mother, timedelta(minutes=6))
    for step in ("approval", "co-approval"):
        answer = say(world, stale, child, request, step)
        assert found_in(answer)["code"] == "insufficient_user_authentication"


def test_a_yes_of_somebody_who_is_no_guardian_any_more_does_not_count(
    world: World, mother: Person, doctor: Doctor
) -> None:
    child = world.person("Bé Thử", TEENAGER)
    custody = world.guard(mother, child)
    _, request = asked(world, doctor, child)
    assert say(world, mother, child, request, "approval").status_code == 202
    world.services.identity.family.end(custody)
    assert say(world, mother, child, request, "co-approval").status_code == 404
    late = say(world, child, child, request, "co-approval")
    assert (late.status_code, found_in(late)["code"]) == (409, "first_signature_missing")
    assert world.newest_request(child)["needs"] == ["child", "representative"]


def test_of_many_second_yeses_at_once_one_makes_one_grant(
    world: World, mother: Person, doctor: Doctor
) -> None:
    child, father = world.child_of(mother, TEENAGER), world.person("Nguyễn Văn Bố")
    world.guard(father, child)
    _, request = asked(world, doctor, child)
    assert say(world, child, child, request, "approval").status_code == 202
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda who: say(world, who, child, request, "co-approval").status_code, [mother, father] * 8
            )
        )
    assert sorted(set(answers)) == [201, 409] and answers.count(201) == 1
    assert len(found_in(world.get("/citizens/me/grants", child))["items"]) == 1


def test_a_second_yes_and_a_refusal_at_once_never_both_hold(
    world: World, mother: Person, doctor: Doctor
) -> None:
    for _ in range(6):
        child = world.child_of(mother, TEENAGER)
        _, request = asked(world, doctor, child)
        assert say(world, child, child, request, "approval").status_code == 202
        refusal = f"/citizens/me/consent-requests/{request['id']}/refusal"
        acts = [
            lambda child=child, request=request: say(world, mother, child, request, "co-approval"),
            lambda child=child, refusal=refusal: world.post(refusal, child),
        ]
        with ThreadPoolExecutor(2) as pool:
            codes = [each.result().status_code for each in [pool.submit(act) for act in acts]]
        grants = found_in(world.get("/citizens/me/grants", child))["items"]
        assert codes in ([201, 409], [409, 200])
        assert len(grants) == (1 if codes[0] == 201 else 0)
