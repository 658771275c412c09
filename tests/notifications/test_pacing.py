"""The shared speed: never more than allowed, whoever asks; a gentle start; a reserve; a breaker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.memory_brakes import MemoryTokens
from notifications.outgoing import Answer, Batch, Push
from notifications.pacing import BLOCK, Breaker, Bucket, Pacer, Rate, Tally, take
from notifications.reminders import shard_of
from tests.notifications.stage import DAY, Stage

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
STEADY = Rate(1000.0, ramp_s=0.0)

STEPS = st.lists(
    st.tuples(st.floats(-5.0, 30.0), st.integers(1, 5000), st.booleans()), min_size=1, max_size=40
)


@given(STEPS)
def test_no_stretch_of_time_gets_more_than_its_share(steps: list[tuple[float, int, bool]]) -> None:
    """Also when clocks jump back and forth: only time that passed for good counts."""
    rate, bucket, now, granted, passed = Rate(1000.0, ramp_s=10.0), None, NOW, 0, 0.0
    for seconds, want, critical in steps:
        now += timedelta(seconds=seconds)
        passed += max(0.0, seconds)
        bucket, got = take(bucket, rate, want, now, critical=critical)
        assert 0 <= got <= want
        granted += got
    assert granted <= rate.per_second * (1.0 + passed)
    assert bucket is not None and bucket.tokens >= 0


def test_the_start_is_gentle_and_full_speed_is_reached_after_the_ramp() -> None:
    rate, bucket, seconds = Rate(6000.0), None, []
    for second in range(75):
        bucket, got = take(bucket, rate, 10**6, NOW + timedelta(seconds=second), critical=True)
        seconds.append(got)
    assert seconds[0] <= 300 and seconds[30] == pytest.approx(3000, rel=0.05)
    assert seconds[70] == 6000 and sum(seconds[:60]) < 0.6 * 60 * 6000
    _, after_a_rest = take(bucket, rate, 10**6, NOW + timedelta(seconds=300), critical=True)
    assert after_a_rest <= 300, "a rest begins a new ramp"


def test_a_tenth_is_kept_for_what_is_critical() -> None:
    full = Bucket(1000.0, NOW, NOW - timedelta(hours=1))
    left, got = take(full, STEADY, 5000, NOW, critical=False)
    assert got == 900
    assert take(left, STEADY, 5000, NOW, critical=False)[1] == 0
    assert take(left, STEADY, 5000, NOW, critical=True)[1] == 100


def test_a_worker_leases_blocks_and_waits_no_longer_than_a_second() -> None:
    asked: list[int] = []
    slept: list[float] = []

    class Counted(MemoryTokens):
        def lease(self, bucket: str, rate: Rate, want: int, now: datetime, *, critical: bool = False) -> int:
            asked.append(want)
            return super().lease(bucket, rate, want, now, critical=critical)

    pacer = Pacer(Counted(), "fcm", Rate(10_000.0, ramp_s=0.0), lambda: NOW, slept.append)
    assert [pacer.take(100) for _ in range(5)] == [100] * 5 and asked == [BLOCK]
    assert pacer.take(20_000) == 8500 and sum(slept) == pytest.approx(1.0), "time stands still: no more comes"
    pacer.give_back(300)
    assert pacer.take(300) == 300


def test_what_the_speed_does_not_allow_waits_and_is_not_tried() -> None:
    stage = paced(Rate(100.0, ramp_s=0.0), people=150)
    [report] = [r for r in (stage.delivery.deliver(3),) if r]
    assert report.answers == {"accepted": 90, "not_tried": 60}
    stage.clock.at += timedelta(seconds=1)
    again = stage.delivery.deliver(3)
    assert again is not None and again.answers == {"accepted": 60}
    assert len(stage.channel.sent) == len({e.address.value for e in stage.channel.sent}) == 150


def test_critical_messages_go_first_and_on_the_reserve() -> None:
    stage = paced(Rate(100.0, ramp_s=0.0), people=120)
    stage.device("witness")
    alert = Push("witness", "f" * 32, (), alert=True)
    now = stage.clock()
    later = now + timedelta(days=1)
    stage.outbox.add(Batch("alert", 3, "push.v1", (alert,), now, later, lane="critical"))
    assert stage.delivery.deliver(3).batch_id == "alert"  # type: ignore[union-attr]
    stage.delivery.deliver(3)
    for number in range(5):
        one = Batch(f"alert-{number}", 3, "push.v1", (alert,), now, later, lane="critical")
        stage.outbox.add(one)
    told = [stage.delivery.deliver(3) for _ in range(5)]
    assert all(each is not None and each.answers == {"accepted": 1} for each in told)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_the_breaker_needs_many_answers_and_many_refusals(tried: int, refused: int) -> None:
    trips = Breaker().trips(Tally(tried, min(tried, refused)))
    assert trips == (tried >= 200 and min(tried, refused) / max(tried, 1) > 0.05)


def test_thirty_in_a_hundred_unregistered_pause_the_channel_and_lose_nobody() -> None:
    stage = paced(None, people=400)
    for number in range(0, 400, 10):
        for gone in (number, number + 3, number + 6):
            stage.channel.answers[f"phone-of-p{gone}"] = Answer.UNREGISTERED
    report = stage.delivery.deliver(3)
    assert report is not None and report.answers == {"accepted": 280, "unregistered": 120}
    assert stage.alerts == [("push_refused", "push.v1", {"count": 120})]
    assert stage.brakes.paused_until("fcm") == stage.clock() + timedelta(seconds=60)
    assert sum(bool(stage.devices.of_citizen(f"p{n}")) for n in range(400)) == 280
    more(stage, "second", [n for n in range(400) if n % 10 not in (0, 3, 6)])
    assert stage.delivery.deliver(3) is None, "held"
    stage.clock.at += timedelta(seconds=60)
    after = stage.delivery.deliver(3)
    assert after is not None and after.answers == {"accepted": 280}


def test_the_tally_is_of_one_minute() -> None:
    stage = Stage(DAY)
    assert stage.brakes.tally("fcm", NOW, 10, 1) == Tally(10, 1)
    assert stage.brakes.tally("fcm", NOW + timedelta(seconds=59), 10, 1) == Tally(20, 2)
    assert stage.brakes.tally("other", NOW, 1, 1) == Tally(1, 1)
    assert stage.brakes.tally("fcm", NOW + timedelta(seconds=60), 5, 0) == Tally(5, 0)


def paced(rate: Rate | None, people: int) -> Stage:
    """So many people with a phone each, and a push for every one of them in a batch of shard 3."""
    stage = Stage(DAY)
    stage.clock.turn(DAY, 12)
    if rate is not None:
        stage.delivery._pacer = Pacer(MemoryTokens(), "fcm", rate, stage.clock, lambda _: None)
    for number in range(people):
        stage.device(f"p{number}")
    more(stage, "first", range(people))
    return stage


def more(stage: Stage, name: str, who: range | list[int]) -> None:
    now = stage.clock()
    pushes = tuple(Push(f"p{n}", f"{n:032x}", (), alert=True) for n in who)
    stage.outbox.add(Batch(name, 3, "push.v1", pushes, now, now + timedelta(days=1)))
    assert 0 <= shard_of("p1") < 64
