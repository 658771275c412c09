"""A programme that begins or ends on a day changes plans on that day, without anybody touching a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

from notifications.model import Status
from notifications.programmes import load_programmes
from notifications.reminders import State, offset_now
from notifications.rules import ENGINE, rules_of, version_of
from notifications.turns import SPREAD_DAYS, place_of
from tests.planner.changing import DAY, Nation, others, routine

TURN = DAY + timedelta(days=30)


def beginning(day: date) -> list[object]:
    return [*others(), replace(routine(), valid_from=day)]


def ending(day: date) -> list[object]:
    return [*others(), replace(routine(), valid_to=day)]


def days_until(nation: Nation, last: date, first: date = DAY) -> None:
    day = first
    while day <= last:
        nation.clock.turn(day, 0)
        nation.dispatch.plan_day(day)
        day += timedelta(days=1)


def of_routine(nation: Nation, name: str) -> set[str]:
    row = nation.due.row(name)
    assert row is not None and row.items is not None
    return {item.series_id for item in row.items if item.programme_id == "epi_routine"}


def test_a_programme_that_begins_is_in_every_plan_it_concerns_on_that_day() -> None:
    nation = Nation()
    nation.govern(beginning(TURN))  # type: ignore[arg-type]  # programmes
    nation.person("baby", DAY - timedelta(days=200))
    nation.person("grown", DAY - timedelta(days=9000))
    days_until(nation, TURN - timedelta(days=1))
    assert of_routine(nation, "baby") == set()
    row = nation.due.row("baby")
    assert row is not None and row.review_on == TURN, "looked at on that day, whatever else is due"
    grown = nation.due.row("grown")
    assert grown is not None and grown.review_on != TURN, "whom it does not concern is left alone"
    days_until(nation, TURN, TURN)
    assert "measles" in of_routine(nation, "baby")
    row = nation.due.row("baby")
    assert row is not None and row.stamp is not None and row.stamp.on == TURN


def test_a_programme_that_ends_is_in_no_plan_from_that_day_and_sends_nothing_more() -> None:
    nation = Nation()
    nation.govern(ending(TURN))  # type: ignore[arg-type]  # programmes
    nation.person("baby", TURN - timedelta(days=275))  # measles would be due one day before it ends
    days_until(nation, TURN - timedelta(days=1))
    assert "measles" in of_routine(nation, "baby")
    assert (row := nation.due.row("baby")) and row.review_on == TURN
    days_until(nation, TURN + timedelta(days=60), TURN)
    assert of_routine(nation, "baby") == set()
    assert not [r for r in nation.of("baby") if r.programme_id == "epi_routine" and r.send_on >= TURN]


def test_what_is_queued_when_a_programme_ends_does_not_leave() -> None:
    nation = Nation()
    nation.govern(ending(TURN))  # type: ignore[arg-type]  # programmes
    nation.person("baby", TURN - timedelta(days=275), "mother")
    nation.device("mother")
    days_until(nation, TURN - timedelta(days=1))
    nation.clock.turn(TURN, 20)
    sent = nation.send_all()
    left = {r.state for r in nation.of("baby") if r.programme_id == "epi_routine" and r.send_on == TURN}
    assert left <= {State.CANCELLED} and sent <= 1


def test_a_new_programme_lets_late_doses_in_over_weeks_and_those_of_the_day_at_once() -> None:
    nation = Nation()
    nation.govern(beginning(TURN))  # type: ignore[arg-type]  # programmes
    late = [f"late-{n}" for n in range(60)]
    for name in late:
        nation.person(name, TURN - timedelta(days=330))  # measles since two months
    nation.person("on time", date(2026, 3, 20))  # nine months old on the day
    days_until(nation, TURN - timedelta(days=1))
    days_until(nation, TURN, TURN)
    measles = {name: [r for r in nation.of(name) if r.series_id == "measles"] for name in ("on time", *late)}
    assert [r.send_on for r in measles["on time"]] == [TURN]
    at_once = [name for name in late if measles[name]]
    assert len(at_once) <= 10, "and not all sixty on one morning"
    days_until(nation, TURN + timedelta(days=SPREAD_DAYS), TURN + timedelta(days=1))
    first = {name: min(r.send_on for r in nation.of(name) if r.series_id == "measles") for name in late}
    assert first == {name: TURN + timedelta(days=place_of(name, "epi_routine", SPREAD_DAYS)) for name in late}
    a_day = Counter(first.values())
    assert max(a_day.values()) <= 10 and len(a_day) > 15


def test_an_offset_reached_while_a_dose_is_held_goes_out_on_its_day() -> None:
    nation = Nation()
    name = next(n for n in (f"c{x}" for x in range(99)) if place_of(n, "epi_routine", SPREAD_DAYS) > 20)
    nation.govern(beginning(TURN))  # type: ignore[arg-type]  # programmes
    born = TURN - timedelta(days=280)  # its day lies before the beginning, the offsets after it do not
    nation.person(name, born)
    days_until(nation, TURN + timedelta(days=SPREAD_DAYS))
    sent = {r.offset: r.send_on for r in nation.of(name) if r.series_id == "measles"}
    plan = {i.series_id: i for i in nation.planning.forecast(name, TURN)}
    recommended = plan["measles"].recommended
    assert recommended is not None and recommended < TURN
    assert sent == {f"after_{n}": recommended + timedelta(days=n) for n in (7, 21)}


def test_versions_follow_what_files_say_and_not_what_they_are_called() -> None:
    mine = routine()
    assert version_of(mine) == version_of(routine()) and len(version_of(mine)) == 16
    assert version_of(replace(mine, title={"vi": "Khác"})) == version_of(mine)
    changed = [
        replace(mine, valid_to=TURN),
        replace(mine, offsets=mine.offsets[1:]),
        replace(mine, series=mine.series[1:]),
        replace(mine, source=("another",)),
    ]
    assert len({version_of(each) for each in [mine, *changed]}) == 5
    assert rules_of(load_programmes()) == rules_of(reversed(load_programmes()))
    assert rules_of(others()) != rules_of(load_programmes()) and ENGINE >= 1


def test_the_offset_now_of_a_forecast_is_what_the_turn_judges() -> None:
    nation = Nation()
    nation.person("baby", DAY - timedelta(days=330))
    late = [i for i in nation.planning.forecast("baby", DAY) if i.status is Status.OVERDUE]
    assert late and all(offset_now(i, DAY, routine().offsets) for i in late)
