"""What could not be done at once is done later the same day, and one failure is nobody else's."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count, islice

import pytest

from notifications.model import Care
from notifications.outgoing import Answer
from notifications.reminders import State, shard_of
from tests.notifications.stage import BABY, DAY, Stage, full_baby, ready


def test_a_phone_that_registers_the_same_day_still_gets_the_push_once() -> None:
    stage = Stage()
    full_baby(stage)
    stage.clock.turn(DAY, 8)
    stage.dispatch.plan_day(DAY)
    assert {(r.state, r.reason) for r in stage.of("baby")} == {(State.FAILED, "no_device")}
    assert stage.dispatch.revive("stranger") == 0
    stage.device("mother")
    assert stage.dispatch.revive("mother") == 3 and stage.dispatch.revive("mother") == 0
    assert stage.a_day(DAY) == 1, "three messages, one push"
    assert {r.state for r in stage.of("baby")} == {State.ACCEPTED}
    assert stage.inbox.unread("mother") == 3, "no message comes a second time"
    assert stage.dispatch.revive("mother") == 0 and stage.a_day(DAY) == 1


def test_what_a_channel_refused_or_another_day_missed_is_not_revived() -> None:
    stage = ready()
    stage.channel.answers["phone-of-mother"] = Answer.UNREGISTERED
    stage.a_day(DAY)
    stage.device("mother")
    assert stage.dispatch.revive("mother") == 0
    stage = Stage()
    full_baby(stage)
    stage.a_day(DAY)
    stage.clock.turn(DAY + timedelta(days=1), 8)
    stage.device("mother")
    assert stage.dispatch.revive("mother") == 0


def test_a_citizen_whose_plan_fails_is_found_by_the_next_run() -> None:
    stage = ready()
    broken = stage.records.care
    stage.records.care = _raise  # type: ignore[method-assign,assignment]  # a book that cannot be read
    with pytest.raises(RuntimeError):
        stage.person("second", BABY, "mother")
    stage.records.care = broken  # type: ignore[method-assign]  # mended
    assert stage.of("second") == []
    stage.a_day(DAY)
    assert {r.state for r in stage.of("second")} == {State.ACCEPTED}


def test_one_book_that_cannot_be_read_does_not_keep_the_others_waiting() -> None:
    stage = ready()
    stage.person("second", BABY, "mother")
    care = stage.records.care
    stage.records.care = lambda who, unit=None: _raise() if who == "second" else care(who)
    report = stage.dispatch.plan_day(DAY)
    assert (report.failed, report.messages) == (1, 3)
    assert "second" in stage.due.due_between(shard_of("second"), date.min, DAY, 9), "it stays due"


def test_when_no_book_can_be_read_the_run_fails() -> None:
    stage = Stage()
    everybody = list(islice((f"p{n}" for n in count() if shard_of(f"p{n}") == 3), 20))
    for person in everybody:
        stage.person(person, BABY, "mother")
    stage.records.care = _raise  # type: ignore[method-assign,assignment]  # the database is gone
    with pytest.raises(RuntimeError):
        stage.dispatch.plan_day(DAY)


def _raise(*_: object) -> list[Care]:
    raise RuntimeError
