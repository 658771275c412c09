"""Idempotency-Key: one effect however often a POST is sent, and never an answer from a cupboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.world import World, bundle, condition, found_in
from wallet_api.infra.clock import system_now
from wallet_api.infra.idempotency import IdempotencyMismatch, IdempotencyRunning
from wallet_api.infra.ids import new_id
from wallet_api.stores.idempotency import MongoTurns

ASK = "/provider/consent-requests"
OPEN = "/provider/access-sessions"


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(WALLET_LIMITS="off")


def key(text: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": text or new_id()}


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, found_in(answer).get("code", "")


def at_once(call: Callable[[], Any], count: int = 16) -> tuple[Counter[int], set[str]]:
    """Statuses, and the different ids told, of many identical requests."""
    with ThreadPoolExecutor(count) as pool:
        answers = [each.result() for each in [pool.submit(call) for _ in range(count)]]
    assert {each.status_code for each in answers} <= {200, 201, 202, 409}, [
        each.get_data(as_text=True) for each in answers if each.status_code >= 500
    ]
    ids = {str(found_in(each).get("id")) for each in answers if each.status_code < 300}
    return Counter(each.status_code for each in answers), ids


def forget_end(world: World) -> None:
    """As if every process had died right before it could note that it was done."""
    past = system_now() - timedelta(hours=1)
    world.db["idempotency_keys"].update_many({}, {"$set": {"done": False, "leased_until": past}})


@pytest.mark.parametrize("bad", ["", "a b", "é", "x" * 256, "tab\there"])
def test_a_malformed_key_is_refused(world: World, bad: str) -> None:
    assert told(world.post("/citizens/me/visit-codes", world.person(), headers={"Idempotency-Key": bad})) == (
        400,
        "malformed_request",
    )


def test_asking_sixteen_times_with_one_key_asks_once(world: World) -> None:
    doctor, an, sent = world.doctor(), world.person(), key()
    token, body = doctor.token, world.proposal(an)
    statuses, ids = at_once(lambda: world.post(ASK, token, body, headers=sent))
    assert statuses[202] >= 1 and len(ids) == 1
    assert world.db["consent_requests"].count_documents({"citizen_id": an.id}) == 1
    answer = world.post(ASK, doctor, body, headers=sent)
    assert answer.status_code == 202 and found_in(answer)["id"] in ids
    assert told(world.post(ASK, doctor, body | {"reason": "other"}, headers=sent)) == (
        422,
        "idempotency_mismatch",
    )
    less = body | {"categories": ["condition"]}
    other = world.post(ASK, world.colleague(doctor), less, headers=sent)
    assert other.status_code == 202 and found_in(other)["id"] not in ids, "a key is one caller's"
    assert found_in(world.post(ASK, doctor, body))["id"] in ids, "an equal open request is the same one"


def test_a_request_that_is_running_says_when_to_ask_again(world: World) -> None:
    an, sent = world.person(), key()
    assert world.post("/citizens/me/visit-codes", an, headers=sent).status_code == 201
    until = system_now() + timedelta(seconds=7)
    world.db["idempotency_keys"].update_many({}, {"$set": {"done": False, "leased_until": until}})
    answer = world.post("/citizens/me/visit-codes", an, headers=sent)
    assert told(answer) == (409, "idempotency_running") and 1 <= int(answer.headers["Retry-After"]) <= 7


@pytest.mark.parametrize("uses", ["once", "unlimited"])
def test_an_access_session_costs_one_use_however_often_it_is_asked_for(world: World, uses: str) -> None:
    made = world.grant(world.doctor(), world.person(), frequency=uses)
    sent, token = key(), made.doctor.token
    body = {"citizen_ref": made.citizen_ref, "purpose": "TREAT"}

    def call() -> Any:
        return world.post(OPEN, token, body, headers=sent)

    statuses, _ = at_once(call)
    assert statuses[201] >= 1
    forget_end(world)
    session = found_in(call())["id"]
    assert made.read(session).status_code == 200
    again = world.post(OPEN, made.doctor, body)
    assert again.status_code == (403 if uses == "once" else 201), "the one use is gone, and it was one"


def test_a_replay_after_withdrawal_gives_nothing(world: World) -> None:
    doctor, an, sent = world.doctor(), world.person(), key()
    world.send(doctor, bundle(an, condition()))
    made, body = world.grant(doctor, an), {}
    body = {"citizen_ref": made.citizen_ref, "purpose": "TREAT"}
    assert world.post(OPEN, doctor, body, headers=sent).status_code == 201
    assert made.withdraw().status_code == 200
    replay = world.post(OPEN, doctor, body, headers=sent)
    assert told(replay) == (403, "consent_ended")
    assert "condition" not in replay.get_data(as_text=True)
    rows = str(list(world.db["idempotency_keys"].find()))
    assert made.citizen_ref not in rows and an.number not in rows and sent["Idempotency-Key"] not in rows
    off = world.services.identity.clients
    off.set_status(doctor.client_id, "suspended")
    assert world.post(OPEN, doctor.token, body, headers=sent).status_code == 401, "the caller is judged anew"


def test_saying_yes_twice_is_one_grant(world: World) -> None:
    doctor, an, sent = world.doctor(), world.person(), key()
    world.ask(doctor, an)
    request = world.newest_request(an)
    path, said, token = (
        f"/citizens/me/consent-requests/{request['id']}/approval",
        world.answer_to(request),
        an.token,
    )
    statuses, ids = at_once(lambda: world.post(path, token, said, headers=sent))
    assert statuses[201] >= 1 and len(ids) == 1
    forget_end(world)
    again = world.post(path, an, said, headers=sent)
    assert again.status_code == 201 and found_in(again)["id"] in ids
    assert len(found_in(world.get("/citizens/me/grants", an))["items"]) == 1
    assert told(world.post(path, an, said)) == (409, "request_closed")
    late = world.signed_in(an, ago=timedelta(minutes=6))
    assert world.post(path, late, said, headers=sent).status_code == 401, "the step-up is asked for anew"


def test_withdrawing_and_refusing_twice_are_once(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    made, sent = world.grant(doctor, an), key()
    path, token = f"/citizens/me/grants/{made.grant['id']}/withdrawal", an.token
    statuses, _ = at_once(lambda: world.post(path, token, headers=sent))
    assert set(statuses) <= {200, 409} and world.post(path, an, headers=sent).status_code == 200
    world.ask(doctor, an)
    refusal = f"/citizens/me/consent-requests/{world.newest_request(an)['id']}/refusal"
    assert world.post(refusal, an, headers=sent).status_code == 200
    forget_end(world)
    assert world.post(refusal, an, headers=sent).status_code == 200
    assert told(world.post(refusal, an)) == (409, "request_closed")


def test_a_visit_code_is_shown_again_and_used_once(world: World) -> None:
    doctor, an, sent = world.doctor(), world.person(), key()
    first = found_in(world.post("/citizens/me/visit-codes", an, headers=sent))
    forget_end(world)
    assert found_in(world.post("/citizens/me/visit-codes", an, headers=sent)) == first
    assert first["visit_code"] not in str(list(world.db["idempotency_keys"].find()))
    body = world.proposal(an, citizen={"visit_code": first["visit_code"]})
    token = doctor.token
    mine = key()
    statuses, ids = at_once(lambda: world.post(ASK, token, body, headers=mine))
    assert statuses[202] >= 1 and len(ids) == 1
    forget_end(world)
    assert found_in(world.post(ASK, doctor, body, headers=mine))["id"] in ids
    assert told(world.post(ASK, doctor, body)) == (422, "visit_code_invalid")
    assert world.db["consent_requests"].count_documents({"citizen_id": an.id}) == 1


def test_fifty_doctors_with_one_code_make_one_request(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    code = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    body, token = world.proposal(an, citizen={"visit_code": code}), doctor.token
    with ThreadPoolExecutor(50) as pool:
        tried = [pool.submit(world.post, ASK, token, body) for _ in range(50)]
    seen = Counter(each.result().status_code for each in tried)
    assert seen == {202: 1, 422: 49}
    assert world.db["consent_requests"].count_documents({"citizen_id": an.id}) == 1


def test_a_death_between_the_code_and_the_request_costs_nobody_the_chance(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    code = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    body = world.proposal(an, citizen={"visit_code": code})
    consents = type(world.services.visit_codes)

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consents, "use", dies)  # after the request was written, before the step is complete
        with pytest.raises(KeyboardInterrupt):
            world.post(ASK, doctor, body)
    assert world.db["consent_requests"].count_documents({"citizen_id": an.id}) == 0
    assert world.post(ASK, doctor, body).status_code == 202


def test_sending_records_twice_is_one_report(world: World) -> None:
    doctor, an, sent = world.doctor(), world.person(), key()
    path, body, token = "/provider/intake/fhir-bundles", bundle(an, condition()), doctor.token

    def call() -> Any:
        return world.post(path, token, body, headers=sent, kind="application/fhir+json")

    statuses, ids = at_once(call, 8)
    assert statuses[202] >= 1 and len(ids) == 1
    forget_end(world)
    assert found_in(call())["id"] in ids
    assert world.db["intakes"].count_documents({"organisation_id": doctor.organisation_id}) == 1


def test_ops_acts_twice_are_once(world: World) -> None:
    registrar, doctor = world.ops("registrar", "operator"), world.doctor()
    parent, child = world.person(), world.person(born=world.now().date() - timedelta(days=900))
    licence = {"purposes": ["TREAT"], "read_categories": ["visit"], "write_categories": ["visit"]}
    station = {"name_vi": "Trạm", "name_en": "Station", "kind": "commune_station", "facility_code": "99123"}
    acts: list[tuple[str, dict[str, Any]]] = [
        ("/ops/organisations", station | licence),
        (
            f"/ops/organisations/{doctor.organisation_id}/roster",
            {"id": "bs-1", "name": "BS. Một", "role": "physician", "valid_from": "2026-01-01"},
        ),
        (
            "/ops/guardianships",
            {
                "guardian_id": parent.id,
                "dependent_id": child.id,
                "relation": "minor",
                "evidence_kind": "birth_certificate",
                "valid_from": "2026-01-01",
            },
        ),
        ("/ops/reminder-runs", {}),
    ]
    for path, body in acts:
        sent = key()
        first = world.post(path, registrar, body, headers=sent)
        assert first.status_code in (201, 202), (path, first.get_data(as_text=True))
        assert found_in(world.post(path, registrar, body, headers=sent)) == found_in(first), path
        forget_end(world)
        assert found_in(world.post(path, registrar, body, headers=sent)) == found_in(first), path
    assert world.db["organisations"].count_documents({"facility_code": "99123"}) == 1


def test_a_refused_act_may_be_tried_again_with_its_key(world: World) -> None:
    doctor, an, sent = world.doctor(), world.person(), key()
    other = world.doctor(purposes=("PUBHLTH",))
    body = world.proposal(an)
    assert world.post(ASK, other, body, headers=sent).status_code == 403
    assert world.post(ASK, other, body, headers=sent).status_code == 403, "not 409: the turn was given back"
    assert world.post(ASK, doctor, body, headers=sent).status_code == 202


def test_turns_are_taken_by_one_and_cleared_after_a_day(world: World) -> None:
    turns, row = MongoTurns(world.db), new_id()

    def begin(_: int) -> str:
        try:
            turn = turns.begin(row, "print")
        except IdempotencyRunning:
            return "running"
        return f"again={turn.again}"

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(begin, range(16))) == {"again=False": 1, "running": 15}
    past = system_now() - timedelta(hours=1)
    world.db["idempotency_keys"].update_one({"_id": row}, {"$set": {"leased_until": past}})
    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(begin, range(16))) == {"again=True": 1, "running": 15}
    with pytest.raises(IdempotencyMismatch):
        turns.begin(row, "other")
    kept = world.db["idempotency_keys"].find_one({"_id": row})
    assert kept is not None and timedelta(hours=23) < kept["purge_at"] - system_now() <= timedelta(hours=24)
