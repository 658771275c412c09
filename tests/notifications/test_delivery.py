"""What each answer of the provider does to device, reminder, batch and channel."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications.delivery import backoff
from notifications.outgoing import Answer, BatchState
from notifications.reminders import SHARDS, State
from tests.notifications.stage import DAY, Stage, full_baby, ready


def answered(answer: Answer, retry_after: float | None = None) -> Stage:
    stage = ready()
    stage.channel.answers["phone-of-mother"] = answer
    stage.channel.retry_after = retry_after
    stage.a_day(DAY, hour=15)
    return stage


def test_an_unregistered_address_is_deleted_unless_it_registered_anew() -> None:
    stage = answered(Answer.UNREGISTERED)
    assert stage.devices.of_citizen("mother") == []
    assert {(r.state, r.reason) for r in stage.of("baby")} == {(State.FAILED, "unregistered")}

    stage = ready()
    stage.channel.answers["phone-of-mother"] = Answer.UNREGISTERED
    stage.channel.on_send = lambda: stage.device("mother")
    stage.a_day(DAY)
    assert len(stage.devices.of_citizen("mother")) == 1, "the new registration must survive the old verdict"


def test_a_bad_address_is_quarantined_then_deleted_and_a_success_clears_it() -> None:
    stage = answered(Answer.BAD_ADDRESS)
    assert [d.quarantined for d in stage.devices.of_citizen("mother")] == [True]
    stage.channel.answers.clear()
    stage.a_day(DAY + timedelta(days=7), hour=15)
    assert [d.quarantined for d in stage.devices.of_citizen("mother")] == [False]
    stage.channel.answers["phone-of-mother"] = Answer.BAD_ADDRESS
    stage.a_day(DAY + timedelta(days=21), hour=15)
    full_baby(stage, "twin")
    stage.a_day(DAY + timedelta(days=22), hour=15)
    assert stage.devices.of_citizen("mother") == []


def test_a_sender_mismatch_disables_and_alerts() -> None:
    stage = answered(Answer.SENDER_MISMATCH)
    assert [d.disabled for d in stage.devices.of_citizen("mother")] == [True]
    assert ("push_sender_mismatch", "push.v1", {"count": 1}) in stage.alerts


def test_a_provider_that_disowns_everybody_does_not_cost_us_the_devices() -> None:
    stage = ready()
    for number in range(4):
        stage.device("mother", f"phone-{number}")
    stage.channel.answers = {
        d.installation_id: Answer.SENDER_MISMATCH for d in stage.devices.of_citizen("mother")
    }
    stage.a_day(DAY, hour=15)
    assert not any(d.disabled for d in stage.devices.of_citizen("mother"))
    assert stage.alerts[0][0] == "push_unauthorised"
    assert {r.state for r in stage.of("baby")} == {State.DEFERRED}


def test_a_bad_payload_stops_the_template_and_spares_the_address() -> None:
    stage = answered(Answer.BAD_PAYLOAD)
    assert stage.brakes.stopped("push.v1") and ("push_bad_payload", "push.v1", {"count": 1}) in stage.alerts
    assert [d.quarantined for d in stage.devices.of_citizen("mother")] == [False]
    stage.channel.answers.clear()
    assert stage.send_all() == 1, "stopped: nothing is claimed"
    stage.brakes.release("push.v1")
    assert stage.send_all() == 2
    assert {r.state for r in stage.of("baby")} == {State.ACCEPTED}


@pytest.mark.parametrize(("retry_after", "seconds"), [(37.0, 37), (None, 60)])
def test_a_throttled_channel_is_paused_for_as_long_as_it_asked(
    retry_after: float | None, seconds: int
) -> None:
    stage = answered(Answer.THROTTLED, retry_after)
    assert stage.brakes.paused_until("fcm") == stage.clock() + timedelta(seconds=seconds)
    stage.channel.answers.clear()
    stage.clock.at += timedelta(seconds=seconds - 1)
    assert stage.send_all() == 1
    stage.clock.at += timedelta(seconds=1)
    assert stage.send_all() == 2
    [batch] = {r.mark for r in stage.of("baby")}
    found = stage.batch(batch)
    assert found.tries == 0 and len(found.attempts) == 2


def test_a_failing_provider_is_tried_six_times_again_then_it_is_dead() -> None:
    stage = answered(Answer.UNAVAILABLE)
    waits = []
    for _ in range(6):
        batch = stage.batch(stage.of("baby")[0].mark)
        assert batch.state is BatchState.QUEUED
        waits.append((batch.due_at - stage.clock()).total_seconds())
        stage.clock.at = batch.due_at
        stage.send_all()
    assert waits == [20, 30, 50, 90, 170, 330]
    batch = stage.batch(stage.of("baby")[0].mark)
    assert batch.state is BatchState.DEAD and len(batch.attempts) == 7
    assert {(r.state, r.reason) for r in stage.of("baby")} == {(State.DEAD, "unavailable")}
    assert ("push_dead", "push.v1", {"count": 1}) in stage.alerts


def test_a_retry_goes_only_to_the_phones_still_owed() -> None:
    stage = ready()
    stage.device("mother", "tablet")
    stage.channel.answers = {"phone-of-mother": Answer.UNAVAILABLE, "tablet": Answer.BAD_ADDRESS}
    stage.a_day(DAY, hour=15)
    stage.channel.sent.clear()
    stage.channel.answers.clear()
    stage.clock.at += timedelta(minutes=5)
    stage.send_all()
    assert [e.address.installation_id for e in stage.channel.sent] == ["phone-of-mother"]


def test_a_worker_that_died_after_the_claim_loses_nothing() -> None:
    stage = ready()
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    stage.clock.turn(DAY, 20)

    def die() -> None:
        raise KeyboardInterrupt

    stage.channel.on_send = die
    with pytest.raises(KeyboardInterrupt):
        stage.send_all()
    stage.channel.on_send = lambda: None
    assert {r.state for r in stage.of("baby")} == {State.LEASED} and stage.send_all() == 0
    stage.clock.at += timedelta(seconds=121)
    assert stage.outbox.sweep(stage.clock()) == 1 and stage.send_all() == 1
    assert {r.state for r in stage.of("baby")} == {State.ACCEPTED}


def test_a_worker_that_lost_its_lease_says_so_and_settles_nothing() -> None:
    stage = ready()
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    stage.clock.turn(DAY, 20)

    def taken_over() -> None:
        stage.channel.on_send = lambda: None
        stage.clock.at += timedelta(seconds=121)
        stage.outbox.sweep(stage.clock())

    stage.channel.on_send = taken_over
    reports = [stage.delivery.deliver(shard) for shard in range(SHARDS)]
    [report] = [r for r in reports if r is not None]
    assert report.lost and {r.state for r in stage.of("baby")} == {State.LEASED}
    stage.send_all()
    assert len({e.nid for e in stage.channel.sent}) == 1, "sent again under the same id: seen once"


def test_backoff_has_a_floor_and_full_jitter() -> None:
    assert [backoff(n, lambda: 0.0) for n in (1, 6)] == [10, 10]
    assert [backoff(n, lambda: 1.0) for n in (1, 6)] == [30, 650]
