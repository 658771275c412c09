"""One batch ahead: sent once, stopped in time, never stale, and nothing stays leased after a clean stop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.ahead import OneAhead
from notifications.delivery import FRESH, LEASE, Delivery
from notifications.model import Preferences
from notifications.outgoing import Answer, Batch, BatchState, Push
from notifications.reminders import SHARDS, State
from notifications.settling import Delivered
from tests.notifications.stage import DAY, Stage, full_baby

SHARD = 3
EVERY = range(SHARDS)


class Broken(Exception):
    """A channel or a store that fails in the middle."""


def queued(batches: int, people: int = 2) -> Stage:
    """So many batches of one shard, each with alerts for people of its own."""
    stage = Stage(DAY)
    stage.clock.turn(DAY, 8)
    for number in range(batches):
        ids = [f"p{number}-{place}" for place in range(people)]
        for who in ids:
            stage.device(who)
        pushes = tuple(Push(who, who, (), alert=True) for who in ids)
        now = stage.clock()
        due = now + timedelta(seconds=number - batches)
        stage.outbox.add(Batch(f"b{number}", SHARD, "push.v1", pushes, due, now + timedelta(days=30)))
    return stage


def states(stage: Stage) -> Counter[str]:
    return Counter(each.state.value for each in stage.outbox._kept.values())


def sent(stage: Stage) -> list[str]:
    return sorted(each.nid for each in stage.channel.sent)


def on_first_send(stage: Stage, work: Callable[[], object]) -> None:
    """Do this while the first batch is on the wire and the second is ready to go."""
    ready, take = threading.Event(), stage.delivery.take
    calls: Iterator[int] = iter(range(10**6))

    def taken(shard: int) -> object:
        run = take(shard)
        if next(calls):
            ready.set()
        return run

    def once() -> None:
        stage.channel.on_send = lambda: None
        assert ready.wait(10), "nothing was prepared ahead"
        work()

    stage.delivery.take = taken  # type: ignore[method-assign,assignment]  # watched
    stage.channel.on_send = once


def send(stage: Stage, *, most: int = 100, over: Callable[[], bool] = lambda: False) -> list[Delivered]:
    told: list[Delivered] = []
    count = OneAhead(stage.delivery, most).send(EVERY, told.append, over)
    assert count == sum("not_tried" not in each.answers or len(each.answers) > 1 for each in told)
    return told


def test_the_next_is_leased_while_one_is_sent_and_never_a_third() -> None:
    stage, seen = queued(5), list[int]()
    on_first_send(stage, lambda: seen.append(states(stage)["leased"]))
    told = send(stage)
    assert seen == [2] and [each.batch_id for each in told] == [f"b{n}" for n in range(5)]
    assert states(stage) == {"done": 5} and len(set(sent(stage))) == len(sent(stage)) == 10


def test_a_shard_gives_way_after_some_batches_and_empty_ones_cost_nothing() -> None:
    stage = queued(5)
    assert len(send(stage, most=2)) == 2 and states(stage) == {"done": 2, "queued": 3}
    assert len(send(Stage(DAY))) == 0


def test_a_stop_puts_back_what_was_ahead() -> None:
    stage, over = queued(4), threading.Event()
    on_first_send(stage, over.set)
    told = send(stage, over=over.is_set)
    assert [each.answers for each in told] == [{"accepted": 2}, {"not_tried": 2}]
    assert states(stage) == {"done": 1, "queued": 3}, "a clean stop leaves nothing leased"
    stage.clock.at += timedelta(seconds=1)
    send(stage)
    assert states(stage) == {"done": 4} and len(set(sent(stage))) == len(sent(stage)) == 8


@pytest.mark.parametrize("answer", [Answer.THROTTLED, Answer.BAD_PAYLOAD])
def test_what_brakes_one_holds_the_one_ahead(answer: Answer) -> None:
    stage = queued(3)
    stage.channel.answers = {f"phone-of-p0-{n}": answer for n in range(2)}
    on_first_send(stage, lambda: None)
    send(stage)
    assert sent(stage) == ["p0-0", "p0-1"] and states(stage) == {"queued": 3}
    stage.channel.answers = {}
    stage.brakes.release("push.v1")
    stage.clock.at += timedelta(minutes=2)
    send(stage)
    assert Counter(sent(stage)) == {f"p{b}-{n}": 2 if b == 0 else 1 for b in range(3) for n in range(2)}


def families() -> Stage:
    """Two mothers of different shards, each with reminders of the day."""
    stage = Stage(DAY)
    for name in ("mother", "aunt"):
        full_baby(stage, f"baby-of-{name}", name)
        stage.device(name)
    stage.clock.turn(DAY, 0)
    stage.dispatch.plan_day(DAY)
    stage.clock.turn(DAY, 20)
    stage.clock.at += timedelta(minutes=50)
    return stage


def later_of(stage: Stage) -> str:
    first, second = sorted(stage.outbox._kept.values(), key=lambda each: each.shard)
    assert first.shard < second.shard, "the two are meant to be in different shards"
    return second.pushes[0].recipient_id


def test_whoever_opts_out_while_one_waits_too_long_gets_nothing() -> None:
    stage = families()
    late = later_of(stage)

    def opt_out() -> None:
        stage.preferences.save(late, Preferences(frozenset({"vaccination", "checkup"})))
        stage.clock.at += FRESH + timedelta(seconds=1)

    on_first_send(stage, opt_out)
    send(stage)
    assert {each.address.citizen_id for each in stage.channel.sent} == {"mother", "aunt"} - {late}
    assert {r.state for r in stage.of(f"baby-of-{late}")} == {State.CANCELLED}


def test_reminders_put_back_wait_and_go_out_once() -> None:
    stage, over = families(), threading.Event()
    late = later_of(stage)
    on_first_send(stage, over.set)
    send(stage, over=over.is_set)
    assert {r.state for r in stage.of(f"baby-of-{late}")} == {State.DEFERRED}
    stage.clock.at += timedelta(seconds=1)
    send(stage)
    assert len(stage.channel.sent) == 2 and {r.state for r in stage.of(f"baby-of-{late}")} == {State.ACCEPTED}


def test_a_lease_lost_while_waiting_is_not_sent_on() -> None:
    stage, others = queued(2), list[str]()

    def rob() -> None:
        stage.clock.at += LEASE + timedelta(seconds=1)
        assert stage.outbox.sweep(stage.clock()) == 2
        for batch in iter(lambda: stage.outbox.claim(SHARD, stage.clock(), LEASE), None):
            others.append(batch.id)

    on_first_send(stage, rob)
    told = send(stage)
    assert others == ["b0", "b1"] and [each.lost for each in told] == [True, True]
    assert sent(stage) == ["p0-0", "p0-1"] and states(stage) == {"leased": 2}


def test_behind_a_slow_provider_nothing_is_prepared_in_vain() -> None:
    stage = queued(6)

    def slowly() -> None:
        time.sleep(0.02)  # time enough for the next to be ready, if it is prepared
        stage.clock.at += FRESH * 2

    stage.channel.on_send = slowly
    told = send(stage)
    assert sum("not_tried" in each.answers for each in told) <= 1
    assert states(stage) == {"done": 6} and len(sent(stage)) == 12


def test_a_channel_that_fails_leaves_only_its_own_batch_to_the_sweep() -> None:
    stage = queued(3)

    def fail() -> None:
        raise Broken

    on_first_send(stage, fail)
    with pytest.raises(Broken):
        send(stage)
    assert states(stage) == {"leased": 1, "queued": 2}


def test_a_store_that_fails_ahead_is_heard_of_after_the_batch_in_hand() -> None:
    stage = queued(3)
    take = stage.delivery.take
    calls = iter(range(100))

    def broken(shard: int) -> object:
        if next(calls) > SHARD:  # the shards below are empty
            raise Broken
        return take(shard)

    stage.delivery.take = broken  # type: ignore[method-assign,assignment]  # fails
    with pytest.raises(Broken):
        send(stage)
    assert states(stage) == {"done": 1, "queued": 2} and sent(stage) == ["p0-0", "p0-1"]


def test_a_killed_worker_leaves_two_to_the_sweep_and_the_one_ahead_is_sent_once() -> None:
    stage = queued(3)

    def killed(*_: object) -> None:
        raise Broken

    usual = stage.delivery.put_back
    stage.delivery.put_back = killed  # type: ignore[method-assign,assignment]  # as if killed
    on_first_send(stage, killed)
    with pytest.raises(Broken):
        send(stage)
    assert states(stage) == {"leased": 2, "queued": 1} and sent(stage) == []
    stage.delivery.put_back = usual  # type: ignore[method-assign]  # as before
    stage.clock.at += LEASE
    assert stage.outbox.sweep(stage.clock()) == 2
    send(stage)
    assert len(set(sent(stage))) == len(sent(stage)) == 6


def test_two_workers_share_a_shard_and_send_everything_once() -> None:
    stage = queued(40)
    stage.channel.on_send = lambda: time.sleep(0.001)
    told: list[list[Delivered]] = [[], []]
    workers = [
        threading.Thread(target=lambda n=n: OneAhead(stage.delivery, 100).send([SHARD], told[n].append))  # type: ignore[misc]  # the bound default
        for n in range(2)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join(30)
    assert states(stage) == {"done": 40} and len(set(sent(stage))) == len(sent(stage)) == 80
    assert sum(map(len, told)) == 40


WORDS = ("fine", "slow", "throttled", "fails", "stop", "back", "hour")


@settings(max_examples=40, deadline=None)
@given(weather=st.lists(st.sampled_from(WORDS), max_size=8), batches=st.integers(1, 6))
def test_whatever_befalls_a_worker_everybody_is_reached_and_only_failures_repeat(
    weather: list[str], batches: int
) -> None:
    stage, days, failed = queued(batches), iter(weather), list[str]()
    stops = threading.Event()

    def befall() -> None:
        assert states(stage)["leased"] <= 2
        word = next(days, "fine")
        stage.channel.answers = {}
        stage.clock.at += {"slow": FRESH * 2, "hour": timedelta(hours=1)}.get(word, timedelta())
        if word == "back":
            stage.clock.at -= timedelta(minutes=2)
        if word == "throttled":
            stage.channel.answers = dict.fromkeys(stage.devices._kept, Answer.THROTTLED)
        if word == "stop":
            stops.set()
        if word == "fails":
            failed.append(word)
            raise Broken

    stage.channel.on_send = befall
    for _ in range(60):
        broke = False
        try:
            send(stage, over=stops.is_set)
        except Broken:
            broke = True
        assert states(stage)["leased"] <= (1 if broke else 0) + len(failed)
        if not failed:
            assert states(stage)["leased"] == 0, "nothing stays leased after a clean end"
        stops.clear()
        if states(stage) == {"done": batches}:
            break
        stage.clock.at += timedelta(minutes=3)
        stage.outbox.sweep(stage.clock())
    assert states(stage) == {"done": batches}
    accepted = Counter(each for batch in stage.outbox._kept.values() for each in batch_answers(batch))
    assert accepted["accepted"] == batches * 2, "each push was accepted once"


def batch_answers(batch: Batch) -> Iterator[str]:
    assert batch.state is BatchState.DONE
    for attempt in batch.attempts:
        yield from Counter(dict(attempt.answers)).elements()


def test_letters_come_last_and_one_after_the_other() -> None:
    stage, order = queued(2), list[int]()

    class Letters:
        def __init__(self) -> None:
            self.left = 2

        def deliver(self, shard: int) -> Delivered | None:
            order.append(shard)
            self.left -= 1
            return Delivered("letters", {"accepted": 1}, BatchState.DONE) if self.left >= 0 else None

        def queue(self, run: object, unit: object) -> None:
            """None is wanted."""

    delivery: Delivery = stage.delivery
    delivery._fallback = Letters()  # type: ignore[assignment]  # counts only
    told: list[Delivered] = []
    assert OneAhead(delivery, 10).send([SHARDS + SHARD, SHARD], told.append) == 4
    assert [each.batch_id for each in told] == ["b0", "b1", "letters", "letters"]
    assert order == [SHARDS + SHARD] * 3
