"""At the station: a QR picture of a visit code, and consent of a person without a phone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from consent.assisted import RULES
from tests.world import Doctor, Json, Person, World, bundle, condition, found_in, without_request_id

ELDER = date(1948, 3, 4)


@pytest.fixture(scope="module")
def doctor(shared_world: World) -> Doctor:
    return shared_world.doctor(name="Trạm y tế Thử")


@pytest.fixture
def elder(world: World) -> Person:
    return world.person("Cụ Thử", ELDER)


def form(world: World, number: str, born: date = ELDER, **over: Any) -> Json:
    return {
        "citizen": {"national_id": number},
        "birth_date": born.isoformat(),
        "known_by": "national_id_card",
        "categories": ["condition"],
        "notice": world.answer_to({"purpose": "TREAT"})["notice"],
        "heard_in_person": True,
    } | over


def attest(world: World, doctor: Doctor, number: str, **over: Any) -> Any:
    return world.post("/provider/assisted-consents", doctor, form(world, number, **over))


def read(world: World, doctor: Doctor, given: Json) -> Any:
    body = {"citizen_ref": given["citizen_ref"], "purpose": "TREAT"}
    opened = world.post("/provider/access-sessions", doctor, body)
    if opened.status_code != 201:
        return opened
    headers = {"Access-Session": found_in(opened)["id"]}
    return world.get(f"/provider/citizens/{given['citizen_ref']}/records", doctor, headers=headers)


def test_a_qr_picture_of_a_visit_code_is_taken_where_the_code_is(
    world: World, doctor: Doctor, elder: Person
) -> None:
    shown = found_in(world.post("/citizens/me/visit-codes", elder))
    assert shown["qr"] == "HWV1:" + shown["visit_code"].replace("-", "")
    assert set(shown["qr"]) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"), "what a QR packs best"
    asked = world.post(
        "/provider/consent-requests", doctor, world.proposal(elder, citizen={"visit_code": shown["qr"]})
    )
    assert asked.status_code == 202
    request = world.newest_request(elder)
    assert request["in_visit"]
    tap = world.post(
        f"/citizens/me/consent-requests/{request['id']}/approval", elder, world.answer_to(request)
    )
    assert tap.status_code == 201


def test_what_a_practitioner_attests_is_short_for_treatment_and_told_to_the_person(
    world: World, doctor: Doctor, elder: Person
) -> None:
    world.send(doctor, bundle(elder, condition()))
    made = attest(world, doctor, elder.number)
    assert made.status_code == 201, made.get_data(as_text=True)
    given = found_in(made)
    assert len(found_in(read(world, doctor, given))["items"]) == 1
    (grant,) = found_in(world.get("/citizens/me/grants", elder))["items"]
    assert (grant["kind"], grant["purpose"], grant["labels"], grant["mode"]) == (
        "assisted",
        "TREAT",
        [],
        "VIEW",
    )
    assert grant["expires_at"][:16] == (world.now() + RULES.lasts).isoformat()[:16]
    inbox = found_in(world.get("/citizens/me/inbox", elder))["items"]
    assert "Nhân viên y tế đã ghi nhận sự đồng ý của bạn" in [each["title"] for each in inbox]
    log = found_in(world.get("/citizens/me/access-log", elder))["items"]
    assert [e["actor"]["name"] for e in log if e["action"] == "consent:assisted"] == ["BS. Khánh"]
    kept = world.services.consent.grant(elder.id, grant["id"]).evidence
    assert (kept.attested_by, kept.channel) == (doctor.practitioner_id, "assisted")
    assert world.post(f"/citizens/me/grants/{grant['id']}/withdrawal", elder).status_code == 200
    assert found_in(read(world, doctor, given))["code"] == "consent_ended"


def test_it_ends_by_itself(world: World, doctor: Doctor, elder: Person) -> None:
    given = found_in(attest(world, doctor, elder.number))
    assert read(world, doctor, given).status_code == 200
    world.forward(hours=RULES.lasts_hours)
    assert found_in(read(world, doctor, given))["code"] == "consent_ended"


def test_the_answer_is_the_same_whoever_is_meant(world: World, doctor: Doctor, elder: Person) -> None:
    numbers = [(elder.number, ELDER), (elder.number, ELDER + timedelta(days=1)), ("001048999777", ELDER)]
    made = [attest(world, doctor, number, born=born) for number, born in numbers]
    assert {each.status_code for each in made} == {201}
    shapes = [
        {k: len(v) if k.endswith(("id", "ref")) else v for k, v in found_in(e).items() if k != "expires_at"}
        for e in made
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    empty = [read(world, doctor, found_in(each)) for each in made]
    assert len({without_request_id(each)[:2] for each in empty}) == 1, "nobody has an empty book"
    prints = [world.get(f"/provider/assisted-consents/{found_in(each)['id']}/print", doctor) for each in made]
    assert {each.status_code for each in prints} == {200}


def test_the_print_is_plain_vietnamese_text_and_names_no_patient(
    world: World, doctor: Doctor, elder: Person
) -> None:
    given = found_in(attest(world, doctor, elder.number))
    path = f"/provider/assisted-consents/{given['id']}/print"
    sheet = world.get(path, doctor)
    text = sheet.get_data(as_text=True)
    assert (sheet.status_code, sheet.mimetype) == (200, "text/plain")
    assert "PHIẾU GHI NHẬN SỰ ĐỒNG Ý" in text and "Trạm y tế Thử" in text and "BS. Khánh" in text
    assert elder.name not in text and elder.number not in text
    assert sheet.headers["Cache-Control"] == "no-store"
    assert world.get(path, world.doctor()).status_code == 404
    assert world.get(path, doctor.system).status_code == 403


def test_what_cannot_be_had_this_way(world: World, doctor: Doctor, elder: Person) -> None:
    assert found_in(attest(world, doctor.system, elder.number))["code"] == "practitioner_needed"
    assert attest(world, doctor, elder.number, heard_in_person=False).status_code == 422
    for more in ({"purpose": "HRESCH"}, {"labels": ["HIV"]}, {"expires_at": "2027-01-01T00:00:00Z"}):
        assert attest(world, doctor, elder.number, **more).status_code == 422
    child = attest(world, doctor, elder.number, born=date(2012, 1, 1))
    assert (child.status_code, found_in(child)["code"]) == (409, "co_consent_required")
    unlicensed = world.doctor(purposes=("HPAYMT",))
    assert found_in(attest(world, unlicensed, elder.number))["code"] == "not_licensed"


def test_who_blocks_the_organisation_gives_nothing_by_it(world: World, doctor: Doctor, elder: Person) -> None:
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, elder).status_code == 204
    given = attest(world, doctor, elder.number)
    assert given.status_code == 201
    assert found_in(read(world, doctor, found_in(given)))["code"] == "consent_ended"
    assert world.call("DELETE", path, elder).status_code == 204
    assert found_in(read(world, doctor, found_in(given)))["code"] == "consent_ended", "nor later"
