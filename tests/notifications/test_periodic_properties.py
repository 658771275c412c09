"""What holds of every round, whatever a life tells and in whatever order it is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.conditions import conditions_of
from notifications.model import Care, CitizenFacts, Exam, SetDate, Sign, Status, day_of
from notifications.planner import plan
from notifications.schedule import Programme
from tests.examples import examples
from tests.notifications.lives import PROGRAMMES, child
from tests.notifications.stage import Stage

FIRST = date(2024, 1, 1)
SPAN = 1095
KINDS = ("employee", "hazardous_work", "pupil", "pregnant", "chronic")
EXAMS = ("periodic", "employment", "visit", "antenatal", "eye")
YEARLY = frozenset(
    {p.id for p in PROGRAMMES if p.rounds is not None and p.rounds.year_of} | {"annual_checkup"}
)


def found(programme: Programme) -> Programme:
    """The same programme as if its source were confirmed: then it reminds."""
    rounds = programme.rounds
    if rounds is None:
        return programme
    bands = tuple(replace(band, confidence="found") for band in rounds.bands)
    return replace(programme, rounds=replace(rounds, confidence="found", bands=bands))


ROUNDS = tuple(found(p) for p in PROGRAMMES if p.kind == "periodic")
CONDITIONS = {p.id: p.eligible.conditions for p in ROUNDS if p.eligible.conditions}


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def care_of(number: int, raw: tuple[int, int, int, int]) -> Care:
    """Something on record out of four plain numbers: what, which kind, when, and how long."""
    what, kind, when, long = raw
    name, on = f"r{number}", day(when)
    if what == 0:
        return Exam(EXAMS[kind], on, name, by="ab"[long % 2])
    if what == 1:
        return Sign(KINDS[kind], on, name, starts=on - timedelta(days=long % 200), ends=None)
    if what == 2:
        return Sign(KINDS[kind], on, name, ends=on, present=False)
    if what == 3:
        return Sign(KINDS[kind], on, name, starts=on, ends=on + timedelta(days=long))
    kinds = ("appointment", "refill")
    return SetDate(kinds[kind % 2], on + timedelta(days=long), on, name, by="ab"[kind % 2], subject="")


told = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, SPAN), st.integers(0, 400)), max_size=12
).map(lambda raws: [care_of(number, raw) for number, raw in enumerate(raws)])
facts = st.builds(
    lambda born, sex: child(date(1950, 1, 1) + timedelta(days=born), sex),
    st.integers(0, (date(2025, 6, 1) - date(1950, 1, 1)).days),
    st.sampled_from(["female", "male"]),
)
days = st.integers(0, SPAN + 300).map(day)


@given(facts, told, days, st.integers(0, 2**32 - 1))
@settings(max_examples=examples(60, 1500), deadline=None)
def test_the_order_in_which_things_are_told_does_not_matter(
    who: CitizenFacts, history: list[Care], today: date, seed: int
) -> None:
    shuffled = list(history)
    Random(seed).shuffle(shuffled)
    assert plan(who, shuffled, ROUNDS, today) == plan(who, history, ROUNDS, today)


@given(facts, told, days)
@settings(max_examples=examples(60, 1500), deadline=None)
def test_never_two_for_one_year_and_none_once_examined(
    who: CitizenFacts, history: list[Care], today: date
) -> None:
    items = [i for i in plan(who, history, ROUNDS, today) if i.programme_id in YEARLY]
    wanted = Counter(i.dose for i in items if i.remindable)
    assert all(count == 1 for count in wanted.values()), wanted
    head = next(p for p in ROUNDS if p.id == "annual_checkup").rounds
    assert head is not None
    past = [c for c in history if isinstance(c, Exam) and c.done_on <= today]
    done = {c.done_on.year for c in past if c.kind in head.accepts_exams}
    if today.year in done and any(i.programme_id == "annual_checkup" for i in items):
        assert today.year not in wanted
        of_the_year = [i for i in items if i.dose == today.year]
        assert {i.status for i in of_the_year} == {Status.GIVEN}


@given(facts, told, days)
@settings(max_examples=examples(60, 1500), deadline=None)
def test_what_a_condition_asks_for_ends_with_it(who: CitizenFacts, history: list[Care], today: date) -> None:
    signs = [c for c in history if isinstance(c, Sign) and day_of(c) <= today]
    held = {c.kind for c in conditions_of(signs) if c.ends is None or today < c.ends}
    for item in plan(who, history, ROUNDS, today):
        asked = CONDITIONS.get(item.programme_id)
        assert asked is None or asked & held, item


@given(facts, told, days)
@settings(max_examples=examples(60, 1500), deadline=None)
def test_every_round_is_told_once_and_its_dates_are_in_order(
    who: CitizenFacts, history: list[Care], today: date
) -> None:
    items = plan(who, history, ROUNDS, today)
    assert len({i.identity for i in items}) == len(items)
    for item in items:
        assert item.seen_on(today) == item
        if item.status is Status.GIVEN:
            continue
        assert item.recommended is not None and item.earliest is not None
        assert item.earliest <= item.recommended
        assert item.expires is None or item.recommended < item.expires
        assert item.overdue is None or item.recommended < item.overdue


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=10)
)
@settings(max_examples=examples(15, 300), deadline=None)
def test_an_appointment_that_moves_is_sent_once_an_offset(steps: list[tuple[int, int, int]]) -> None:
    """One appointment is set, moved, kept or struck out again and again, and days go by."""
    today = date(2026, 1, 5)
    stage = Stage(today)
    stage.person("an", date(1980, 12, 31))
    stage.device("an")
    for what, far, wait in steps:
        if what == 3:
            stage.records.given["an"] = []
        else:
            told = SetDate("appointment", today + timedelta(days=far), today, "a1", by="clinic")
            stage.records.given["an"] = [told]
        stage.planning.replan("an")
        for n in range(min(wait, 12)):
            stage.a_day(today + timedelta(days=n))
        today += timedelta(days=max(wait, 1))
    about = [m for m in stage.inbox.page("an", 500) if m.topic == "appointment"]
    keys = Counter(m.reminder_id for m in about)
    assert len(about) <= 3 and all(count == 1 for count in keys.values())


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(3, 60)), min_size=1, max_size=12))
@settings(max_examples=examples(15, 300), deadline=None)
def test_no_change_of_conditions_sends_two_for_one_year(steps: list[tuple[int, int, int]]) -> None:
    """Over a year people become pupils, employees and elders and cease to be."""
    today = date(2026, 1, 5)
    stage = Stage(today)
    stage.person("an", date(2009, 5, 20))
    stage.device("an")
    care: list[Care] = []
    for number, (kind, ends, wait) in enumerate(steps):
        stops = today + timedelta(days=wait) if ends else None
        care.append(Sign(KINDS[kind], today, f"s{number}", starts=today, ends=stops))
        stage.records.given["an"] = list(care)
        stage.planning.replan("an")
        for n in range(0, wait, 7):
            stage.a_day(today + timedelta(days=n))
        today += timedelta(days=wait)
    sent = [r for r in stage.of("an") if r.topic == "checkup" and r.state.value == "accepted"]
    assert all(r.series_id == "annual_checkup" for r in sent)
    once = Counter((r.dose, r.offset) for r in sent)
    assert all(count == 1 for count in once.values())
