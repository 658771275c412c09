"""Rounds of check-ups and set days: one for a year, moved and never doubled, ended with their reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest

from notifications.errors import BadProgramme
from notifications.model import Care, CitizenFacts, Condition, DueItem, Exam, SetDate, Sign, Status
from notifications.periodic import number_of
from notifications.planner import plan
from notifications.programmes import read_programme
from notifications.reminders import offset_now
from notifications.schedule import Programme
from tests.notifications.lives import BY_ID, PROGRAMMES, child

TODAY = date(2026, 11, 20)
ADULT = child(date(1980, 6, 15))
LMP = date(2026, 8, 1)


def items(
    facts: CitizenFacts, history: list[Care], today: date = TODAY, *more: Programme
) -> dict[tuple[str, int], DueItem]:
    return {(i.series_id, i.dose): i for i in plan(facts, history, more or PROGRAMMES, today)}


def holding(facts: CitizenFacts, kind: str, starts: date, ends: date | None = None) -> CitizenFacts:
    return replace(facts, conditions=(*facts.conditions, Condition(kind, starts, ends)))


def rewritten(name: str, change: Callable[[dict[str, Any]], object]) -> Programme:
    doc = json.loads(files("notifications.programmes").joinpath(f"{name}.json").read_text("utf-8"))
    change(doc)
    return read_programme(json.dumps(doc), {})


def confirmed(doc: dict[str, Any]) -> None:
    doc["confidence"] = "found"
    for band in doc["anchor"].get("bands", ()):
        band["confidence"] = "found"


def appointment(
    day: date, record: str = "a1", noted: date = date(2026, 11, 1), by: str = "clinic"
) -> SetDate:
    return SetDate("appointment", day, noted, record, by=by)


def refill(day: date, record: str, noted: date, subject: str = "metformin") -> SetDate:
    return SetDate("refill", day, noted, record, by="clinic", subject=subject)


# --- one examination a year ---


def test_one_exam_settles_every_yearly_programme_of_the_year() -> None:
    elder = holding(child(date(1960, 3, 1)), "employee", date(2020, 1, 1))
    before = items(elder, [])
    yearly = {"annual_checkup", "elderly_checkup", "worker_checkup"}
    assert {name for name, year in before if year == 2026} == yearly
    assert [name for (name, _), item in before.items() if item.remindable] == ["annual_checkup"]
    after = items(elder, [Exam("employment", date(2026, 12, 31), "x")], date(2026, 12, 31))
    assert {after[name, 2026].status for name in yearly} == {Status.GIVEN}
    assert {e.record_id for n in yearly for e in after[n, 2026].because.evidence} == {"x"}
    assert after["annual_checkup", 2027].recommended == date(2027, 12, 31)


def test_an_exam_on_new_years_eve_is_of_the_year_that_ends() -> None:
    exam = Exam("periodic", date(2026, 12, 31), "x")
    found = items(ADULT, [exam], date(2027, 1, 1))
    assert (found["annual_checkup", 2027].status, found["annual_checkup", 2027].recommended) == (
        Status.UPCOMING,
        date(2027, 12, 31),
    )


def test_an_exam_entered_late_for_last_year_settles_last_year_alone() -> None:
    late = Exam("periodic", date(2025, 12, 20), "x")
    found = items(ADULT, [late])["annual_checkup", 2026]
    assert (found.status, found.recommended) == (Status.UPCOMING, date(2026, 12, 20))
    assert items(ADULT, [])["annual_checkup", 2026].status is Status.OVERDUE


def test_two_providers_on_one_day_are_one_examination() -> None:
    same = [Exam("periodic", date(2026, 5, 1), name, by=name) for name in ("x", "y")]
    found = items(ADULT, list(same))
    assert len(found["annual_checkup", 2026].because.evidence) == 1
    worker = holding(ADULT, "hazardous_work", date(2020, 1, 1))
    hazard = items(worker, list(same), TODAY, rewritten("worker_hazard", confirmed))
    assert {number: item.status for (_, number), item in hazard.items()} == {
        1: Status.GIVEN,
        number_of("x"): Status.DUE,
    }


def test_an_older_exam_that_comes_in_late_makes_no_second_round() -> None:
    worker, programme = (
        holding(ADULT, "hazardous_work", date(2020, 1, 1)),
        rewritten("worker_hazard", confirmed),
    )
    last, older = Exam("periodic", date(2026, 5, 1), "x"), Exam("periodic", date(2025, 12, 1), "w")
    (due,) = (i for i in items(worker, [last], TODAY, programme).values() if i.remindable)
    late = items(worker, [older, last], TODAY, programme)
    assert [i for i in late.values() if i.remindable] == [due]
    assert late["worker_hazard", number_of("w")].status is Status.GIVEN
    right = replace(last, done_on=date(2026, 6, 1))
    (moved,) = (i for i in items(worker, [right], TODAY, programme).values() if i.recommended)
    assert (moved.identity, moved.recommended) == (due.identity, date(2026, 12, 1))


def test_who_was_born_on_a_leap_day_is_due_on_the_first_of_march() -> None:
    leap = child(date(1984, 2, 29))
    assert items(leap, [], date(2026, 1, 5))["annual_checkup", 2026].recommended == date(2026, 3, 1)
    assert items(leap, [], date(2028, 1, 5))["annual_checkup", 2028].recommended == date(2028, 2, 29)
    exam = Exam("periodic", date(2028, 2, 29), "x")
    assert items(leap, [exam], date(2028, 3, 1))["annual_checkup", 2029].recommended == date(2029, 3, 1)


def test_the_school_year_sets_the_day_of_a_pupil() -> None:
    pupil = holding(child(date(2016, 3, 1)), "pupil", date(2026, 1, 1))
    today = date(2026, 8, 1)
    found = items(pupil, [], today)
    head = found["annual_checkup", 2026]
    assert (head.recommended, head.status, head.because.rule) == (
        date(2026, 9, 5),
        Status.UPCOMING,
        "one_exam_for_all",
    )
    assert any("Art. 5 and 70(1)(b)" in each for each in head.because.source)
    assert found["school_checkup", 2026].waits_for == "annual_checkup/2026"
    left = holding(child(date(2016, 3, 1)), "pupil", date(2026, 1, 1), date(2026, 6, 1))
    assert items(left, [], today)["annual_checkup", 2026].recommended == date(2026, 3, 1)
    assert ("school_checkup", 2026) not in items(left, [], today)


def test_two_conditions_at_once_still_make_one_reminder_of_the_year() -> None:
    both = holding(holding(child(date(2010, 3, 1)), "pupil", date(2026, 1, 1)), "employee", date(2026, 2, 1))
    found = items(both, [], date(2026, 9, 6))
    assert {name for name, year in found if year == 2026} >= {"school_checkup", "worker_checkup"}
    assert [name for (name, _), item in found.items() if item.remindable] == ["annual_checkup"]


def test_without_the_programme_that_speaks_for_it_one_speaks_for_itself() -> None:
    found = items(child(date(1960, 3, 1)), [], TODAY, BY_ID["elderly_checkup"])
    assert found["elderly_checkup", 2026].remindable


# --- ages ---


def test_a_child_is_told_the_band_it_is_in_and_the_next() -> None:
    found = items(child(date(2026, 7, 1)), [])
    bands = {number: item.status for (name, number), item in found.items() if name == "under6_checkup"}
    assert bands == {3: Status.UPCOMING, 4: Status.UPCOMING}, "4 to 7 months, and the next"
    assert found["under6_checkup", 3].waits_for == "annual_checkup/2026"
    seen = items(child(date(2026, 7, 1)), [Exam("periodic", date(2026, 11, 2), "x")])
    assert seen["under6_checkup", 3].status is Status.GIVEN
    assert not any(item.remindable for (name, _), item in seen.items() if name == "under6_checkup")


def test_a_window_that_has_closed_blames_nobody() -> None:
    found = items(child(date(2019, 1, 1)), [])
    assert [number for name, number in found if name in ("under6_checkup", "autism_screen")] == []


def test_an_exam_before_its_window_does_not_screen_for_autism() -> None:
    early, within = date(2026, 3, 1), date(2026, 6, 15)
    toddler = child(date(2025, 1, 15))
    assert items(toddler, [Exam("periodic", early, "x")])["autism_screen", 1].status is Status.UPCOMING
    assert items(toddler, [Exam("periodic", within, "x")])["autism_screen", 1].status is Status.GIVEN


# --- conditions ---


def pregnancy(*signs: Sign) -> dict[tuple[str, int], DueItem]:
    return {key: i for key, i in items(ADULT, list(signs)).items() if key[0] == "antenatal"}


def test_antenatal_visits_follow_the_dates_of_the_pregnancy() -> None:
    found = pregnancy(Sign("pregnant", date(2026, 9, 1), "s", starts=LMP))
    assert {number: i.earliest for (_, number), i in found.items()} == {
        102: date(2026, 11, 7),
        103: date(2027, 2, 13),
        104: date(2027, 2, 13),
    }
    assert {i.status for i in found.values()} == {Status.ASK_STATION}, "no text confirms the visits"


def test_a_better_estimate_moves_the_visits_and_makes_no_second_pregnancy() -> None:
    first = Sign("pregnant", date(2026, 9, 1), "period", starts=LMP)
    scan = Sign("pregnant", date(2026, 10, 20), "scan", starts=LMP + timedelta(days=9))
    loose = Sign("pregnant", date(2026, 10, 1), "visit")
    found = pregnancy(first, scan, loose)
    assert sorted(number for _, number in found) == [102, 103, 104]
    assert found["antenatal", 102].earliest == date(2026, 11, 16)
    assert pregnancy(loose, scan, first) == found


@pytest.mark.parametrize("ended", [date(2026, 10, 2), TODAY])
def test_a_pregnancy_that_ended_asks_for_nothing(ended: date) -> None:
    first = Sign("pregnant", date(2026, 9, 1), "s", starts=LMP)
    assert pregnancy(first, Sign("pregnant", ended, "end", ends=ended, present=False)) == {}


def test_the_next_pregnancy_is_numbered_anew() -> None:
    first = Sign("pregnant", date(2025, 3, 1), "s1", starts=date(2025, 1, 10))
    lost = Sign("pregnant", date(2025, 3, 20), "end", ends=date(2025, 3, 20), present=False)
    second = Sign("pregnant", date(2026, 9, 1), "s2", starts=LMP)
    assert sorted(number for _, number in pregnancy(first, lost, second)) == [202, 203, 204]


def test_a_pregnancy_nobody_told_the_end_of_ends_by_itself() -> None:
    assert pregnancy(Sign("pregnant", date(2025, 3, 1), "s", starts=date(2025, 1, 10))) == {}


def test_two_visits_of_the_last_trimester_are_two() -> None:
    told = holding(ADULT, "pregnant", date(2026, 2, 20), date(2026, 12, 20))
    programme = rewritten("antenatal", confirmed)
    visits: list[Care] = [
        Exam("antenatal", date(2026, 9, 10), "v1"),
        Exam("antenatal", date(2026, 9, 10), "v2"),
    ]
    found = items(told, visits, TODAY, programme)
    assert (found["antenatal", 103].status, found["antenatal", 104].status) == (Status.GIVEN, Status.OVERDUE)
    found = items(told, [*visits, Exam("antenatal", date(2026, 11, 1), "v3")], TODAY, programme)
    assert found["antenatal", 104].status is Status.GIVEN


def test_a_condition_that_ended_ends_what_it_asked_for() -> None:
    programme = rewritten("worker_hazard", confirmed)
    works = holding(ADULT, "hazardous_work", date(2026, 1, 1), TODAY + timedelta(days=1))
    assert items(works, [], TODAY, programme)["worker_hazard", 1].remindable
    assert items(works, [], TODAY + timedelta(days=1), programme) == {}
    assert "worker_checkup" not in {name for name, _ in items(works, [], TODAY + timedelta(days=1))}


def test_a_condition_that_came_back_asks_from_its_new_start() -> None:
    before = holding(ADULT, "hazardous_work", date(2020, 1, 1), date(2022, 1, 1))
    again = holding(before, "hazardous_work", date(2026, 10, 1))
    (found,) = items(again, [], TODAY, rewritten("worker_hazard", confirmed)).values()
    assert (found.recommended, found.remindable) == (date(2026, 10, 1), True)


def test_half_yearly_exams_are_shown_and_not_pushed() -> None:
    works = holding(ADULT, "hazardous_work", date(2026, 1, 1))
    found = items(works, [Exam("employment", date(2026, 3, 1), "x")])["worker_hazard", number_of("x")]
    assert (found.status, found.recommended) == (Status.ASK_STATION, date(2026, 9, 1))
    assert found.because.rule == "not_confirmed" and not found.remindable


def test_a_sensitive_condition_shows_in_no_title() -> None:
    for programme in PROGRAMMES:
        for word in ("mạn tính", "chronic", "khuyết tật", "disab"):
            assert word not in str(programme.title).lower(), programme.id
    assert BY_ID["chronic_followup"].title["vi"] == BY_ID["worker_disabled"].title["vi"]


# --- days that were set ---


def test_an_appointment_is_reminded_of_until_the_visit() -> None:
    told = appointment(date(2026, 11, 22))
    number = number_of("a1")
    assert items(ADULT, [told])["next_appointment", number].recommended == date(2026, 11, 22)
    came = Exam("visit", date(2026, 11, 18), "v", by="clinic")
    assert items(ADULT, [told, came])["next_appointment", number].status is Status.GIVEN
    for other in (
        Exam("visit", date(2026, 11, 18), "v", by="another"),
        Exam("visit", date(2026, 11, 1), "v", by="clinic"),
        Exam("visit", date(2026, 11, 10), "v", by="clinic"),
    ):
        assert items(ADULT, [told, other])["next_appointment", number].remindable, other
    assert ("next_appointment", number) not in items(ADULT, [told], date(2026, 12, 22))


def test_a_moved_appointment_is_the_same_one() -> None:
    before, after = (items(ADULT, [appointment(day)]) for day in (date(2026, 11, 22), date(2026, 12, 1)))
    assert before.keys() == after.keys()


def test_nothing_is_said_to_come_up_once_its_day_has_passed() -> None:
    told, offsets = appointment(date(2026, 11, 18)), BY_ID["next_appointment"].offsets
    kinds = {}
    for n in range(14, 23):
        found = items(ADULT, [told], date(2026, 11, n))["next_appointment", number_of("a1")]
        offset = offset_now(found, date(2026, 11, n), offsets)
        kinds[n] = offset.kind if offset else None
    early, late = (
        {14: None, 15: "before_3", 16: "before_3"},
        {19: None, 20: None, 21: "after_3", 22: "after_3"},
    )
    assert kinds == early | {17: "before_1", 18: "before_1"} | late


def test_two_papers_of_one_day_are_one_appointment() -> None:
    twice: list[Care] = [appointment(date(2026, 11, 25), name) for name in ("a1", "a2")]
    assert [number for name, number in items(ADULT, twice) if name == "next_appointment"] == [number_of("a1")]


def test_a_new_prescription_takes_the_place_of_the_old_and_short_ones_are_not_renewed() -> None:
    old = refill(date(2026, 11, 24), "r1", date(2026, 10, 25))
    new = refill(date(2026, 12, 18), "r2", date(2026, 11, 18))
    short = refill(date(2026, 11, 25), "r3", date(2026, 11, 18), "amoxicillin")
    assert [n for name, n in items(ADULT, [old]) if name == "medicine_refill"] == [number_of("r1")]
    found = items(ADULT, [new, short, old])
    assert [n for name, n in found if name == "medicine_refill"] == [number_of("r2")]


# --- files ---


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("antenatal", lambda d: d["anchor"]["bands"][0].update(to="P0W")),
        ("antenatal", lambda d: d["anchor"]["bands"][1].update(number=1)),
        ("antenatal", lambda d: d["anchor"]["bands"][1].update(number=100)),
        ("antenatal", lambda d: d["anchor"]["bands"][0].update(recommended="P20W")),
        ("antenatal", lambda d: d["anchor"]["bands"][0].pop("confidence")),
        ("antenatal", lambda d: d["anchor"]["bands"][0].update(source=[])),
        ("antenatal", lambda d: d["anchor"].update(year_of="annual_checkup")),
        ("antenatal", lambda d: d["eligible"].pop("conditions")),
        ("antenatal", lambda d: d["eligible"].update(conditions=["pregnent"])),
        ("antenatal", lambda d: d["eligible"].update(conditions=["pregnant", "employee"])),
        ("antenatal", lambda d: d["anchor"]["bands"][3].update({"from": "P1W"})),
        ("worker_hazard", lambda d: d["anchor"].update(interval="P0D")),
        ("worker_hazard", lambda d: d["anchor"].pop("interval")),
        ("worker_hazard", lambda d: d["anchor"].update(kind="full_moon")),
        ("worker_hazard", lambda d: d.pop("confidence")),
        ("school_checkup", lambda d: d["anchor"].update(day="02-29")),
        ("school_checkup", lambda d: d["anchor"].update(day="9-5")),
        ("next_appointment", lambda d: d["anchor"].update(of="haircut")),
        ("next_appointment", lambda d: d["anchor"].update(early_days=-1)),
        ("next_appointment", lambda d: d["anchor"].update(early=7)),
        ("next_appointment", lambda d: d.update(series=[])),
    ],
)
def test_a_faulty_file_stops_the_start_up(name: str, change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(BadProgramme) as told:
        rewritten(name, change)
    assert told.value.programme_id.startswith(name)
