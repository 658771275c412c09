"""What is taken in asks for care: set days, refills, pregnancies, statements; a programme is one file."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from notifications import programmes
from tests.checkup_messages import OCCASION, may_push, message_of, parts_of
from tests.checkup_messages import file_of as checkups_of
from tests.day_runs import run_on
from tests.fhir import LOINC
from tests.pages.resources import clinical
from tests.pages.resources import visit as encounter
from tests.visit_files import HEAD, MEDICINE, NOTICE, RESULT, file_of, visit_of
from tests.world import READS, Doctor, Json, Person, World, bundle, condition, found_in, labelled, observation

KINDS = (*READS, "document", "checkup", "pregnancy")
BARE = {"XML14": [{"MA_LK": HEAD["MA_LK"], "SO_GIAYHEN_KL": "1"}]}
_WHEN = ("onsetDateTime", "recordedDate", "clinicalStatus")
PUPIL = {"kind": "circumstance", "code": "pupil", "occurred_on": "2026-08-15"}


@pytest.fixture(scope="module")
def hospital(shared_world: World) -> Doctor:
    return may_push(shared_world, shared_world.doctor(reads=KINDS, writes=KINDS))


def due(world: World, programme: str, who: Person, by: Person | None = None) -> list[Json]:
    items = found_in(world.get(f"/citizens/{who.id}/forecast", by or who))["items"]
    return [each for each in items if each["programme"] == programme]


def reminders(world: World, who: Person, by: Person | None = None) -> list[tuple[str, str, str, str]]:
    items = found_in(world.get(f"/citizens/{who.id}/reminders", by or who))["items"]
    names = ("title", "offset", "state", "reason")
    return sorted((a, b, c, d) for a, b, c, d in ([each[name] for name in names] for each in items))


def on(world: World, day: date) -> date:
    """Let that day come, at ten in the morning in Vietnam."""
    world.clock.set_to(datetime(day.year, day.month, day.day, 3, tzinfo=UTC))
    return day


def sent(world: World, doctor: Doctor, *visits: str) -> None:
    path = "/provider/intake/insurance-xml"
    answer = world.post(path, doctor, raw=file_of(*visits), kind="application/xml")
    assert answer.status_code == 202, answer.get_data(as_text=True)
    assert [each["rejected"] for each in found_in(answer)["items"]] == [0] * len(visits)


def stated(world: World, who: Person, said: Json, by: Person | None = None) -> Json:
    answer = world.post(f"/citizens/{who.id}/records", by or who, said)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return found_in(answer) | {"etag": answer.headers["ETag"]}


def rows_of(key: str, hour: str = "0940", **over: str) -> dict[str, Any]:
    """The tables of a visit under another key."""
    again = {"MA_LK": key}
    return {
        "XML2": [MEDICINE | again | {"NGAY_YL": f"{over['day']}{hour}"}],
        "XML4": [RESULT | again | {"NGAY_KQ": f"{over['day']}{hour}"}],
        "XML14": [NOTICE | again | {"NGAY_HEN_KL": over["back"], "NGAY_CT": over["day"]}],
    }


def test_a_visit_file_sets_the_day_to_come_back_and_the_refill(world: World, hospital: Doctor) -> None:
    an = world.person(born=date(1990, 12, 31))
    sent(world, hospital, visit_of(an))
    (back,), (refill,) = due(world, "next_appointment", an), due(world, "medicine_refill", an)
    assert (back["status"], back["recommended"], back["rule"]) == (
        "upcoming",
        "2026-11-29",
        "set_by_provider",
    )
    assert (refill["status"], refill["recommended"]) == ("upcoming", "2026-11-29"), "28 tablets, one a day"
    came, long = due(world, "chronic_followup", an)
    assert came["status"] == "given"
    assert (long["status"], long["title"]) == ("ask_station", "Lịch theo dõi sức khỏe")
    planning = world.services.reminding.planning
    assert planning.review(an.id, on(world, date(2026, 11, 26))) == 2
    titles = {title for title, *_ in reminders(world, an)}
    assert titles == {"Lịch hẹn tái khám", "Lấy thuốc theo đơn"}
    moved = [NOTICE | {"NGAY_HEN_KL": "20261210"}]
    sent(world, hospital, visit_of(an, {"XML14": moved}))
    assert ("Lịch hẹn tái khám", "before_3", "cancelled", "moved") in reminders(world, an)
    assert due(world, "next_appointment", an)[0]["dose"] == back["dose"], "the same one, on another day"
    assert planning.review(an.id, on(world, date(2026, 12, 7))) == 1
    an = world.signed_in(an)
    assert [each[1:3] for each in reminders(world, an) if each[0] == "Lịch hẹn tái khám"] == [
        ("before_3", "planned")
    ]
    key = f"{HEAD['MA_LK']}-2"
    came = {"MA_LK": key, "NGAY_VAO": "202612070800", "NGAY_RA": "202612070900"}
    sent(world, hospital, visit_of(an, rows_of(key, day="20261207", back="20270104"), **came))
    assert [each[1:] for each in reminders(world, an) if each[0] == "Lịch hẹn tái khám"] == [
        ("before_3", "cancelled", "given")
    ]
    assert [each["status"] for each in due(world, "next_appointment", an)].count("given") == 1
    assert [each["recommended"] for each in due(world, "medicine_refill", an)] == ["2027-01-04"]


def test_what_went_out_is_not_sent_again_when_the_day_moves(world: World, hospital: Doctor) -> None:
    an = world.person()
    sent(world, hospital, visit_of(an))
    reminding = world.services.reminding
    reminding.planning.review(an.id, on(world, date(2026, 11, 26)))
    run_on(world, date(2026, 11, 26), an)
    gone = [each.id for each in reminding.reminders.of_citizen(an.id) if each.series_id == "next_appointment"]
    sent(world, hospital, visit_of(an, {"XML14": [NOTICE | {"NGAY_HEN_KL": "20261210"}]}))
    was = {each.id: each.state for each in reminding.reminders.of_citizen(an.id)}
    reminding.planning.review(an.id, on(world, date(2026, 12, 7)))
    again = {each.id: each for each in reminding.reminders.of_citizen(an.id)}
    assert len(gone) == 1 and was[gone[0]].value in ("failed", "accepted")
    assert again[gone[0]].state is was[gone[0]], "the same reminder, and it has left already"
    assert [each.id for each in again.values() if each.series_id == "next_appointment"] == gone


@pytest.mark.parametrize(
    ("over", "more", "day"),
    [
        ({"NGAY_TAI_KHAM": "20261120"}, BARE, "2026-11-20"),
        ({"NGAY_TAI_KHAM": "20261220;20261120"}, BARE, "2026-11-20"),
        ({"NGAY_TAI_KHAM": "20261120"}, {}, "2026-11-29"),
        ({"NGAY_TAI_KHAM": "next week"}, BARE, None),
        ({"NGAY_TAI_KHAM": "202612"}, BARE, None),
    ],
)
def test_the_head_tells_the_day_where_no_notice_does(
    world: World, hospital: Doctor, over: Any, more: Any, day: str | None
) -> None:
    an = world.person()
    sent(world, hospital, visit_of(an, more, **over))
    assert [each["recommended"] for each in due(world, "next_appointment", an)] == ([day] if day else [])


@pytest.mark.parametrize(
    ("medicine", "days"),
    [
        ({"SO_LUONG": "60", "LIEU_DUNG": "1 viên/lần * 2 lần/ngày"}, "2026-12-01"),
        ({"SO_LUONG": "45", "LIEU_DUNG": "0,5 Viên / lần*3 lần / ngày"}, "2026-12-01"),
        ({"SO_LUONG": "10", "LIEU_DUNG": "1 viên/lần * 2 lần/ngày"}, None),
        ({"SO_LUONG": "60", "LIEU_DUNG": "1 gói/lần * 2 lần/ngày"}, None),
        ({"SO_LUONG": "60", "LIEU_DUNG": "khi đau"}, None),
        ({"SO_LUONG": "900", "LIEU_DUNG": "1 viên/lần * 1 lần/ngày"}, None),
        ({"SO_LUONG": "60", "LIEU_DUNG": "0 viên/lần * 1 lần/ngày"}, None),
    ],
)
def test_a_refill_needs_a_dose_with_one_reading(
    world: World, hospital: Doctor, medicine: Any, days: str | None
) -> None:
    an = world.person()
    sent(world, hospital, visit_of(an, {"XML2": [MEDICINE | medicine]}))
    assert [each["recommended"] for each in due(world, "medicine_refill", an)] == ([days] if days else [])


def test_a_planned_visit_moves_takes_place_or_is_cancelled(world: World, hospital: Doctor) -> None:
    an = world.person()
    planned = encounter("v1", "2026-11-20", status="planned")
    world.send(hospital, bundle(an, planned))
    (first,) = due(world, "next_appointment", an)
    world.send(hospital, bundle(an, encounter("v1", "2026-11-25", status="planned")))
    (moved,) = due(world, "next_appointment", an)
    assert (moved["recommended"], moved["dose"]) == ("2026-11-25", first["dose"])
    world.send(hospital, bundle(an, encounter("v1", "2026-11-25", status="cancelled")))
    assert due(world, "next_appointment", an) == []


def test_a_planned_check_up_is_no_check_up_yet(world: World, hospital: Doctor) -> None:
    an = world.person()
    kind = [{"coding": [{"system": "http://snomed.info/sct", "code": "185349003"}]}]
    world.send(hospital, bundle(an, encounter("k1", "2026-11-10", status="planned", type=kind)))
    on(world, date(2026, 11, 12))
    assert due(world, "annual_checkup", an)[0]["status"] == "overdue"
    world.send(hospital, bundle(an, encounter("k1", "2026-11-10", type=kind)))
    assert due(world, "annual_checkup", an)[0]["status"] == "given"


def test_a_pregnancy_asks_for_visits_until_it_ends(world: World, hospital: Doctor) -> None:
    an = world.person()
    expected = {"coding": [{"system": LOINC, "code": "11778-8"}]}
    told = observation("edd", on="2026-09-01", code=expected, valueDateTime="2027-05-08")
    told.pop("valueQuantity", None)
    world.send(hospital, bundle(an, told))
    found = {each["dose"]: each for each in due(world, "antenatal", an)}
    assert [(n, each["status"]) for n, each in sorted(found.items())] == [
        (101, "ask_station"),
        (102, "ask_station"),
        (103, "ask_station"),
        (104, "ask_station"),
    ]
    assert found[102]["earliest"] == "2026-11-07", "14 weeks after 2026-08-01"
    visited = condition("z34", "Z34.0", recordedDate="2026-10-02")
    visited.pop("onsetDateTime")
    world.send(hospital, bundle(an, visited))
    assert due(world, "antenatal", an)[0]["status"] == "given", "the diagnosis tells what the visit was for"
    world.send(hospital, bundle(an, condition("o03", "O03.9", on="2026-11-02")))
    assert due(world, "antenatal", an) == []


def test_a_labelled_diagnosis_gives_no_condition(world: World, hospital: Doctor) -> None:
    an = world.person()
    world.send(hospital, bundle(an, labelled(condition("secret", "E11.9", on="2026-10-02"), "R")))
    assert due(world, "chronic_followup", an) == []
    world.send(hospital, bundle(an, condition("open", "E11.9", on="2026-10-02")))
    assert due(world, "chronic_followup", an) != []


@pytest.mark.parametrize(
    ("over", "holds"),
    [
        ({"recordedDate": "2026-10-02"}, True),
        ({"recordedDate": "2024-10-02"}, False),
        ({"onsetDateTime": "2010-05", "recordedDate": "2026-10-02"}, True),
        (clinical("active") | {"onsetDateTime": "2010-05"}, True),
        (clinical("resolved") | {"onsetDateTime": "2010-05", "abatementDateTime": "2026-10-30"}, False),
        ({"onsetDateTime": "2010-05"}, False),
    ],
)
def test_how_long_a_diagnosis_tells_of_a_disease(
    world: World, hospital: Doctor, over: Json, holds: bool
) -> None:
    an = world.person()
    told = {each: text for each, text in condition("c", "E11.9").items() if each not in _WHEN} | over
    world.send(hospital, bundle(an, told))
    assert bool(due(world, "chronic_followup", an)) is holds


def test_a_check_up_as_a_worker_tells_that_one_works(world: World, hospital: Doctor) -> None:
    an = world.person()
    assert due(world, "worker_checkup", an) == []
    told = parts_of(an, XML2=OCCASION | {"MA_LK": f"worker-{an.id[:8]}"})
    answer = world.post("/provider/intake/checkups", hospital, raw=message_of(checkups_of(told)))
    assert answer.status_code == 202, answer.get_data(as_text=True)
    assert [(each["dose"], each["status"]) for each in due(world, "worker_checkup", an)] == [
        (2026, "given"),
        (2027, "upcoming"),
    ]


def test_a_pupils_school_check_reminds_the_guardian(world: World) -> None:
    mother = world.person()
    child = world.child_of(mother, date(2017, 1, 10))
    planning = world.services.reminding.planning
    on(world, date(2026, 8, 20))
    assert due(world, "annual_checkup", child, mother)[0]["recommended"] == "2026-01-10"
    made = stated(world, child, PUPIL, mother)
    assert made["self_reported"] is True and made["category"] == "checkup"
    (head, _) = due(world, "annual_checkup", child, mother)
    assert (head["recommended"], head["rule"]) == ("2026-09-05", "one_exam_for_all")
    assert due(world, "school_checkup", child, mother)[0]["title"] == "Kiểm tra sức khỏe đầu năm học"
    planning.review(child.id, on(world, date(2026, 9, 5)))
    said = [each for each in reminders(world, child, mother) if "Khám sức khỏe định kỳ" in each[0]]
    assert said == [("Khám sức khỏe định kỳ hằng năm", "on_day", "planned", "")]


def test_a_statement_is_put_right_and_hidden_like_any_entry(world: World) -> None:
    mother = world.person()
    child = world.child_of(mother, date(2011, 3, 1))
    works = {"kind": "circumstance", "code": "employee", "occurred_on": "2026-06-01"}
    made = stated(world, child, works)
    assert due(world, "worker_checkup", child) and due(world, "worker_minor", child)
    assert [each["title"] for each in due(world, "worker_checkup", child, mother)] != []
    path = f"/citizens/me/records/{made['id']}"
    hidden = {"audience": "guardians", "hidden": True}
    assert world.call("PUT", f"{path}/visibility", child, hidden).status_code == 204
    assert due(world, "worker_checkup", child) != [] == due(world, "worker_checkup", child, mother)
    over = works | {"until": "2026-10-31", "reason": "corrected_by_person"}
    answer = world.call("PUT", path, child, over, headers={"If-Match": made["etag"]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert found_in(answer)["resource"]["effectivePeriod"] == {"start": "2026-06-01", "end": "2026-10-31"}
    assert due(world, "worker_checkup", child) == [], "it ended yesterday week"
    assert len(found_in(world.get(f"{path}/versions", child))["items"]) == 2


def test_reminders_of_companions_know_nothing_of_what_is_hidden(world: World) -> None:
    mother = world.person()
    child = world.child_of(mother, date(2013, 12, 20))
    on(world, date(2026, 8, 20))
    made = stated(world, child, PUPIL)
    planning = world.services.reminding.planning
    assert planning.forecasts(child.id).same
    hidden = {"audience": "guardians", "hidden": True}
    path = f"/citizens/me/records/{made['id']}/visibility"
    assert world.call("PUT", path, child, hidden).status_code == 204
    plans = planning.forecasts(child.id)
    days = [
        {i.recommended for i in each if i.identity == ("annual_checkup", "annual_checkup", 2026)}
        for each in (plans.own, plans.companions)
    ]
    assert days == [{date(2026, 9, 5)}, {date(2026, 12, 20)}]
    planning.review(child.id, on(world, date(2026, 9, 5)))
    assert "Khám sức khỏe định kỳ hằng năm" not in str(reminders(world, child, mother))


def test_what_may_be_stated_is_a_public_list(world: World) -> None:
    told = found_in(world.get("/code-systems/circumstances"))
    assert [each["code"] for each in told["items"]] == [
        "disabled_employee",
        "employee",
        "hazardous_work",
        "pregnant",
        "pupil",
    ]
    assert all(each["vi"] and each["en"] for each in told["items"])


def test_a_statement_is_read_like_any_record(world: World, hospital: Doctor) -> None:
    an = world.person()
    for code in ("employee", "pregnant"):
        stated(world, an, {"kind": "circumstance", "code": code, "occurred_on": "2026-08-01"})
    shown = found_in(world.get("/citizens/me/records", an))["items"]
    assert {(each["category"], each["line_vi"]) for each in shown} == {
        ("checkup", "Hoàn cảnh: Người lao động"),
        ("pregnancy", "Theo dõi thai kỳ: Tình trạng thai kỳ Đang mang thai"),
    }
    front = found_in(world.get("/citizens/me/summary", an))["sections"]
    assert front["checkups"]["lines"] == [] == front["conditions"]["lines"]
    entries = found_in(world.get("/fhir/Observation", an)).get("entry", [])
    assert {each["resource"]["effectivePeriod"]["start"] for each in entries} == {"2026-08-01"}
    seen = world.grant(hospital, an, categories=["checkup"]).seen()
    assert [each["self_reported"] for each in seen] == [True]


def test_a_statement_made_in_error_asks_for_nothing_and_settles_nothing(world: World) -> None:
    an = world.person()
    before = due(world, "annual_checkup", an)
    made = stated(world, an, {"kind": "circumstance", "code": "pregnant", "occurred_on": "2026-08-01"})
    assert made["category"] == "pregnancy" and len(due(world, "antenatal", an)) == 4
    assert due(world, "annual_checkup", an) == before
    path = f"/citizens/me/records/{made['id']}"
    wrong = {"kind": "circumstance", "code": "pregnant", "occurred_on": "2026-08-01"}
    wrong["reason"] = "entered_in_error"
    assert world.call("PUT", path, an, wrong, headers={"If-Match": made["etag"]}).status_code == 200
    assert due(world, "antenatal", an) == []


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (PUPIL | {"code": None}, ("/code", "missing")),
        (PUPIL | {"code": "chronic"}, ("/code", "not_listed")),
        (PUPIL | {"until": "2026-08-14"}, ("/until", "ends_before_it_begins")),
        (PUPIL | {"until": "soon"}, ("/until", "form")),
        (PUPIL | {"text": "x"}, ("/text", "unsupported")),
        (PUPIL | {"occurred_on": "2026-11-04"}, ("/occurred_on", "not_in_life")),
        ({"kind": "allergy", "occurred_on": "2020", "text": "x", "until": "2021"}, ("/until", "unsupported")),
    ],
)
def test_a_statement_that_cannot_be_is_refused_where_it_stands(world: World, said: Json, fault: Any) -> None:
    answer = world.post("/citizens/me/records", world.person(), said)
    assert answer.status_code == 422, answer.get_data(as_text=True)
    assert [(each["pointer"], each["code"]) for each in found_in(answer)["errors"]] == [fault]


def test_a_new_programme_is_one_file(
    embedded_db: Database[Json], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "programmes"
    folder.mkdir()
    for each in files("notifications.programmes").iterdir():
        if each.name.endswith(".json"):
            (folder / each.name).write_bytes(each.read_bytes())
    told = {
        "id": "eye_check",
        "kind": "periodic",
        "topic": "followup",
        "title": {"vi": "Khám mắt", "en": "Eye check"},
        "source": ["Circular 99/2026/TT-THU Art. 1 (made up for this test)"],
        "status": "in_force",
        "valid_from": "2026-01-01",
        "valid_to": None,
        "date_rule": "first_of_next_month",
        "overdue_after": "P1M",
        "eligible": {"sex": "any", "age_from": "P6Y", "provinces": ["79"], "conditions": ["pupil"]},
        "offsets": [{"kind": "on_day", "days": 0}],
        "accepts_exams": ["visit"],
        "confidence": "found",
        "anchor": {"kind": "last_exam", "interval": "P6M"},
    }
    (folder / "eye_check.json").write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setattr(programmes, "FOLDER", folder)
    world = World(embedded_db, tmp_path)
    mother = world.person()
    child = world.child_of(mother, date(2017, 1, 10), province="79")
    assert due(world, "eye_check", child, mother) == []
    stated(world, child, PUPIL | {"occurred_on": "2026-11-03"}, mother)
    (item,) = due(world, "eye_check", child, mother)
    assert (item["title"], item["status"], item["recommended"]) == ("Khám mắt", "due", "2026-11-03")
    assert item["sources"] == told["source"]
    world.services.reminding.planning.review(child.id, date(2026, 11, 3))
    assert ("Khám mắt", "on_day", "planned", "") in reminders(world, child, mother)
    world.services.reminding.dispatch.plan_day(date(2026, 11, 3))
    shown = found_in(world.get("/citizens/me/inbox", mother))["items"]
    assert any(each["title"] == "Đến hẹn: Khám mắt" for each in shown), [each["title"] for each in shown]
    doctor = world.doctor(reads=KINDS, writes=KINDS)
    world.send(doctor, bundle(child, encounter("e1", "2026-11-03")))
    given, later = due(world, "eye_check", child, mother)
    assert (given["dose"], given["status"]) == (1, "given")
    assert (later["recommended"], later["status"]) == ("2027-05-03", "upcoming")
