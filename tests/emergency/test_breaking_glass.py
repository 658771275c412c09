"""Breaking the glass over HTTP: who may, what is seen, who is told, how it ends."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.emergency.glass import (
    PATH,
    broken,
    filled,
    hospital,
    inbox_of,
    log_of,
    need,
    opened,
    read,
    seen,
)
from tests.fhir import sources
from tests.world import Granted, World, found_in
from wallet_api.audit.errors import LogUnavailable
from wallet_api.infra.ids import new_id
from wallet_api.records.safety import SafetyFlag


def test_c21_the_smallest_set_is_read_for_an_hour_and_nothing_hidden_or_restricted(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    access = opened(world, doctor, an)
    assert sources(seen(world, doctor, access)) == ["plain"]
    assert access["categories"] == ["allergy", "condition", "medication"]
    world.forward(minutes=28)
    again = {"citizen_ref": access["citizen_ref"], "purpose": "BTG"}
    session = found_in(world.post("/provider/access-sessions", doctor, again))
    world.forward(minutes=28)
    access["access_session"] = session
    assert sources(seen(world, doctor, access)) == ["plain"]
    world.forward(minutes=5)
    assert found_in(read(world, doctor, access))["code"] in ("consent_ended", "access_session_invalid")
    assert found_in(world.post("/provider/access-sessions", doctor, again))["code"] == "consent_ended"


def test_what_it_opens_serves_no_other_purpose_practitioner_or_organisation(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    colleague, stranger = world.colleague(doctor), hospital(world)
    access = opened(world, doctor, an)
    for who, purpose, code in (
        (doctor, "TREAT", "not_covered"),
        (colleague, "BTG", "not_covered"),
        (stranger, "BTG", "not_found"),
    ):
        body = {"citizen_ref": access["citizen_ref"], "purpose": purpose}
        assert found_in(world.post("/provider/access-sessions", who, body))["code"] == code
    for who in (colleague, stranger):
        assert read(world, who, access).status_code >= 403


@pytest.mark.parametrize(
    ("over", "status", "code"),
    [
        ({"reason": ""}, 422, "invalid_fields"),
        ({"reason": None}, 422, "invalid_fields"),
        ({"reason_code": "curious"}, 422, "invalid_fields"),
        ({"citizen": {}}, 422, "invalid_fields"),
        ({"citizen": {"national_id": "1" * 12, "insurance_number": "1" * 10}}, 422, "invalid_fields"),
        ({"citizen": {"national_id": "12"}}, 422, "identifier_invalid"),
        ({"categories": ["visit"]}, 422, "invalid_fields"),
        ({"expires_at": "2027-01-01T00:00:00Z"}, 422, "invalid_fields"),
    ],
)
def test_c21_no_reason_no_person_or_more_than_may_be_is_refused(
    world: World, over: dict[str, Any], status: int, code: str
) -> None:
    answer = world.post(PATH, hospital(world), need(world.person(), **over))
    assert answer.status_code == status, answer.get_data(as_text=True)


def test_c21_only_a_named_practitioner_on_the_roster_of_a_licensed_organisation_may(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    assert found_in(broken(world, doctor.system, an))["code"] == "practitioner_needed"
    token = doctor.token
    world.services.identity.organisations.dismiss(doctor.organisation_id, str(doctor.practitioner_id))
    assert found_in(world.post(PATH, token, need(an)))["code"] == "invalid_token"
    unlicensed = world.doctor()
    assert found_in(broken(world, unlicensed, an))["code"] == "not_licensed"
    line = log_of(world, an)[0]
    assert (line["action"], line["decision"], line["reason"]) == (
        "emergency:opened",
        "refuse",
        "not_licensed",
    )
    assert found_in(world.post(PATH, an, need(an)))["code"] == "forbidden"


def test_c21_the_person_and_a_guardian_are_told_at_once_and_the_log_tells_why(world: World) -> None:
    doctor, mother = hospital(world), world.person()
    child = world.child_of(mother)
    opened(world, doctor, child)
    (message,) = inbox_of(world, mother)
    assert "Bệnh viện Thử" in message["body"] and message["topic"] == "emergency"
    line = next(each for each in log_of(world, child) if each["action"] == "emergency:opened")
    assert (line["decision"], line["purpose"], line["reason"]) == ("permit", "BTG", "unconscious")
    assert "cấp cứu" in line["text"]
    an = world.person()
    opened(world, doctor, an)
    assert [each["topic"] for each in inbox_of(world, an)] == ["emergency"]


def test_where_a_safety_flag_covers_the_hospital_no_guardian_is_told(world: World) -> None:
    doctor, father = hospital(world), world.person()
    child = world.child_of(father, born=date(2010, 2, 1))
    since = world.now()
    world.services.safety.set(
        SafetyFlag(new_id(), child.id, doctor.organisation_id, "child_abuse", since, "somebody", since)
    )
    opened(world, doctor, child)
    assert [each["topic"] for each in inbox_of(world, child)] == ["emergency"]
    assert inbox_of(world, father) == []


def test_a_push_waits_in_the_outbox_at_any_hour(world: World) -> None:
    doctor, an = hospital(world), world.person()
    world.forward(hours=15)  # one in the night
    opened(world, doctor, an)
    outbox = world.services.reminding.outbox
    (nid,) = [each["nid"] for each in world.db["inbox"].find({"recipient_id": an.id})]
    batch = next(
        each
        for shard in outbox.ready(world.now())
        for each in world.db["outbox"].find({"shard": shard, "state": "queued"})
        if each["_id"] == nid
    )
    assert batch["due_at"] <= world.now()


def test_a_process_that_dies_leaves_the_telling_to_the_worker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, an = hospital(world), world.person()
    answer = world.post(PATH, doctor, need(an))  # never closed: nobody told
    assert answer.status_code == 201 and inbox_of(world, an) == []
    assert world.services.emergencies.tell_rest() >= 1
    assert world.services.emergencies.tell_rest() == 0
    assert len(inbox_of(world, an)) == 1
    answer.close()
    assert len(inbox_of(world, an)) == 1


def test_one_who_cannot_be_told_keeps_nobody_else_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, an, binh = hospital(world), world.person(), world.person()
    answers = [world.post(PATH, doctor, need(each)) for each in (an, binh)]
    alerts, send = world.services.reminding.alerts, world.services.reminding.alerts.__class__.send

    def failing(self: Any, messages: Any, *more: Any) -> None:
        if any(each.recipient_id == an.id for each in messages):
            raise RuntimeError("planted")
        send(self, messages, *more)

    with monkeypatch.context() as patch:
        patch.setattr(alerts.__class__, "send", failing)
        world.services.emergencies.tell_rest()
    assert inbox_of(world, an) == [] and len(inbox_of(world, binh)) == 1
    world.services.emergencies.tell_rest()
    assert len(inbox_of(world, an)) == 1
    for each in answers:
        each.close()


def test_the_citizen_ends_it_and_the_next_read_gets_nothing(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    access = opened(world, doctor, an)
    assert seen(world, doctor, access)
    (grant,) = found_in(world.get("/citizens/me/grants", an))["items"]
    assert (grant["purpose"], grant["state"], grant["practitioner"]) == (
        "BTG",
        "granted",
        doctor.practitioner_id,
    )
    assert world.get(f"/citizens/me/grants/{grant['id']}/receipt", an).status_code == 200
    assert world.post(f"/citizens/me/grants/{grant['id']}/withdrawal", an).status_code == 200
    assert found_in(read(world, doctor, access))["code"] == "consent_ended"


def test_without_a_log_nothing_is_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor, an = hospital(world), filled(world)

    def unavailable(self: Any, event: Any) -> str:
        raise LogUnavailable("planted")

    with monkeypatch.context() as patch:
        patch.setattr(world.services.log.__class__, "append", unavailable)
        answer = broken(world, doctor, an)
    assert (answer.status_code, found_in(answer)["code"]) == (503, "log_unavailable")
    assert found_in(world.get("/citizens/me/grants", an))["items"] == []
    assert world.db["emergencies"].count_documents({"organisation_id": doctor.organisation_id}) == 0


def test_grant_and_review_item_come_together_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, an = hospital(world), world.person()
    store = world.services.emergencies.service._emergencies

    def dying(*_: Any) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(store, "add", dying)
        assert broken(world, doctor, an).status_code == 500
    with monkeypatch.context() as patch:
        patch.setattr(world.services.access._consents, "_shift", dying)
        assert broken(world, doctor, an).status_code == 500
    assert world.db["emergencies"].count_documents({"organisation_id": doctor.organisation_id}) == 0
    assert world.services.consent.grants(an.id) == []
    assert not world.services.access._consents.standing(an.id, doctor.organisation_id).known


def test_a_retry_with_one_key_is_one_access(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    key = {"Idempotency-Key": "one-emergency"}
    first = world.post(PATH, doctor, need(an), headers=key)
    again = world.post(PATH, doctor, need(an), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert found_in(first)["id"] == found_in(again)["id"]
    assert len(found_in(world.get("/citizens/me/grants", an))["items"]) == 1
    assert sources(seen(world, doctor, found_in(again))) == ["plain"]


def test_a_shown_code_opens_too_and_is_used_up(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    code = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    access = opened(world, doctor, an, citizen={"visit_code": code})
    assert sources(seen(world, doctor, access)) == ["plain"]
    answer = broken(world, doctor, an, citizen={"visit_code": code})
    assert found_in(answer)["code"] == "visit_code_invalid"


def test_an_ordinary_grant_beside_it_is_left_alone(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    made: Granted = world.grant(doctor, an)
    before = sources(made.seen())
    access = opened(world, doctor, an)
    assert sources(made.seen()) == before
    assert sources(seen(world, doctor, access)) == ["plain"]
    assert made.withdraw().status_code == 200
    assert sources(seen(world, doctor, access)) == ["plain"]
