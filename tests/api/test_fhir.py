"""The FHIR side: grants as Consents, the access log as AuditEvents, and a Consent brought along."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.consent import Consent
from fhir.resources.R4B.operationoutcome import OperationOutcome
from werkzeug.test import TestResponse

from tests.fhir import brought
from tests.world import Doctor, Person, World, bundle, condition, found_in, immunization
from wallet_api.infra.ids import new_id
from wallet_api.records.fhir_search import KINDS

FHIR = "application/fhir+json"
Json = dict[str, Any]


def bring(world: World, who: Person | Doctor, raw: Json, **more: Any) -> TestResponse:
    return world.post("/fhir/Consent", who, raw, kind=FHIR, **more)


def body(world: World, doctor: Doctor, **over: Any) -> Json:
    return brought(world.settings.public_url, doctor.organisation_id, **over)


def entries(answer: TestResponse) -> list[Json]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [each["resource"] for each in found_in(answer).get("entry", [])]


def codes(answer: TestResponse) -> list[str]:
    return [each["details"]["coding"][0]["code"] for each in found_in(answer)["issue"]]


# --- out ---------------------------------------------------------------------------------------------------


def test_grants_are_consents_newest_first_page_by_page(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = [world.grant(doctor, an).grant["id"] for _ in range(3)]
    world.post(f"/citizens/me/grants/{made[0]}/withdrawal", an)
    first = world.get("/fhir/Consent?_count=2", an)
    assert first.mimetype == FHIR
    Bundle.model_validate(found_in(first))
    links = {each["relation"]: each["url"] for each in found_in(first)["link"]}
    rest = world.get(links["next"].removeprefix(world.settings.public_url), an)
    found = entries(first) + entries(rest)
    assert [each["id"] for each in found] == made[::-1]
    assert [each["status"] for each in found] == ["active", "active", "inactive"]
    assert "next" not in {each["relation"] for each in found_in(rest)["link"]}
    assert "total" not in found_in(first)
    for each in found:
        Consent.model_validate(each)
        alone = world.get(f"/fhir/Consent/{each['id']}", an)
        assert (alone.mimetype, found_in(alone)) == (FHIR, each)


def test_a_guardian_finds_the_childs_and_nobody_elses(world: World) -> None:
    mother, doctor, stranger = world.person(), world.doctor(), world.person()
    baby = world.child_of(mother)
    given = bring(
        world,
        mother,
        body(
            world,
            doctor,
            patient={"reference": f"Patient/{baby.id}"},
            performer=[{"reference": f"RelatedPerson/{mother.id}"}],
        ),
    )
    assert given.status_code == 201, given.get_data(as_text=True)
    made = found_in(given)["id"]
    assert [
        each["id"] for each in entries(world.get(f"/fhir/Consent?patient=Patient/{baby.id}", mother))
    ] == [made]
    assert entries(world.get("/fhir/Consent", mother)) == []
    assert found_in(world.get(f"/fhir/Consent/{made}", mother))["performer"] == [
        {"reference": f"RelatedPerson/{mother.id}"}
    ]
    for path in (f"Consent/{made}", f"Consent?patient={baby.id}", f"AuditEvent?patient=Patient/{baby.id}"):
        assert world.get(f"/fhir/{path}", stranger).status_code == 404
        assert world.get(f"/fhir/{path}", doctor).status_code == 403


def test_the_access_log_as_audit_events_says_what_the_list_says(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization()))
    granted = world.grant(doctor, an)
    granted.seen()
    assert granted.open(purpose="HPAYMT").status_code == 403
    lines = found_in(world.get("/citizens/me/access-log?limit=100", an))["items"]
    found = entries(world.get("/fhir/AuditEvent?_count=100", an))
    assert len(found) == len(lines) > 4
    for event, line in zip(found, lines, strict=True):
        AuditEvent.model_validate(event)
        assert event["outcomeDesc"] == line["text"]
        assert event["recorded"] == line["at"]
        assert (event["outcome"] == "0") == (line["decision"] == "permit")
        assert event["agent"][0]["who"]["display"] == line["actor"]["name"]
        assert event["entity"][0]["what"]["reference"] == f"Patient/{an.id}"
    assert {each["outcome"] for each in found} == {"0", "4"}
    read = next(each for each in found if each["subtype"][-1]["code"] == "record-searched")
    assert read["action"] == "R"
    assert read["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    assert f"Consent/{granted.grant['id']}" in [
        each.get("what", {}).get("reference") for each in read["entity"]
    ]


def test_a_cursor_of_the_access_log_leads_on_in_either_form(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    for _ in range(3):
        world.grant(doctor, an)
    whole = entries(world.get("/fhir/AuditEvent?_count=100", an))
    first = found_in(world.get("/citizens/me/access-log?limit=2", an))
    rest = entries(world.get(f"/fhir/AuditEvent?_count=100&cursor={first['next_cursor']}", an))
    assert rest == whole[2:]
    other = world.person()
    assert world.get(f"/fhir/AuditEvent?cursor={first['next_cursor']}", other).status_code == 400
    assert world.get(f"/fhir/Consent?cursor={first['next_cursor']}", an).status_code == 400


def test_a_guardian_reads_the_log_as_the_list_shows_it_to_them(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.child_of(mother, date(2011, 2, 1))
    world.send(doctor, bundle(girl, condition()))
    record = found_in(world.get("/citizens/me/records", girl))["items"][0]["id"]
    hidden = world.call(
        "PUT", f"/citizens/me/records/{record}/visibility", girl, {"audience": "guardians", "hidden": True}
    )
    assert hidden.status_code == 204
    own = [each["subtype"][-1]["code"] for each in entries(world.get("/fhir/AuditEvent", girl))]
    hers = entries(world.get(f"/fhir/AuditEvent?patient={girl.id}", mother))
    assert "record-hidden" in own
    assert "record-hidden" not in [each["subtype"][-1]["code"] for each in hers]
    lines = found_in(world.get(f"/citizens/{girl.id}/access-log", mother))["items"]
    assert [each["outcomeDesc"] for each in hers] == [each["text"] for each in lines]


def test_what_it_can_do_is_told_to_anybody(world: World) -> None:
    answer = world.get("/fhir/metadata")
    CapabilityStatement.model_validate(found_in(answer))
    told = {
        (one["type"], each["code"])
        for one in found_in(answer)["rest"][0]["resource"]
        for each in one["interaction"]
    }
    paths = found_in(world.get("/api/openapi.json"))["paths"]
    served = {path.split("/")[2] for path in paths if path.startswith("/fhir/")} - {"metadata"}
    assert "{kind}" in served, "the records of a book, whatever their type"
    assert {kind for kind, _ in told} == served - {"{kind}"} | set(KINDS)
    assert ("Consent", "create") in told and "post" in paths["/fhir/Consent"]


# --- in ----------------------------------------------------------------------------------------------------


def test_a_consent_brought_along_is_a_standing_grant_that_works(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization()))
    answer = bring(world, an, body(world, doctor))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert answer.headers["Location"].endswith(f"/fhir/Consent/{found_in(answer)['id']}")
    kept = found_in(world.get(f"/citizens/me/grants/{found_in(answer)['id']}", an))
    assert (kept["kind"], kept["state"], kept["categories"]) == ("standing", "granted", ["immunization"])
    assert kept["expires_at"].startswith("2027-03-31T16:59:59")
    log = found_in(world.get("/citizens/me/access-log", an))["items"]
    assert ("consent:granted", "standing") in [(each["action"], each["reason"]) for each in log]


def test_the_same_key_brings_one_consent(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    key = {"Idempotency-Key": new_id()}
    first, again = (bring(world, an, body(world, doctor), headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert found_in(first) == found_in(again)
    assert len(entries(world.get("/fhir/Consent", an))) == 1


def test_it_needs_a_fresh_sign_in(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    stale = world.signed_in(an, timedelta(minutes=6))
    answer = bring(world, stale, body(world, doctor), headers={"Accept": FHIR})
    assert (answer.status_code, codes(answer)) == (401, ["insufficient_user_authentication"])
    assert entries(world.get("/fhir/Consent", an)) == []


REFUSED: dict[str, tuple[Json, int, str]] = {
    "somebody else's": ({"patient": {"reference": f"Patient/{new_id()}"}}, 404, "not_found"),
    "of no patient": ({"patient": {"reference": "Group/me"}}, 404, "not_found"),
    "by somebody else": ({"performer": [{"reference": f"Patient/{new_id()}"}]}, 403, "forbidden"),
    "by the provider": ({"performer": [{"reference": "Organization/x"}]}, 403, "forbidden"),
    "by both": (
        {"performer": [{"reference": "Patient/me"}, {"reference": "Organization/x"}]},
        403,
        "forbidden",
    ),
    "a denial": ({"provision": {"type": "deny"}}, 422, "consent_unreadable"),
    "no consent": ({"resourceType": "Patient"}, 422, "consent_unreadable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_the_callers_own_will_is_refused_with_its_reason(world: World, name: str) -> None:
    an, doctor = world.person(), world.doctor()
    over, status, code = REFUSED[name]
    answer = bring(world, an, body(world, doctor, **over), headers={"Accept": FHIR})
    assert (answer.status_code, codes(answer)[0]) == (status, code), answer.get_data(as_text=True)
    assert (answer.mimetype, found_in(answer)["issue"][0]["severity"]) == (FHIR, "error")
    OperationOutcome.model_validate(found_in(answer))
    assert entries(world.get("/fhir/Consent", an)) == []


def test_every_reason_is_told_at_its_place_in_the_readers_language(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    raw = body(world, doctor)
    raw["provision"] |= {"purpose": [], "action": [{"text": "x"}]}
    told = found_in(bring(world, an, raw, headers={"Accept": FHIR, "Accept-Language": "en"}))["issue"]
    places = {each["expression"][0]: each["details"] for each in told[1:]}
    assert places["Consent.provision.action"]["coding"][0]["code"] == "not_understood"
    assert "Consent.provision.purpose" in places
    assert "refused" in places["Consent.provision.action"]["text"]
    plain = found_in(bring(world, an, raw, headers={"Accept": "application/problem+json"}))
    assert plain["code"] == "consent_unreadable" and len(plain["errors"]) == len(told) - 1


def test_a_licence_the_deny_list_and_the_roster_hold_here_too(world: World) -> None:
    an, doctor = world.person(), world.doctor(reads=("visit",))
    assert bring(world, an, body(world, doctor)).status_code == 403
    other = world.doctor()
    blocked = world.call("PUT", f"/citizens/me/blocked-organisations/{other.organisation_id}", an)
    assert blocked.status_code == 204
    assert codes(bring(world, an, body(world, other))) == ["organisation_blocked"]
    raw = body(world, world.doctor())
    raw["provision"]["actor"][0]["reference"]["reference"] = f"Organization/{new_id()}"
    assert bring(world, an, raw).status_code == 404
    nobody = body(world, doctor)
    nobody["provision"]["actor"][0]["reference"]["reference"] = f"PractitionerRole/{doctor.organisation_id}.x"
    assert codes(bring(world, an, nobody))[0] == "unknown_code"


@pytest.mark.parametrize(
    "accept", ["*/*", "application/fhir+json", "application/json", "text/html, application/json"]
)
def test_a_refusal_is_an_operation_outcome(world: World, accept: str) -> None:
    answer = world.get("/fhir/Consent", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype, codes(answer)) == (401, FHIR, ["invalid_token"])
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    asked = {"Accept": "application/problem+json"}
    assert world.get("/fhir/Consent", headers=asked).mimetype == "application/problem+json"
