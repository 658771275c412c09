"""What people enter themselves: kept apart from what facilities recorded, corrected by themselves alone."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.pages.resources import allergy
from tests.world import CVX, Json, Person, World, bundle, condition, found_in, immunization

WEIGHT: Json = {"kind": "body_weight", "occurred_on": "2026-11-01", "value": 61.5}
PRESSURE: Json = {"kind": "blood_pressure", "occurred_on": "2026-11-01", "systolic": 128, "diastolic": 82}
PAPER: Json = {"kind": "past_condition", "occurred_on": "1998", "text": "Sốt rét"}
BOOK = "/citizens/me/records"


def entered(world: World, who: Person, said: Json, book: str = BOOK) -> Json:
    answer = world.post(book, who, said)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer) | {"etag": answer.headers["ETag"]}


def corrected(world: World, who: Person, record: Json, said: Json, **headers: str) -> TestResponse:
    path = f"{BOOK}/{record['id']}"
    return world.call("PUT", path, who, said, headers=headers or {"If-Match": record["etag"]})


def faults(answer: TestResponse) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.get_data(as_text=True)
    return [(each["pointer"], each["code"]) for each in found_in(answer)["errors"]]


def test_a_measured_value_is_a_record_of_ones_own(world: World) -> None:
    an = world.person()
    made = entered(world, an, PRESSURE)
    assert made["self_reported"] is True and made["category"] == "vital_sign"
    assert made["source"]["organisation"] is None and made["source"]["format"] == "self-reported"
    parts = [each["valueQuantity"] for each in made["resource"]["component"]]
    assert [(each["value"], each["code"]) for each in parts] == [(128, "mm[Hg]"), (82, "mm[Hg]")]
    assert found_in(world.get(f"{BOOK}/{made['id']}", an))["resource"] == made["resource"]
    newest = found_in(world.get("/citizens/me/access-log", an))["items"]
    assert "record:written" in [each["action"] for each in newest]


def test_what_papers_say_keeps_its_partial_date(world: World) -> None:
    an = world.person()
    made = entered(world, an, PAPER)
    assert (made["occurred_on"], made["category"]) == ("1998", "condition")
    for kind, category in (("operation", "procedure"), ("allergy", "allergy")):
        said = {"kind": kind, "occurred_on": "2001-05", "text": "x"}
        assert entered(world, an, said)["category"] == category
    shot = {"kind": "past_vaccination", "occurred_on": "2001-05", "text": "Sởi", "code": "05"}
    assert entered(world, an, shot)["resource"]["vaccineCode"]["coding"][0]["code"] == "05"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (WEIGHT | {"value": 900}, ("/value", "range")),
        (WEIGHT | {"value": "61"}, ("/value", "type")),
        (WEIGHT | {"value": True}, ("/value", "type")),
        (WEIGHT | {"value": 1e308 * 10}, ("", "")),
        (WEIGHT | {"unit": "g"}, ("/unit", "not_listed")),
        (WEIGHT | {"systolic": 120}, ("/systolic", "unsupported")),
        (WEIGHT | {"text": "x"}, ("/text", "unsupported")),
        ({"kind": "body_weight", "occurred_on": "2026-11-01"}, ("/value", "missing")),
        (PRESSURE | {"diastolic": 150}, ("/diastolic", "range")),
        (PRESSURE | {"diastolic": None}, ("/diastolic", "missing")),
        (WEIGHT | {"occurred_on": "2026-11-04"}, ("/occurred_on", "not_in_life")),
        (WEIGHT | {"occurred_on": "1989"}, ("/occurred_on", "not_in_life")),
        (WEIGHT | {"occurred_on": "2026-13"}, ("/occurred_on", "form")),
        (WEIGHT | {"occurred_on": "yesterday"}, ("/occurred_on", "form")),
        (WEIGHT | {"kind": "mood"}, ("/kind", "not_listed")),
        (WEIGHT | {"self_reported": False}, ("/self_reported", "unsupported")),
        (WEIGHT | {"labels": ["XYZ"]}, ("/labels/0", "not_listed")),
        (PAPER | {"text": ""}, ("/text", "length")),
        (PAPER | {"code": "05"}, ("/code", "unsupported")),
        ({"kind": "past_vaccination", "occurred_on": "2001", "text": "x", "code": "5a"}, ("/code", "form")),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(world: World, said: Json, fault: Any) -> None:
    an = world.person()
    answer = world.post(BOOK, an, said)
    if fault == ("", ""):
        assert answer.status_code == 400, "JSON has no infinity"
    else:
        assert faults(answer) == [fault]
    assert found_in(world.get(BOOK, an))["items"] == []


def test_it_never_takes_the_place_of_what_a_facility_recorded(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, allergy("a1", "Tôm", on="2020")))
    entered(world, an, {"kind": "allergy", "occurred_on": "2025", "text": "Tôm"})
    lines = found_in(world.get("/citizens/me/summary", an))["sections"]["allergies"]["lines"]
    assert [each["self_reported"] for each in lines] == [True, False]
    assert lines[1]["source"]["organisation"] == doctor.organisation_id


def test_a_dose_of_ones_own_telling_settles_nothing(world: World) -> None:
    mother = world.person()
    child = world.child_of(mother, world.now().date().replace(year=2026, month=1))
    path = f"/citizens/{child.id}"
    before = found_in(world.get(f"{path}/forecast", mother))["items"]
    said = {"kind": "past_vaccination", "occurred_on": "2026-08-01", "text": "BCG", "code": "19"}
    assert entered(world, mother, said, f"{path}/records")["self_reported"] is True
    assert found_in(world.get(f"{path}/forecast", mother))["items"] == before != []
    dose = immunization(cvx="19", on="2026-08-01")
    world.send(world.doctor(), bundle(child, dose))
    assert dose["vaccineCode"]["coding"][0]["system"] == CVX
    assert found_in(world.get(f"{path}/forecast", mother))["items"] != before, "a facility's dose does"


def test_one_puts_right_what_one_entered_and_nothing_else(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = entered(world, an, WEIGHT)
    right = WEIGHT | {"value": 62, "reason": "corrected_by_person"}
    assert corrected(world, an, made, right, **{"If-Match": '"1"'}).status_code == 412
    assert world.call("PUT", f"{BOOK}/{made['id']}", an, right).status_code == 428
    assert faults(corrected(world, an, made, PAPER | {"reason": "corrected_by_person"})) == [
        ("/kind", "not_listed")
    ]
    answer = corrected(world, an, made, right)
    assert answer.status_code == 200 and found_in(answer)["version"] == 2
    assert corrected(world, an, made, right).status_code == 412, "the same tag does not hold twice"
    values = [
        each["resource"]["valueQuantity"]["value"]
        for each in found_in(world.get(f"{BOOK}/{made['id']}/versions", an))["items"]
    ]
    assert values == [62, 61.5]
    world.send(doctor, bundle(an, condition()))
    theirs = found_in(world.get(f"{BOOK}?category=condition", an))["items"][0]
    tag = world.get(f"{BOOK}/{theirs['id']}", an).headers["ETag"]
    refused = corrected(world, an, theirs | {"etag": tag}, PAPER | {"reason": "corrected_by_person"})
    assert (refused.status_code, found_in(refused)["code"]) == (409, "not_self_reported")


def test_an_entry_made_in_error_leaves_the_front_page(world: World) -> None:
    an = world.person()
    made = entered(world, an, PAPER)
    assert len(found_in(world.get("/citizens/me/summary", an))["sections"]["conditions"]["lines"]) == 1
    assert corrected(world, an, made, PAPER | {"reason": "entered_in_error"}).status_code == 200
    assert found_in(world.get("/citizens/me/summary", an))["sections"]["conditions"]["lines"] == []


def test_an_entry_is_made_once_however_often_it_is_sent(world: World) -> None:
    an, key = world.person(), {"Idempotency-Key": "entry-1"}
    first, second = (world.post(BOOK, an, WEIGHT, headers=key) for _ in range(2))
    assert found_in(first)["id"] == found_in(second)["id"]
    assert len(found_in(world.get(BOOK, an))["items"]) == 1
    assert world.post(BOOK, an, PAPER, headers=key).status_code == 422


def test_a_provider_sees_it_marked_and_under_consent_alone(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    entered(world, an, PAPER)
    entered(world, an, PAPER | {"text": "HIV", "labels": ["HIV"]})
    seen = world.grant(doctor, an, categories=["condition"]).seen()
    assert [(each["self_reported"], each["source"]["organisation"]) for each in seen] == [(True, None)]
    assert seen[0]["resource"]["code"]["text"] == "Sốt rét", "what was labelled stays with the person"
    others = world.doctor()
    assert world.grant(others, an, categories=["immunization"]).seen() == []


def test_nobody_writes_into_a_strangers_book(world: World) -> None:
    an, stranger = world.person(), world.person()
    made = entered(world, an, WEIGHT)
    assert world.post(f"/citizens/{an.id}/records", stranger, WEIGHT).status_code == 404
    said = WEIGHT | {"reason": "corrected_by_person"}
    answers = [
        world.call("PUT", f"{BOOK}/{each}", stranger, said, headers={"If-Match": made["etag"]})
        for each in (made["id"], "a" * 26)
    ]
    assert [each.status_code for each in answers] == [404, 404]
