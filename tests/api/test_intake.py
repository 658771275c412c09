"""What providers send: filed once, corrected by version, reported by row, never on a wrong person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world import (
    CVX,
    Doctor,
    Json,
    Person,
    World,
    bundle,
    condition,
    found_in,
    immunization,
    observation,
    sources,
)


@pytest.fixture
def an(world: World) -> Person:
    return world.person()


@pytest.fixture
def doctor(world: World) -> Doctor:
    return world.doctor()


def book(world: World, person: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/records?limit=100", person))["items"])


def versions(world: World, person: Person, record: Json) -> list[Json]:
    return list(found_in(world.get(f"/citizens/me/records/{record['id']}/versions", person))["items"])


def kept_rows(world: World, citizen_id: str) -> list[Any]:
    found = list(world.db["records"].find({"citizen_id": citizen_id}).sort("_id", 1))
    return [*found, *world.db["record_versions"].find({"citizen_id": citizen_id}).sort("_id", 1)]


def test_sending_again_makes_something_new(world: World, an: Person, doctor: Doctor) -> None:
    sent = bundle(an, condition(), immunization(), observation())
    world.send(doctor, sent)
    before = kept_rows(world, an.id)
    again = world.send(doctor, sent)
    assert (again["accepted"], again["rejected"]) == (3, 0)
    reordered = json.loads(json.dumps(sent, sort_keys=True)) | {"id": "other"}
    world.send(doctor, reordered)
    assert kept_rows(world, an.id) == before and len(before) == 3


def test_a_correction_overwrites_what_was_there(world: World, an: Person, doctor: Doctor) -> None:
    world.send(doctor, bundle(an, condition("c", "I10")))
    world.send(doctor, bundle(an, condition("c", "I11", on="2026-03-05")))
    (newest,) = book(world, an)
    assert (newest["version"], newest["occurred_on"]) == (2, "2026-03-05")
    both = versions(world, an, newest)
    assert [(each["version"], each["resource"]["code"]["coding"][0]["code"]) for each in both] == [
        (2, "I11"),
        (1, "I10"),
    ]
    assert [each["reason"] for each in both] == ["resent_by_source", None]


def test_things_of_two_types_with_one_number_become_one(world: World, an: Person, doctor: Doctor) -> None:
    world.send(doctor, bundle(an, condition("1"), immunization("1"), observation("1")))
    found = book(world, an)
    assert sorted(each["category"] for each in found) == ["condition", "immunization", "lab_result"]
    assert {each["version"] for each in found} == {1}
    visit = [{"system": "urn:visit", "value": "77"}]
    world.send(
        doctor, bundle(an, condition("", identifier=visit) | {"id": "x"}, observation(identifier=visit))
    )
    assert len(book(world, an)) == 5


def test_two_rows_with_one_number_quarrel_for_ever(world: World, an: Person, doctor: Doctor) -> None:
    sent = bundle(an, condition("c", "I10"), condition("c", "I11"), condition("c", "I10"))
    report = world.send(doctor, sent)
    codes = [row["code"] for row in report["rows"]]
    assert codes == ["mapped", "accepted", "repeated_source_id", "accepted"]
    assert report["rows"][2]["pointer"] == "/entry/2/resource"
    before = kept_rows(world, an.id)
    world.send(doctor, sent)
    assert kept_rows(world, an.id) == before and len(before) == 1


def test_equal_content_shows_in_two_books(world: World, an: Person, doctor: Doctor) -> None:
    binh = world.person()
    for person in (an, binh):
        world.send(doctor, bundle(person, condition("c")))
    prints = [row["fingerprint"] for whose in (an, binh) for row in kept_rows(world, whose.id)]
    assert len(prints) == len(set(prints)) == 2


def test_another_organisations_number_is_ours(world: World, an: Person, doctor: Doctor) -> None:
    world.send(doctor, bundle(an, condition("c")))
    world.send(world.doctor(), bundle(an, condition("c", "I11")))
    assert [each["version"] for each in book(world, an)] == [1, 1]


def test_one_bad_row_loses_the_others(world: World, an: Person, doctor: Doctor) -> None:
    rows = (
        condition("good"),
        condition("no-date", on="soon"),
        condition("other", subject={"reference": "Patient/q"}),
        immunization("no-status", status=None),
        condition("bad-structure", code={"coding": "I10"}),
        {"resourceType": "Questionnaire", "status": "active"},
        {"resourceType": "Organization", "name": "a supporting one"},
        condition("code", code={"coding": [{"code": "I10"}]}),
        immunization("status", status="maybe"),
        condition("too-old", on="1066-01-01"),
        observation("good-too"),
    )
    report = world.send(doctor, bundle(an, *rows))
    told = {row["index"]: (row["accepted"], row["code"], row["pointer"]) for row in report["rows"]}
    assert told.pop(1) == (True, "accepted", None) and told.pop(11) == (True, "accepted", None)
    assert told.pop(0) == (True, "mapped", "/entry/0/resource")
    assert told.pop(7) == (True, "not_used", "/entry/7/resource"), "nothing of it is kept, and that is told"
    assert {index: pointer for index, (_, _, pointer) in told.items()} == {
        2: told[2][2],
        3: "/entry/3/resource/subject",
        4: told[4][2],
        5: told[5][2],
        6: "/entry/6/resource/resourceType",
        8: "/entry/8/resource/code",
        9: "/entry/9/resource/status",
        10: told[10][2],
    }
    assert all(pointer.startswith(f"/entry/{index}/resource") for index, (_, _, pointer) in told.items())
    assert not any(kept for kept, _, _ in told.values())
    assert [report[each] for each in ("accepted", "mapped", "unused", "rejected")] == [2, 1, 1, 8]
    assert sorted(sources(book(world, an))) == ["good", "good-too"]
    assert found_in(world.get(f"/provider/intake/{report['id']}", doctor)) == report


def test_a_row_outside_the_licence_is_kept(world: World, an: Person) -> None:
    narrow = world.doctor(writes=["immunization"])
    report = world.send(narrow, bundle(an, condition(), immunization()))
    assert [row["code"] for row in report["rows"]] == ["mapped", "not_licensed", "accepted"]
    assert sources(book(world, an)) == ["i1"]


@pytest.mark.parametrize("wrong", [{"born": "1991-05-04"}, {"number": "001190999000"}])
def test_what_fits_nobody_lands_on_somebody(
    world: World, an: Person, doctor: Doctor, wrong: dict[str, str]
) -> None:
    parked = world.db["parked_intakes"].count_documents({})
    whole = world.db["records"].count_documents({})
    right = world.send(doctor, bundle(world.person(), condition()))
    report = world.send(doctor, bundle(an, condition(), **wrong))
    told = [(row["accepted"], row["code"]) for row in report["rows"]]
    assert told == [(True, "mapped"), (True, "accepted")]
    assert {name: type(value) for name, value in report.items()} == {
        name: type(value) for name, value in right.items()
    }
    assert book(world, an) == []
    assert world.db["records"].count_documents({}) == whole + 2, "nobody's book keeps it as well"
    kept = found_in(world.get("/provider/own-records", doctor))["items"]
    assert len(kept) == 2, "the sender cannot tell from reading back whether the person exists"
    again = world.send(doctor, bundle(an, condition(), **wrong))
    assert again["accepted"] == 1 and world.db["records"].count_documents({}) == whole + 2
    assert world.db["parked_intakes"].count_documents({}) == parked + 2
    one = world.db["parked_intakes"].find_one({"_id": report["id"]})
    assert one is not None and b"I10" not in one["body"] and an.number.encode() not in one["body"]
    assert found_in(world.get(f"/provider/intake/{report['id']}", doctor))["accepted"] == 1


def test_two_numbers_of_two_people_land_on_one(world: World, an: Person, doctor: Doctor) -> None:
    sent = bundle(an, condition())
    other = world.person()
    numbers = sent["entry"][0]["resource"]["identifier"]
    numbers.append({"system": numbers[0]["system"], "value": other.number})
    assert world.send(doctor, sent)["accepted"] == 1
    assert book(world, an) == book(world, other) == []


def test_another_organisation_reads_the_report(world: World, an: Person, doctor: Doctor) -> None:
    report = world.send(doctor, bundle(an, condition()))
    assert world.get(f"/provider/intake/{report['id']}", world.doctor()).status_code == 404


def test_html_of_others_is_kept(world: World, an: Person, doctor: Doctor) -> None:
    evil = {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>hello</div>"}
    inner = {"resourceType": "Organization", "id": "o", "name": "x", "text": evil}
    plain = condition(text=evil, contained=[inner], code={"text": "tăng huyết áp"})
    report = world.send(doctor, bundle(an, plain))
    assert report["accepted"] == 1, report
    (kept,) = book(world, an)
    assert "div" not in json.dumps(kept) and kept["resource"]["code"] == {"text": "tăng huyết áp"}


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2026-03-04", "2026-03-04"),
        ("2026-03", "2026-03"),
        ("2026", "2026"),
        ("2026-03-04T10:00:00+07:00", "2026-03-04"),
        ("2026-03-04T16:59:59Z", "2026-03-04"),
        ("2026-03-04T17:00:00Z", "2026-03-05"),
        ("2026-12-31T20:00:00-05:00", "2027-01-01"),
        ("2026-03-04T00:30:00+09:00", "2026-03-03"),
        ("2026-03-04T00:30:00.123+07:00", "2026-03-04"),
    ],
)
def test_an_instant_is_filed_under_a_foreign_day(
    world: World, an: Person, doctor: Doctor, said: str, day: str
) -> None:
    report = world.send(doctor, bundle(an, condition(on=said)))
    assert report["accepted"] == 1, report
    (kept,) = book(world, an)
    assert kept["occurred_on"] == day and kept["resource"]["onsetDateTime"].startswith(said[:10])


@pytest.mark.parametrize(
    "said",
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-03-04T24:00:00Z", "2026-02-30", "1899"],
)
def test_an_impossible_date_breaks_the_wallet_or_is_repeated(
    world: World, an: Person, doctor: Doctor, said: str
) -> None:
    report = world.send(doctor, bundle(an, condition(on=said), immunization()))
    assert [row["accepted"] for row in report["rows"]] == [True, False, True]
    assert said not in json.dumps(report)


def test_a_recorded_dose_leaves_the_plan_as_it_was(world: World, doctor: Doctor) -> None:
    guardian = world.person()
    child = world.child_of(guardian, born=world.now().date().replace(year=2026, month=9, day=1))
    path = f"/citizens/{child.id}/forecast"

    def hepatitis() -> list[tuple[str, bool]]:
        items = found_in(world.get(path, guardian))["items"]
        return [(each["status"], bool(each["evidence"])) for each in items if "hep" in each["series"]]

    before = hepatitis()
    assert before
    dose = immunization(cvx="08", on="2026-09-01", vaccineCode={"coding": [{"system": CVX, "code": "08"}]})
    world.send(doctor, bundle(child, dose))
    assert hepatitis() != before


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ([], "/resourceType"),
        ({}, "/resourceType"),
        ({"resourceType": "Patient"}, "/resourceType"),
        ({"resourceType": "Bundle"}, "/type"),
        ({"resourceType": "Bundle", "type": "history", "entry": []}, "/type"),
        ({"resourceType": "Bundle", "type": "batch"}, "/entry"),
        ({"resourceType": "Bundle", "type": "batch", "entry": []}, "/entry"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [1]}, "/entry/0/resource"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": []}]}, "/entry/0/resource"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {}}]}, "/entry"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {}}] * 1001}, "/entry"),
    ],
)
def test_what_is_no_bundle_is_taken(world: World, doctor: Doctor, sent: Any, pointer: str) -> None:
    before = world.db["intakes"].count_documents({})
    answer = world.post("/provider/intake/fhir-bundles", doctor, sent, kind="application/fhir+json")
    body = found_in(answer)
    assert (answer.status_code, body["code"]) == (422, "bundle_refused")
    assert body["errors"][0]["pointer"] == pointer
    assert world.db["intakes"].count_documents({}) == before


def test_hiding_ends_with_a_correction(world: World, an: Person, doctor: Doctor) -> None:
    world.send(doctor, bundle(an, condition("c")))
    made = world.grant(doctor, an)
    (record,) = book(world, an)
    path = f"/citizens/me/records/{record['id']}/visibility"
    world.call("PUT", path, an, {"audience": "providers", "hidden": True})
    world.send(doctor, bundle(an, condition("c", "I11")))
    assert made.seen() == []
