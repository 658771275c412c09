"""Bad visit files over HTTP: a code and a reason for each, the rest kept, nothing on anybody else."""

from __future__ import annotations

from datetime import date

import pytest

from tests.hostile_visits import ALL, FILES, Hostile
from tests.visit_files import file_of, visit_of
from tests.world import READS, Doctor, Json, Person, World, found_in
from wallet_api.errors import field_texts

PATH = "/provider/intake/insurance-xml"


@pytest.fixture(scope="module")
def hospital(shared_world: World) -> Doctor:
    return shared_world.doctor(reads=(*READS, "document"), writes=(*READS, "document"))


@pytest.fixture(scope="module")
def bystander(shared_world: World) -> Person:
    return shared_world.person(born=date(1971, 2, 3))


def kept(world: World, who: Person) -> list[Json]:
    return list(world.db["records"].find({"citizen_id": who.id}))


def test_there_are_fifty_of_them_and_each_is_another() -> None:
    assert len({each.name for each in FILES}) == len(FILES) >= 50


def test_a_good_file_makes_what_the_others_are_measured_by(world: World, hospital: Doctor) -> None:
    an = world.person()
    world.post(PATH, hospital, raw=file_of(visit_of(an)), kind="application/xml")
    assert len(kept(world, an)) == ALL


@pytest.mark.parametrize("bad", FILES, ids=[each.name for each in FILES])
def test_a_bad_file_is_told_why_and_the_rest_of_it_kept(
    world: World, hospital: Doctor, bystander: Person, bad: Hostile
) -> None:
    an = world.person()
    before = world.db["intakes"].count_documents({})
    answer = world.post(PATH, hospital, raw=bad.made(an, bystander), kind="application/xml")
    told = found_in(answer)
    if bad.refused:
        assert (answer.status_code, told["code"]) == (422, "bundle_refused")
        rows = told["errors"]
        assert world.db["intakes"].count_documents({}) == before
    else:
        assert answer.status_code == 202, told
        rows = [row for report in told["items"] for row in report["rows"]]
    assert bad.code in {row["code"] for row in rows}, rows
    for row in rows:
        assert row["code"] == "accepted" or (row["message"] and row["code"] in field_texts("vi")), row
    assert len(kept(world, an)) == bad.kept
    assert kept(world, bystander) == []
    assert an.number not in str(rows) and "root:" not in str(told)
