"""From a due dose to a phone: once, to the right person, in the window, not after it lost its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import count, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.errors import MessageNotFound
from notifications.model import GivenDose, Preferences, Status
from notifications.reminders import SHARDS, State, shard_of, when_to_send, window_of
from tests.examples import examples
from tests.notifications.stage import BABY, DAY, Clock, Stage, full_baby, ready


def test_a_due_dose_reaches_the_guardian_once_as_one_push_and_an_inbox_item_each() -> None:
    stage = ready()
    assert stage.a_day(DAY) == 1
    messages = stage.inbox.page("mother", 9)
    assert len(messages) == 3, "measles, IPV 2 and the yearly check-up, each its own item"
    assert {m.nid for m in messages} == {stage.channel.sent[0].nid}
    assert {m.subject_id for m in messages} == {"baby"}
    assert {state for _, _, state in stage.states("baby")} == {"accepted"}
    assert stage.a_day(DAY) == 1 and len(stage.inbox.page("mother", 9)) == 3, (
        "the same day again sends nothing"
    )


def test_a_family_gets_one_push_a_day_whatever_the_shards() -> None:
    stage = ready()
    for number in range(4):
        full_baby(stage, f"sibling-{number}")
    assert stage.a_day(DAY) == 1
    assert len(stage.inbox.page("mother", 99)) == 15


def test_what_falls_due_later_on_the_same_day_joins_the_inbox_without_a_second_push() -> None:
    stage = ready()
    assert stage.a_day(DAY) == 1
    full_baby(stage, "twin")
    stage.clock.turn(DAY, 12)
    stage.dispatch.plan_day(DAY)
    stage.clock.turn(DAY, 20)
    assert stage.send_all() == 1 and len(stage.inbox.page("mother", 9)) == 6


def test_a_late_child_gets_the_nearest_offset_once_and_never_a_burst() -> None:
    stage = Stage()
    stage.person("late", date(2025, 5, 1), "mother")
    stage.device("mother")
    total = [stage.a_day(DAY + timedelta(days=n)) for n in range(60)]
    reminders = stage.of("late")
    assert total[0] == 1 and total[1] == 1
    assert len({(r.series_id, r.dose, r.offset) for r in reminders}) == len(reminders)
    first_day = [r for r in reminders if r.send_on == DAY]
    assert {(r.series_id, r.offset) for r in first_day} == {
        ("measles", "after_21"),
        ("ipv", "after_21"),
        ("je", "after_21"),
        ("dtp_booster1", "after_7"),
        ("annual_checkup", "after_21"),
    }
    waiting = {(r.series_id, r.dose) for r in reminders} & {("mr", 2), ("ipv", 2), ("je", 2)}
    assert waiting == set(), "a dose whose earlier dose is missing is not reminded of"


def test_recording_the_dose_cancels_its_remaining_reminders_only() -> None:
    stage = ready()
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    stage.give("baby", "measles", DAY)
    states = {(r.series_id, r.state.value, r.reason) for r in stage.of("baby")}
    assert ("measles", "cancelled", "given") in states and ("ipv", "queued", "") in states
    stage.clock.turn(DAY, 20)
    assert stage.send_all() == 1
    assert ("measles/1", "on_day", "cancelled") in stage.states("baby")
    for n in range(1, 40):
        stage.a_day(DAY + timedelta(days=n))
    assert [s for s in stage.states("baby") if s[0] == "measles/1"] == [("measles/1", "on_day", "cancelled")]


def test_a_dose_that_planning_has_not_heard_of_still_stops_the_push() -> None:
    stage = ready()
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    for vaccine in ("measles", "ipv"):
        stage.records.given["baby"].append(GivenDose(vaccine, None, DAY, vaccine))
    stage.records.people["baby"] = replace(stage.records.people["baby"], born=BABY)
    stage.preferences.save("mother", Preferences(frozenset({"checkup"})))
    stage.clock.turn(DAY, 20)
    assert stage.send_all() == 0
    assert {(r.state, r.reason) for r in stage.of("baby")} == {
        (State.CANCELLED, "given"),
        (State.CANCELLED, "opted_out"),
    }


@pytest.mark.parametrize("when", ["before planning", "before sending"])
@pytest.mark.parametrize("why", ["no_longer_due", "guardian_changed", "opted_out"])
def test_each_stop_condition_is_asked_again_at_send_time(why: str, when: str) -> None:
    def stop() -> None:
        if why == "no_longer_due":
            stage.records.people["baby"] = replace(stage.records.people["baby"], deceased=True)
        elif why == "guardian_changed":
            stage.guardians.of["baby"] = ["grandmother"]
        else:
            stage.preferences.save("mother", Preferences(frozenset({"vaccination", "checkup"})))

    stage = ready()
    stage.clock.turn(DAY, 0)
    if when == "before planning":
        stop()
    stage.dispatch.plan_day(DAY)
    stop()
    stage.clock.turn(DAY, 20)
    assert stage.send_all() == 0
    if when == "before sending":
        assert {(r.state, r.reason) for r in stage.of("baby")} == {(State.CANCELLED, why)}


def test_a_later_offset_takes_the_place_of_one_that_never_left() -> None:
    stage = ready()
    stage.dispatch.plan_day(DAY)
    stage.dispatch.plan_day(DAY + timedelta(days=7))
    measles = {offset: state for series, offset, state in stage.states("baby") if series == "measles/1"}
    assert measles == {"on_day": "superseded", "after_7": "queued"}


def test_what_an_earlier_day_left_over_counts_for_the_push_of_this_day() -> None:
    stage = ready()
    for shard in range(SHARDS):
        stage.planning.review_shard(shard, DAY)
    tomorrow = DAY + timedelta(days=1)
    assert stage.a_day(tomorrow) == 1
    full_baby(stage, "twin")
    assert stage.a_day(tomorrow) == 1 and len(stage.inbox.page("mother", 9)) == 6


def test_nobody_is_reminded_of_the_next_dose_on_the_day_of_the_last() -> None:
    stage = Stage()
    stage.person("child", date(2025, 11, 20), "mother")
    stage.give("child", "je_inactivated", DAY)
    stage.a_day(DAY)
    assert [r for r in stage.of("child") if r.series_id == "je"] == []
    stage.a_day(DAY + timedelta(days=7))
    assert [(r.dose, r.offset) for r in stage.of("child") if r.series_id == "je"] == [(2, "on_day")]


def test_a_death_cancels_what_is_queued() -> None:
    stage = ready()
    stage.dispatch.plan_day(DAY)
    stage.records.people["baby"] = replace(stage.records.people["baby"], deceased=True)
    stage.planning.replan("baby")
    assert {r.state for r in stage.of("baby")} == {State.CANCELLED}
    assert "baby" not in stage.due.due_between(shard_of("baby"), date.min, date.max, 9)


def test_a_moved_date_moves_the_reminder_and_keeps_its_key() -> None:
    stage = ready()
    stage.dispatch.plan_day(DAY)
    [before] = [r for r in stage.of("baby") if r.series_id == "measles"]
    later = BABY + timedelta(days=10)
    stage.records.people["baby"] = replace(stage.records.people["baby"], born=later)
    stage.planning.replan("baby")
    [moved] = [r for r in stage.of("baby") if r.series_id == "measles"]
    assert (moved.state, moved.reason) == (State.CANCELLED, "moved")
    nine_months = date(2026, 12, 2)
    for n in range(1, 13):
        stage.a_day(DAY + timedelta(days=n))
    [after] = [r for r in stage.of("baby") if (r.series_id, r.offset) == ("measles", "on_day")]
    assert (after.key, after.id) == (before.key, before.id)
    assert (after.send_on, after.state) == (nine_months, State.ACCEPTED)


def test_no_push_leaves_outside_the_window_and_what_is_held_goes_the_next_morning() -> None:
    stage = ready()
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    assert stage.send_all() == 0, "midnight"
    stage.clock.turn(DAY, 22)
    assert stage.send_all() == 0, "late evening"
    assert {r.state for r in stage.of("baby")} == {State.DEFERRED}
    stage.clock.turn(DAY + timedelta(days=1), 20)
    assert stage.send_all() == 1


def test_a_push_too_late_to_matter_is_given_up_and_stays_in_the_inbox() -> None:
    stage = ready()
    stage.dispatch.plan_day(DAY)
    stage.clock.turn(DAY + timedelta(days=3), 12)
    assert stage.send_all() == 0
    assert {(r.state, r.reason) for r in stage.of("baby")} == {(State.FAILED, "too_late")}
    assert stage.inbox.unread("mother") == 3


def test_without_a_phone_the_inbox_has_it() -> None:
    stage = Stage()
    full_baby(stage)
    assert stage.a_day(DAY) == 0
    assert {(r.state, r.reason) for r in stage.of("baby")} == {(State.FAILED, "no_device")}
    assert stage.inbox.unread("mother") == 3


def test_two_guardians_are_both_told_and_each_sees_only_their_own_copy() -> None:
    stage = Stage()
    full_baby(stage, "baby", "mother", "father")
    stage.device("mother")
    stage.device("father")
    assert stage.a_day(DAY) == 2
    assert len({e.nid for e in stage.channel.sent}) == 2
    mine = stage.inbox.page("mother", 9)
    with pytest.raises(MessageNotFound):
        stage.reading.read("father", mine[0].id)


def test_reading_a_message_marks_its_reminder_opened() -> None:
    stage = ready()
    stage.a_day(DAY)
    for message in stage.inbox.page("mother", 9):
        stage.reading.read("mother", message.id)
    assert {r.state for r in stage.of("baby")} == {State.OPENED}


def test_a_message_that_no_reminder_sent_is_read_like_any_other() -> None:
    stage = ready()
    stage.a_day(DAY)
    stage.inbox.add([replace(stage.inbox.page("mother", 1)[0], id="told", reminder_id=None)])
    assert stage.reading.read("mother", "told").read_at == stage.clock()
    assert {r.state for r in stage.of("baby")} == {State.ACCEPTED}


def test_what_was_read_before_the_push_is_not_pushed() -> None:
    stage = ready()
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    for message in stage.inbox.page("mother", 9):
        stage.reading.read("mother", message.id)
    stage.clock.turn(DAY, 20)
    assert stage.send_all() == 0


def test_batches_hold_at_most_500_addresses_and_nobody_is_left_out() -> None:
    stage = Stage()
    neighbours = (f"p{n}" for n in count() if shard_of(f"p{n}") == 3)
    for person in islice(neighbours, 480):
        stage.preferences.save(person, Preferences(window=(9, 10)))
        stage.person(person, date(1980, 11, 20))
        for number in range(5):
            stage.device(person, f"{person}-{number}")
    report = stage.dispatch.plan_day(DAY, [3])
    stage.clock.turn(DAY, 9)
    stage.clock.at += timedelta(minutes=59)
    sizes = []
    stage.channel.on_send = lambda: sizes.append(len(stage.channel.sent))
    assert stage.send_all() == 2400 and report.pushes == 480
    spans = [b - a for a, b in zip(sizes, [*sizes[1:], 2400], strict=True)]
    assert max(spans) <= 500 and report.batches == len(spans)


def test_replan_stores_the_plan_and_the_next_day_to_look() -> None:
    stage = ready()
    found = {(i.series_id, i.dose): i for i in stage.planning.replan("baby")}
    assert found["measles", 1].status is Status.DUE
    assert "baby" in stage.due.due_between(shard_of("baby"), DAY, DAY, 9)
    assert stage.planning.forecast("nobody") == ()
    assert stage.planning.replan("nobody") == ()


@given(st.dates(date(2021, 1, 1), date(2026, 11, 20)), st.lists(st.integers(0, 40), min_size=1, max_size=8))
@settings(max_examples=examples(15, 300), deadline=None)
def test_whatever_days_are_planned_no_reminder_repeats_and_keys_are_stable(
    born: date, gaps: list[int]
) -> None:
    stage = Stage()
    stage.person("child", born, "mother")
    stage.device("mother")
    day, seen = DAY, dict[str, tuple[object, ...]]()
    for gap in gaps:
        day += timedelta(days=gap)
        before = len(stage.channel.sent)
        assert stage.a_day(day) - before <= 1, "at most one push a day"
        for r in stage.of("child"):
            meaning = (r.programme_id, r.series_id, r.dose, r.offset, r.recipient_id)
            assert seen.setdefault(r.id, meaning) == meaning
    assert len(set(seen.values())) == len(seen)
    assert len(stage.inbox.page("mother", 999)) == len(seen)


@given(
    st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    st.text("abc123", min_size=1),
    st.integers(-30, 80),
    st.data(),
)
@settings(max_examples=examples(100, 2000), deadline=None)
def test_a_send_time_is_in_the_window_and_never_in_the_past(
    day: date, who: str, hours: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, 22))
    window = (start, data.draw(st.integers(start + 1, 24)))
    clock = Clock(day)
    now = clock() + timedelta(hours=hours)
    at = when_to_send(day, window, who, now)
    days = (day + timedelta(days=n) for n in range(6))
    assert at >= now and any(a <= at < b for a, b in (window_of(d, window) for d in days))
    assert when_to_send(day, window, who, now) == at
