"""Programmes beside the routine one: tetanus in pregnancy, private service, live vaccines; their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest

from notifications.errors import BadProgramme
from notifications.model import Care, Condition, DueItem, Status
from notifications.planner import plan
from notifications.programmes import read_programme
from notifications.vaccines import load_vaccines
from tests.notifications.lives import BY_ID, DOSES, PROGRAMMES, child, dose, items_of

BORN, BEGUN = date(1999, 1, 1), date(2026, 9, 1)
TODAY = date(2026, 11, 20)
PREGNANT = (Condition("pregnant", BEGUN, date(2027, 6, 8)),)


def tetanus(
    history: list[Care],
    today: date = TODAY,
    conditions: tuple[Condition, ...] = PREGNANT,
    sex: str = "female",
) -> dict[tuple[str, int], DueItem]:
    facts = child(BORN, sex, conditions=conditions)
    found = plan(facts, history, [BY_ID["tetanus_pregnancy"]], today)
    return {(i.series_id, i.dose): i for i in found}


def basic(count: int) -> list[Care]:
    return [dose("dtwp", date(1999, 3 + each, 5), f"basic{each}") for each in range(count)]


def test_tetanus_is_asked_for_only_in_a_pregnancy() -> None:
    assert tetanus([], conditions=()) == {}
    assert tetanus([], date(2027, 6, 8)) == {}, "the day it ended"
    assert tetanus([], sex="male") == {}
    first = tetanus([])["tet_preg_basic", 1]
    assert (first.status, first.earliest) == (Status.DUE, BEGUN)


@pytest.mark.parametrize(
    ("before", "series", "doses"),
    [
        (0, "tet_preg_basic", 5),
        (2, "tet_preg_basic", 5),
        (3, "tet_preg_after_basic", 3),
        (4, "tet_preg_after_booster", 2),
        (6, "tet_preg_after_booster", 2),
    ],
)
def test_the_branch_follows_the_basic_doses(before: int, series: str, doses: int) -> None:
    found = tetanus(basic(before))
    assert sorted(found) == [(series, number) for number in range(1, doses + 1)]
    assert found[series, 1].status is Status.DUE, "basic doses are not doses of this pregnancy"


def test_a_dose_of_this_pregnancy_does_not_change_the_branch() -> None:
    history = [*basic(3), dose("td", date(2026, 10, 1))]
    found = tetanus(history)
    assert found["tet_preg_after_basic", 1].status is Status.GIVEN
    assert found["tet_preg_after_basic", 2].recommended == date(2026, 11, 1)


def test_the_next_pregnancy_goes_on_where_the_first_ended() -> None:
    first, second = Condition("pregnant", date(2024, 1, 1), date(2024, 10, 1)), PREGNANT[0]
    history: list[Care] = [dose("tt", date(2024, 3, 1)), dose("tt", date(2024, 4, 1))]
    found = tetanus(history, conditions=(first, second))
    assert [found["tet_preg_basic", n].status for n in (1, 2)] == [Status.GIVEN] * 2
    assert found["tet_preg_basic", 3].recommended == BEGUN and found["tet_preg_basic", 3].remindable


def test_a_private_vaccine_is_shown_only_to_who_began_it_and_never_pushed() -> None:
    born = date(2024, 1, 10)
    service = BY_ID["service_vaccines"]
    assert plan(child(born), [], [service], TODAY) == ()
    assert plan(child(born), [dose("measles", date(2024, 11, 1))], [service], TODAY) == ()
    begun = plan(child(born), [dose("varicella", date(2025, 6, 1))], [service], TODAY)
    assert [(i.series_id, i.dose, i.status) for i in begun] == [
        ("service_varicella", 1, Status.GIVEN),
        ("service_varicella", 2, Status.ASK_STATION),
    ]
    assert not any(item.remindable for item in begun)


def test_private_and_free_programmes_do_not_mix() -> None:
    ours = {series.id for series in BY_ID["service_vaccines"].series}
    free = [p for p in PROGRAMMES if p.id != "service_vaccines" and p.kind == "dose_series"]
    assert not ours & {series.id for p in free for series in p.series}
    assert all(DOSES[key][1].confidence != "found" for key in DOSES if key[0] in ours)
    taken = {(v, s.eligible.sex) for p in free for s in p.series for v in s.accepts}
    assert not any((v, "any") in taken for s in BY_ID["service_vaccines"].series for v in s.accepts)


def test_a_live_vaccine_keeps_the_next_one_four_weeks_away_but_makes_it_no_mistake() -> None:
    born, day = date(2025, 2, 20), date(2025, 11, 10)
    before = items_of(child(born), [dose("varicella", day)], date(2025, 11, 21))["measles", 1]
    assert before.recommended == day + timedelta(days=28) and before.status is Status.UPCOMING
    both = [dose("varicella", day), dose("measles", date(2025, 11, 21))]
    assert items_of(child(born), both, date(2025, 11, 21))["measles", 1].status is Status.GIVEN
    alone = items_of(child(born), [], date(2025, 11, 21))["measles", 1]
    assert alone.recommended == date(2025, 11, 20)


RAW = files("notifications.programmes").joinpath("tetanus_pregnancy.json").read_text("utf-8")
Spoil = Callable[[dict[str, Any]], Any]
FAULTS: dict[str, Spoil] = {
    "unknown counted vaccine": lambda d: d["series"][0]["branch"]["vaccines"].append("nope"),
    "unknown key in a branch": lambda d: d["series"][0]["branch"].update(max=3),
    "branch without a start": lambda d: d["series"][0]["branch"].pop("before"),
    "only_begun that is no flag": lambda d: d["series"][0].update(only_begun="yes"),
    "unknown live vaccine": lambda d: d.update(
        live_gap={"vaccines": ["nope"], "interval": "P28D", "source": ["x"]}
    ),
    "live_gap without a source": lambda d: d.update(live_gap={"vaccines": ["mr"], "interval": "P28D"}),
    "age and interval": lambda d: d["series"][0]["doses"][1].update(
        recommended_age="P20Y", recommended_interval="P1M"
    ),
    "ages nobody can order": lambda d: (
        d["series"][0]["eligible"].update(age_from="P1M"),
        d["series"][0]["doses"][0].update(min_age="P30D"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_stops_the_start_up(fault: str) -> None:
    doc = json.loads(RAW)
    FAULTS[fault](doc)
    with pytest.raises(BadProgramme):
        read_programme(json.dumps(doc), load_vaccines())


def test_the_stricter_of_two_ages_holds() -> None:
    doc = json.loads(files("notifications.programmes").joinpath("epi_routine.json").read_text("utf-8"))
    doc["series"][8]["eligible"]["age_from"] = "P10M"
    doc["series"][8]["doses"][0]["recommended_age"] = "P9M"
    doc["series"][8]["doses"][0]["max_age"] = "P5Y"
    doc["series"][8]["eligible"]["age_to"] = "P6Y"
    programme = read_programme(json.dumps(doc), load_vaccines())
    found = {(i.series_id, i.dose): i for i in plan(child(date(2026, 1, 10)), [], [programme], TODAY)}
    assert found["measles", 1].recommended == date(2026, 11, 10)
    assert found["measles", 1].expires == date(2031, 1, 10)
