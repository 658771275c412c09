"""C05: what was good once, used again: after the end, by another, elsewhere, in an old version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.world import Doctor, Granted, Person, World, bundle, condition, found_in, immunization
from wallet_api.infra.crypto.cursors import CursorSealer
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.refs import References
from wallet_api.infra.ids import new_id


@pytest.fixture
def granted(world: World) -> Granted:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization()))
    return world.grant(doctor, an)


def refusals(world: World, person: Person) -> list[tuple[str, str]]:
    found = found_in(world.get("/citizens/me/access-log?limit=100", person))["items"]
    return [(each["action"], each["reason"]) for each in found if each["decision"] == "refuse"]


def test_c05_one_visit_code_makes_one_request_however_many_send_it_at_once(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    code = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    asked = world.proposal(an, citizen={"visit_code": code})
    token = doctor.token
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: world.post("/provider/consent-requests", token, asked), range(50)))
    assert sorted(each.status_code for each in answers) == [202] + [422] * 49
    assert len(found_in(world.get("/citizens/me/consent-requests", an))["items"]) == 1


def test_c05_a_session_and_a_reference_are_worth_nothing_after_the_withdrawal(granted: Granted) -> None:
    world, session = granted.world, granted.session()
    assert granted.read(session).status_code == 200
    assert granted.withdraw().status_code == 200
    for answer in (granted.read(session), granted.open()):
        assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
    assert len(refusals(world, granted.person)) == 2


def test_c05_nobody_else_can_use_what_one_organisation_holds(granted: Granted) -> None:
    world, session = granted.world, granted.session()
    other = world.doctor()
    colleague = world.colleague(granted.doctor)
    for thief in (other, colleague):
        answer = granted.read(session, thief)
        assert answer.status_code in (403, 404), answer.get_data(as_text=True)
        assert "items" not in found_in(answer)
    assert granted.open(other).status_code == 404
    seen = {each["actor"]["name"] for each in log_of(world, granted.person) if each["decision"] == "refuse"}
    assert colleague.practitioner_id is not None and seen


def log_of(world: World, person: Person) -> list[dict[str, dict[str, str]]]:
    items: list[dict[str, dict[str, str]]] = found_in(world.get("/citizens/me/access-log", person))["items"]
    return items


def test_c05_what_another_wallet_sealed_is_nothing_here(granted: Granted) -> None:
    """The same ids under another environment's keys: references and sessions are bound to ours."""
    world, session = granted.world, granted.session()
    foreign = MemoryKeyStore()
    reference = References(foreign).seal(granted.doctor.organisation_id, "citizen", granted.person.id)
    body = {"citizen_ref": reference, "purpose": "TREAT"}
    assert world.post("/provider/access-sessions", granted.doctor, body).status_code == 404
    assert CursorSealer(foreign) is not None
    ours = world.services.references
    answer = world.get(
        f"/provider/citizens/{ours.seal(new_id(), 'citizen', granted.person.id)}/records",
        granted.doctor,
        headers={"Access-Session": session},
    )
    assert answer.status_code in (403, 404) and "items" not in found_in(answer)


def test_c05_the_old_version_opens_nothing_after_narrowing(granted: Granted) -> None:
    world, old = granted.world, granted.session()
    assert len(found_in(granted.read(old))["items"]) == 2
    path = f"/citizens/me/grants/{granted.grant['id']}"
    narrowed = world.call(
        "PATCH", path, granted.person, {"categories": ["immunization"]}, headers={"If-Match": '"1"'}
    )
    assert narrowed.status_code == 200, narrowed.get_data(as_text=True)
    answer = granted.read(old)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
    assert [each["category"] for each in granted.seen()] == ["immunization"]
    receipt = found_in(world.get(f"{path}/receipt", granted.person))
    assert receipt["receipt"]


def test_c05_an_idempotency_key_of_another_caller_replays_nothing(world: World) -> None:
    an, binh = world.person(), world.person()
    doctor: Doctor = world.doctor()
    key = {"Idempotency-Key": new_id()}
    for who in (an, binh):
        reference = world.ask(doctor, who)
        assert reference
        request = world.newest_request(who)
        path = f"/citizens/me/consent-requests/{request['id']}/approval"
        made = world.post(path, who, world.answer_to(request), headers=key)
        assert made.status_code == 201
        assert found_in(made)["id"] in [
            each["id"] for each in found_in(world.get("/citizens/me/grants", who))["items"]
        ]
