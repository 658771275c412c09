"""No hot query of the notification stores reads a whole collection of the embedded database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from pymongo import monitoring
from pymongo.database import Database

from notifications.pacing import Rate
from notifications.reminders import State, shard_of
from tests.contracts import notifications_contract as contract
from tests.contracts.notifications_contract import DAY, LEASE, NOW
from tests.contracts.test_notification_stores import Stores, fill


class Asked(monitoring.CommandListener):
    """What the driver asks the database, while somebody listens."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.commands is not None:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


ASKED = Asked()
monitoring.register(ASKED)


@pytest.fixture
def crowded(embedded_db: Database[dict[str, Any]]) -> Iterator[Stores]:
    stores = Stores(embedded_db)
    fill(stores)
    yield stores
    ASKED.commands = None


HOT: dict[str, Callable[[Stores], object]] = {
    "due_between": lambda s: s.due_items.due_between(5, date.min, DAY, 10),
    "planned": lambda s: s.reminders.planned(shard_of("parent"), DAY, 10),
    "many": lambda s: s.reminders.many(["rem-a", "rem-b"]),
    "move": lambda s: s.reminders.move(["rem-a", "rem-b"], [State.PLANNED], State.QUEUED),
    "cancel_for": lambda s: s.reminders.cancel_for("child", "measles", 1, "given"),
    "of_citizen": lambda s: s.reminders.of_citizen("child"),
    "pushed_on": lambda s: s.reminders.pushed_on("parent", DAY),
    "of_recipient": lambda s: s.reminders.of_recipient("parent", DAY, DAY),
    "push days": lambda s: s.push_days.last(["parent", "other"]),
    "push day claimed": lambda s: s.push_days.claim(DAY, "other", {"parent": (DAY, "batch")}),
    "session days": lambda s: s.session_book.of("00001"),
    "claim": lambda s: s.outbox.claim(7, NOW, LEASE),
    "dead": lambda s: s.outbox.dead(10),
    "next dead": lambda s: s.outbox.dead(10, (NOW, "b1")),
    "get": lambda s: s.outbox.get("b1"),
    "unread_pushes": lambda s: s.inbox.unread_pushes(["parent", "other"]),
    "preferences of many": lambda s: s.preferences.of_many(["parent", "other"]),
    "tokens": lambda s: s.tokens.lease("fcm", Rate(), 1, NOW),
    "ready": lambda s: s.outbox.ready(NOW),
    "reminder figures": lambda s: s.reminders.figures(),
    "inbox page": lambda s: s.inbox.page("parent", 10),
    "inbox next page": lambda s: s.inbox.page("parent", 10, (NOW, "m1")),
    "unread": lambda s: s.inbox.unread("parent"),
    "mark_read": lambda s: s.inbox.mark_read("parent", "m1", NOW),
    "addresses_of": lambda s: s.devices.addresses_of(["parent", "other"], NOW),
    "register": lambda s: s.devices.register(contract.make_device()),
    "preferences": lambda s: s.preferences.of("parent"),
    "paused_until": lambda s: s.brakes.paused_until("fcm"),
    "holds": lambda s: s.brakes.holds("fcm", "push.v1", NOW),
}


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_uses_an_index(name: str, crowded: Stores) -> None:
    ASKED.commands = []
    HOT[name](crowded)
    asked, ASKED.commands = ASKED.commands, None
    reads = [command for command in asked if {"find", "aggregate"} & command.keys()]
    assert reads
    for command in reads:
        plan = explained(crowded.db, command)
        assert "COLLSCAN" not in plan and "IXSCAN" in plan, f"{name} reads a whole collection: {command}"


def test_sweep_looks_only_at_leases_that_ran_out(crowded: Stores) -> None:
    ran_out = {"state": "leased", "lease_until": {"$lte": NOW}}
    assert "IXSCAN" in explained(crowded.db, {"find": "outbox", "filter": ran_out})


def test_the_explain_guard_sees_a_scan(crowded: Stores) -> None:
    assert "COLLSCAN" in explained(crowded.db, {"find": "outbox", "filter": {"template": "push.v1"}})


def explained(db: Database[dict[str, Any]], command: dict[str, Any]) -> str:
    kept = ("find", "aggregate", "filter", "pipeline", "sort", "limit", "projection", "cursor")
    bare = {name: value for name, value in command.items() if name in kept}
    answer = db.command("explain", bare, verbosity="queryPlanner")
    planner = answer.get("queryPlanner") or answer["stages"][0]["$cursor"]["queryPlanner"]
    return str(planner["winningPlan"])
