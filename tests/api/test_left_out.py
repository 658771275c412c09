"""A visit sent again without a row: the old record stays readable and stops counting, until it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checkup_messages import RESULTS, may_push, message_of, parts_of
from tests.checkup_messages import file_of as check_up_file
from tests.plans import plan_stages
from tests.visit_files import HEAD, MEDICINE, RESULT, Row, file_of, head, packed, table, visit, visit_of
from tests.world import READS, Doctor, Json, Person, World, found_in

PATH = "/provider/intake/insurance-xml"
KINDS = (*READS, "document", "checkup")
SECOND: Row = {
    **RESULT,
    "MA_CHI_SO": "CREA",
    "TEN_CHI_SO": "Creatinin",
    "GIA_TRI": "88",
    "DON_VI_DO": "µmol/L",
}


@pytest.fixture(scope="module")
def hospital(shared_world: World) -> Doctor:
    return may_push(shared_world, shared_world.doctor(reads=KINDS, writes=KINDS))


@pytest.fixture
def an(world: World) -> Person:
    return world.person()


def taken(world: World, doctor: Doctor, *visits: str) -> Json:
    answer = world.post(PATH, doctor, raw=file_of(*visits), kind="application/xml")
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return dict(found_in(answer)["items"][0])


def book(world: World, person: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/records?limit=100", person))["items"])


def the(world: World, person: Person, word: str) -> Json:
    (found,) = (each for each in book(world, person) if word in str(each["resource"]))
    return found


def void(records: list[Json]) -> list[Json]:
    return [each for each in records if "entered-in-error" in str(each["resource"])]


def left(report: Json) -> list[str | None]:
    return [row["pointer"] for row in report["rows"] if row["code"] == "left_out"]


def test_a_row_that_is_left_out_stays_as_it_was(world: World, hospital: Doctor, an: Person) -> None:
    first = taken(world, hospital, visit_of(an, {"XML4": [RESULT, SECOND]}))
    assert left(first) == [] and void(book(world, an)) == []
    report = taken(world, hospital, visit_of(an))
    assert left(report) == ["/HOSO/0/XML4/1"] and report["rejected"] == 0
    assert next(row["message"] for row in report["rows"] if row["code"] == "left_out")
    gone = the(world, an, "CREA")
    assert (gone["version"], gone["reason"]) == (2, "left_out_by_source")
    assert gone["resource"]["status"] == "entered-in-error" and len(void(book(world, an))) == 1
    versions = found_in(world.get(f"/citizens/me/records/{gone['id']}/versions", an))["items"]
    assert [each["resource"]["status"] for each in versions] == ["entered-in-error", "final"]
    assert the(world, an, "HBA1C")["version"] == 1
    series = found_in(world.get("/citizens/me/series/CREA?system=urn:health-wallet:insurance/index", an))
    assert series["items"] == []


def test_what_comes_back_stays_gone(world: World, hospital: Doctor, an: Person) -> None:
    whole = visit_of(an, {"XML4": [RESULT, SECOND]})
    for _ in range(2):
        taken(world, hospital, whole)
        taken(world, hospital, visit_of(an))
    taken(world, hospital, whole)
    back = the(world, an, "CREA")
    assert (back["version"], back["resource"]["status"], back["reason"]) == (5, "final", "resent_by_source")
    assert void(book(world, an)) == []


def test_leaving_out_twice_makes_two_versions(world: World, hospital: Doctor, an: Person) -> None:
    taken(world, hospital, visit_of(an, {"XML4": [RESULT, SECOND]}))
    for _ in range(3):
        assert left(taken(world, hospital, visit_of(an))) == ["/HOSO/0/XML4/1"]
    assert the(world, an, "CREA")["version"] == 2


def test_a_diagnosis_is_taken_back_in_its_own_way(world: World, hospital: Doctor, an: Person) -> None:
    taken(world, hospital, visit_of(an))
    taken(world, hospital, visit_of(an, MA_BENH_KT="", CHAN_DOAN_RV="Tăng huyết áp"))
    gone = the(world, an, "'E11.9'")["resource"]
    assert gone["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "status" not in gone
    front = found_in(world.get("/citizens/me/summary", an))["sections"]["conditions"]["lines"]
    assert [each["codes"][0]["code"] for each in front] == ["I10"]


@pytest.mark.parametrize(
    "broken",
    [
        {"XML2": [{**MEDICINE, "NGAY_YL": "05041990"}]},
        {"XML4": [{**RESULT, "MA_LK": "another"}]},
        {"XML4": [{**RESULT, "TEN_CHI_SO": "TÃ¡i"}]},
    ],
)
def test_what_cannot_be_read_is_taken_for_left_out(
    world: World, hospital: Doctor, an: Person, broken: dict[str, Any]
) -> None:
    taken(world, hospital, visit_of(an, {"XML4": [RESULT, SECOND]}))
    report = taken(world, hospital, visit_of(an, broken))
    assert report["rejected"] == 1 and left(report) == []
    assert void(book(world, an)) == []
    assert len(left(taken(world, hospital, visit_of(an)))) == 1, "what is readable again tells"


@pytest.mark.parametrize("more", ["XML6", "XML3"])
def test_a_table_the_book_never_keeps_hides_what_was_left_out(
    world: World, hospital: Doctor, an: Person, more: str
) -> None:
    taken(world, hospital, visit_of(an, {"XML4": [RESULT, SECOND]}))
    tables = {"XML1": packed(table("XML1", head(an))), "XML4": packed(table("XML4", RESULT))}
    report = taken(world, hospital, visit(tables | {more: packed("<A/>")}))
    assert len(left(report)) == 3, "the medicine, the second result and the appointment"


def test_another_visit_person_or_sender_takes_something_back(
    world: World, hospital: Doctor, an: Person
) -> None:
    other, stranger = world.person(), world.doctor(reads=KINDS, writes=KINDS)
    taken(world, hospital, visit_of(an))
    alone = {"XML1": packed(table("XML1", head(an, MA_LK="another")))}
    reports = [
        taken(world, hospital, visit(alone)),
        taken(world, hospital, visit({"XML1": packed(table("XML1", head(other)))})),
        taken(world, stranger, visit({"XML1": packed(table("XML1", head(an)))})),
    ]
    assert [left(each) for each in reports] == [[], [], []]
    assert void(book(world, an)) == []


def test_the_report_tells_whether_there_is_such_a_person(world: World, hospital: Doctor, an: Person) -> None:
    class Nobody:
        number, born = "001299000999", an.born

    reports = []
    for whom in (an, Nobody()):
        taken(world, hospital, visit_of(whom, {"XML4": [RESULT, SECOND]}))
        made = taken(world, hospital, visit_of(whom))
        reports.append([(row["index"], row["accepted"], row["code"], row["pointer"]) for row in made["rows"]])
    assert reports[0] == reports[1] and "left_out" in str(reports[0])


def test_a_licence_that_ended_takes_something_back(world: World, an: Person) -> None:
    doctor = world.doctor(reads=KINDS, writes=KINDS)
    taken(world, doctor, visit_of(an, {"XML4": [RESULT, SECOND]}))
    organisations = world.services.identity.organisations
    known = organisations.get(doctor.organisation_id)
    licence = type(known.licence)(known.licence.purposes, known.licence.read_categories, frozenset({"visit"}))
    organisations.license(known.id, licence, expected=known.version)
    taken(world, doctor, visit_of(an))
    assert void(book(world, an)) == []


def test_a_check_up_leaves_out_as_well(world: World, hospital: Doctor, an: Person) -> None:
    def push(**over: Any) -> Json:
        raw = message_of(check_up_file(parts_of(an, **over)))
        answer = world.post("/provider/intake/checkups", hospital, raw=raw, kind="application/json")
        return dict(found_in(answer)["items"][0])

    assert left(push()) == []
    report = push(XML11=RESULTS[:1])
    assert len(left(report)) == 1
    assert [each["resource"]["resourceType"] for each in void(book(world, an))] == ["DiagnosticReport"]
    push()
    assert void(book(world, an)) == []


def test_hiding_and_labels_are_lost_with_what_is_left_out(world: World, hospital: Doctor, an: Person) -> None:
    taken(world, hospital, visit_of(an, {"XML4": [RESULT, SECOND]}, MA_BENH_KT="B20", CHAN_DOAN_RV=""))
    kept = the(world, an, "CREA")
    path = f"/citizens/me/records/{kept['id']}/visibility"
    assert world.call("PUT", path, an, {"audience": "providers", "hidden": True}).status_code == 204
    taken(world, hospital, visit_of(an, CHAN_DOAN_RV="", MA_BENH_KT=""))
    row = world.db["records"].find_one({"_id": kept["id"]})
    assert row is not None and row["version"] == 2 and row["hidden_from"] == ["providers"]
    assert the(world, an, "CREA")["labels"] == ["HIV"]


def test_earlier_sendings_are_found_by_an_index(world: World) -> None:
    stages = plan_stages(world.db["intakes"], {"visit": "x"})
    assert "IXSCAN visit_1_received_at_-1" in stages and "COLLSCAN" not in stages, stages
    assert HEAD["MA_LK"] not in str(list(world.db["intakes"].find({"visit": {"$exists": True}})))
