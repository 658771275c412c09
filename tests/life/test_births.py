"""A newborn without a number has a book from the first day, and loses nothing when the number comes."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from tests.life.births import (
    CCCD,
    MOTHERS_NUMBER,
    PATH,
    REFERENCE,
    birth,
    children_of,
    dose,
    doses,
    link,
    register,
    today,
)
from tests.logged import logged
from tests.vaccination_events import event_of
from tests.world import Doctor, Json, Person, World, found_in
from wallet_api.identity import births
from wallet_api.records import bundle
from wallet_api.routes import blur

_SERIAL = itertools.count(1)


def fresh_number() -> str:
    return f"0013269{next(_SERIAL):05d}"


@pytest.fixture(scope="module")
def station(shared_world: World) -> Doctor:
    return shared_world.doctor(reads=("immunization",), writes=("immunization",))


@pytest.fixture
def mother(world: World) -> Person:
    return world.person(born=date(1999, 4, 1))


def test_a_newborn_has_a_book_a_guardian_and_a_plan_from_the_first_day(
    world: World, station: Doctor, mother: Person
) -> None:
    reference = register(world, station, mother)
    assert re.fullmatch(r"SS[A-Z2-7]{16}", reference), "nobody takes it for 12 digits"
    (child,) = children_of(world, mother)
    family = found_in(world.get("/citizens/me/family", world.signed_in(mother)))["items"]
    assert [(each["state"], each["evidence_kind"]) for each in family] == [("active", "birth_record")]
    due = found_in(world.get(f"/citizens/{child}/forecast", world.signed_in(mother)))["items"]
    assert due, "what is due is planned before there is a number"
    told = found_in(world.get("/citizens/me/inbox", world.signed_in(mother)))["items"]
    assert "Con của bạn" in str(told)
    rows = [row["action"] for row in logged(world.db, child)]
    assert rows[:2] == ["guardianship:started", "birth:registered"]
    assert mother.number not in str(logged(world.db)) and reference not in str(logged(world.db))


def test_birth_doses_arrive_under_the_reference_the_mother_or_the_number(
    world: World, station: Doctor, mother: Person
) -> None:
    reference = register(world, station, mother)
    (child,) = children_of(world, mother)
    world.send(station, dose(world, REFERENCE, reference, "08"))
    world.send(station, dose(world, MOTHERS_NUMBER, mother.number, "19"))
    event = event_of(mother, "TC-1", today(world).isoformat())
    event["subject"] = {"subject_identifier": reference, "birth_date": today(world).isoformat()}
    sent = world.post("/provider/intake/immunizations", station, {"events": [event]})
    assert sent.status_code == 202
    assert doses(world, mother, child) == ["04", "08", "19"]
    number = fresh_number()
    made = link(world, {"birth_reference": reference}, today(world), number)
    assert (made.status_code, found_in(made)["changed"]) == (201, True)
    for system, value, code in (
        (CCCD, number, "20"),
        (REFERENCE, reference, "10"),
        (MOTHERS_NUMBER, mother.number, "116"),
    ):
        world.send(station, dose(world, system, value, code))
    assert doses(world, mother, child) == ["04", "08", "10", "116", "19", "20"]


def test_linking_the_number_leaves_everything_where_it_is(
    world: World, station: Doctor, mother: Person
) -> None:
    reference = register(world, station, mother)
    (child,) = children_of(world, mother)
    world.send(station, dose(world, REFERENCE, reference))
    paths = [f"/citizens/{child}/{each}" for each in ("records", "forecast", "reminders")]

    def seen() -> list[Json]:
        who = world.signed_in(mother)
        return [found_in(world.get(path, who)) for path in (*paths, "/citizens/me/family")]

    before, rows = seen(), len(logged(world.db, child))
    assert link(world, {"birth_reference": reference}, today(world), fresh_number()).status_code == 201
    assert seen() == before
    profile = found_in(world.get(f"/citizens/{child}", world.signed_in(mother)))
    assert [each["kind"] for each in profile["identifiers"]] == ["birth_reference", "national_id"]
    assert all("•" in each["masked"] for each in profile["identifiers"])
    assert len(logged(world.db, child)) > rows


def test_one_birth_is_one_child_whoever_registers_it_how_often(
    world: World, station: Doctor, mother: Person
) -> None:
    hospital = world.doctor()
    first = world.post(PATH, station, birth(world, mother))
    again = world.post(PATH, hospital, birth(world, mother, name="Tên Khác"))
    desk = world.post("/ops/births", world.ops("registrar"), birth(world, mother))
    assert found_in(first) == found_in(again) == found_in(desk)
    assert len(children_of(world, mother)) == 1
    child = children_of(world, mother)[0]
    assert found_in(world.get(f"/citizens/{child}", world.signed_in(mother)))["name"] == "Bé Thử"


def test_twins_are_two(world: World, station: Doctor, mother: Person) -> None:
    first, second = (register(world, station, mother, order) for order in (1, 2))
    assert first != second and len(children_of(world, mother)) == 2
    world.send(station, dose(world, MOTHERS_NUMBER, mother.number, "19", order=2))
    held = {child: doses(world, mother, child) for child in children_of(world, mother)}
    assert sorted(held.values()) == [[], ["19"]]
    number = fresh_number()
    assert link(world, {"birth_reference": first}, today(world), number).status_code == 201
    other = link(world, {"birth_reference": second}, today(world), number)
    assert (other.status_code, found_in(other)["code"]) == (409, "identity_conflict")
    kinds = [each.kind for each in world.services.identity.reviews.open(1000)]
    assert "number_conflict" in kinds


def test_a_number_links_once(world: World, station: Doctor, mother: Person) -> None:
    reference, number = register(world, station, mother), fresh_number()
    assert found_in(link(world, {"birth_reference": reference}, today(world), number))["changed"] is True
    assert found_in(link(world, {"birth_reference": reference}, today(world), number))["changed"] is False
    another = link(world, {"birth_reference": reference}, today(world), fresh_number())
    assert another.status_code == 409, "a second number is a re-issue, and names the first"


def test_a_link_sent_again_with_its_key_is_answered_the_same(
    world: World, station: Doctor, mother: Person
) -> None:
    reference = register(world, station, mother)
    body = {
        "person": {"birth_reference": reference},
        "birth_date": today(world).isoformat(),
        "national_id": fresh_number(),
        "evidence_kind": "birth_certificate",
    }
    registrar, key = world.ops("registrar"), {"Idempotency-Key": "link-1"}
    first = world.post("/ops/number-links", registrar, body, headers=key)
    second = world.post("/ops/number-links", registrar, body, headers=key)
    assert found_in(first) == found_in(second) == {"changed": True, "fits": True}
    told = found_in(world.get("/citizens/me/inbox", world.signed_in(mother)))["items"]
    assert str(told).count("number_linked") <= 1


def test_the_answer_does_not_tell_whether_there_is_such_a_mother(
    world: World, station: Doctor, mother: Person
) -> None:
    class Nobody:
        number, born = "001199123123", date(1999, 4, 1)

    known = world.post(PATH, station, birth(world, mother))
    unknown = world.post(PATH, station, birth(world, Nobody))
    masked = [
        (
            answer.status_code,
            answer.get_data(as_text=True).replace(found_in(answer)["birth_reference"], "R"),
            sorted(name for name, _ in answer.headers),
        )
        for answer in (known, unknown)
    ]
    assert masked[0] == masked[1]
    world.send(station, dose(world, REFERENCE, found_in(unknown)["birth_reference"]))


@pytest.mark.parametrize("wrong", ["birth_date", "a man", "too young", "dead"])
def test_only_the_mother_the_paper_names_becomes_a_guardian(
    world: World, station: Doctor, wrong: str
) -> None:
    mother = world.person(born=date(2018, 1, 1) if wrong == "too young" else date(1999, 4, 1))
    said = birth(world, mother)
    people = world.services.identity.people
    if wrong == "birth_date":
        said["mother"]["birth_date"] = "1999-04-02"
    elif wrong == "dead":
        people.record_death(mother.id, today(world))
    elif wrong == "a man":
        found = people.citizen(mother.id)
        people._save(replace(found, profile=replace(found.profile, sex="male")), found)
    assert world.post(PATH, station, said).status_code == 201
    assert world.services.identity.family.of(mother.id) == []


def test_a_relation_that_was_ended_is_not_begun_again_by_registering(
    world: World, station: Doctor, mother: Person
) -> None:
    register(world, station, mother)
    (child,) = children_of(world, mother)
    relation = world.services.identity.family.of(child)[0]
    world.services.identity.family.end(relation.id, "custody_order")
    register(world, station, mother)
    assert children_of(world, mother) == []


def test_who_may_register_a_birth(world: World, mother: Person) -> None:
    unlicensed = world.doctor(writes=("condition",))
    assert world.post(PATH, unlicensed, birth(world, mother)).status_code == 403
    assert world.post(PATH, world.doctor().system, birth(world, mother)).status_code == 403
    assert world.post("/ops/births", world.ops("reviewer"), birth(world, mother)).status_code == 403
    assert world.services.identity.family.of(mother.id) == []


@pytest.mark.parametrize("days", [-1, births.RULES.newborn_days + 1])
def test_a_birth_is_of_the_last_weeks(world: World, station: Doctor, mother: Person, days: int) -> None:
    on = (today(world) - timedelta(days=days)).isoformat()
    answer = world.post(PATH, station, birth(world, mother, birth_date=on))
    assert answer.status_code == 422
    assert found_in(answer)["errors"][0]["pointer"] == "/newborn/birth_date"


@pytest.mark.parametrize("order", [0, 10, "2", True, None, 1.5])
def test_an_order_that_is_none_is_refused(
    world: World, station: Doctor, mother: Person, order: object
) -> None:
    sent = dose(world, MOTHERS_NUMBER, mother.number)
    sent["entry"][0]["resource"]["multipleBirthInteger"] = order
    answer = world.post("/provider/intake/fhir-bundles", station, sent, kind="application/fhir+json")
    assert answer.status_code == (202 if order is None else 422), "null is as if it were not there"


def test_a_malformed_reference_or_number_of_a_mother_is_refused(world: World, station: Doctor) -> None:
    for system, value in ((REFERENCE, "SS1"), (MOTHERS_NUMBER, "12345"), (MOTHERS_NUMBER, "00119/9/1")):
        sent = dose(world, system, value)
        answer = world.post("/provider/intake/fhir-bundles", station, sent, kind="application/fhir+json")
        assert answer.status_code == 422, answer.get_data(as_text=True)


def test_a_facilitys_answer_takes_as_long_whoever_the_mother_is(
    world: World, station: Doctor, mother: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(blur, "time", SimpleNamespace(sleep=waits.append, monotonic=time.monotonic))
    register(world, station, mother)
    assert waits == [], "off where nothing is to be hidden"
    monkeypatch.setattr(type(world.services.settings), "lookup_blur", property(lambda _: 5.0), raising=False)
    register(world, station, mother, 2)
    assert len(waits) == 2 and 0.0 <= waits[0] <= births.RULES.answer_ms / 1000


def test_records_and_identity_agree_on_how_many_may_be_born_at_once() -> None:
    assert births.RULES.most_born == bundle.MOST_BORN


def test_the_paper_is_sealed_and_in_the_copy_of_the_data(
    world: World, station: Doctor, mother: Person
) -> None:
    register(world, station, mother)
    (child,) = children_of(world, mother)
    assert "CS-2026" not in str(world.db["births"].find_one({"_id": child}))
    kept = world.services.births.of(child)
    assert kept is not None and kept.paper_number == "CS-2026-000123"
