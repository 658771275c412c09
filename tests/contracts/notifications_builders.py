"""Values for the contract checks of the notification ports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from notifications.model import Because, DueItem, Evidence, Status, Verdict
from notifications.outgoing import Batch, Device, Message, Push
from notifications.reminders import Reminder, shard_of
from notifications.sessions import SessionDays, SessionPeriod

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
LEASE = timedelta(seconds=120)


def make_item(**over: object) -> DueItem:
    seen = Evidence("r1", date(2026, 9, 1), "measles", Verdict.TOO_EARLY, date(2026, 9, 20))
    base = DueItem(
        "epi_routine",
        "measles",
        1,
        "vaccination",
        Status.DUE,
        Because("age", (seen,), ("circular",)),
        earliest=date(2026, 10, 1),
        recommended=date(2026, 11, 1),
        overdue=date(2026, 12, 1),
    )
    return base._replace(**over)


def make_reminder(name: str = "a", **over: object) -> Reminder:
    base = Reminder(
        id=f"rem-{name}",
        key=f"key-{name}",
        citizen_id="child",
        recipient_id="parent",
        shard=shard_of("parent"),
        programme_id="epi_routine",
        series_id="measles",
        dose=1,
        topic="vaccination",
        offset="on_day",
        phase="on",
        recommended=DAY,
        send_on=DAY,
    )
    return replace(base, **over)  # type: ignore[arg-type]  # builder: names are checked by replace itself


def make_batch(name: str = "b1", **over: object) -> Batch:
    pushes = (
        Push("parent", "nid1", ("rem-a", "rem-b")),
        Push("other", "nid2", ("rem-c",), frozenset({"inst-1"})),
    )
    base = Batch(name, 7, "push.v1", pushes, NOW, NOW + timedelta(days=2))
    return replace(base, **over)  # type: ignore[arg-type]  # builder: names are checked by replace itself


def make_message(name: str = "m1", **over: object) -> Message:
    base = Message(
        name, "parent", "child", "vaccination", "nid1", "Tiêu đề", "Nội dung", "reminder.v1", NOW, "rem-a"
    )
    return replace(base, **over)  # type: ignore[arg-type]  # builder: names are checked by replace itself


def make_device(name: str = "inst-1", **over: object) -> Device:
    base = Device(name, "parent", "fid", f"fid-of-{name}", "android", NOW)
    return replace(base, **over)  # type: ignore[arg-type]  # builder: names are checked by replace itself


def make_session_days(version: int = 1, **over: object) -> SessionDays:
    month = SessionPeriod(DAY, DAY + timedelta(days=60), frozenset(), frozenset({5, 20}), DAY)
    changed = replace(month, **over)  # type: ignore[arg-type]  # builder: names are checked by replace itself
    return SessionDays("00001", (changed,), version)
