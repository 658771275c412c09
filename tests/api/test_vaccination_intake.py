"""Vaccination events over HTTP: each dose once, on the right person, whatever the order they come in."""

from __future__ import annotations

import itertools
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.vaccination_events import event_of
from tests.world import Doctor, Json, Person, World, found_in

PATH = "/provider/intake/immunizations"
SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture(scope="module")
def station(shared_world: World) -> Doctor:
    return shared_world.doctor(reads=("immunization",), writes=("immunization",))


@pytest.fixture
def an(world: World) -> Person:
    return world.person()


def send(world: World, doctor: Doctor, *events: Any) -> list[Json]:
    answer = world.post(PATH, doctor, {"events": list(events)})
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return list(found_in(answer)["items"])


def book(world: World, person: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/records?limit=100", person))["items"])


def codes(reports: list[Json]) -> list[str]:
    return [row["code"] for each in reports for row in each["rows"]]


def test_a_dose_is_lost_or_tells_of_the_mother(world: World, station: Doctor, an: Person) -> None:
    (report,) = send(world, station, event_of(an))
    assert (report["format"], report["accepted"], report["rejected"]) == ("vaccination-events", 1, 0)
    (dose,) = book(world, an)
    assert dose["occurred_on"] == "2026-10-22" and dose["category"] == "immunization"
    assert dose["resource"]["protocolApplied"] == [{"doseNumberPositiveInt": 1}]
    assert "THỬ" not in str(dose["resource"])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
def test_versions_in_another_order_end_otherwise(
    world: World, station: Doctor, an: Person, order: tuple[int, ...], together: bool
) -> None:
    days = ("2026-10-22", "2026-10-20", "2026-10-21")
    told = [event_of(an, on=on, version=n) for n, on in enumerate(days, 1)]
    sent = [told[place] for place in order]
    for batch in [sent] if together else [[each] for each in sent]:
        send(world, station, *batch)
    (dose,) = book(world, an)
    assert dose["occurred_on"] == "2026-10-21"


def test_a_dose_taken_back_is_due_no_more(world: World, station: Doctor) -> None:
    mother = world.person()
    child = world.child_of(mother, date(2024, 12, 1))

    def forecast() -> list[Json]:
        return list(found_in(world.get(f"/citizens/{child.id}/forecast", mother))["items"])

    before = forecast()
    send(world, station, event_of(child, "TC-502", "2026-10-12"))
    given = forecast()
    send(world, station, event_of(child, "TC-502", "2026-10-12", version=2, operation="cancel"))
    assert "given" in {each["status"] for each in given} and given != before
    assert forecast() == before


def _unversioned(event: Json) -> Json:
    return {name: value for name, value in event.items() if name != "version"}


def test_one_version_says_two_things(world: World, station: Doctor, an: Person) -> None:
    reports = send(world, station, event_of(an), event_of(an, on="2026-10-23"))
    assert sorted(codes(reports)) == ["accepted", "repeated_source_id"]
    send(world, station, event_of(an, on="2026-10-24"))
    (dose,) = book(world, an)
    assert dose["occurred_on"] == "2026-10-22", "the same version again, saying otherwise, changes nothing"


def test_a_dose_of_tomorrow_can_be_taken_back(world: World, station: Doctor, an: Person) -> None:
    (report,) = send(world, station, event_of(an, on="2026-12-01", version=2, operation="cancel"))
    assert codes([report]) == ["accepted"]


def test_a_bad_event_takes_the_good_ones_with_it(world: World, station: Doctor, an: Person) -> None:
    good = event_of(an)
    bad: list[tuple[Any, str]] = [
        ("not an event", "part_missing"),
        (event_of(an, dose="x"), "part_missing"),
        (event_of(an, "", "2026-10-22"), "event_id_needed"),
        (event_of(an, version=True), "number_invalid"),
        (event_of(an, version=0), "number_invalid"),
        (event_of(an, operation="erase"), "operation_unknown"),
        (_unversioned(event_of(an, operation="cancel")), "version_needed"),
        (event_of(an, on="22/10/2026"), "date_unreadable"),
        (event_of(an, on="2026-10-22T08:00:00"), "date_unreadable"),
        (event_of(an, on="2026-11-04"), "date_in_future"),
        (event_of(an, on=""), "date_missing"),
        (event_of(an, dose=good["dose"] | {"dose_order": "1"}), "number_invalid"),
        (event_of(an, dose=good["dose"] | {"vaccine": {}}), "code_missing"),
        (event_of(an, dose=good["dose"] | {"lot_number": "x" * 201}), "text_invalid"),
        (event_of(an, subject=good["subject"] | {"birth_date": "04051990"}), "date_unreadable"),
        (event_of(an, subject={}), "birth_date_needed"),
    ]
    reports = send(world, station, *[each for each, _ in bad], good)
    assert codes(reports) == [*(code for _, code in bad), "accepted"]
    assert len(reports) == 2, "what nobody can read is one report"
    assert [each["pointer"] for each in reports[0]["rows"][:2]] == ["/events/0/subject", "/events/1/dose"]
    assert len(book(world, an)) == 1


def test_a_dose_of_somebody_else_reaches_the_book(world: World, station: Doctor, an: Person) -> None:
    other = event_of(an, "TC-1") | {"subject": event_of(an)["subject"] | {"birth_date": "1990-05-05"}}
    newborn = event_of(an, "TC-2") | {"subject": event_of(an)["subject"] | {"subject_identifier": "GCS-1"}}
    reports = send(world, station, other, newborn)
    assert codes(reports) == ["accepted", "accepted"] and book(world, an) == []
    assert world.db["parked_intakes"].count_documents({"_id": {"$in": [each["id"] for each in reports]}}) == 2


def test_a_batch_is_about_any_number_of_people(world: World, station: Doctor, an: Person) -> None:
    subject = event_of(an)["subject"]
    crowd = [event_of(an, subject=subject | {"subject_identifier": f"GCS-{n}"}) for n in range(101)]
    answer = world.post(PATH, station, {"events": crowd})
    assert (answer.status_code, found_in(answer)["errors"][0]["code"]) == (422, "people_count")


@pytest.mark.parametrize("body", [{}, {"events": []}, {"events": {}}, [], {"events": [1] * 501}])
def test_what_is_no_batch_is_half_kept(world: World, station: Doctor, body: Any) -> None:
    before = world.db["intakes"].count_documents({})
    answer = world.post(PATH, station, body)
    assert (answer.status_code, found_in(answer)["errors"][0]["code"]) == (422, "event_count")
    assert world.db["intakes"].count_documents({}) == before


def test_a_whole_batch_of_a_station_is_misread(world: World) -> None:
    doctor = world.doctor(reads=("immunization",), writes=("immunization",))
    world.clock.set_to(world.now().replace(day=20))
    batch = json.loads((SAMPLES / "vaccinations.json").read_text(encoding="utf-8"))
    reports = list(found_in(world.post(PATH, doctor, batch))["items"])
    assert codes(reports) == ["accepted"] * 5 and len(reports) == 3
    read = found_in(world.get("/provider/own-records?limit=50", doctor))["items"]
    days = sorted(each["occurred_on"] for each in read)
    assert days == ["2023-10-06", "2025-10-22", "2026-11-12", "2026-11-14"]
