"""When the rules change every plan is made anew: previewed, spread over days, by two people, and once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest

from notifications.effects import Effect
from notifications.errors import RebuildRunning, RebuildStepRefused, SecondPersonNeeded
from notifications.model import Exam, GivenDose
from notifications.programmes import load_programmes
from notifications.rebuilds import Bounds
from notifications.reminders import SHARDS, State, offset_now
from notifications.walks import LEASE
from tests.planner.changing import ALL, DAY, Nation, later, total, with_offset, without

PEOPLE = 120


def planned_anew(nation: Nation) -> Counter[str]:
    return Counter(
        row.stamp.rules if row.stamp else "" for shard in ALL for row in nation.due.rows(shard, "", PEOPLE)
    )


def test_the_same_rules_change_nothing_whenever_they_are_asked() -> None:
    nation, draw = Nation(), Random(2)
    names = nation.settle(PEOPLE)
    for name in names[::3]:
        given = DAY - timedelta(days=draw.randrange(400))
        nation.records.given[name] = [
            GivenDose("measles", None, given, f"m-{name}"),
            Exam("periodic", given, f"e-{name}"),
        ]
        nation.planning.replan(name)
    for days in (0, 1, 40, 400):
        nation.clock.turn(DAY + timedelta(days=days), 9)
        nation.dispatch.plan_day(DAY + timedelta(days=days))
        done = nation.rebuild(f"again-{days}", dry_run=True)
        counted = total(done)
        assert (done.state, done.preview and done.preview.rows) == ("done", PEOPLE)
        assert counted == Effect(), f"{days} days later"


def test_a_series_that_goes_takes_its_reminders_along_and_nobody_elses() -> None:
    nation = Nation()
    names = nation.settle(PEOPLE)
    nation.dispatch.plan_day(DAY)
    before = {name: nation.due.row(name) for name in names}
    live = [r for name in names for r in nation.of(name) if r.series_id == "measles"]
    assert live and all(r.state in (State.QUEUED, State.FAILED) for r in live)
    nation.govern(without("measles"))
    dry = nation.rebuild("look", dry_run=True)
    assert before == {name: nation.due.row(name) for name in names}, "a dry run writes no plan"
    assert dry.preview is not None and dry.state == "done"
    assert set(dry.preview.parts) == {("epi_routine", "measles"), ("epi_routine", "mr")}
    assert total(dry).vanish > 0
    done = nation.rebuild("go")
    assert done.state == "done" and total(done) == total(dry)
    assert nation.rebuilding.progress(done).counts["anew"] == PEOPLE
    assert not [
        r for n in names for r in nation.of(n) if r.series_id == "measles" and r.state is State.QUEUED
    ]
    assert planned_anew(nation) == {nation.planning.rules: PEOPLE}
    again = nation.rebuild("again")
    assert total(again).vanish == 0 and nation.rebuilding.progress(again).counts["already"] == PEOPLE


def test_the_preview_counts_what_then_happens() -> None:
    names = [f"p{number}" for number in range(PEOPLE)]
    horizon = [DAY + timedelta(days=n) for n in range(60)]

    def sent(nation: Nation) -> set[tuple[str, str, int, str]]:
        for day in horizon:
            nation.clock.turn(day, 0)
            nation.dispatch.plan_day(day)
        every = (r for name in names for r in nation.of(name))
        return {
            (r.citizen_id, r.series_id, r.dose, r.offset) for r in every if r.state is not State.CANCELLED
        }

    as_it_was, changed = Nation(), Nation(bounds=Bounds(alone=10**6))
    for each in (as_it_was, changed):
        each.settle(PEOPLE)
    changed.govern(with_offset("after_40", 40))
    done = changed.rebuild()
    new = sent(changed) - sent(as_it_was)
    assert {offset for *_, offset in new} == {"after_40"}
    told = total(done)
    assert told.appear >= len(new) > 0, "what is announced covers what comes within the horizon"
    assert done.preview is not None and {p for p, _ in done.preview.parts} == {"epi_routine"}


def test_a_moved_age_moves_reminders() -> None:
    nation = Nation()
    nation.person("baby", DAY - timedelta(days=200))
    nation.govern(later("measles", 12))
    told = nation.rebuild(dry_run=True).preview
    assert told is not None and told.parts["epi_routine", "measles"].move == 4, "each of its four offsets"
    assert told.appear.low == told.appear.high == 0


def test_what_was_sent_is_not_announced_again() -> None:
    nation = Nation()
    nation.person("baby", DAY - timedelta(days=290))
    nation.device("baby")
    nation.a_day(DAY)
    assert {r.state for r in nation.of("baby")} == {State.ACCEPTED}
    sent = {(r.series_id, r.offset) for r in nation.of("baby")}
    nation.govern(without("measles"))
    dry = nation.rebuild("away", dry_run=True)
    assert ("measles", "after_7") in sent
    vanished = dry.preview and dry.preview.parts[("epi_routine", "measles")].vanish
    assert vanished == 1, "after_21 alone: the offset before has been sent"


def test_late_doses_of_new_rules_come_over_many_days_and_not_on_one_morning() -> None:
    bounds = Bounds(alone=10**6, a_day=15, longest=28)
    nation = Nation(bounds=bounds)
    nation.govern(without("je"))
    nation.settle(PEOPLE)
    nation.dispatch.plan_day(DAY)
    nation.govern(load_programmes())
    tomorrow = DAY + timedelta(days=1)
    nation.clock.turn(tomorrow, 0)
    done = nation.rebuild()
    assert done.state == "done" and done.preview is not None
    assert done.over_days == bounds.days_for(done.preview.appear.high) > 5
    waited = owed_now(nation, tomorrow)
    assert waited > 40, "many children are late for a series that is new"
    a_day = []
    for n in range(done.over_days):
        day = tomorrow + timedelta(days=n)
        nation.clock.turn(day, 0)
        before = len(je_reminders(nation))
        nation.dispatch.plan_day(day)
        a_day.append(len(je_reminders(nation)) - before)
    assert sum(a_day) >= waited, "and nobody is forgotten"
    assert max(a_day) < waited / 3 and sum(count > 0 for count in a_day) > len(a_day) / 2, a_day


def je_reminders(nation: Nation) -> list[str]:
    return [r.id for name in nation.records.people for r in nation.of(name) if r.series_id == "je"]


def owed_now(nation: Nation, day: date) -> int:
    offsets = nation.planning.programmes["epi_routine"].offsets
    every = (i for name in nation.records.people for i in nation.planning.forecast(name, day))
    return sum(i.series_id == "je" and offset_now(i, day, offsets) is not None for i in every)


def test_whoever_was_due_today_is_not_put_off_by_a_rebuild() -> None:
    nation = Nation(bounds=Bounds(alone=10**6, a_day=1))
    nation.person("baby", DAY - timedelta(days=275))
    nation.govern(with_offset("after_90", 90))
    assert (row := nation.due.row("baby")) and row.review_on == DAY
    nation.rebuild()
    assert (row := nation.due.row("baby")) and row.review_on == DAY


def test_an_event_during_the_rebuild_wins_and_is_not_undone() -> None:
    nation = Nation()
    nation.person("baby", DAY - timedelta(days=275))
    nation.govern(without("je"))
    nation.give("baby", "measles", DAY)
    row = nation.due.row("baby")
    assert row is not None and row.stamp is not None and row.stamp.rules == nation.planning.rules
    done = nation.rebuild()
    assert nation.due.row("baby") == row and nation.rebuilding.progress(done).counts["already"] == 1


def test_somebody_erased_meanwhile_does_not_come_back() -> None:
    nation = Nation()
    nation.person("gone", DAY - timedelta(days=275))
    nation.govern(without("je"))
    del nation.due._plans["gone"]
    assert not nation.planning.rebuild("gone", DAY, DAY)
    assert nation.due.row("gone") is None


def test_more_than_one_person_may_let_go_waits_for_another() -> None:
    nation = Nation(bounds=Bounds(alone=5))
    nation.govern(without("je"))
    nation.settle(PEOPLE)
    nation.govern(load_programmes())
    made = nation.rebuild()
    assert made.state == "waiting" and total(made).appear > 5
    assert nation.finish() == 0 and nation.rebuilding.get("r1").state == "waiting", "it stays where it is"
    assert nation.rebuilding.progress(made).shards_done == SHARDS
    with pytest.raises(SecondPersonNeeded):
        nation.rebuilding.approve("r1", "an")
    assert nation.rebuilding.approve("r1", "binh").state == "running"
    nation.finish()
    done = nation.rebuilding.get("r1")
    assert (done.state, done.asked_by, done.decided_by) == ("done", "an", "binh")
    with pytest.raises(RebuildStepRefused):
        nation.rebuilding.approve("r1", "binh")


def test_the_upper_end_of_a_sample_decides_whether_one_person_is_enough() -> None:
    nation = Nation(bounds=Bounds(alone=10**6))
    nation.govern(without("je"))
    nation.settle(PEOPLE)
    nation.govern(load_programmes())
    exact = total(nation.rebuild("exact", dry_run=True)).appear
    sampled = nation.rebuild("sampled", dry_run=True, sample=12)
    assert sampled.preview is not None and len(sampled.looked_at) == 12 and sampled.preview.rows < PEOPLE
    found = sampled.preview.appear
    assert found.low <= found.likely <= found.high and found.low >= sampled.preview.total.appear
    assert found.low <= exact <= found.high
    for bounds, state in ((Bounds(alone=found.high - 1), "waiting"), (Bounds(alone=found.high), "running")):
        asked = replace(sampled, state="previewing", dry_run=False)
        assert asked.previewed(sampled.preview, bounds, DAY, nation.clock()).state == state


def test_a_rebuild_may_be_cancelled_and_what_is_done_stays() -> None:
    nation = Nation()
    nation.settle(PEOPLE)
    nation.govern(without("je"))
    nation.rebuilding.begin("r1", "an", dry_run=False, shards=ALL, sample=64)
    while nation.rebuilding.progress(nation.rebuilding.get("r1")).counts.get("anew", 0) < 50:
        nation.rebuilding.step()
    nation.rebuilding.cancel("r1", "an")
    assert nation.rebuilding.step() == 0
    anew = planned_anew(nation)[nation.planning.rules]
    assert 50 <= anew < PEOPLE
    with pytest.raises(RebuildStepRefused):
        nation.rebuilding.cancel("r1", "an")
    done = nation.rebuild("r2")
    assert nation.rebuilding.progress(done).counts == {"rows": PEOPLE, "already": anew, "anew": PEOPLE - anew}


def test_two_rebuilds_by_the_same_rules_are_one_too_many() -> None:
    nation = Nation()
    nation.rebuilding.begin("r1", "an", dry_run=False, shards=range(16), sample=64)
    with pytest.raises(RebuildRunning):
        nation.rebuilding.begin("r2", "binh", dry_run=False, shards=[15, 16], sample=64)
    nation.rebuilding.begin("r3", "binh", dry_run=False, shards=range(16, 32), sample=64)
    nation.rebuilding.begin("look", "binh", dry_run=True, shards=ALL, sample=64)
    nation.govern(without("je"))
    nation.rebuilding.begin("r4", "binh", dry_run=False, shards=ALL, sample=64)
    assert {r.id: r.state for r in nation.rebuilding.newest(9)} == {
        "r1": "cancelled",
        "r3": "cancelled",
        "look": "cancelled",
        "r4": "previewing",
    }


def test_a_worker_with_other_rules_leaves_a_rebuild_alone() -> None:
    nation = Nation()
    nation.settle(20)
    nation.rebuilding.begin("r1", "an", dry_run=False, shards=ALL, sample=64)
    nation.govern(without("je"))
    assert nation.finish() == 0 and planned_anew(nation)[nation.planning.rules] == 0


def test_two_planners_at_once_plan_everybody_once() -> None:
    nation = Nation()
    names = nation.settle(PEOPLE)
    nation.govern(without("je"))
    nation.rebuilding.begin("r1", "an", dry_run=False, shards=ALL, sample=64)
    calls: Counter[str] = Counter()
    plan_anew = nation.planning.rebuild

    def counted(citizen_id: str, today: date, let_in: date) -> bool:
        calls[citizen_id] += 1
        return plan_anew(citizen_id, today, let_in)

    nation.planning.rebuild = counted  # type: ignore[method-assign]  # it counts and passes on
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: nation.finish(), range(4)))
    nation.finish()
    done = nation.rebuilding.get("r1")
    assert done.state == "done" and nation.rebuilding.progress(done).counts == {
        "rows": PEOPLE,
        "anew": PEOPLE,
    }
    assert calls == dict.fromkeys(names, 1)


def test_a_killed_planner_is_replaced_after_its_lease_and_nothing_counts_twice() -> None:
    nation = Nation()
    nation.settle(PEOPLE)
    nation.govern(without("je"))
    nation.rebuilding.begin("r1", "an", dry_run=False, shards=ALL, sample=64)
    while nation.rebuilding.get("r1").state == "previewing":
        nation.rebuilding.step()

    class Killed(BaseException):
        pass

    plan_anew, left = nation.planning.rebuild, iter(range(50))

    def dies(citizen_id: str, today: date, let_in: date) -> bool:
        if next(left, None) is None:
            raise Killed
        return plan_anew(citizen_id, today, let_in)

    nation.planning.rebuild = dies  # type: ignore[method-assign]  # it dies in the middle of a page
    with pytest.raises(Killed):
        nation.finish()
    nation.planning.rebuild = plan_anew  # type: ignore[method-assign]  # another process
    nation.finish()
    assert nation.rebuilding.get("r1").state == "running", "its shard is held"
    nation.clock.at += LEASE
    nation.finish()
    done = nation.rebuilding.get("r1")
    counts = nation.rebuilding.progress(done).counts
    assert done.state == "done" and counts["rows"] == counts["anew"] + counts["already"] == PEOPLE
    assert planned_anew(nation) == {nation.planning.rules: PEOPLE}


def test_a_book_that_cannot_be_planned_is_counted_and_holds_nobody_up() -> None:
    nation = Nation()
    names = nation.settle(PEOPLE)
    nation.govern(without("je"))
    facts = nation.records.facts

    def broken(citizen_id: str, unit: object | None = None) -> object:
        if citizen_id == names[7]:
            raise ValueError
        return facts(citizen_id, unit)

    nation.records.facts = broken  # type: ignore[assignment, method-assign]  # one book cannot be read
    done = nation.rebuild()
    assert done.preview is not None and done.preview.failed == 1
    counts = nation.rebuilding.progress(done).counts
    assert (done.state, counts["failed"], counts["anew"]) == ("done", 1, PEOPLE - 1)
