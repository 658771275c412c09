"""Teeth and pregnancies over HTTP; what is told of a child's sex before its birth is nowhere to be found."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fhir import ICD10, LOINC, bundle, observation
from tests.pages.resources import visit
from tests.visit_files import HEAD, RESULT, file_of, visit_of
from tests.world import READS, Doctor, Json, Person, World, found_in
from wallet_api.records.fetal_sex import unsaid, without_fetal_sex

SNOMED = "http://snomed.info/sct"
FDI = "urn:iso:std:iso:3950"
BOTH = ("dental", "pregnancy")


@pytest.fixture(scope="module")
def clinic(shared_world: World) -> Doctor:
    return shared_world.doctor(reads=(*READS, *BOTH), writes=(*READS, *BOTH, "document"))


@pytest.fixture
def an(world: World) -> Person:
    return world.person()


def of(world: World, who: Person, category: str) -> list[Json]:
    return list(found_in(world.get(f"/citizens/me/records?category={category}", who))["items"])


def concept(system: str, code: str, text: str = "") -> Json:
    return {"coding": [{"system": system, "code": code}]} | ({"text": text} if text else {})


def filling(*teeth: str, **over: Any) -> Json:
    made = {"resourceType": "Procedure", "id": "f1", "status": "completed", "code": {"text": "Trám răng"}}
    sites = [concept(FDI, each) for each in teeth]
    told = {"subject": {"reference": "Patient/p"}, "performedDateTime": "2026-09-01", "bodySite": sites}
    return made | told | over


def test_a_filling_is_filed_under_its_tooth(world: World, clinic: Doctor, an: Person) -> None:
    caries = observation("t1", code={"text": "Sâu răng"}, bodySite=concept(FDI, "75"))
    dentist = visit(type=[concept(SNOMED, "225362009", "Khám răng định kỳ")], reasonCode=[])
    dentist.pop("reasonCode")
    report = world.send(clinic, bundle(an, filling("36", "37"), caries, dentist, visit("v2")))
    assert report["rejected"] == 0, report["rows"]
    assert {each["line_vi"] for each in of(world, an, "dental")} == {
        "Điều trị răng, răng 36, 37: Trám răng",
        "Khám răng, răng 75: Sâu răng",
        "Lượt khám răng: Khám răng định kỳ",
    }
    assert "Dental treatment, tooth 36, 37: Trám răng" in str(of(world, an, "dental"))
    assert len(of(world, an, "visit")) == 1 and of(world, an, "procedure") == []


@pytest.mark.parametrize("tooth", ["19", "56", "9", "1", "99", "٣٦"])
def test_a_tooth_that_nobody_has_is_taken(world: World, clinic: Doctor, an: Person, tooth: str) -> None:
    report = world.send(clinic, bundle(an, filling("36", tooth)))
    _patient, row = report["rows"]
    assert (row["code"], row["pointer"]) == ("tooth_unknown", "/entry/1/resource/bodySite")
    assert of(world, an, "dental") == []


def test_what_only_visits_are_granted_of_shows_no_dentist(world: World, clinic: Doctor, an: Person) -> None:
    world.send(clinic, bundle(an, filling("36"), visit()))
    made = world.grant(clinic, an, categories=["procedure", "visit"])
    assert [each["category"] for each in found_in(made.read(made.session()))["items"]] == ["visit"]
    other = world.doctor(reads=BOTH)
    made = world.grant(other, an, categories=["dental"])
    assert [each["category"] for each in found_in(made.read(made.session()))["items"]] == ["dental"]


def episode(**over: Any) -> Json:
    made = {
        "resourceType": "EpisodeOfCare",
        "id": "e1",
        "status": "active",
        "patient": {"reference": "Patient/p"},
    }
    return made | {"type": [concept(SNOMED, "77386006", "Thai kỳ")], "period": {"start": "2026-06-01"}} | over


def found_of(source_id: str, code: str, text: str = "", **over: Any) -> Json:
    return observation(source_id, on="2026-09-01", code=concept(LOINC, code, text), **over)


def test_a_pregnancy_is_followed(world: World, clinic: Doctor, an: Person) -> None:
    due = found_of("d1", "11778-8", "Ngày dự sinh", valueDateTime="2027-02-20")
    weeks = found_of("w1", "18185-9", valueQuantity={"value": 15, "unit": "tuần"})
    antenatal = visit(reasonCode=[concept(ICD10, "Z34.0", "Khám thai")])
    report = world.send(clinic, bundle(an, episode(), due, weeks, antenatal, visit("v2")))
    assert report["rejected"] == 0, report["rows"]
    assert {each["line_vi"] for each in of(world, an, "pregnancy")} == {
        "Thai kỳ: Thai kỳ",
        "Theo dõi thai kỳ: Ngày dự sinh 2027-02-20",
        "Theo dõi thai kỳ: 18185-9 15 tuần",
        "Lượt khám thai: Khám thai",
    }
    assert len(of(world, an, "visit")) == 1 and of(world, an, "lab_result") == []
    series = found_in(world.get("/citizens/me/series/18185-9", an))["items"]
    assert [each["value"] for each in series] == [15]


def test_a_visit_of_a_kind_of_its_own_is_missing_on_the_front_page(
    world: World, clinic: Doctor, an: Person
) -> None:
    reason = {"reasonCode": [concept(ICD10, "Z34.0", "Khám thai")]}
    ahead = visit("v2", on="2027-05-01", status="planned", **reason)
    dentist = visit("v3", type=[concept(SNOMED, "225362009")])
    world.send(clinic, bundle(an, visit(**reason), ahead, dentist))
    told = found_in(world.get("/citizens/me/summary", an))["sections"]
    assert {each["category"] for each in told["visits"]["lines"]} == {"pregnancy", "dental"}
    assert [each["day"] for each in told["appointments"]["lines"]] == ["2027-05-01"]


def test_an_episode_of_something_else_is_kept(world: World, clinic: Doctor, an: Person) -> None:
    _patient, row = world.send(clinic, bundle(an, episode(type=[{"text": "Khác"}])))["rows"]
    assert row["code"] == "type_not_kept"


SEXED: list[Json] = [
    found_of("s1", "11882-8", valueString="XX-SECRET"),
    observation("s2", code={"text": "Giới tính thai nhi"}, valueString="XX-SECRET"),
    observation(
        "s3", code={"coding": [{"system": "x", "code": "9", "display": "Fetal sex"}]}, valueString="SECRET"
    ),
]


@pytest.mark.parametrize("sexed", SEXED)
def test_a_result_about_the_sex_of_a_fetus_is_kept(
    world: World, clinic: Doctor, an: Person, sexed: Json
) -> None:
    report = world.send(clinic, bundle(an, sexed, found_of("w1", "18185-9", valueString="15")))
    assert [row["code"] for row in report["rows"]] == ["mapped", "fetal_sex", "accepted"]
    assert report["rows"][1]["message"]
    assert "SECRET" not in str(found_in(world.get("/citizens/me/records", an)))


def test_the_sex_of_a_fetus_is_told_beside_something_else(world: World, clinic: Doctor, an: Person) -> None:
    parts = [
        {"code": concept(LOINC, "11882-8"), "valueString": "SECRET"},
        {"code": concept(LOINC, "11948-7"), "valueQuantity": {"value": 150, "unit": "/min"}},
    ]
    scan = found_of("u1", "11948-7", component=parts, note=[{"text": "Tim thai đều. Bé trai SECRET."}])
    image = base64.b64encode(b"SECRET").decode()
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "code": concept(LOINC, "11525-3", "Siêu âm thai"),
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-09-01",
        "conclusion": "Thai 22 tuần. Con gái SECRET; nước ối bình thường",
        "presentedForm": [{"contentType": "image/png", "data": image}],
    }
    assert world.send(clinic, bundle(an, scan, report))["rejected"] == 0
    told = of(world, an, "pregnancy")
    assert "SECRET" not in str(told) and image not in str(told)
    assert {each["resource"].get("conclusion") for each in told} == {
        None,
        "Thai 22 tuần. nước ối bình thường",
    }
    (kept,) = (each["resource"] for each in told if "component" in each["resource"])
    assert len(kept["component"]) == 1 and kept["note"] == [{"text": "Tim thai đều."}]
    assert all("SECRET" not in str(each) for each in found_in(world.get("/citizens/me/summary", an)).values())


def test_a_visit_file_tells_the_sex_of_a_fetus(world: World, clinic: Doctor, an: Person) -> None:
    scan = {**RESULT, "MA_CHI_SO": "SA", "GIA_TRI": "", "MO_TA": "Thai nhi nam SECRET. Ngôi đầu."}
    summary = {"MA_LK": HEAD["MA_LK"], "QT_BENHLY": "Khám thai. Giới tính thai: SECRET. Ổn định"}
    coded = {**RESULT, "MA_CHI_SO": "GT", "TEN_CHI_SO": "Giới tính thai nhi", "GIA_TRI": "SECRET"}
    raw = file_of(visit_of(an, {"XML4": [scan, coded], "XML8": [summary]}))
    answer = world.post("/provider/intake/insurance-xml", clinic, raw=raw, kind="application/xml")
    (report,) = found_in(answer)["items"]
    assert [row["code"] for row in report["rows"] if not row["accepted"]] == ["fetal_sex"]
    shown = found_in(world.get("/citizens/me/records?limit=100", an))["items"]
    papers = [
        base64.b64decode(each["resource"]["content"][0]["attachment"]["data"]).decode()
        for each in shown
        if each["category"] == "document"
    ]
    assert "SECRET" not in str(shown) + str(papers)
    assert "Ngôi đầu." in str(shown) and any("Ổn định" in each for each in papers)


@pytest.mark.parametrize(
    "text",
    [
        "Đang mang thai năm 2020",
        "Bệnh nhân nữ, có con gái 5 tuổi",
        "Giới tính: nữ",
        "Sản phụ mang thai, nữ 30 tuổi",
        "Người Thái nam 40 tuổi",
        "",
    ],
)
def test_other_words_are_left_alone(text: str) -> None:
    assert unsaid(text) == text
    assert without_fetal_sex({"resourceType": "Condition", "code": {"text": text}}) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Giới tính của thai: nam",
        "THAI NHI NAM",
        "thai 1 con gái",
        "Male fetus",
        "Sex of the fetus: F",
        "giới tính thai",
    ],
)
def test_however_it_is_said_it_is_unsaid(text: str) -> None:
    assert unsaid(f"Khỏe. {text}. Đủ tháng.") == "Khỏe. Đủ tháng."


@pytest.mark.parametrize(
    "odd",
    [
        {"code": 1},
        {"code": {"coding": 3}},
        {"code": {"coding": [7], "text": []}},
        {"a": [[["x"]]], "b": None},
    ],
)
def test_any_json_is_read(odd: Json) -> None:
    assert without_fetal_sex(odd) == odd
