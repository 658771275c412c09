"""What was given up stays, is seen, and goes out again once ops say so and if it is still wanted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications.dead_letters import KEPT_FOR, DeadLetters
from notifications.errors import DeadLetterNotFound
from notifications.memory import run_alone
from notifications.outgoing import Answer, BatchState
from notifications.reminders import State
from tests.notifications.stage import DAY, Stage, ready


def given_up() -> tuple[Stage, DeadLetters, str]:
    stage = ready()
    stage.channel.answers["phone-of-mother"] = Answer.UNAVAILABLE
    stage.a_day(DAY, hour=8)
    batch_id = stage.of("baby")[0].mark
    while stage.batch(batch_id).state is not BatchState.DEAD:
        stage.clock.at = stage.batch(batch_id).due_at
        stage.send_all()
    stage.channel.sent.clear()
    stage.channel.answers.clear()
    return stage, DeadLetters(stage.outbox, stage.reminders, run_alone, stage.clock), batch_id


def test_a_dead_letter_is_told_in_counts() -> None:
    stage, letters, batch_id = given_up()
    [found] = letters.page(10)
    assert (found.id, found.pushes, found.tries, found.state) == (batch_id, 1, 7, BatchState.DEAD)
    assert found.answers == {"unavailable": 1} and found.died_at == stage.clock()
    assert letters.page(10, (found.died_at, found.id)) == []


def test_a_replay_sends_once_however_often_it_is_asked_for() -> None:
    stage, letters, batch_id = given_up()
    assert letters.replay(batch_id).state is BatchState.QUEUED
    assert {r.state for r in stage.of("baby")} == {State.DEFERRED}
    assert letters.replay(batch_id).state is BatchState.QUEUED
    assert stage.send_all() == 1 and stage.batch(batch_id).state is BatchState.DONE
    assert letters.replay(batch_id).state is BatchState.DONE and stage.send_all() == 1
    assert {r.state for r in stage.of("baby")} == {State.ACCEPTED}


def test_a_replay_asks_every_stop_condition_again() -> None:
    stage, letters, batch_id = given_up()
    stage.guardians.of["baby"] = ["father"]
    letters.replay(batch_id)
    assert stage.send_all() == 0
    assert {(r.state, r.reason) for r in stage.of("baby")} == {(State.CANCELLED, "guardian_changed")}


def test_a_replay_goes_only_to_the_phones_still_owed() -> None:
    stage, letters, batch_id = given_up()
    stage.device("mother", "tablet")
    letters.replay(batch_id)
    stage.send_all()
    assert [e.address.installation_id for e in stage.channel.sent] == ["phone-of-mother"]


def test_what_never_died_is_no_dead_letter() -> None:
    stage = ready()
    stage.a_day(DAY)
    letters = DeadLetters(stage.outbox, stage.reminders, run_alone, stage.clock)
    for batch_id in (stage.of("baby")[0].mark, "nothing"):
        with pytest.raises(DeadLetterNotFound):
            letters.replay(batch_id)


def test_dead_letters_are_forgotten_after_a_month() -> None:
    stage, letters, batch_id = given_up()
    stage.clock.at += KEPT_FOR - timedelta(seconds=1)
    assert letters.forget() == 0
    stage.clock.at += timedelta(seconds=1)
    assert letters.forget() == 1 and letters.page(10) == []
    with pytest.raises(DeadLetterNotFound):
        letters.replay(batch_id)
