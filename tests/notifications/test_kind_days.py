"""Whatever happens to a family: one push a person and day, in the window, never after a no, never twice."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.days import VN
from notifications.errors import SnoozeRefused
from notifications.model import Preferences
from notifications.outgoing import Answer, Envelope, Outcome
from notifications.ports import Unit
from notifications.reminders import State, shard_of
from notifications.snoozes import Snoozing
from tests.examples import examples
from tests.notifications.stage import DAY, Stage, full_baby

ZONES = ("Asia/Ho_Chi_Minh", "America/Los_Angeles", "Europe/Berlin", "Pacific/Auckland")
EVERYTHING = frozenset({"vaccination", "checkup"})
PARENTS = ("mother", "father")


class Family:
    """Three children and two parents on the stage, and a record of every push that a phone took."""

    def __init__(self) -> None:
        self.stage = Stage(DAY)
        self.closed: set[date] = set()
        self.stage.dispatch._closed = self.closed.__contains__
        for name, born in (("a", date(2026, 2, 20)), ("b", date(2025, 5, 1)), ("c", date(2025, 11, 25))):
            self.stage.person(name, born, *PARENTS)
        for parent in PARENTS:
            self.stage.person(parent, date(1990, 11, 24))
            self.stage.device(parent)
        self.snoozing = Snoozing(self.stage.reminders, self.run, self.stage.keys)
        self.pushed: list[tuple[str, str, datetime, Preferences]] = []
        deliver = self.stage.channel.deliver

        def watched(envelopes: Any) -> Any:
            outcomes = deliver(envelopes)
            for envelope, outcome in zip(envelopes, outcomes, strict=True):
                self.note(envelope, outcome)
            return outcomes

        self.stage.channel.deliver = watched  # type: ignore[method-assign]  # watched from outside

    @staticmethod
    def run(work: Any) -> Any:
        return work(None)

    def note(self, envelope: Envelope, outcome: Outcome) -> None:
        who = envelope.address.citizen_id
        assert not self.chosen(who).opted_out >= EVERYTHING, "somebody said no to everything"
        if outcome.answer is Answer.ACCEPTED:
            self.pushed.append((who, envelope.nid, self.stage.clock(), self.chosen(who)))

    def chosen(self, who: str) -> Preferences:
        return self.stage.preferences.of(who)

    def choose(self, who: str, **change: Any) -> None:
        self.stage.preferences.save(who, replace(self.chosen(who), **change))

    def put_off(self, name: str, number: int, days: int) -> None:
        rows = self.stage.of(name)
        if rows:
            asked = rows[number % len(rows)]
            today = self.stage.clock().astimezone(VN).date()
            dose = (asked.programme_id, asked.series_id, asked.dose)
            items = self.stage.planning.forecast(name)
            item = next((each for each in items if each.identity == dose), None)
            programme = next(p for p in self.stage.planning._programmes if p.id == asked.programme_id)
            with suppress(SnoozeRefused):
                self.snoozing.put_off(asked, today + timedelta(days=days), item, programme, today)

    def do(self, act: int) -> None:
        """One thing that may happen, made of one number."""
        act, what = divmod(act, 10)
        act, who = divmod(act, 2)
        parent, stage = PARENTS[who], self.stage
        act, child = divmod(act, 3)
        name = "abc"[child]
        if what == 0:
            stage.give(
                name, ("measles", "ipv", "je_inactivated", "mr")[act % 4], stage.clock().astimezone(VN).date()
            )
        elif what == 1:
            self.choose(parent, opted_out=(frozenset(), EVERYTHING, frozenset({"checkup"}))[act % 3])
        elif what == 2:
            self.choose(parent, zone=ZONES[act % 4])
        elif what == 3:
            self.choose(parent, window=((7, 21), (8, 9), (12, 20))[act % 3])
        elif what == 4:
            self.choose(parent, a_week=(("vaccination", 1 + act % 3),))
        elif what == 5:
            self.choose(parent, muted=frozenset({("vaccination", "push")}) if act % 2 else frozenset())
        elif what == 6:
            self.put_off(name, act, 1 + act % 20)
        elif what == 7:
            answer = (Answer.ACCEPTED, Answer.UNAVAILABLE, Answer.THROTTLED)[act % 3]
            stage.channel.answers[f"phone-of-{parent}"] = answer
        elif what == 8:
            self.closed.add(stage.clock().astimezone(VN).date() + timedelta(days=act % 4))
        else:
            stage.device(parent)

    def hold(self) -> None:
        days = Counter((who, at.astimezone(p.where).date()) for who, _, at, p in self.pushed)
        assert max(days.values(), default=0) <= 1, "two pushes on one day"
        nids = Counter((who, nid) for who, nid, _, _ in self.pushed)
        assert max(nids.values(), default=0) <= 1, "a push came twice"
        for _, _, at, chosen in self.pushed:
            local = at.astimezone(ZoneInfo(chosen.zone))
            assert chosen.window[0] <= local.hour < chosen.window[1], "outside the window"
        for parent in PARENTS:
            told = Counter(m.reminder_id for m in self.stage.inbox.page(parent, 10_000))
            assert max(told.values(), default=0) <= 1, "a message came twice"


hours = st.lists(st.integers(0, 23), min_size=1, max_size=4)
days = st.lists(st.tuples(hours, st.lists(st.integers(0, 100_000), max_size=2)), min_size=1, max_size=25)


@given(days)
@settings(max_examples=examples(12, 400), deadline=None)
def test_weeks_of_a_family(life: list[tuple[list[int], list[int]]]) -> None:
    family = Family()
    for number, (at, acts) in enumerate(life):
        day = DAY + timedelta(days=number)
        for turn, hour in enumerate(sorted(at)):
            family.stage.clock.turn(day, hour)
            for act in acts[turn : turn + 1]:
                family.do(act)
            if day not in family.closed or turn:
                family.stage.dispatch.plan_day(day)
            family.stage.clock.at += timedelta(minutes=31)
            family.stage.send_all()
    family.hold()


def test_the_weeks_of_a_family_are_not_silent() -> None:
    family = Family()
    for number in range(25):
        family.stage.a_day(DAY + timedelta(days=number))
    family.hold()
    assert len(family.pushed) >= 6, "else the property would hold of nothing"


def test_an_evening_push_that_waited_is_the_next_days_push() -> None:
    stage = Stage(DAY)
    full_baby(stage)
    stage.device("mother")
    stage.clock.turn(DAY, 22)
    stage.dispatch.plan_day(DAY)
    tomorrow = DAY + timedelta(days=1)
    stage.clock.turn(tomorrow, 20)
    assert stage.send_all() == 1
    full_baby(stage, "twin")
    stage.dispatch.plan_day(tomorrow)
    assert stage.send_all() == 1, "that day's push was the one of the evening before"
    assert {(r.state, r.reason) for r in stage.of("twin")} == {(State.ACCEPTED, "joined_earlier_push")}


def test_two_runs_at_once_give_a_day_away_once() -> None:
    stage = Stage(DAY)
    full_baby(stage)
    full_baby(stage, "twin")
    stage.device("mother")
    days = stage.dispatch._write.days
    claim, raced = days.claim, list[int]()

    def race(day: date, by: str, seen: Any, unit: Unit | None = None) -> frozenset[str]:
        if not raced:  # another worker began before the twin was planned, and is a moment faster
            raced.append(1)
            assert claim(day, "other", {"mother": None}) == {"mother"}
            first = [r.id for r in stage.of("baby")]
            stage.reminders.move(first, [State.PLANNED], State.QUEUED, mark="other")
        return claim(day, by, seen, unit)

    days.claim = race  # type: ignore[method-assign]  # the moment between deciding and claiming
    stage.dispatch.plan_day(DAY)
    assert [batch for batch in stage.outbox._kept.values() if batch.pushes] == []
    stage.dispatch.plan_day(DAY)
    assert {(r.state, r.reason) for r in stage.of("twin")} == {(State.ACCEPTED, "joined_earlier_push")}


@pytest.mark.parametrize("zone", ZONES)
def test_a_window_is_meant_where_the_person_is(zone: str) -> None:
    stage = Stage(DAY)
    full_baby(stage)
    stage.device("mother")
    stage.preferences.save("mother", Preferences(window=(9, 10), zone=zone))
    sent_at: list[datetime] = []
    stage.channel.on_send = lambda: sent_at.append(stage.clock())
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    for _ in range(8 * 48):
        stage.clock.at += timedelta(minutes=7)
        stage.send_all()
    assert [at.astimezone(ZoneInfo(zone)).hour for at in sent_at if stage.channel.sent][-1:] == [9]
    assert len(stage.channel.sent) == 1 and shard_of("mother") == stage.of("baby")[0].shard
