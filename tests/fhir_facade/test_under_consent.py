"""Practitioners read as FHIR what a consent covers, in their organisation's own words, until it ends."""

from __future__ import annotations

import pytest

from consent.access import AccessService
from tests.emergency.glass import hospital
from tests.fhir_facade.books import (
    codes,
    conditions,
    entries,
    filled,
    hide,
    link,
    pages,
    under,
    whole,
)
from tests.world import Json, World, code_in, condition, found_in, labelled, without_request_id
from wallet_api.infra.ids import new_id


def test_a_practitioner_reads_what_is_covered_and_nothing_else(world: World) -> None:
    doctor, an = world.doctor(), filled(world)
    granted, session = under(world, doctor, an, "condition", "visit")
    (found,) = entries(world.get("/fhir/Condition", doctor, headers=session))
    patient = granted.citizen_ref.replace("_", ".")
    assert found["subject"] == {"reference": f"Patient/{patient}"}
    assert an.id not in str(found)
    for path in (f"Condition/{found['id']}", f"Condition/{found['id']}/_history/1"):
        alone = world.get(f"/fhir/{path}", doctor, headers=session)
        assert found_in(alone) == found
        assert alone.headers["Cache-Control"] == "no-store" and "ETag" not in alone.headers
    assert (
        found_in(world.get(f"/fhir/Condition/{found['id']}/_history", doctor, headers=session))["total"] == 1
    )
    for named in (
        patient,
        f"Patient/{patient}",
        granted.citizen_ref,
        f"{world.settings.public_url}/fhir/Patient/{patient}",
    ):
        assert len(entries(world.get(f"/fhir/Condition?patient={named}", doctor, headers=session))) == 1
    assert entries(world.get("/fhir/Immunization", doctor, headers=session)) == []
    kinds = [
        each["resourceType"]
        for each in whole(world, f"Patient/{patient}/$everything", doctor, headers=session)
    ]
    assert sorted(kinds) == ["Condition", "Encounter", "Patient"]
    counted = "/fhir/Immunization?_summary=count"
    assert found_in(world.get(counted, doctor, headers=session))["total"] == 0


def test_of_the_patient_a_provider_learns_no_more_than_its_own_name(world: World) -> None:
    doctor, an = world.doctor(), filled(world)
    granted, session = under(world, doctor, an)
    only: Json = {"resourceType": "Patient", "id": granted.citizen_ref.replace("_", ".")}
    assert entries(world.get("/fhir/Patient", doctor, headers=session)) == [only]
    assert found_in(world.get(f"/fhir/Patient/{only['id']}", doctor, headers=session)) == only
    lines = found_in(world.get("/citizens/me/access-log?limit=2", an))["items"]
    assert [(each["action"], each["record_count"]) for each in lines] == [("record:searched", 0)] * 2


def test_a_hidden_or_restricted_record_is_neither_found_nor_counted_nor_guessed(world: World) -> None:
    doctor, secret = world.doctor(), labelled(condition("s", code="B20"), "HIV")
    an = filled(world, *conditions(3), secret)
    (plain,) = [each["id"] for each in whole(world, "Condition?code=A01", an)]
    hide(world, an, plain, "providers")
    _, session = under(world, doctor, an)
    assert codes(whole(world, "Condition", doctor, headers=session)) == ["A02", "A00"]
    for query in ("code=A01", "code=B20", "_lastUpdated=ge2026&code=A01,B20", "date=2026-03-02"):
        answer = world.get(f"/fhir/Condition?{query}&_total=accurate", doctor, headers=session)
        assert (entries(answer), found_in(answer)["total"]) == ([], 0), query
    seal = world.services.references.seal
    hidden, absent = (
        seal(doctor.organisation_id, "record", an.id, each).replace("_", ".") for each in (plain, new_id())
    )
    told = [
        without_request_id(world.get(f"/fhir/Condition/{each}", doctor, headers=session))
        for each in (hidden, absent)
    ]
    assert told[0] == told[1] and told[0][0] == 404
    found = world.get(f"/fhir/Condition?_id={hidden},{absent}&_total=accurate", doctor, headers=session)
    assert (entries(found), found_in(found)["total"]) == ([], 0)


def test_names_are_each_organisations_own(world: World) -> None:
    an = filled(world)
    seen = []
    for doctor in (world.doctor(), world.doctor()):
        _, session = under(world, doctor, an)
        (found,) = entries(world.get("/fhir/Condition", doctor, headers=session))
        seen.append((doctor, session, found["id"], found["subject"]["reference"]))
    (one, session, mine, _), (_, _, theirs, patient) = seen
    assert mine != theirs and seen[0][3] != patient
    assert world.get(f"/fhir/Condition/{theirs}", one, headers=session).status_code == 404
    assert world.get(f"/fhir/Condition?patient={patient}", one, headers=session).status_code == 404
    assert entries(world.get(f"/fhir/Condition?_id={theirs}", one, headers=session)) == []


def test_consent_is_asked_for_every_page_and_a_cursor_is_nobody_elses(world: World) -> None:
    doctor, an = world.doctor(), filled(world, *conditions(4))
    granted, session = under(world, doctor, an)
    first = world.get("/fhir/Condition?_count=2", doctor, headers=session)
    more = str(link(first, "next")).removeprefix(world.settings.public_url)
    everything = world.get(
        f"/fhir/Patient/{granted.citizen_ref}/$everything?_count=2", doctor, headers=session
    )
    rest = str(link(everything, "next")).removeprefix(world.settings.public_url)
    assert code_in(world.get(more, an)) == "bad_cursor"
    assert codes(entries(world.get(more, doctor, headers=session))) == ["A01", "A00"]
    newest = whole(world, "Condition?code=A01", an)[0]["id"]
    hide(world, an, newest, "providers")
    other = {"Access-Session": granted.session()}
    assert codes(entries(world.get(more, doctor, headers=other))) == ["A00"]
    assert granted.withdraw().status_code == 200
    for path in (more, rest, "/fhir/Condition", "/fhir/Patient"):
        answer = world.get(path, doctor, headers=session)
        assert (answer.status_code, code_in(answer)) == (403, "consent_ended"), path


def test_without_session_or_practitioner_nothing_is_read_and_the_attempt_is_logged(world: World) -> None:
    doctor, an = world.doctor(), filled(world)
    granted, session = under(world, doctor, an)
    patient = granted.citizen_ref.replace("_", ".")
    path = f"/fhir/Condition?patient={patient}"
    (record,) = entries(world.get("/fhir/Condition", doctor, headers=session))
    one = world.get(f"/fhir/Condition/{record['id']}", doctor)
    assert (one.status_code, code_in(one)) == (403, "access_session_invalid")
    other, _ = under(world, doctor, filled(world))
    elsewhere = {"Access-Session": other.session()}
    one = world.get(f"/fhir/Condition/{record['id']}", doctor, headers=elsewhere)
    assert (one.status_code, code_in(one)) == (403, "access_session_invalid")
    tries = {
        "access_session_invalid": world.get(path, doctor),
        "practitioner_needed": world.get(path, doctor.system, headers=session),
    }
    for code, answer in tries.items():
        assert (answer.status_code, code_in(answer)) == (403, code)
        assert found_in(answer)["resourceType"] == "OperationOutcome"
    colleague = world.colleague(doctor)
    assert code_in(world.get("/fhir/Condition", colleague, headers=session)) == "access_session_invalid"
    lines = found_in(world.get("/citizens/me/access-log?limit=4", an))["items"]
    assert {(each["action"], each["decision"]) for each in lines} == {("record:read", "refuse")}


@pytest.mark.parametrize(
    "path", ["Condition", "Patient", "Condition?_summary=count", "Patient/{patient}/$everything"]
)
def test_the_last_look_drops_an_answer_read_just_before_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    doctor, an = world.doctor(), filled(world)
    granted, session = under(world, doctor, an)
    holds = AccessService.still_holds

    def ends_first(self: AccessService, fence: object) -> bool:
        assert granted.withdraw().status_code == 200
        monkeypatch.setattr(AccessService, "still_holds", holds)
        return holds(self, fence)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr(AccessService, "still_holds", ends_first)
    wire = f"/fhir/{path}".replace("{patient}", granted.citizen_ref.replace("_", "."))
    answer = world.get(wire, doctor, headers=session)
    assert (answer.status_code, code_in(answer)) == (403, "consent_ended")
    assert answer.mimetype == "application/fhir+json" and "entry" not in found_in(answer)


def test_in_an_emergency_the_usual_name_of_the_person_is_not_told(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    usual, _ = under(world, doctor, an)
    asked = {
        "citizen": {"national_id": an.number},
        "reason_code": "unconscious",
        "reason": "Bất tỉnh",
    }
    opened = found_in(world.post("/provider/emergency-access", doctor, asked))
    session = {"Access-Session": opened["access_session"]["id"]}
    (found,) = entries(world.get("/fhir/Condition", doctor, headers=session))
    name = opened["citizen_ref"].replace("_", ".")
    assert found["subject"] == {"reference": f"Patient/{name}"} and len(found["id"]) <= 64 >= len(name)
    assert usual.citizen_ref.replace("_", ".") not in str(found)
    assert [len(page) for page in pages(world, f"Patient/{name}/$everything", doctor, headers=session)] == [5]
    assert entries(world.get(f"/fhir/Condition?patient=Patient/{name}", doctor, headers=session)) == [found]
