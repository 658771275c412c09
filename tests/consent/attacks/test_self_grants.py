"""C10, C09: nobody grants themselves anything, and nobody lends their rights to somebody else by mistake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fhir import brought
from tests.world import Doctor, Person, World, code_in, found_in
from wallet_api.infra.ids import new_id

FHIR = "application/fhir+json"


def consents_of(world: World, whose: Person) -> list[Any]:
    return [
        *found_in(world.get("/citizens/me/grants", whose))["items"],
        *found_in(world.get("/citizens/me/consent-requests", whose))["items"],
    ]


def fhir_consent(world: World, doctor: Doctor, whose: Person, performer: str) -> dict[str, Any]:
    return brought(
        world.settings.public_url,
        doctor.organisation_id,
        patient={"reference": f"Patient/{whose.id}"},
        performer=[{"reference": performer}],
    )


@pytest.mark.parametrize("named", [True, False], ids=["practitioner", "system"])
def test_c10_a_provider_can_say_yes_in_no_way(world: World, named: bool) -> None:
    an, doctor = world.person(), world.doctor()
    caller = doctor if named else doctor.system
    world.ask(doctor, an)
    request = world.newest_request(an)["id"]
    yes = world.answer_to({"purpose": "TREAT"})
    standing = yes | {
        "organisation_id": doctor.organisation_id,
        "purpose": "TREAT",
        "categories": ["condition"],
        "expires_at": (world.now() + timedelta(days=1)).isoformat(),
    }
    for whose in (an.id, "me"):
        tries = {
            f"/citizens/{whose}/consent-requests/{request}/approval": yes,
            f"/citizens/{whose}/consent-requests/{request}/co-approval": yes,
            f"/citizens/{whose}/grants": standing,
            f"/citizens/{whose}/visit-codes": {},
        }
        for path, body in tries.items():
            answer = world.post(path, caller, body)
            assert (answer.status_code, found_in(answer)["code"]) == (403, "forbidden"), path
    for performer in (f"Patient/{an.id}", f"Organization/{doctor.organisation_id}", "Patient/me"):
        raw = fhir_consent(world, doctor, an, performer)
        answer = world.post("/fhir/Consent", caller, raw, kind=FHIR)
        assert (answer.status_code, code_in(answer)) == (403, "forbidden")
        # FHIR's update and its batch are not served at all.
        assert world.call("PUT", f"/fhir/Consent/{new_id()}", caller, raw, kind=FHIR).status_code == 405
        assert world.post("/fhir", caller, {"resourceType": "Bundle"}, kind=FHIR).status_code == 404
    assert [each["state"] for each in consents_of(world, an)] == ["requested"]


def test_c10_a_consent_has_the_citizen_or_guardian_of_today_for_its_author(world: World) -> None:
    mother, stranger, doctor = world.person(), world.person(), world.doctor()
    baby = world.child_of(mother)
    family = world.services.identity.family
    raw = fhir_consent(world, doctor, baby, f"RelatedPerson/{mother.id}")
    for caller, performer, status in (
        (stranger, f"RelatedPerson/{mother.id}", 404),
        (stranger, f"RelatedPerson/{stranger.id}", 404),
        (mother, f"Patient/{baby.id}", 403),
        (mother, f"Patient/{mother.id}", 403),
        (mother, f"RelatedPerson/{stranger.id}", 403),
        (mother, f"Organization/{doctor.organisation_id}", 403),
    ):
        tried = fhir_consent(world, doctor, baby, performer)
        assert world.post("/fhir/Consent", caller, tried, kind=FHIR).status_code == status, performer
    assert found_in(world.get(f"/citizens/{baby.id}/grants", mother))["items"] == []
    relation = next(each for each in family.guardians_of(baby.id, world.now()))
    family.end(relation.id)
    world.forward(days=1)
    mother = world.signed_in(mother)
    assert world.post("/fhir/Consent", mother, raw, kind=FHIR).status_code == 404
    standing = world.answer_to({"purpose": "TREAT"}) | {
        "organisation_id": doctor.organisation_id,
        "purpose": "TREAT",
        "categories": ["condition"],
        "expires_at": (world.now() + timedelta(days=1)).isoformat(),
    }
    assert world.post(f"/citizens/{baby.id}/grants", mother, standing).status_code == 404


def test_c10_nobody_but_ops_makes_a_guardian_and_no_app_makes_a_person(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    claim = {"guardian_id": an.id, "dependent_id": new_id(), "relation": "minor"}
    for caller in (an, doctor, doctor.system):
        assert world.post("/ops/guardianships", caller, claim).status_code == 403


# --- C09: the confused deputy ------------------------------------------------------------------------------


def test_c09_one_organisations_consent_is_of_no_use_to_another(world: World) -> None:
    an, first, second = world.person(), world.doctor(), world.doctor()
    granted = world.grant(first, an)
    session = granted.session()
    theirs = world.services.references.seal(second.organisation_id, "citizen", an.id)
    for reference in (granted.citizen_ref, theirs):
        body = {"citizen_ref": reference, "purpose": "TREAT"}
        for named in (
            {},
            {"X-Organization": first.organisation_id, "X-Organisation-Id": first.organisation_id},
        ):
            opened = world.post("/provider/access-sessions", second, body, headers=named)
            assert opened.status_code == 404
            read = world.get(
                f"/provider/citizens/{reference}/records",
                second,
                headers={"Access-Session": session, **named},
            )
            assert read.status_code in (403, 404) and "items" not in found_in(read)
    outcome = world.get(f"/provider/consent-requests/{granted.request_ref}", second)
    assert outcome.status_code == 404


def test_c09_who_asks_is_in_the_token_and_nowhere_else(world: World) -> None:
    an, first, second = world.person(), world.doctor(), world.doctor()
    for name in ("organisation_id", "practitioner_id", "callback_url", "data_push_url", "requested_by"):
        asked = world.proposal(an) | {name: first.organisation_id}
        answer = world.post("/provider/consent-requests", second, asked)
        assert (answer.status_code, found_in(answer)["code"]) == (422, "invalid_fields"), name
    world.ask(second, an)
    assert world.newest_request(an)["organisation"]["id"] == second.organisation_id
