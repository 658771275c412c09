"""Visit files of the health insurance over HTTP: kept for the right person, once, corrected by version."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.visit_files import HEAD, MEDICINE, RESULT, file_of, head, packed, table, visit, visit_of
from tests.world import READS, Doctor, Json, Person, World, found_in
from wallet_api.records.labels import UNKNOWN

PATH = "/provider/intake/insurance-xml"
SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture(scope="module")
def hospital(shared_world: World) -> Doctor:
    return shared_world.doctor(reads=(*READS, "document"), writes=(*READS, "document"))


@pytest.fixture
def an(world: World) -> Person:
    return world.person()


def send(world: World, doctor: Doctor, raw: bytes, **headers: str) -> Any:
    return world.post(PATH, doctor, raw=raw, kind="application/xml", headers=headers)


def taken(world: World, doctor: Doctor, *visits: str) -> list[Json]:
    answer = send(world, doctor, file_of(*visits))
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return list(found_in(answer)["items"])


def book(world: World, person: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/records?limit=100", person))["items"])


def kinds(records: list[Json]) -> Counter[str]:
    return Counter(each["resource"]["resourceType"] for each in records)


def of(records: list[Json], kind: str) -> Json:
    (found,) = (each for each in records if each["resource"]["resourceType"] == kind)
    return found


def test_a_visit_is_lost_or_its_money_kept(world: World, hospital: Doctor, an: Person) -> None:
    (report,) = taken(world, hospital, visit_of(an))
    assert (report["format"], report["rejected"]) == ("insurance-xml", 0), report["rows"]
    records = book(world, an)
    assert kinds(records) == {
        "Encounter": 1,
        "Condition": 2,
        "Observation": 2,
        "MedicationRequest": 1,
        "DocumentReference": 2,
    }
    text = str(records)
    assert "245400" not in text and "NGƯỜI THỬ" not in text
    assert "650" not in str([each["resource"] for each in records]), "without its times: digits, too"
    told = {
        each["resource"]["code"]["coding"][0]["code"]
        for each in records
        if "onsetDate" not in each and each["resource"]["resourceType"] == "Condition"
    }
    assert told == {"I10", "E11.9"}
    when = of(records, "Encounter")["resource"]["period"]
    assert when == {"start": "2026-11-01T08:00:00+07:00", "end": "2026-11-01T10:10:00+07:00"}
    visits = {str(each["resource"].get("encounter")) for each in records if "encounter" in each["resource"]}
    assert len(visits) == 1 and HEAD["MA_LK"] in visits.pop()
    later = [
        each["resource"]["context"].get("period")
        for each in records
        if each["resource"]["resourceType"] == "DocumentReference"
    ]
    assert {"start": "2026-11-29"} in later


def test_sending_again_makes_something_new(world: World, hospital: Doctor, an: Person) -> None:
    taken(world, hospital, visit_of(an))
    before = book(world, an)
    again = visit_of(an, {"XML4": [dict(RESULT, STT="9")], "XML2": [dict(MEDICINE, STT="4", DON_GIA="1")]})
    taken(world, hospital, again)
    assert book(world, an) == before


def test_a_changed_value_overwrites_what_was_there(world: World, hospital: Doctor, an: Person) -> None:
    taken(world, hospital, visit_of(an))
    taken(world, hospital, visit_of(an, {"XML4": [dict(RESULT, GIA_TRI="7,9", NGAY_KQ="202611011000")]}))
    (result,) = (each for each in book(world, an) if "HBA1C" in str(each["resource"]))
    assert (result["version"], result["resource"]["valueQuantity"]["value"]) == (2, 7.9)
    path = f"/citizens/me/records/{result['id']}/versions"
    newest, first = found_in(world.get(path, an))["items"]
    assert first["resource"]["valueQuantity"]["value"] == 7.4
    assert newest["reason"] == "resent_by_source"


def test_several_visits_fall_with_one_that_cannot_be_read(world: World, hospital: Doctor, an: Person) -> None:
    bad = visit({"XML1": packed(table("XML1", head(an, MA_LK="second", NGAY_SINH="05041990")))})
    closed = "<HOSO><FILEHOSO><LOAIHOSO>XML6</LOAIHOSO></FILEHOSO>"
    other = visit_of(an, MA_LK="third").replace("<HOSO>", closed)
    reports = taken(world, hospital, visit_of(an), bad, other)
    assert [each["rejected"] > 0 for each in reports] == [False, True, True]
    assert [row["code"] for row in reports[1]["rows"]] == ["date_unreadable"]
    assert reports[1]["rows"][0]["pointer"] == "/HOSO/1/XML1/0/NGAY_SINH" and reports[1]["rows"][0]["message"]


def test_an_act_sent_twice_is_two_reports(world: World, hospital: Doctor, an: Person) -> None:
    key = {"Idempotency-Key": "visit-file-of-november-0001"}
    raw = file_of(visit_of(an), visit_of(an, MA_LK="another"))
    first, second = (found_in(send(world, hospital, raw, **key)) for _ in range(2))
    assert first == second and len({each["id"] for each in first["items"]}) == 2
    for each in first["items"]:
        assert found_in(world.get(f"/provider/intake/{each['id']}", hospital)) == each


def test_what_is_about_somebody_else_reaches_the_book(world: World, hospital: Doctor, an: Person) -> None:
    wrong_birth = visit_of(an, NGAY_SINH="19900505")
    weak = visit_of(an, SO_CCCD=an.number[:9])
    none = visit_of(an, SO_CCCD="")
    answers = [taken(world, hospital, each)[0] for each in (wrong_birth, weak, none)]
    assert all(each["accepted"] for each in answers), "the answer does not tell who exists"
    assert book(world, an) == []


def test_a_year_alone_finds_nobody(world: World, hospital: Doctor, an: Person) -> None:
    taken(world, hospital, visit_of(an, NGAY_SINH=f"{an.born.year}00000000"))
    assert len(book(world, an)) == 8
    other = world.person()
    taken(world, hospital, visit_of(other, NGAY_SINH=f"{other.born.year + 1}00000000"))
    assert book(world, other) == []


def test_a_disease_that_is_closed_is_told_by_its_medicine(world: World, hospital: Doctor, an: Person) -> None:
    taken(world, hospital, visit_of(an, MA_BENH_KT="B20", CHAN_DOAN_RV=""))
    rows = list(world.db["records"].find({"citizen_id": an.id}))
    assert len(rows) == 8 and len({str(each["labels"]) for each in rows}) == 1 and rows[0]["labels"]
    made = world.grant(hospital, an, categories=["medication", "condition", "visit"])
    assert found_in(made.read(made.session()))["items"] == []


def test_a_table_that_stays_with_the_facility_is_kept(world: World, hospital: Doctor, an: Person) -> None:
    sent = visit({"XML1": packed(table("XML1", head(an))), "XML6": packed("<A><B>secret</B></A>")})
    (report,) = taken(world, hospital, sent)
    assert [row["code"] for row in report["rows"] if not row["accepted"]] == ["kept_by_source"]
    rows = list(world.db["records"].find({"citizen_id": an.id}))
    assert all(each["labels"] for each in rows), "that there is such a table closes the visit"


def test_what_is_never_kept_is_parked_with_the_visit(
    world: World, hospital: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    parked: list[bytes] = []
    intakes = world.services.book.intake._parts.intakes
    park = intakes.park

    def heard(made: Any, body: bytes, *more: Any, **how: Any) -> None:
        parked.append(body)
        park(made, body, *more, **how)

    monkeypatch.setattr(intakes, "park", heard)
    nobody = head(world.person(), SO_CCCD="")
    tables = {"XML1": packed(table("XML1", nobody)), "XML6": packed("<A>s</A>"), "Sổ": packed("<B>t</B>")}
    second = packed(table("XML1", dict(nobody, MA_LK="2")))
    taken(world, hospital, visit(tables), visit(tables | {"XML1": second}))
    assert len(parked) == 2 and tables["XML1"].encode() in parked[0]
    assert not any(tables[name].encode() in body for body in parked for name in ("XML6", "Sổ"))


def test_two_visits_without_a_number_are_one_person(world: World) -> None:
    doctor = world.doctor(writes=READS)
    nobody = dict(head(world.person(), SO_CCCD=""))
    visits = [visit({"XML1": packed(table("XML1", dict(nobody, MA_LK=key)))}) for key in ("one", "two")]
    taken(world, doctor, *visits)
    books = {
        each["citizen_id"] for each in world.db["records"].find({"organisation_id": doctor.organisation_id})
    }
    assert len(books) == 2


def test_a_paper_for_the_employer_is_shown_to_providers(world: World, hospital: Doctor, an: Person) -> None:
    paper = {"MA_LK": HEAD["MA_LK"], "SO_CT": "7", "SO_NGAY_NGHI": "3", "NGAY_CT": "20261101"}
    taken(world, hospital, visit_of(an, {"XML11": [paper], "XML14": []}))
    made = world.grant(hospital, an, categories=["document"])
    seen = str(found_in(made.read(made.session()))["items"])
    mine = [each for each in book(world, an) if "XML11" in str(each)]
    assert len(mine) == 1 and "XML11" not in seen
    assert UNKNOWN in str(mine[0]["resource"]["meta"])


def test_a_licence_is_passed_by_a_file(world: World, an: Person) -> None:
    station = world.doctor(writes=("condition",))
    (report,) = taken(world, station, visit_of(an))
    codes = Counter(row["code"] for row in report["rows"])
    assert codes == {"accepted": 2, "not_licensed": 6}
    assert kinds(book(world, an)) == {"Condition": 2}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "xml_malformed"),
        (b"<GIAMDINHHS><HOSO>", "xml_malformed"),
        (b"{}", "xml_malformed"),
        (b"<HOSO/>", "not_a_visit_file"),
        (b"<GIAMDINHHS/>", "visit_count"),
        (b"<GIAMDINHHS>" + b"<HOSO/>" * 51 + b"</GIAMDINHHS>", "visit_count"),
        ("<GIAMDINHHS>\u00e1</GIAMDINHHS>".encode("cp1258", "replace") + b"\xff", "not_utf8"),
        (b'<?xml version="1.0" encoding="UTF-16"?><GIAMDINHHS/>', "not_utf8"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><GIAMDINHHS>&b;</GIAMDINHHS>', "xml_forbidden"),
        (b"<GIAMDINHHS><HOSO>" + b"<a>" * 40 + b"</a>" * 40 + b"</HOSO></GIAMDINHHS>", "xml_too_deep"),
        (b"<GIAMDINHHS>" + b"<a>" * 150_000 + b"</a>" * 150_000 + b"</GIAMDINHHS>", "xml_too_large"),
        (b"<GIAMDINHHS>" + b"<a/>" * 200_001 + b"</GIAMDINHHS>", "xml_too_large"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x"><GIAMDINHHS/>', "xml_forbidden"),
    ],
)
def test_a_file_that_cannot_be_read_is_half_kept(
    world: World, hospital: Doctor, raw: bytes, code: str
) -> None:
    before = world.db["intakes"].count_documents({})
    answer = send(world, hospital, raw)
    told = found_in(answer)
    assert (answer.status_code, told["code"], told["errors"][0]["code"]) == (422, "bundle_refused", code)
    assert told["errors"][0]["message"] and world.db["intakes"].count_documents({}) == before


def test_a_whole_visit_of_a_clinic_is_misread(world: World) -> None:
    hospital = world.doctor(reads=(*READS, "document"), writes=(*READS, "document"))
    raw = (SAMPLES / "visit.xml").read_bytes()
    (report,) = found_in(send(world, hospital, raw))["items"]
    assert report["rejected"] == 0
    read = found_in(world.get("/provider/own-records?limit=50", hospital))["items"]
    mine = [each["resource"] for each in read if "99001-20261110-000123" in str(each)]
    assert Counter(each["resourceType"] for each in mine) == {
        "Encounter": 1,
        "Condition": 3,
        "MedicationRequest": 2,
        "Observation": 3,
        "DiagnosticReport": 1,
        "DocumentReference": 3,
    }
    (value,) = (each for each in mine if "HBA1C" in str(each))
    assert value["valueQuantity"] == {"value": 7.4, "unit": "%"}
    (notice,) = (each for each in mine if (each.get("context") or {}).get("period"))
    assert notice["context"]["period"]["start"] == "2026-12-08"
    texts = [
        base64.b64decode(each["content"][0]["attachment"]["data"]).decode()
        for each in mine
        if each["resourceType"] == "DocumentReference"
    ]
    assert not any("PHẠM THỊ HÒA" in text or "GD4349990009912" in text for text in texts)
