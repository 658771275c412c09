"""C22: ages are reached at midnight in Vietnam; what was consented to before is suspended and asked again."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from tests.world import Doctor, Granted, Json, Person, World, bundle, condition, found_in
from wallet_api.infra.clock import VIETNAM, vn_day

SHORTLY = timedelta(minutes=1)  # the clock goes on while requests are under way


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), VIETNAM)


def born_years_before_tomorrow(world: World, years: int) -> tuple[date, datetime]:
    """A birth date whose `years`-th birthday begins tomorrow in Vietnam, and the instant it begins."""
    tomorrow = vn_day(world.now()) + timedelta(days=1)
    return tomorrow.replace(year=tomorrow.year - years), midnight(tomorrow)


def fresh(world: World, *people: Person) -> list[Person]:
    return [world.signed_in(each) for each in people]


def state(world: World, made: Granted, who: Person) -> Json:
    return found_in(world.get(f"/citizens/{made.person.id}/grants/{made.grant['id']}", world.signed_in(who)))


def resume(world: World, made: Granted, who: Person) -> Any:
    name = "me" if who.id == made.person.id else made.person.id
    path = f"/citizens/{name}/grants/{made.grant['id']}/resumption"
    return world.post(path, world.signed_in(who), world.answer_to({"purpose": "TREAT"}))


@pytest.fixture(scope="module")
def doctor(shared_world: World) -> Doctor:
    return shared_world.doctor()


def given(world: World, doctor: Doctor, years: int) -> tuple[Granted, Person, datetime]:
    """A grant for a child on the eve of an age, its guardian, and the instant of the age."""
    born, at = born_years_before_tomorrow(world, years)
    mother = world.person("Nguyễn Thị Mẹ")
    child = world.child_of(mother, born)
    world.send(doctor, bundle(child, condition()))
    return world.grant(doctor, child, signer=mother), mother, at


def test_c22_at_seven_a_guardians_grant_is_suspended_and_both_confirm_it(
    world: World, doctor: Doctor
) -> None:
    made, mother, at = given(world, doctor, 7)
    child = made.person
    assert found_in(world.get(f"/citizens/{child.id}/grants/{made.grant['id']}", mother))["holds_until"]
    world.clock.set_to(at - SHORTLY)
    session = made.session()
    assert made.read(session).status_code == made.open().status_code - 1 == 200
    world.clock.set_to(at)
    ended = made.read(session)
    assert (ended.status_code, found_in(ended)["code"]) == (403, "consent_ended")
    assert found_in(made.open())["code"] == "consent_ended"
    held = state(world, made, mother)
    assert (held["state"], held["needs"]) == ("suspended", ["child", "representative"])
    first = resume(world, made, mother)
    assert (first.status_code, found_in(first)["needs"]) == (200, ["child"])
    assert made.open().status_code == 403, "one yes is not enough"
    second = resume(world, made, child)
    assert (found_in(second)["state"], found_in(second)["needs"]) == ("granted", [])
    assert {each["role"] for each in found_in(second)["signatures"]} == {"child", "representative"}
    assert made.open().status_code == 201
    assert resume(world, made, mother).status_code == 409, "there is nothing left to confirm"


def test_c22_at_seven_a_childs_yes_heard_at_the_station_counts_and_fourteen_asks_again(
    world: World, doctor: Doctor
) -> None:
    made, mother, at = given(world, doctor, 7)
    world.clock.set_to(at)
    heard = {"notice": world.answer_to({"purpose": "TREAT"})["notice"], "heard_in_person": True}
    attested = world.post(f"/provider/consent-requests/{made.request_ref}/assent-attestation", doctor, heard)
    assert (attested.status_code, found_in(attested)["state"]) == (202, "ended")
    assert state(world, made, mother)["needs"] == ["representative"]
    assert made.open().status_code == 403, "whoever asks does not open it with its own word"
    confirmed = found_in(resume(world, made, mother))
    assert confirmed["state"] == "granted"
    fourteenth = at.astimezone(VIETNAM)
    assert confirmed["holds_until"][:4] == str(fourteenth.year + 7)


def test_c22_at_fourteen_only_what_was_attested_is_asked_again(world: World, doctor: Doctor) -> None:
    born, at = born_years_before_tomorrow(world, 14)
    mother = world.person("Nguyễn Thị Mẹ")
    child = world.child_of(mother, born)
    own = world.grant(doctor, child, signer=mother)
    other = world.doctor()
    reference = world.ask(other, child)
    request = world.newest_request(child)
    heard = {"notice": world.answer_to(request)["notice"], "heard_in_person": True}
    path = f"/provider/consent-requests/{reference}/assent-attestation"
    assert found_in(world.post(path, other, heard)) == {"id": reference, "state": "requested"}
    path = f"/citizens/{child.id}/consent-requests/{request['id']}/co-approval"
    grant = world.post(path, mother, world.answer_to(request))
    assert grant.status_code == 201
    assert [each["attested"] for each in found_in(grant)["signatures"]] == [True, False]
    outcome = found_in(world.get(f"/provider/consent-requests/{reference}", other))
    heard_grant = Granted(world, other, child, found_in(grant), outcome, reference)
    world.clock.set_to(at - SHORTLY)
    assert own.open().status_code == heard_grant.open().status_code == 201
    world.clock.set_to(at)
    assert (own.open().status_code, heard_grant.open().status_code) == (201, 403)
    assert found_in(resume(world, heard_grant, mother))["needs"] == ["child"]
    assert found_in(resume(world, heard_grant, child))["state"] == "granted"
    assert (
        world.post(f"/provider/consent-requests/{reference}/assent-attestation", other, heard).status_code
        == 202
    )


def test_c22_at_eighteen_it_is_suspended_and_the_person_alone_confirms_it(
    world: World, doctor: Doctor
) -> None:
    made, mother, at = given(world, doctor, 18)
    child = made.person
    world.clock.set_to(at - SHORTLY)
    assert made.open().status_code == 201
    assert world.get(f"/citizens/{child.id}/grants", world.signed_in(mother)).status_code == 200
    world.clock.set_to(at)
    assert found_in(made.open())["code"] == "consent_ended"
    assert world.get(f"/citizens/{child.id}/grants", world.signed_in(mother)).status_code == 404
    assert resume(world, made, mother).status_code == 404
    assert state(world, made, child)["needs"] == ["self"]
    confirmed = resume(world, made, child)
    assert (found_in(confirmed)["state"], found_in(confirmed)["holds_until"]) == ("granted", None)
    assert made.open().status_code == 201


def test_c22_a_suspended_grant_can_still_be_withdrawn_by_either_guardian(
    world: World, doctor: Doctor
) -> None:
    made, mother, at = given(world, doctor, 7)
    father = world.person("Nguyễn Văn Bố")
    world.guard(father, made.person)
    world.clock.set_to(at)
    path = f"/citizens/{made.person.id}/grants/{made.grant['id']}/withdrawal"
    assert found_in(world.post(path, world.signed_in(father)))["state"] == "withdrawn"
    assert resume(world, made, mother).status_code == 409


@pytest.mark.parametrize("years", [6, 14, 40])
def test_an_attestation_of_whoever_it_is_not_for_changes_and_tells_nothing(
    world: World, doctor: Doctor, years: int
) -> None:
    person = world.person("Thử", vn_day(world.now()).replace(year=2026 - years, day=1))
    reference = world.ask(doctor, person)
    heard = {"notice": world.answer_to({"purpose": "TREAT"})["notice"], "heard_in_person": True}
    answer = world.post(f"/provider/consent-requests/{reference}/assent-attestation", doctor, heard)
    assert (answer.status_code, found_in(answer)) == (202, {"id": reference, "state": "requested"})
    assert world.newest_request(person)["signatures"] == []


def test_an_attestation_names_a_practitioner_and_says_that_it_was_heard(world: World, doctor: Doctor) -> None:
    child = world.child_of(world.person(), date(2016, 3, 1))
    reference = world.ask(doctor, child)
    path = f"/provider/consent-requests/{reference}/assent-attestation"
    heard = {"notice": world.answer_to({"purpose": "TREAT"})["notice"], "heard_in_person": True}
    assert found_in(world.post(path, doctor.system, heard))["code"] == "practitioner_needed"
    assert world.post(path, world.doctor(), heard).status_code == 404
    assert world.post(path, doctor, heard | {"heard_in_person": False}).status_code == 422
    assert world.post(path, doctor, heard).status_code == 202
    log = found_in(world.get("/citizens/me/access-log", child))["items"]
    assert [each["actor"]["name"] for each in log if each["action"] == "consent:attested"] == ["BS. Khánh"]
    (kept,) = world.newest_request(child)["signatures"]
    assert (kept["role"], kept["attested"]) == ("child", True)
