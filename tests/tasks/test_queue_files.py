"""Messages over files appear whole or not at all, and carry nothing but days and shard numbers."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from notifications.dispatch import DayReport
from tests.tasks.worker_process import Idle, settings_of
from wallet_api import tasks
from wallet_api.infra.queue import FilesTransport
from wallet_api.tasks import celery_app


class FakeReminding:
    """Records what the tasks ask for."""

    def __init__(self, ready: frozenset[int] = frozenset()) -> None:
        self.asked: list[object] = []
        self._ready = ready
        self.dispatch = self
        self.outbox = self
        self.dead_letters = Idle()

    def plan_day(self, day: date) -> DayReport:
        self.asked.append(day)
        return DayReport(failed=2)

    def ready(self, now: datetime) -> frozenset[int]:
        return self._ready

    def sweep(self, now: datetime) -> int:
        self.asked.append(("sweep", now))
        return 1

    def take(self, shard: int) -> None:
        self.asked.append(shard)


LATE = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)  # 00:30 of the 21st in Vietnam


def app_of(folder: Path, reminding: FakeReminding, telling: object = None) -> Celery:
    idle = Idle()
    services: Any = SimpleNamespace(
        now=lambda: LATE, reminding=reminding, emergencies=idle, rights=idle, telling=telling or idle
    )
    sender: Any = reminding
    return celery_app(settings_of(folder), services, sender)


class FakeTelling(Idle):
    """Two webhooks, one of which somebody else is at."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def sweep(self) -> int:
        self.asked.append("sweep")
        return 0

    def due(self, limit: int) -> list[str]:
        return ["one", "two"][:limit]

    def turn(self, webhook: str) -> Any:
        self.asked.append(webhook)
        return None if webhook == "two" else SimpleNamespace(sent=3)


def test_what_ran_out_is_told_before_events_are_pushed(tmp_path: Path) -> None:
    telling = FakeTelling()
    app_of(tmp_path, FakeReminding(), telling).tasks[tasks.EVENTS_TASK]()
    assert telling.asked[0] == "sweep" and sorted(map(str, telling.asked[1:])) == ["one", "two"]
    assert messages(tmp_path) == []


def messages(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "broker" / "messages").glob("*.msg"))]


def test_today_is_the_vietnamese_day_of_the_injected_clock(tmp_path: Path) -> None:
    reminding = FakeReminding()
    app_of(tmp_path, reminding).tasks[tasks.TODAY_TASK]()
    assert reminding.asked == [date(2026, 11, 21)]


def test_a_wake_asks_for_every_ready_shard_and_names_nobody(tmp_path: Path) -> None:
    app_of(tmp_path, FakeReminding(frozenset({3, 60}))).tasks[tasks.WAKE_TASK]()
    sent = messages(tmp_path)
    # Files of one millisecond have no order.
    assert sorted((each["headers"]["task"], each["headers"]["argsrepr"]) for each in sent) == [
        (tasks.DELIVER_TASK, "[3]"),
        (tasks.DELIVER_TASK, "[60]"),
    ]
    assert all(each["headers"]["expires"] for each in sent), "calls nobody takes would pile up"


def test_a_shard_is_sent_and_leases_are_swept(tmp_path: Path) -> None:
    reminding = FakeReminding()
    app = app_of(tmp_path, reminding)
    app.tasks[tasks.SWEEP_TASK]()
    app.tasks[tasks.DELIVER_TASK](5)
    assert reminding.asked == [("sweep", LATE), 5]


def test_citizens_who_could_not_be_reviewed_are_heard_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app_of(tmp_path, FakeReminding()).tasks[tasks.TODAY_TASK]()
    [told] = [each for each in caplog.records if each.msg == "reviews_failed"]
    assert told.levelname == "WARNING" and told.__dict__["count"] == 2


def test_every_task_of_the_beat_exists_and_its_calls_go_stale(tmp_path: Path) -> None:
    app = app_of(tmp_path, FakeReminding())
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks and entry["options"]["expires"] > 0


def test_a_reader_never_sees_half_a_message(tmp_path: Path) -> None:
    app = app_of(tmp_path, FakeReminding())
    body, got = {"body": "x" * 200_000}, 0
    with app.connection_for_write() as connection:
        assert connection.transport_cls is FilesTransport
        channel = connection.channel()
        writer = threading.Thread(target=lambda: [channel._put("q", body) for _ in range(100)])
        writer.start()
        limit = time.monotonic() + 30
        while got < 100:
            assert time.monotonic() < limit, f"only {got} of 100 messages came whole"
            try:
                message = channel._get("q")
            except Empty:
                continue
            assert message == body
            got += 1
        writer.join()


def test_a_torn_message_does_not_end_the_worker(tmp_path: Path) -> None:
    app = app_of(tmp_path, FakeReminding())
    (tmp_path / "broker" / "messages" / "1_torn.q.msg").write_bytes(b'{"half":')
    with app.connection_for_write() as connection, pytest.raises(Empty):
        connection.channel()._get("q")


def test_a_worker_waiting_for_a_message_soon_looks_at_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two waits Celery strikes off ended tasks, and hears that it is to stop."""
    waited: list[float | None] = []
    monkeypatch.setattr(
        "kombu.transport.filesystem.Transport.drain_events",
        lambda self, connection, timeout=None: waited.append(timeout),
    )
    transport = FilesTransport.__new__(FilesTransport)
    for limits in ({"timeout": 2.0}, {"timeout": 0.01}, {}):
        transport.drain_events(None, **limits)
    assert waited[0] is not None and 0 < waited[0] <= 0.2 and waited[1:] == [0.01, None]
