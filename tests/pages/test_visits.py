"""A visit as a whole: what was recorded in it, from one source or from two, and nothing of another."""

from __future__ import annotations

from tests.checkup_messages import file_of as check_up_file
from tests.checkup_messages import may_push, message_of, parts_of
from tests.fhir import labelled
from tests.pages.resources import measured, medicine, quantity, visit
from tests.visit_files import file_of, visit_of
from tests.world import Doctor, Json, Person, World, bundle, condition, found_in

WITHIN = {"encounter": {"reference": "Encounter/v1"}}
FILES = "/provider/intake/insurance-xml"


def ids_of_visits(world: World, who: Person) -> list[str]:
    return [each["id"] for each in found_in(world.get("/citizens/me/records?category=visit", who))["items"]]


def shown(world: World, who: Person, visit_id: str, query: str = "") -> Json:
    answer = world.get(f"/citizens/me/encounters/{visit_id}{query}", who)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def filed(world: World, doctor: Doctor, who: Person) -> None:
    answer = world.post(FILES, doctor, raw=file_of(visit_of(who)), kind="application/xml")
    assert answer.status_code == 202, answer.get_data(as_text=True)


def test_everything_recorded_in_a_visit_is_shown_with_it(world: World) -> None:
    an, doctor, other = world.person(), world.doctor(), world.doctor()
    lab = measured("o1", "718-7", "2026-10-20", "laboratory", **quantity(12.5, "g/dL"), **WITHIN)
    sent = [visit(), visit("v2"), condition("c1", on="2019", **WITHIN), medicine("m1", **WITHIN), lab]
    world.send(
        doctor, bundle(an, *sent, condition("c2"), medicine("m2", encounter={"reference": "Encounter/v2"}))
    )
    world.send(other, bundle(an, condition("c3", **WITHIN)))
    first = next(
        each
        for each in ids_of_visits(world, an)
        if found_in(world.get(f"/citizens/me/records/{each}", an))["resource"]["id"] == "v1"
    )
    page = shown(world, an, first)
    assert [each["id"] for each in page["visits"]] == [first]
    assert [each["resource"]["id"] for each in page["parts"]] != []
    assert {each["resource"]["id"] for each in page["parts"]} == {"c1", "m1", "o1"}
    assert {each["visit"] for each in page["parts"]} == {first}
    (found,) = [each for each in page["parts"] if each["category"] == "lab_result"]
    assert found["found"] == [{"name": None, "value": 12.5, "unit": "g/dL", "text": None}]
    assert found["source"]["name_vi"] == "Bệnh viện Thử"


def test_what_is_no_visit_or_somebody_elses_is_not_there(world: World) -> None:
    an, stranger, doctor = world.person(), world.person(), world.doctor()
    world.send(doctor, bundle(an, visit(), condition()))
    (mine,) = ids_of_visits(world, an)
    diagnosis = found_in(world.get("/citizens/me/records?category=condition", an))["items"][0]["id"]
    answers = [
        world.get(f"/citizens/me/encounters/{diagnosis}", an),
        world.get(f"/citizens/me/encounters/{mine}", stranger),
        world.get(f"/citizens/{an.id}/encounters/{mine}", stranger),
        world.get(f"/citizens/me/encounters/{'a' * 26}", an),
    ]
    assert [each.status_code for each in answers] == [404] * 4
    world.grant(doctor, an)
    assert world.get(f"/citizens/me/encounters/{mine}", doctor).status_code == 403


def test_two_sources_of_one_visit_are_shown_as_one_and_come_apart_again(world: World) -> None:
    an, doctor = (
        world.person(),
        world.doctor(
            writes=("visit", "condition", "medication", "lab_result", "vital_sign", "procedure", "document")
        ),
    )
    filed(world, doctor, an)
    (from_file,) = ids_of_visits(world, an)
    alone = shown(world, an, from_file)
    assert len(alone["parts"]) > 1
    day = alone["visits"][0]["occurred_on"]
    world.send(doctor, bundle(an, visit(on=day), condition("c1", "J20.9", **WITHIN)))
    (from_bundle,) = set(ids_of_visits(world, an)) - {from_file}
    both = shown(world, an, from_file)
    assert {each["id"] for each in both["visits"]} == {from_file, from_bundle}
    assert len(both["parts"]) == len(alone["parts"]) + 1
    assert shown(world, an, from_file, "?together=false") == alone
    assert {each["id"] for each in shown(world, an, from_bundle)["visits"]} == {from_file, from_bundle}
    world.send(doctor, bundle(an, visit("v9", on=day)))
    assert shown(world, an, from_file) == alone, "where two can be meant, none is"


def test_a_guardian_sees_no_hidden_part_of_a_visit(world: World) -> None:
    mother, doctor = world.person(), world.doctor()
    girl = world.signed_in(world.child_of(mother, world.now().date().replace(year=2011)))
    world.send(doctor, bundle(girl, visit(), medicine(**WITHIN), labelled(condition("c1", **WITHIN), "SEX")))
    (visit_id,) = ids_of_visits(world, girl)
    secret = found_in(world.get("/citizens/me/records?category=condition", girl))["items"][0]["id"]
    path = f"/citizens/me/records/{secret}/visibility"
    assert world.call("PUT", path, girl, {"audience": "guardians", "hidden": True}).status_code == 204
    seen = found_in(world.get(f"/citizens/{girl.id}/encounters/{visit_id}", mother))
    assert [each["category"] for each in seen["parts"]] == ["medication"]
    assert len(shown(world, girl, visit_id)["parts"]) == 2


def test_a_check_up_that_is_an_insurance_visit_too_is_shown_as_one(world: World) -> None:
    kinds = (
        "visit",
        "condition",
        "medication",
        "lab_result",
        "vital_sign",
        "procedure",
        "document",
        "checkup",
    )
    an, doctor = world.person(), may_push(world, world.doctor(reads=kinds, writes=kinds))
    filed(world, doctor, an)
    (from_file,) = ids_of_visits(world, an)
    alone = shown(world, an, from_file)
    pushed(world, doctor, parts_of(an))
    (from_check_up,) = (each["id"] for each in visits_in(world, an, "checkup"))
    both = shown(world, an, from_file)
    assert {each["id"] for each in both["visits"]} == {from_file, from_check_up}
    assert {each["visit"] for each in both["parts"]} == {from_file, from_check_up}
    assert shown(world, an, from_file, "?together=false") == alone
    world.send(doctor, bundle(an, visit("v7", on=both["visits"][0]["occurred_on"])))
    assert len(shown(world, an, from_check_up)["visits"]) == 3


def test_the_key_of_a_visit_tells_two_of_a_day_apart(world: World) -> None:
    an, doctor, other = world.person(), world.doctor(), world.doctor()
    for key in ("one", "two"):
        raw = file_of(visit_of(an, {"XML2": [], "XML4": [], "XML14": []}, MA_LK=key))
        assert world.post(FILES, doctor, raw=raw, kind="application/xml").status_code == 202
    numbered = [{"system": "urn:his", "value": "two"}]
    world.send(
        doctor, bundle(an, visit("v1", on="2026-11-01", identifier=numbered), visit("v2", on="2026-11-01"))
    )
    world.send(other, bundle(an, visit("v3", on="2026-11-01", identifier=numbered)))
    told = {
        str(each["resource"]["identifier"][0]["value"]) + each["source"]["format"]: each["id"]
        for each in visits_in(world, an, "visit")
        if "identifier" in each["resource"] and each["source"]["organisation"] == doctor.organisation_id
    }
    assert len(shown(world, an, told["oneinsurance-xml"])["visits"]) == 1
    for name in ("twoinsurance-xml", "twofhir-bundle"):
        found = shown(world, an, told[name])["visits"]
        assert {each["id"] for each in found} == {told["twoinsurance-xml"], told["twofhir-bundle"]}, name


def test_a_visit_that_its_source_took_back_is_linked_to_nothing(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    raw = file_of(visit_of(an, {"XML2": [], "XML4": [], "XML14": []}))
    assert world.post(FILES, doctor, raw=raw, kind="application/xml").status_code == 202
    (from_file,) = ids_of_visits(world, an)
    world.send(doctor, bundle(an, visit("v1", on="2026-11-01", status="entered-in-error")))
    assert len(shown(world, an, from_file)["visits"]) == 1


def pushed(world: World, doctor: Doctor, told: Json) -> None:
    raw = message_of(check_up_file(told))
    answer = world.post("/provider/intake/checkups", doctor, raw=raw, kind="application/json")
    assert answer.status_code == 202, answer.get_data(as_text=True)


def visits_in(world: World, who: Person, category: str) -> list[Json]:
    found = found_in(world.get(f"/citizens/me/records?limit=100&category={category}", who))["items"]
    return [each for each in found if each["resource"]["resourceType"] == "Encounter"]
