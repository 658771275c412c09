"""Every night a shard of stored plans is made again: a difference is counted, told and mended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.model import Exam, GivenDose
from notifications.reevaluation import shard_of_night
from notifications.reminders import SHARDS, shard_of
from tests.examples import examples
from tests.planner.changing import ALL, DAY, Nation, without

NIGHT = 2  # o'clock


def neighbours(nation: Nation, count: int, night: date = DAY) -> list[str]:
    """Children who live in the shard whose turn it is."""
    names = (f"n{number}" for number in range(20_000))
    mine = [name for name in names if shard_of(name) == shard_of_night(night)][:count]
    for place, name in enumerate(mine):
        nation.person(name, DAY - timedelta(days=20 + 37 * place))
    return mine


def a_night(nation: Nation, day: date = DAY) -> None:
    nation.clock.turn(day, NIGHT)
    while nation.nightly.step():
        pass


def test_plans_that_are_true_count_no_drift_and_all_shards_have_their_turn() -> None:
    nation = Nation()
    mine = neighbours(nation, 30)
    a_night(nation)
    [night] = nation.nights
    assert (night.day, night.shard, night.checked) == (DAY, shard_of_night(DAY), len(mine))
    assert (night.drift, night.stale, night.failed, night.done) == (0, 0, 0, True)
    assert {shard_of_night(DAY + timedelta(days=n)) for n in range(SHARDS)} == set(ALL)


@pytest.mark.parametrize(
    "what", ["a dose past us", "a lost item", "a late look", "a broken seal", "a dead child"]
)
def test_a_planted_drift_is_counted_once_told_and_mended(what: str) -> None:
    nation = Nation()
    mine = neighbours(nation, 12)
    row = nation.due.row(mine[5])
    assert row is not None and row.items is not None
    if what == "a dose past us":
        nation.records.given[mine[5]] = [GivenDose("measles", None, DAY - timedelta(days=1), "past")]
    elif what == "a lost item":
        nation.due._plans[mine[5]] = replace(row, items=row.items[1:])
    elif what == "a late look":
        nation.due._plans[mine[5]] = replace(row, review_on=DAY + timedelta(days=900))
    elif what == "a broken seal":
        nation.due._plans[mine[5]] = replace(row, items=None)
    else:
        nation.records.people[mine[5]] = replace(nation.records.people[mine[5]], deceased=True)
    a_night(nation)
    assert [(n.checked, n.drift, n.stale) for n in nation.nights] == [(12, 1, 0)]
    again = nation.due.row(mine[5])
    assert again is not None and again.items == nation.planning.forecast(mine[5], DAY)
    a_night(nation)
    assert len(nation.nights) == 1, "once a night"
    a_night(nation, DAY + timedelta(days=SHARDS))
    assert nation.nights[-1].drift == 0 and nation.nights[-1].checked == 12


def test_plans_by_other_rules_are_stale_and_mended_but_no_drift() -> None:
    nation = Nation()
    neighbours(nation, 9)
    nation.govern(without("je"))
    a_night(nation)
    assert [(n.checked, n.drift, n.stale) for n in nation.nights] == [(9, 0, 9)]
    a_night(nation, DAY + timedelta(days=SHARDS))
    assert nation.nights[-1].stale == 0


def test_the_night_is_between_one_and_five_and_begins_again_where_it_was_left() -> None:
    nation = Nation()
    neighbours(nation, 30)
    for hour in (0, 5, 12, 23):
        nation.clock.turn(DAY, hour)
        assert nation.nightly.step() == 0
    nation.clock.turn(DAY, 1)
    assert nation.nightly.step(page=10) == 10 and nation.nights == []
    found = nation.nightly.last()
    assert found is not None and (found.checked, found.done) == (10, False)
    nation.govern(without("je"))  # another process, with other rules: what is left is stale
    nation.clock.turn(DAY, 4)
    while nation.nightly.step(page=10):
        pass
    assert [(n.checked, n.stale) for n in nation.nights] == [(30, 20)]
    nation.clock.turn(DAY + timedelta(days=1), 12)
    assert nation.nightly.last() == nation.nights[0], "shown until the next"


def test_two_beats_check_a_night_once() -> None:
    nation = Nation()
    mine = neighbours(nation, 60)
    nation.clock.turn(DAY, NIGHT)

    def beat(_: int) -> None:
        while nation.nightly.step(page=7):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(beat, range(4)))
    beat(0)
    assert [(n.checked, n.drift) for n in nation.nights] == [(len(mine), 0)]


def test_an_event_between_the_two_looks_is_no_drift() -> None:
    nation = Nation()
    [name] = neighbours(nation, 1)
    row = nation.due.row(name)
    assert row is not None
    nation.give(name, "bcg", DAY)
    assert nation.comparing.verdict(row) == "drift" and nation.comparing.settled(row) is None


@given(
    st.dates(date(2019, 1, 1), DAY),
    st.lists(st.tuples(st.sampled_from(["measles", "bcg", "je_inactivated", "exam"]), st.integers(0, 60))),
    st.integers(0, 400),
)
@settings(max_examples=examples(15, 400), deadline=None)
def test_whatever_happens_to_a_child_no_drift_is_found(
    born: date, events: list[tuple[str, int]], wait: int
) -> None:
    nation = Nation()
    nation.person("child", born)
    day = DAY
    for what, gap in events[:8]:
        day += timedelta(days=gap)
        nation.clock.turn(day, 8)
        nation.dispatch.plan_day(day)
        if what == "exam":
            nation.records.given.setdefault("child", []).append(Exam("periodic", day, f"e@{day}"))
            nation.planning.replan("child")
        else:
            nation.give("child", what, day)
    nation.clock.turn(day + timedelta(days=wait), NIGHT)
    row = nation.due.row("child")
    assert row is not None and nation.comparing.verdict(row) is None
