"""What every implementation of a notification port must keep. Each `check_*` takes a fresh, empty store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from notifications.errors import LeaseLost, MessageNotFound
from notifications.model import Preferences, Status
from notifications.outgoing import Attempt, BatchState
from notifications.pacing import Rate, Tally, Tokens
from notifications.ports import Brakes, Devices, DueItems, Inbox, Outbox, PreferenceStore, Reminders
from notifications.push_days import PushDays
from notifications.reminders import State, shard_of
from notifications.sessions import SessionBook
from tests.contracts.notifications_builders import (
    DAY,
    LEASE,
    NOW,
    make_batch,
    make_device,
    make_item,
    make_message,
    make_reminder,
    make_session_days,
)


def check_due_items_keep_the_last_plan_of_a_citizen(store: DueItems) -> None:
    items = (make_item(), make_item(dose=2, status=Status.UPCOMING, waits_for="measles/1", overdue=None))
    store.replace("child", items, DAY)
    assert list(store.due_between(shard_of("child"), date.min, date.max, 10)) == ["child"]
    store.replace("child", items[:1], None)
    assert store.due_between(shard_of("child"), date.min, date.max, 10) == []


def check_due_items_are_found_by_shard_and_day(store: DueItems) -> None:
    shard = shard_of("c0")
    mine = [c for c in (f"c{n}" for n in range(2000)) if shard_of(c) == shard][:4]
    for place, citizen in enumerate(mine):
        store.replace(citizen, (make_item(),), DAY + timedelta(days=place))
    store.replace("elsewhere", (make_item(),), None)
    assert list(store.due_between(shard, DAY, DAY + timedelta(days=2), 10)) == mine[:3]
    assert list(store.due_between(shard, DAY + timedelta(days=1), DAY + timedelta(days=9), 10)) == mine[1:]
    assert list(store.due_between(shard, date.min, date.max, 2)) == mine[:2]
    assert list(store.due_between((shard + 1) % 64, date.min, date.max, 10)) == []


def check_reminders_are_planned_once(store: Reminders) -> None:
    assert store.plan(make_reminder())
    moved = make_reminder(send_on=DAY + timedelta(days=3), recommended=DAY + timedelta(days=3))
    assert store.plan(moved), "a planned reminder takes the new day"
    assert store.many(["rem-a"]) == {"rem-a": moved}
    assert store.move(["rem-a"], [State.PLANNED], State.QUEUED, mark="b1") == {"rem-a"}
    assert not store.plan(make_reminder()), "a queued reminder must not be planned again"
    assert store.many(["rem-a"]) == {"rem-a": replace(moved, state=State.QUEUED, mark="b1")}
    assert store.cancel_for("child", "measles", 1, "given") == 1
    assert store.plan(make_reminder()), "a cancelled one was never sent and may be planned anew"
    assert store.many(["rem-a", "absent"]) == {"rem-a": make_reminder()} and store.many([]) == {}


def check_reminders_move_by_compare_and_set(store: Reminders) -> None:
    for name in "abc":
        store.plan(make_reminder(name))
    assert store.move(["rem-a", "rem-b", "absent"], [State.PLANNED], State.QUEUED) == {"rem-a", "rem-b"}
    assert store.move(
        ["rem-a", "rem-b", "rem-c"], [State.QUEUED, State.DEFERRED], State.LEASED, mark="x"
    ) == {
        "rem-a",
        "rem-b",
    }
    assert store.move(["rem-c"], [State.PLANNED], State.LEASED) == frozenset(), "no such step"
    assert store.move(["rem-a"], [State.QUEUED], State.CANCELLED) == frozenset()
    assert store.move(["rem-a"], [State.LEASED], State.FAILED, reason="unregistered") == {"rem-a"}
    found = store.many(["rem-a"])["rem-a"]
    assert (found.state, found.mark, found.reason) == (State.FAILED, "x", "unregistered")
    assert store.move(["rem-a"], [State.FAILED], State.PLANNED, reason="device_registered") == {"rem-a"}
    assert [each.id for each in store.planned(found.shard, DAY, 1)] == ["rem-a"]
    assert store.move([], [State.LEASED], State.FAILED) == frozenset()


def check_reminders_same_move_twice_counts_once(store: Reminders) -> None:
    store.plan(make_reminder())
    with ThreadPoolExecutor(8) as pool:
        moves = [
            pool.submit(store.move, ["rem-a"], [State.PLANNED], State.QUEUED, f"worker{n}") for n in range(8)
        ]
        winners = [move.result() for move in moves]
    assert sum(len(won) for won in winners) == 1
    assert store.many(["rem-a"])["rem-a"].mark == f"worker{winners.index(frozenset({'rem-a'}))}"


def check_reminders_cancel_every_copy_of_a_dose_not_yet_leased(store: Reminders) -> None:
    store.plan(make_reminder("a"))
    store.plan(make_reminder("b", recipient_id="father", shard=shard_of("father")))
    store.plan(make_reminder("c", dose=2))
    store.plan(make_reminder("d", citizen_id="sibling"))
    store.plan(make_reminder("e", offset="before_7"))
    store.move(["rem-e"], [State.PLANNED], State.QUEUED)
    store.move(["rem-e"], [State.QUEUED], State.LEASED)
    assert store.cancel_for("child", "measles", 1, "given") == 2
    states = {r.id: (r.state, r.reason) for r in store.many([f"rem-{name}" for name in "abcde"]).values()}
    assert states["rem-a"] == states["rem-b"] == (State.CANCELLED, "given")
    assert {states[f"rem-{name}"][0] for name in "cd"} == {State.PLANNED}
    assert states["rem-e"][0] is State.LEASED
    assert {r.id for r in store.of_citizen("child")} == {"rem-a", "rem-b", "rem-c", "rem-e"}


def check_reminders_planned_are_found_by_recipient_shard(store: Reminders) -> None:
    rows = [make_reminder(name, recipient_id=who) for name, who in (("1", "p2"), ("2", "p1"), ("3", "p1"))]
    for row in rows:
        store.plan(replace(row, shard=5))
    store.plan(make_reminder("4", shard=5, send_on=DAY + timedelta(days=1)))
    store.plan(make_reminder("5", shard=6))
    assert [r.id for r in store.planned(5, DAY, 10)] == ["rem-2", "rem-3", "rem-1"]
    assert [r.id for r in store.planned(5, DAY, 2)] == ["rem-2", "rem-3"]
    store.move(["rem-2"], [State.PLANNED], State.QUEUED)
    assert [r.id for r in store.planned(5, DAY, 10)] == ["rem-3", "rem-1"]


def check_reminders_tell_whether_a_day_had_its_push(store: Reminders) -> None:
    store.plan(make_reminder("a"))
    store.plan(make_reminder("b", send_on=DAY + timedelta(days=1)))
    store.plan(make_reminder("c", recipient_id="other"))
    assert not store.pushed_on("parent", DAY)
    store.move(["rem-b", "rem-c"], [State.PLANNED], State.QUEUED)
    assert not store.pushed_on("parent", DAY)
    assert store.pushed_on("parent", DAY + timedelta(days=1)) and store.pushed_on("other", DAY)
    store.cancel_for("child", "measles", 1, "given")
    assert not store.pushed_on("other", DAY)


def check_outbox_gives_a_batch_to_one_worker(store: Outbox) -> None:
    store.add(make_batch())
    store.add(make_batch(shard=9))
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.claim(7, NOW, LEASE), range(8)))
    [won] = [batch for batch in claims if batch is not None]
    assert won.pushes == make_batch().pushes and won.state is BatchState.LEASED
    assert won.lease_until == NOW + LEASE
    assert store.claim(9, NOW, LEASE) is None, "a known id must be ignored"


def check_outbox_claims_what_is_due_oldest_first(store: Outbox) -> None:
    store.add(make_batch("late", due_at=NOW + timedelta(hours=1)))
    store.add(make_batch("second", due_at=NOW - timedelta(minutes=1)))
    store.add(make_batch("first", due_at=NOW - timedelta(minutes=2)))
    store.add(make_batch("other", shard=8))
    assert store.ready(NOW) == {7, 8}
    order = [batch.id for batch in iter(lambda: store.claim(7, NOW, LEASE), None)]
    assert order == ["first", "second"]
    assert store.ready(NOW) == {8}
    assert store.ready(NOW + timedelta(hours=1)) == {7, 8}


def check_outbox_acknowledges_as_a_whole(store: Outbox) -> None:
    store.add(make_batch())
    batch = store.claim(7, NOW, LEASE)
    assert batch is not None
    later, attempt = NOW + timedelta(seconds=30), Attempt(NOW, {"accepted": 1, "unavailable": 1})
    store.acknowledge(batch, attempt, BatchState.QUEUED, batch.pushes[1:], later, 1)
    assert store.claim(7, NOW, LEASE) is None
    again = store.claim(7, later, LEASE)
    assert again is not None and again.pushes == batch.pushes[1:] and again.tries == 1
    assert again.attempts == (attempt,)
    last = Attempt(later, {"accepted": 1})
    store.acknowledge(again, last, BatchState.QUEUED, again.pushes, later, 2)
    once_more = store.claim(7, later, LEASE)
    assert once_more is not None and once_more.attempts == (attempt, last)
    store.acknowledge(once_more, last, BatchState.DONE, (), None, 2)
    assert store.claim(7, later + timedelta(days=9), LEASE) is None
    assert store.sweep(later + timedelta(days=9)) == 0


def check_outbox_returns_the_batch_of_a_dead_worker(store: Outbox) -> None:
    store.add(make_batch())
    lost = store.claim(7, NOW, LEASE)
    assert lost is not None
    assert store.sweep(NOW + LEASE - timedelta(seconds=1)) == 0
    assert store.sweep(NOW + LEASE) == 1
    taken = store.claim(7, NOW + LEASE, LEASE)
    assert taken is not None
    with pytest.raises(LeaseLost):
        store.acknowledge(lost, Attempt(NOW, {}), BatchState.DONE)
    assert store.ready(NOW + timedelta(days=1)) == frozenset(), "a lost lease must change nothing"
    store.acknowledge(taken, Attempt(NOW, {}), BatchState.DONE)
    assert store.sweep(NOW + timedelta(days=1)) == 0


def check_outbox_gives_what_is_critical_first(store: Outbox) -> None:
    store.add(make_batch("old", due_at=NOW - timedelta(hours=1)))
    store.add(make_batch("late", due_at=NOW + timedelta(hours=1), lane="critical"))
    store.add(make_batch("alert", due_at=NOW, lane="critical"))
    order = iter(lambda: store.claim(7, NOW, LEASE), None)
    assert [(each.id, each.lane) for each in order] == [("alert", "critical"), ("old", "normal")]


def check_outbox_keeps_dead_batches_for_a_replay(store: Outbox) -> None:
    for place, name in enumerate("abc"):
        store.add(make_batch(name))
        batch = store.claim(7, NOW, LEASE)
        assert batch is not None
        died_at = NOW + timedelta(minutes=place)
        attempt = Attempt(died_at, {"unavailable": 1})
        store.acknowledge(batch, attempt, BatchState.DEAD, batch.pushes[:1], died_at, 7)
    store.add(make_batch("alive"))
    assert [each.id for each in store.dead(9)] == ["c", "b", "a"]
    assert [each.id for each in store.dead(1)] == ["c"]
    assert [each.id for each in store.dead(9, (NOW + timedelta(minutes=2), "c"))] == ["b", "a"]
    dead, until = store.get("a"), NOW + timedelta(days=3)
    assert dead is not None and dead.pushes == make_batch().pushes[:1] and store.get("absent") is None
    assert store.revive(dead, NOW, until) and not store.revive(dead, NOW, until)
    again = store.get("a")
    assert again is not None and (again.state, again.tries, again.replays) == (BatchState.QUEUED, 0, 1)
    assert (again.due_at, again.until, again.pushes) == (NOW, until, dead.pushes)
    alive = store.get("alive")
    assert alive is not None and not store.revive(alive, NOW, until)
    assert {each.id for each in iter(lambda: store.claim(7, NOW, LEASE), None)} == {"a", "alive"}
    assert store.forget_dead(NOW + timedelta(minutes=1)) == 1
    assert [each.id for each in store.dead(9)] == ["c"] and store.get("b") is None


def check_inbox_names_unread_pushes(store: Inbox) -> None:
    store.add([make_message(), make_message("m2", nid="nid2"), make_message("m3", recipient_id="other")])
    store.add([make_message("m4", recipient_id="stranger")])
    store.mark_read("parent", "m1", NOW)
    found = set(store.unread_pushes(["parent", "other", "nobody"]))
    assert found == {("parent", "nid2"), ("other", "nid1")} and set(store.unread_pushes([])) == set()


def check_inbox_adds_once_and_keeps_the_read_mark(store: Inbox) -> None:
    assert store.add([make_message(), make_message("m2")]) == 2
    read = store.mark_read("parent", "m1", NOW + timedelta(minutes=5))
    assert read.read_at == NOW + timedelta(minutes=5)
    assert store.add([make_message(title="again"), make_message("m3")]) == 1
    assert store.mark_read("parent", "m1", NOW + timedelta(hours=5)) == read
    assert store.unread("parent") == 2


def check_inbox_pages_newest_first(store: Inbox) -> None:
    times = {f"m{n}": NOW + timedelta(minutes=n // 2) for n in range(5)}
    store.add([make_message(name, created_at=at) for name, at in times.items()])
    store.add([make_message("foreign", recipient_id="other")])
    first = store.page("parent", 2)
    rest = store.page("parent", 9, (first[-1].created_at, first[-1].id))
    assert [m.id for m in [*first, *rest]] == ["m4", "m3", "m2", "m1", "m0"]
    assert first[0] == make_message("m4", created_at=times["m4"])


def check_inbox_shows_nothing_foreign(store: Inbox) -> None:
    store.add([make_message(), make_message("m2", nid="nid2")])
    for who, which in (("other", "m1"), ("parent", "absent")):
        with pytest.raises(MessageNotFound):
            store.mark_read(who, which, NOW)
    assert store.unread("parent") == 2
    assert list(store.page("other", 9)) == []


def check_inbox_keeps_messages_that_no_reminder_sent(store: Inbox) -> None:
    told = make_message(reminder_id=None)
    store.add([told])
    assert list(store.page("parent", 9)) == [told]


def check_devices_register_moves_an_address(store: Devices) -> None:
    first = store.register(make_device())
    assert [d.installation_id for d in store.of_citizen("parent")] == ["inst-1"]
    second = store.register(make_device(citizen_id="other", last_seen=NOW + timedelta(minutes=1)))
    assert second.version > first.version and store.of_citizen("parent") == []
    store.register(make_device("inst-9", value=second.value, last_seen=NOW + timedelta(minutes=2)))
    assert store.of_citizen("other") == [], "one address has one owner"
    assert [d.value for d in store.of_citizen("parent")] == [second.value]


def check_devices_keep_five_a_citizen(store: Devices) -> None:
    for n in range(7):
        store.register(make_device(f"inst-{n}", last_seen=NOW + timedelta(minutes=n)))
    store.register(make_device("inst-x", citizen_id="other"))
    assert [d.installation_id for d in store.of_citizen("parent")] == [f"inst-{n}" for n in (6, 5, 4, 3, 2)]
    assert len(store.of_citizen("other")) == 1


def check_devices_verdicts_spare_a_new_registration(store: Devices) -> None:
    old = store.register(make_device())
    new = store.register(make_device(value="fid-renewed", last_seen=NOW + timedelta(minutes=1)))
    for verdict in (store.delete_if_unchanged, store.quarantine, store.disable, store.clear):
        assert not verdict("inst-1", old.version)
    [address] = store.addresses_of(["parent"], NOW)["parent"]
    assert (address.value, address.version, address.quarantined) == ("fid-renewed", new.version, False)
    assert store.delete_if_unchanged("inst-1", new.version)
    assert not store.delete_if_unchanged("inst-1", new.version)
    back = store.register(make_device(last_seen=NOW + timedelta(minutes=2)))
    assert back.version not in (old.version, new.version), "a version must not come back after a deletion"


def check_devices_quarantine_then_delete(store: Devices) -> None:
    device = store.register(make_device())
    assert store.quarantine("inst-1", device.version)
    assert [a.quarantined for a in store.addresses_of(["parent"], NOW)["parent"]] == [True]
    assert store.clear("inst-1", device.version)
    assert [a.quarantined for a in store.addresses_of(["parent"], NOW)["parent"]] == [False]
    assert store.quarantine("inst-1", device.version) and store.quarantine("inst-1", device.version)
    assert store.of_citizen("parent") == []


def check_devices_addresses_skip_disabled_and_silent(store: Devices) -> None:
    bad = store.register(make_device("inst-bad"))
    store.register(make_device("inst-old", last_seen=NOW - timedelta(days=40)))
    store.register(make_device("inst-good"))
    store.register(make_device("inst-other", citizen_id="other", kind="token"))
    assert store.disable("inst-bad", bad.version)
    found = store.addresses_of(["parent", "other", "nobody"], NOW - timedelta(days=35))
    assert {
        who: [(a.installation_id, a.kind, a.citizen_id) for a in some] for who, some in found.items()
    } == {
        "parent": [("inst-good", "fid", "parent")],
        "other": [("inst-other", "token", "other")],
    }
    again = store.register(make_device("inst-bad"))
    assert not again.disabled, "registering anew enables"


def check_devices_are_removed_only_by_their_owner(store: Devices) -> None:
    store.register(make_device())
    assert not store.remove("other", "inst-1")
    assert store.remove("parent", "inst-1") and not store.remove("parent", "inst-1")


def check_brakes_only_lengthen_a_pause(store: Brakes) -> None:
    assert store.paused_until("fcm") is None
    store.pause("fcm", NOW + timedelta(seconds=60))
    store.pause("fcm", NOW + timedelta(seconds=10))
    assert store.paused_until("fcm") == NOW + timedelta(seconds=60)
    assert store.paused_until("sms") is None


def check_brakes_stop_a_template_until_released(store: Brakes) -> None:
    assert not store.stopped("push.v1")
    store.stop("push.v1")
    store.stop("push.v1")
    assert store.stopped("push.v1") and not store.stopped("push.v2")
    store.release("push.v1")
    assert not store.stopped("push.v1")


def check_brakes_hold_while_paused_or_stopped(store: Brakes) -> None:
    later = NOW + timedelta(seconds=60)
    assert not store.holds("fcm", "push.v1", NOW)
    store.pause("fcm", later)
    assert store.holds("fcm", "push.v1", NOW) and not store.holds("other", "push.v1", NOW)
    assert not store.holds("fcm", "push.v1", later), "a pause is over when it says"
    store.stop("push.v1")
    assert store.holds("fcm", "push.v1", later) and not store.holds("fcm", "push.v2", later)
    store.release("push.v1")
    assert not store.holds("fcm", "push.v1", later)


def check_brakes_count_the_answers_of_a_minute(store: Brakes) -> None:
    minute = NOW.replace(second=0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: store.tally("fcm", minute, 10, 1), range(8)))
    assert max(each.tried for each in found) == 80 and min(each.tried for each in found) >= 10
    assert store.tally("fcm", minute + timedelta(seconds=59), 0, 0) == Tally(80, 8)
    assert store.tally("mail", minute, 1, 1) == Tally(1, 1)
    assert store.tally("fcm", minute + timedelta(seconds=60), 5, 0) == Tally(5, 0)


def check_tokens_are_given_once(store: Tokens) -> None:
    rate = Rate(1000.0, ramp_s=0.0)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: store.lease("fcm", rate, 300, NOW), range(6)))
    assert sum(found) == 900 and max(found) == 300, "the reserve stays"
    assert store.lease("fcm", rate, 300, NOW, critical=True) == 100
    assert store.lease("other", rate, 10, NOW) == 10
    assert store.lease("fcm", rate, 300, NOW + timedelta(seconds=0.5)) == 300


def check_preferences_default_and_replace(store: PreferenceStore) -> None:
    assert store.of("nobody") == Preferences()
    chosen = Preferences(frozenset({"checkup"}), (8, 20), "en")
    store.save("me", chosen)
    assert store.of("me") == chosen
    store.save("me", Preferences())
    assert store.of("me") == Preferences()
    much = Preferences(
        muted=frozenset({("vaccination", "push")}),
        zone="Europe/Berlin",
        a_week=(("checkup", 1), ("vaccination", 3)),
        urgent=frozenset({"vaccination"}),
        language="km-KH",
    )
    store.save("me", much)
    assert store.of("me") == much


def check_push_days_are_given_away_once(store: PushDays) -> None:
    assert store.last(["parent", "other"]) == {}
    assert store.claim(DAY, "first", {"parent": None}) == {"parent"}
    assert store.claim(DAY, "second", {"parent": None, "other": None}) == {"other"}
    assert store.last(["parent", "other", "nobody"]) == {"parent": (DAY, "first"), "other": (DAY, "second")}


def check_push_days_change_hands_from_what_was_seen_alone(store: PushDays) -> None:
    tomorrow = DAY + timedelta(days=1)
    store.claim(DAY, "first", {"parent": None})
    seen = {"parent": (DAY, "first")}
    assert store.claim(tomorrow, "second", seen) == {"parent"}
    assert store.claim(tomorrow, "third", seen) == frozenset()
    assert store.last(["parent"]) == {"parent": (tomorrow, "second")}


def check_session_book_keeps_the_last_version(store: SessionBook) -> None:
    assert store.of("00001") is None
    first, second = make_session_days(), make_session_days(2, days=frozenset({DAY}))
    assert store.publish(first, 0) and store.of("00001") == first
    assert store.publish(second, 1) and store.of("00001") == second


def check_session_book_refuses_what_did_not_see_the_last_version(store: SessionBook) -> None:
    assert not store.publish(make_session_days(2), 1)
    store.publish(make_session_days(), 0)
    assert not store.publish(make_session_days(monthly=frozenset({1})), 0)
    assert not store.publish(make_session_days(3, monthly=frozenset({1})), 2)
    assert store.of("00001") == make_session_days()


def check_reminders_of_a_person_are_found_by_day(store: Reminders) -> None:
    later = DAY + timedelta(days=3)
    store.plan(make_reminder("a"))
    store.plan(make_reminder("b", send_on=later, session=later))
    store.plan(make_reminder("c", recipient_id="somebody"))
    assert [each.id for each in store.of_recipient("parent", DAY, DAY)] == ["rem-a"]
    both = store.of_recipient("parent", DAY, later)
    assert sorted((each.id, each.session) for each in both) == [("rem-a", None), ("rem-b", later)]
    assert store.of_recipient("parent", later + timedelta(days=1), date.max) == []


def checks_of(kind: str) -> Sequence[Callable[..., None]]:
    """All checks of one port: such as due_items, reminders, outbox or push_days."""
    return [check for name, check in sorted(globals().items()) if name.startswith(f"check_{kind}_")]
