"""What follows from a sign-in: planning that keeps nobody out, and telling of a stolen token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from notifications.memory import MemoryInbox, MemoryPreferences
from notifications.outgoing import Device
from notifications.reminders import shard_of
from wallet_api.audit.log import AccessLog
from wallet_api.audit.memory import MemoryAuditStore
from wallet_api.context import Services
from wallet_api.identity.model import Profile, Session
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.settings import Settings
from wallet_api.wiring import build_services
from wallet_api.wiring.theft import theft_teller

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
SESSION = Session("s1", "citizen", "an", "app", "Ví", NOW, NOW, NOW, "2")


@pytest.fixture(scope="module")
def services(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder, db = tmp_path_factory.mktemp("wallet"), open_database(embedded_uri, f"after_{new_id()}")
    told = {"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(folder), "WALLET_MONGO_URI": embedded_uri}
    services = build_services(Settings.from_env(told), db)
    yield services
    services.log.close()
    db.client.close()


def fail(*_: object) -> Any:
    raise RuntimeError


def test_a_plan_that_fails_keeps_nobody_out_and_is_made_by_the_next_run(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    planning, today = services.reminding.planning, vn_day(services.now())
    due = planning._ports.due
    with monkeypatch.context() as broken:
        broken.setattr(planning, "forecasts", fail)
        made = services.identity.people.register(Profile("An", date(2026, 2, 20), "female"))
    assert services.identity.people.facts(made).born == date(2026, 2, 20)
    assert "plan_failed" in [each.msg for each in caplog.records]
    assert due.due_between(shard_of(made), date.min, today, 9) == [made]
    planning.review_shard(shard_of(made), today)
    assert due.due_between(shard_of(made), date.min, today, 9) == []


def test_a_registered_phone_revives_and_a_reviving_that_fails_costs_no_registration(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = list[str]()
    phone = Device("inst-1", "an", "fid", "fid-of-phone", "android", services.now())
    monkeypatch.setattr(services.reminding.devices, "after", asked.append)
    services.reminding.devices.register(phone)
    assert asked == ["an"]
    monkeypatch.setattr(services.reminding.devices, "after", fail)
    services.reminding.devices.register(replace(phone, last_seen=NOW + timedelta(minutes=1)))
    assert [each.installation_id for each in services.reminding.devices.of_citizen("an")] == ["inst-1"]
    assert "revive_failed" in [each.msg for each in caplog.records]


def test_the_phone_of_the_wiring_asks_the_dispatch(services: Services) -> None:
    devices: Any = services.reminding.devices
    assert devices.after == services.reminding.dispatch.revive


@pytest.fixture
def log() -> Iterator[AccessLog]:
    log = AccessLog(MemoryAuditStore(), lambda: NOW)
    yield log
    log.close()


def test_a_stolen_token_is_told_to_the_citizen_and_to_the_log(log: AccessLog) -> None:
    inbox = MemoryInbox()
    theft_teller(inbox, MemoryPreferences(), lambda: NOW, log)(SESSION)
    [message] = inbox.page("an", 9)
    assert (message.topic, message.reminder_id) == ("security", None)
    [entry] = log.entries("an")
    assert (str(entry.event.action), entry.event.client_id) == ("session:theft_suspected", "app")
    assert entry.event.detail["session"] == "s1"


def test_a_stolen_token_of_an_ops_person_is_logged_and_fills_nobodys_inbox(log: AccessLog) -> None:
    inbox = MemoryInbox()
    theft_teller(inbox, MemoryPreferences(), lambda: NOW, log)(replace(SESSION, kind="ops"))
    assert inbox.page("an", 9) == [] and log.entries("an") == ()
    assert log._writer.checkpoint().size == 1
