"""What the entries of a bundle say of each other: a record can be read alone, and nothing grows for ever."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fhir import ICD10, bundle, condition, labelled, observation
from tests.ips.test_documents import ALL
from tests.world import Json, World, found_in
from wallet_api.records import neighbours
from wallet_api.records.bundle import Entry, read_bundle
from wallet_api.records.labels import labels_of
from wallet_api.records.neighbours import SUPPORTING
from wallet_api.records.types import record_types

SNOMED = "http://snomed.info/sct"
UUID = "urn:uuid:5a4a9f0e-9b5a-4c1e-8b1f-0123456789ab"


def statement(source_id: str = "m1", medicine: str = "Medication/m", **over: Any) -> Json:
    """A medicine somebody takes, which stands in an entry of its own."""
    return {
        "resourceType": "MedicationStatement",
        "id": source_id,
        "status": "active",
        "subject": {"reference": "Patient/p"},
        "medicationReference": {"reference": medicine},
        "effectiveDateTime": "2026-03",
    } | over


def medicine(**over: Any) -> Json:
    code = {"coding": [{"system": SNOMED, "code": "108774000"}], "text": "Anastrozole"}
    return {"resourceType": "Medication", "id": "m", "code": code} | over


def read(world: World, *resources: Json, full_urls: dict[int, str] | None = None, **over: Any) -> list[Entry]:
    sent = bundle(world.person(), *resources, **over)
    for index, url in (full_urls or {}).items():
        sent["entry"][index]["fullUrl"] = url
    return read_bundle(sent).entries


def document(**over: Any) -> Json:
    title = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "60591-5"}]},
        "subject": {"reference": "Patient/p"},
        "date": "2026-03-05T23:30:00Z",
        "author": [{"display": "x"}],
        "title": "IPS",
    }
    return title | over


def as_document(world: World, *resources: Json, title: Json | None = None) -> list[Entry]:
    sent = bundle(world.person(), *resources, type="document")
    sent["entry"].insert(0, {"resource": document() if title is None else title})
    return read_bundle(sent).entries


def test_no_type_is_a_record_and_something_for_others() -> None:
    assert not SUPPORTING & set(record_types())


def test_a_medicine_goes_into_what_names_it(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    sent = bundle(an, statement(), medicine(manufacturer={"reference": "Organization/o"}))
    sent["entry"].append({"resource": {"resourceType": "Organization", "id": "o", "name": "Hãng Thử"}})
    report = world.send(doctor, sent)
    assert [row["code"] for row in report["rows"]] == ["mapped", "accepted", "mapped", "mapped"]
    (record,) = found_in(world.get("/citizens/me/records", an))["items"]
    assert record["resource"]["medicationReference"] == {"reference": "#medication-1"}
    (inside,) = record["resource"]["contained"]
    assert inside["code"]["text"] == "Anastrozole" and inside["manufacturer"] == {"display": "Hãng Thử"}
    (line,) = found_in(world.get("/citizens/me/summary", an))["sections"]["medicines"]["lines"]
    assert line["name"] == "Anastrozole"


def test_two_medicines_are_two_on_the_front_page(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    other = medicine(code={"text": "Metformin"}) | {"id": "n"}
    world.send(doctor, bundle(an, statement(), statement("m2", "Medication/n"), medicine(), other))
    lines = found_in(world.get("/citizens/me/summary", an))["sections"]["medicines"]["lines"]
    assert sorted(each["name"] for each in lines) == ["Anastrozole", "Metformin"]


def test_what_restricts_a_medicine_restricts_what_names_it(world: World) -> None:
    entries = read(world, statement(), labelled(medicine(), "HIV"))
    assert "meta" not in entries[1].resource["contained"][0], "FHIR allows no label in a contained resource"
    assert labels_of(entries[1].resource, frozenset({"HIV"})) == {"HIV"}
    hidden = statement(medicine="#m", contained=[labelled(medicine(), "HIV")])
    assert labels_of(hidden, frozenset({"HIV"})) == {"HIV"}


def test_what_a_carried_resource_contains_comes_along(world: World) -> None:
    substance = {"resourceType": "Substance", "id": "s", "code": {"text": "Paracetamol"}}
    told = medicine(contained=[substance], ingredient=[{"itemReference": {"reference": "#s"}}])
    first, second = read(world, statement(), told)[1].resource["contained"]
    assert (first["id"], second["ingredient"][0]["itemReference"]) == (
        "medication-1-s",
        {"reference": "#medication-1-s"},
    )


def test_who_did_it_is_named(world: World) -> None:
    role = {
        "resourceType": "PractitionerRole",
        "id": "r",
        "practitioner": {"reference": UUID},
        "organization": {"display": "Bệnh viện Thử"},
    }
    person = {"resourceType": "Practitioner", "name": [{"given": ["Lan"], "family": "Đỗ"}]}
    told = observation(
        performer=[{"reference": "PractitionerRole/r"}, {"reference": UUID, "display": "Kept"}]
    )
    entries = read(world, told, role, person, full_urls={3: UUID})
    assert [each["display"] for each in entries[1].resource["performer"]] == ["Lan Đỗ, Bệnh viện Thử", "Kept"]
    assert entries[1].joined == {2, 3}


def test_records_name_each_other_by_names_that_last(world: World) -> None:
    part = observation("") | {"effectiveDateTime": "2026-01-01"}
    del part["id"]
    entries = read(world, observation(hasMember=[{"reference": UUID}]), part, full_urls={2: UUID})
    name = UUID.removeprefix("urn:uuid:")
    assert entries[2].resource["id"] == name
    assert entries[1].resource["hasMember"] == [{"reference": f"Observation/{name}"}]


def test_a_name_that_two_go_by_means_neither(world: World) -> None:
    twice = [statement(), medicine(), medicine(code={"text": "Another"})]
    entry = read(world, *twice)[1]
    assert entry.resource["medicationReference"] == {"reference": "Medication/m"} and not entry.joined


def test_one_medicine_named_a_thousand_times_fills_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_MOST_CARRIED", 3_000)
    told = [statement(f"m{number}") for number in range(8)]
    entries = read(world, *told, medicine(code={"text": "x" * 900}))
    faults = [each.fault.code if each.fault else "" for each in entries[1:9]]
    assert faults == [""] * 3 + ["too_much_carried"] * 5


def test_what_holds_without_a_date_stands_under_the_documents(world: World) -> None:
    undated = condition(onsetDateTime=None, _onsetDateTime={"extension": [ABSENT]})
    entries = as_document(world, undated, observation(effectiveDateTime=None))
    told = entries[2]
    assert told.undated and told.occurred_on and told.occurred_on.text == "2026-03-06", "a Vietnamese day"
    fault = entries[3].fault
    assert fault and fault.code == "date_missing", "a result of no day is no result of today"
    alone = read(world, undated)[1].fault
    assert alone and alone.code == "date_missing", "only a document says when it was true"
    soon = as_document(world, undated, title=document(date="soon"))[2].fault
    assert soon and soon.code == "date_missing"


ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
IPS_ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ({"code": {"coding": [{"system": IPS_ABSENT, "code": "no-problem-info"}]}}, "no_information"),
        ({"code": {"coding": [{"system": IPS_ABSENT, "code": "no-known-problems"}]}}, None),
        ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "unknown_modifier"),
        ({"implicitRules": "urn:x"}, "unknown_modifier"),
        ({"extension": [{"url": "urn:x", "valueBoolean": True}]}, None),
        ({"subject": {"reference": "Patient/p/_history/3"}}, None),
        ({"subject": {"reference": "Patient/q"}}, "other_subject"),
    ],
)
def test_what_must_not_be_overlooked_is(world: World, over: Json, fault: str | None) -> None:
    found = read(world, condition(**over))[1].fault
    assert (found.code if found else None) == fault


@pytest.mark.parametrize(("method", "fault"), [("POST", None), ("PUT", None), ("DELETE", "method_not_taken")])
def test_a_bundle_takes_something_away(world: World, method: str, fault: str | None) -> None:
    sent = bundle(world.person(), condition(), type="transaction")
    sent["entry"][1]["request"] = {"method": method, "url": "Condition/c1"}
    found = read_bundle(sent).entries[1].fault
    assert (found.code if found else None) == fault


def test_of_two_patients_a_document_names_its_own(world: World) -> None:
    other = {"resourceType": "Patient", "id": "q", "birthDate": "1990-01-01"}
    mine = condition("mine"), condition("theirs", subject={"reference": "Patient/q"})
    entries = as_document(world, other, *mine)
    faults = [each.fault.code if each.fault else None for each in entries]
    assert faults == [None, None, "other_patient", None, "other_subject"]


@pytest.mark.parametrize(
    ("system", "code", "label"),
    [
        (SNOMED, "86406008", "HIV"),
        (SNOMED + "|http://snomed.info/sct/900000000000207008", "56717001", "TB"),
        (SNOMED, "38341003", None),
        (ICD10 + "-nl", "B20", "HIV"),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "F32.1", "PSY"),
        ("urn:oid:2.16.840.1.113883.6.3", "A15.0", "TB"),
        (ICD10 + "-pcs", "B20", None),
    ],
)
def test_other_peoples_codes_restrict_as_ours_do(system: str, code: str, label: str | None) -> None:
    told = condition(code={"coding": [{"system": system, "code": code}]})
    assert labels_of(told, frozenset({"HIV", "TB", "PSY"})) == ({label} if label else set())


def test_a_pregnancy_is_told_under_its_own_licence(world: World) -> None:
    status = observation(code={"coding": [{"system": "http://loinc.org", "code": "82810-3"}]})
    an = world.person()
    assert world.send(world.doctor(), bundle(an, status))["rows"][1]["code"] == "not_licensed"
    world.send(world.doctor(writes=ALL), bundle(an, status))
    assert [each["category"] for each in found_in(world.get("/citizens/me/records", an))["items"]] == [
        "pregnancy"
    ]
