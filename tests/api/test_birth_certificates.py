"""Birth certificates in visit files: the child's facts in the mother's book, for her eyes alone."""

from __future__ import annotations

import base64
from datetime import datetime

import pytest

from tests.visit_files import HEAD, Row, file_of, visit_of
from tests.world import READS, Doctor, Json, Person, World, found_in
from wallet_api.records.labels import UNKNOWN

PATH = "/provider/intake/insurance-xml"
KINDS = (*READS, "document")


@pytest.fixture(scope="module")
def ward(shared_world: World) -> Doctor:
    return shared_world.doctor(reads=KINDS, writes=KINDS)


@pytest.fixture
def mother(world: World) -> Person:
    return world.person()


def birth(mother: Person, **over: str) -> Row:
    return {
        "MA_LK": HEAD["MA_LK"],
        "SO_CCCD_NND": mother.number,
        "HO_TEN_NND": "MẸ THỬ",
        "HO_TEN_CHA": "CHA THỬ",
        "HO_TEN_CON": "CON THỬ",
        "NGAY_SINH_CON": "202611010835",
        "GIOI_TINH_CON": "2",
        "CAN_NANG_CON": "3100",
        "SO_CON": "2",
        "SO_CON_SONG": "1",
        "SINHCON_PHAUTHUAT": "0",
    } | over


def taken(world: World, ward: Doctor, mother: Person, *births: Row) -> Json:
    raw = file_of(visit_of(mother, {"XML9": births}))
    return dict(found_in(world.post(PATH, ward, raw=raw, kind="application/xml"))["items"][0])


def papers(world: World, mother: Person) -> list[Json]:
    found = found_in(world.get("/citizens/me/records?category=document", mother))["items"]
    return [each for each in found if "XML9" in str(each["resource"])]


def text_of(paper: Json) -> str:
    return base64.b64decode(paper["resource"]["content"][0]["attachment"]["data"]).decode()


def test_a_birth_is_lost_or_names_are_kept_of_it(world: World, ward: Doctor, mother: Person) -> None:
    assert taken(world, ward, mother, birth(mother))["rejected"] == 0
    (paper,) = papers(world, mother)
    assert paper["resource"]["date"] == "2026-11-01T08:35:00+07:00"
    assert text_of(paper).split("\n") == [
        "Ngày giờ sinh: 202611010835",
        "Giới tính con: nữ",
        "Cân nặng khi sinh (g): 3100",
        "Số con lần sinh này: 2",
        "Sinh mổ: không",
    ]


def test_a_provider_reads_of_a_birth(world: World, ward: Doctor, mother: Person) -> None:
    taken(world, ward, mother, birth(mother))
    made = world.grant(ward, mother, categories=["document"])
    seen = found_in(made.read(made.session()))["items"]
    assert seen and "XML9" not in str(seen)
    assert papers(world, mother)[0]["labels"] == [UNKNOWN]
    stored = world.db["records"].find_one({"_id": papers(world, mother)[0]["id"]}) or {}
    # Not its times: their microseconds are digits, too.
    readable = str({name: each for name, each in stored.items() if not isinstance(each, datetime)})
    assert "content" in readable and "3100" not in readable and "XML9" not in readable


def test_twins_are_one_child(world: World, ward: Doctor, mother: Person) -> None:
    both = birth(mother), birth(mother, NGAY_SINH_CON="202611010841", CAN_NANG_CON="2900")
    taken(world, ward, mother, *both)
    before = papers(world, mother)
    assert {"3100", "2900"} == {text_of(each).partition("(g): ")[2][:4] for each in before}
    taken(world, ward, mother, *reversed(both))
    assert papers(world, mother) == before


def test_a_birth_of_another_mother_is_filed(world: World, ward: Doctor, mother: Person) -> None:
    other = world.person()
    report = taken(world, ward, mother, birth(other))
    (row,) = (each for each in report["rows"] if not each["accepted"])
    assert (row["code"], row["pointer"]) == ("visit_of_another", "/HOSO/0/XML9/0") and row["message"]
    assert papers(world, mother) == papers(world, other) == []
