"""A patient summary: made of what its reader may see, whole in itself, and nothing but words in its texts."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.fhir import ICD10, bundle, condition, immunization, labelled, observation
from tests.fhir_facade.test_scopes import narrowed
from tests.ips.test_documents import ALL
from tests.ips.test_joining import IPS_ABSENT, medicine, statement
from tests.pages.resources import allergy
from tests.world import Caller, Granted, Json, Person, World, found_in
from wallet_api.records.bundle import NATIONAL_ID
from wallet_api.records.ips.sections import layout

ALWAYS = {"11450-4", "48765-2", "10160-0"}
LOINC = "http://loinc.org"


def asked(world: World, as_: Caller, patient: str = "me", **more: Any) -> TestResponse:
    return world.get(f"/fhir/Patient/{patient}/$summary", as_, **more)


def summary(world: World, as_: Caller, patient: str = "me", **more: Any) -> Json:
    answer = asked(world, as_, patient, **more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.mimetype == "application/fhir+json" and answer.headers["Cache-Control"] == "no-store"
    document = found_in(answer)
    check(document)
    return document


def check(document: Json) -> None:
    """A document is whole: what is in it is named, and what is named is in it."""
    first = document["entry"][0]["resource"]
    assert (document["type"], first["resourceType"]) == ("document", "Composition")
    assert first["type"]["coding"][0]["code"] == "60591-5" and document["identifier"]["value"]
    urls = [each["fullUrl"] for each in document["entry"]]
    assert len(set(urls)) == len(urls) and all(each.startswith("urn:uuid:") for each in urls)
    for each in document["entry"]:
        inside = {f"#{one['id']}" for one in each["resource"].get("contained", ())}
        assert set(references(each["resource"])) <= set(urls) | inside
    named = {one["reference"] for section in first["section"] for one in section["entry"]}
    assert named | {urls[0], urls[1], urls[2]} == set(urls)
    assert {each["code"]["coding"][0]["code"] for each in first["section"]} >= ALWAYS
    for each in (first, *first["section"]):
        div = ElementTree.fromstring(each["text"]["div"])
        allowed = {"div", "table", "thead", "tbody", "tr", "th", "td", "p"}
        assert {one.tag.rpartition("}")[2] for one in div.iter()} <= allowed


def references(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    if not isinstance(value, dict):
        return []
    own = [value["reference"]] if isinstance(value.get("reference"), str) else []
    return own + [found for each in value.values() for found in references(each)]


def sections(document: Json) -> dict[str, list[Json]]:
    """The resources of each section, by its code."""
    by_url = {each["fullUrl"]: each["resource"] for each in document["entry"]}
    return {
        each["code"]["coding"][0]["code"]: [by_url[one["reference"]] for one in each["entry"]]
        for each in document["entry"][0]["resource"]["section"]
    }


def words(document: Json) -> str:
    return "".join(each["text"]["div"] for each in document["entry"][0]["resource"]["section"])


def codes(resources: list[Json], name: str = "code") -> list[str]:
    return [each[name]["coding"][0]["code"] for each in resources]


def coded(code: str, category: str | None = None, **over: Any) -> Json:
    told = observation(f"o{code}", **over) | {"code": {"coding": [{"system": LOINC, "code": code}]}}
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return told | ({"category": [{"coding": [{"system": system, "code": category}]}]} if category else {})


def procedure(**over: Any) -> Json:
    return {
        "resourceType": "Procedure",
        "id": "pr",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "code": {"text": "Mổ ruột thừa"},
        "performedDateTime": "2019",
    } | over


def full(world: World, person: Person) -> None:
    """A book with something in every section."""
    weight = coded("29463-7", "vital-signs", valueQuantity={"value": 61.5, "unit": "kg"})
    sent = [condition(), allergy(), statement(), medicine(), immunization(), observation(), weight]
    world.send(world.doctor(writes=ALL), bundle(person, *sent, procedure(), coded("82810-3")))


def test_an_empty_book_says_that_nothing_is_known(world: World) -> None:
    an = world.person()
    document = summary(world, an)
    found = sections(document)
    assert set(found) == ALWAYS
    told = {section.code: section.absent.code for section in layout().sections if section.absent}
    assert {
        name: codes(each, "code" if name != "10160-0" else "medicationCodeableConcept")
        for name, each in found.items()
    } == {name: [code] for name, code in told.items()}
    assert "nilknown" not in str(document) and "no-known" not in str(document), "nobody said that"


def test_every_section_tells_what_is_there(world: World) -> None:
    an = world.person()
    full(world, an)
    document = summary(world, an, headers={"Accept-Language": "en"})
    assert {name: len(each) for name, each in sections(document).items()} == dict.fromkeys(
        (each.code for each in layout().sections), 1
    )
    composition = document["entry"][0]["resource"]
    assert (composition["title"], composition["confidentiality"]) == (
        "International Patient Summary (IPS)",
        "N",
    )
    assert (
        "61.5 kg" in words(document)
        and "Test Hospital" in words(document)
        and "Anastrozole" in words(document)
    )
    in_vietnamese = summary(world, an)
    assert in_vietnamese["entry"][0]["resource"]["title"] == "Tóm tắt hồ sơ sức khỏe quốc tế (IPS)"
    assert "Bệnh viện Thử" in words(in_vietnamese)
    assert in_vietnamese["identifier"] != document["identifier"], "each document is a new one"
    whose = document["entry"][1]["resource"]
    assert whose["name"] == [{"text": an.name}] and an.number not in str(document)


def test_what_somebody_wrote_is_markup(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    said = '<script>alert("x")</script> & \' ]]> ' + "&#x0;"
    world.send(doctor, bundle(an, condition(code={"text": said})))
    document = summary(world, an)
    assert "<script>" not in words(document) and "&lt;script&gt;" in words(document)
    root = ElementTree.fromstring(document["entry"][0]["resource"]["section"][0]["text"]["div"])
    assert said in "".join(root.itertext())


def test_a_reference_leads_out_of_the_document(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    lost = [{"reference": "Observation/gone"}, {"reference": "Practitioner/1", "display": "BS. Lan"}]
    whole = coded("85354-9", hasMember=[{"reference": "Observation/o8480-6"}, lost[0]], performer=[lost[1]])
    world.send(doctor, bundle(an, whole, coded("8480-6"), statement(medicine="Medication/gone")))
    document = summary(world, an)
    by_url = {each["fullUrl"]: each["resource"] for each in document["entry"]}
    (told,) = [each for each in by_url.values() if "hasMember" in each]
    member, gone = told["hasMember"]
    assert codes([by_url[member["reference"]]]) == ["8480-6"]
    assert gone["extension"][0]["valueCode"] == "unknown" and told["performer"] == [{"display": "BS. Lan"}]
    assert "id" not in told, "what its sender calls it is the sender's"


def test_another_senders_number_is_ours(world: World) -> None:
    an = world.person()
    whole = coded("85354-9", hasMember=[{"reference": "Observation/o8480-6"}])
    world.send(world.doctor(), bundle(an, whole))
    world.send(world.doctor(), bundle(an, coded("8480-6")))
    (told,) = [each["resource"] for each in summary(world, an)["entry"] if "hasMember" in each["resource"]]
    assert "reference" not in told["hasMember"][0]


def test_none_known_is_told_beside_what_is_known(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    none = {"code": {"coding": [{"system": IPS_ABSENT, "code": "no-known-allergies"}]}}
    world.send(doctor, bundle(an, allergy() | none | {"id": "none"}))
    assert codes(sections(summary(world, an))["48765-2"]) == ["no-known-allergies"]
    world.send(doctor, bundle(an, allergy()))
    assert "no-known-allergies" not in str(summary(world, an))


def test_more_than_a_summary_holds_is_cut_without_a_word(world: World) -> None:
    an = world.person()
    many = [condition(f"c{number}", f"J{number}") for number in range(10, 25)]
    world.send(world.doctor(), bundle(an, *many))
    document = summary(world, an, headers={"Accept-Language": "en"})
    assert len(sections(document)["11450-4"]) == 6 and "holds more of this section" in words(document)


def test_a_provider_is_told_what_the_consent_covers(world: World) -> None:
    an, author, doctor = world.person(), world.doctor(), world.doctor()
    secret = labelled(condition("c2", "F32", on="2026-09-01"), "PSY")
    world.send(author, bundle(an, condition(), secret, allergy(), statement(), medicine()))
    made = world.grant(doctor, an, categories=["condition", "medication"])
    document = summary(world, doctor, fhir_id(made), headers={"Access-Session": made.session()})
    found = sections(document)
    assert codes(found["11450-4"]) == ["I10"] and codes(found["48765-2"]) == ["no-allergy-info"]
    assert an.name not in str(document) and an.born.isoformat() not in str(document)
    newest = found_in(world.get("/citizens/me/access-log?limit=1", an))["items"][0]
    assert (newest["action"], newest["record_count"]) == ("record:searched", 2)
    mine = summary(world, an)
    assert sorted(codes(sections(mine)["11450-4"])) == ["F32", "I10"]
    assert mine["entry"][0]["resource"]["confidentiality"] == "R"
    (tagged,) = [each["resource"] for each in mine["entry"] if "meta" in each["resource"]]
    assert [each["code"] for each in tagged["meta"]["security"]] == ["PSY"]


def fhir_id(made: Granted) -> str:
    """What the doctor's organisation calls the patient, as a FHIR id may be written."""
    return made.citizen_ref.replace("_", ".")


def test_a_summary_outlives_the_consent(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    headers = {"Access-Session": made.session()}
    summary(world, doctor, fhir_id(made), headers=headers)
    made.withdraw()
    answer = asked(world, doctor, fhir_id(made), headers=headers)
    assert answer.status_code == 403 and found_in(answer)["resourceType"] == "OperationOutcome"
    assert "consent_ended" in answer.get_data(as_text=True)


def test_a_guardian_takes_along_what_the_child_hid(world: World) -> None:
    an = world.person()
    child = world.child_of(an, born=(world.now() - timedelta(days=15 * 365)).date())
    doctor = world.doctor()
    world.send(doctor, bundle(child, condition(), condition("c2", "N92", on="2026-05-01")))
    records = found_in(world.get("/citizens/me/records", child))["items"]
    (hidden,) = [each for each in records if each["resource"]["id"] == "c2"]
    body = {"audience": "guardians", "hidden": True}
    put = world.call("PUT", f"/citizens/me/records/{hidden['id']}/visibility", child, body)
    assert put.status_code == 204, put.get_data(as_text=True)
    assert codes(sections(summary(world, an, child.id))["11450-4"]) == ["I10"]
    assert sorted(codes(sections(summary(world, child))["11450-4"])) == ["I10", "N92"]
    newest = found_in(world.get("/citizens/me/access-log?limit=1", child))["items"][0]
    assert newest["action"] == "record:exported"
    assert asked(world, world.person(), child.id).status_code == 404


def test_a_strangers_summary_differs_from_nobodys(world: World) -> None:
    an, binh = world.person(), world.person()
    answers = [asked(world, an, each) for each in (binh.id, "a" * 26, "nobody")]
    assert {each.status_code for each in answers} == {404}
    assert len({str(found_in(each)["issue"][0]["details"]) for each in answers}) == 1
    assert world.get("/fhir/Patient/me/$summary?x=1", an).status_code == 400
    assert asked(world, world.ops("operator")).status_code == 403


def test_a_narrowed_session_gets_half_a_summary(world: World) -> None:
    an = world.person()
    answer = asked(world, narrowed(world, an, "patient/Condition.rs patient/Patient.rs"))
    assert answer.status_code == 403 and "insufficient_scope" in answer.get_data(as_text=True)
    check(found_in(asked(world, narrowed(world, an, "patient/*.rs"))))


def test_our_own_summary_comes_in_again(world: World) -> None:
    """Given to another wallet: every entry is told, and nothing that says nothing becomes a record."""
    an, binh = world.person(), world.person()
    full(world, an)
    document = summary(world, an)
    document["entry"][1]["resource"] |= {
        "identifier": [{"system": NATIONAL_ID, "value": binh.number}],
        "birthDate": binh.born.isoformat(),
    }
    report = world.send(world.doctor(writes=ALL), document)
    assert [row["index"] for row in report["rows"]] == list(range(len(document["entry"])))
    assert [report[each] for each in ("accepted", "mapped", "unused", "rejected")] == [8, 2, 1, 0], report
    again = sections(summary(world, binh))
    assert {name: len(each) for name, each in again.items()} == dict.fromkeys(
        (each.code for each in layout().sections), 1
    )
    empty = summary(world, world.person())
    empty["entry"][1]["resource"] = document["entry"][1]["resource"]
    report = world.send(world.doctor(writes=ALL), empty)
    assert [row["code"] for row in report["rows"]].count("no_information") == 3 and report["accepted"] == 0


@pytest.mark.parametrize("icd10", ["B20", "F32"])
def test_what_comes_in_as_a_document_is_open_to_all(world: World, icd10: str) -> None:
    """What law restricts is restricted, whoever sends it as whatever."""
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(code={"coding": [{"system": ICD10, "code": icd10}]})))
    document = summary(world, an)
    binh = world.person()
    document["entry"][1]["resource"] |= {
        "identifier": [{"system": NATIONAL_ID, "value": binh.number}],
        "birthDate": binh.born.isoformat(),
    }
    world.send(doctor, document)
    made = world.grant(doctor, binh)
    theirs = summary(world, doctor, fhir_id(made), headers={"Access-Session": made.session()})
    assert icd10 not in str(theirs) and icd10 in str(summary(world, binh))


PARAMETERS = {"resourceType": "Parameters"}


def posted(world: World, as_: Caller, body: object = None, patient: str = "me", **more: Any) -> TestResponse:
    path = f"/fhir/Patient/{patient}/$summary"
    if body is None:
        return world.call("POST", path, as_, **more)
    return world.post(path, as_, body, kind="application/fhir+json", **more)


def test_posted_it_is_the_same_document(world: World) -> None:
    mother, doctor, stranger = world.person(), world.doctor(), world.person()
    girl = world.child_of(mother)
    world.send(doctor, bundle(girl, condition()))
    read = summary(world, mother, girl.id)
    for body in (None, PARAMETERS, PARAMETERS | {"id": "p", "parameter": []}):
        answer = posted(world, mother, body, girl.id)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.headers["Cache-Control"] == "no-store"
        made = found_in(answer)
        check(made)
        assert len(made["entry"]) == len(read["entry"])
    assert posted(world, stranger, PARAMETERS, girl.id).status_code == 404
    made = world.grant(doctor, girl)
    held = {"headers": {"Access-Session": made.session()}}
    assert posted(world, doctor, PARAMETERS, fhir_id(made), **held).status_code == 200
    made_log = found_in(world.get(f"/citizens/{girl.id}/access-log?limit=1", mother))["items"][0]
    assert made_log["action"] == "record:searched"


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (PARAMETERS | {"parameter": [{"name": "profile", "valueCanonical": "x"}, 4]}, [0, 1]),
        (PARAMETERS | {"parameter": {"name": "profile"}}, "/parameter"),
        (PARAMETERS | {"implicitRules": "http://example.vn/rules"}, "/implicitRules"),
        (PARAMETERS | {"meta": {"profile": ["x"]}}, "/meta"),
        (PARAMETERS | {"id": "a b"}, "/id"),
        ({"resourceType": "Bundle"}, "/resourceType"),
        ({}, "/resourceType"),
        ([], "/resourceType"),
    ],
)
def test_a_parameter_is_refused_at_its_place(world: World, body: object, places: str | list[int]) -> None:
    an = world.person()
    for headers in ({}, {"Prefer": "handling=lenient"}):
        answer = posted(world, an, body, headers=headers | {"Accept": "application/problem+json"})
        told = [places] if isinstance(places, str) else [f"/parameter/{place}" for place in places]
        assert answer.status_code == 400, answer.get_data(as_text=True)
        assert [each["pointer"] for each in found_in(answer)["errors"]] == told
    assert found_in(posted(world, an, body))["resourceType"] == "OperationOutcome"


def test_a_body_of_another_kind_is_refused(world: World) -> None:
    an = world.person()
    path = "/fhir/Patient/me/$summary"
    for kind, status in (("application/x-www-form-urlencoded", 415), ("application/fhir+xml", 415)):
        assert world.post(path, an, PARAMETERS, kind=kind).status_code == status
    assert world.post(f"{path}?profile=x", an, PARAMETERS, kind="application/fhir+json").status_code == 400
