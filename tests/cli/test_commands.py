"""The commands an operator gives: what they say, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.environment import told_of
from wallet_api.cli import main
from wallet_api.context import Services
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.settings import Settings
from wallet_api.tasks import run_worker
from wallet_api.wiring import build_services
from wallet_api.wiring.demo import demo_marked, seed_demo
from wallet_api.wiring.reminding import open_brakes

pytestmark = pytest.mark.usefixtures("impatient")

Db = Database[dict[str, Any]]
GROUPS = ("run", "story", "worker", "seed", "token", "clients", "reminders", "audit", "keys", "openapi")


@pytest.fixture
def here(tmp_path: Path, embedded_uri: str, embedded_db: Db, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """This process's environment, told of a fresh database."""
    told = told_of(tmp_path, embedded_uri, embedded_db.name)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return Settings.from_env(told)


def demo(settings: Settings, db: Db) -> Iterator[Services]:
    assert demo_marked(db)
    found = build_services(settings, db)
    seed_demo(found, db, settings)
    yield found
    found.log.close()


@pytest.fixture
def services(here: Settings, embedded_db: Db) -> Iterator[Services]:
    """A demonstration of the test's own."""
    yield from demo(here, embedded_db)


@pytest.fixture(scope="module")
def shared_db(embedded_uri: str) -> Iterator[Db]:
    db = open_database(embedded_uri, f"commands_{new_id()}")
    yield db
    db.client.close()


@pytest.fixture(scope="module")
def shared_services(
    embedded_uri: str, shared_db: Db, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    told = told_of(tmp_path_factory.mktemp("shared"), embedded_uri, shared_db.name)
    yield from demo(Settings.from_env(told), shared_db)


@pytest.fixture
def shared(
    shared_services: Services, embedded_uri: str, shared_db: Db, monkeypatch: pytest.MonkeyPatch
) -> Services:
    """One demonstration for the tests that leave it whole, and this process's environment told of it."""
    for name, value in told_of(shared_services.settings.data_dir, embedded_uri, shared_db.name).items():
        monkeypatch.setenv(name, value)
    return shared_services


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_explains_itself(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([group, "--help"])
    assert end.value.code == 0
    assert f"python -m wallet_api {group}" in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as end:
        main(["dance"])
    assert end.value.code == 2


def test_bad_settings_are_all_told_and_are_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WALLET_MONGO_URI", "WALLET_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WALLET_ENV", "prod")
    assert main(["audit", "verify"]) == 2
    told = capsys.readouterr().err
    assert "WALLET_MONGO_URI" in told and "WALLET_PUBLIC_URL" in told


def test_a_database_that_is_gone_is_told_in_one_sentence(
    here: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WALLET_MONGO_URI", "mongodb://127.0.0.1:1/")
    assert main(["audit", "verify"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_audit_verify_is_quiet_about_a_whole_log(
    shared: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "verify"]) == 0
    assert "is whole" in capsys.readouterr().out


def test_audit_verify_names_the_entry_that_was_changed(
    shared: Services, shared_db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    log = shared_db["audit_log"]
    entry = log.find_one({"rows.seq": 2})
    assert entry is not None
    rows = [
        row if row["seq"] != 2 else row | {"event": row["event"] | {"reason": "own_act"}}
        for row in entry["rows"]
    ]
    log.update_one({"_id": entry["_id"]}, {"$set": {"rows": rows}})
    try:
        assert main(["audit", "verify"]) == 1
    finally:
        log.replace_one({"_id": entry["_id"]}, entry)
    assert f"Entry 2 of log {entry['log_id']} is not as it was written" in capsys.readouterr().err


def test_audit_verify_with_a_checkpoint_sees_a_log_that_vanished(
    services: Services, embedded_db: Db, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_text(services.log.checkpoint() or "")
    embedded_db["audit_log"].delete_many({})
    for folder in services.settings.checkpoint_dirs:
        for each in folder.glob("*"):
            each.unlink()  # as if none had been kept yet
    assert main(["audit", "verify"]) == 0, "without a checkpoint nobody can tell"
    assert main(["audit", "verify", "--checkpoint", str(kept)]) == 1
    kept.write_text("not a checkpoint")
    assert main(["audit", "verify", "--checkpoint", str(kept)]) == 1
    assert "keys signed" in capsys.readouterr().err


def test_audit_verify_reads_the_checkpoints_that_were_kept(
    services: Services, embedded_db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    services.log.close()  # the last checkpoint leaves at the latest now
    assert main(["audit", "verify"]) == 0
    assert "checkpoints hold" in capsys.readouterr().out
    newest = embedded_db["audit_log"].find_one({}, sort=[("newest", -1)])
    assert newest is not None
    embedded_db["audit_log"].delete_one({"_id": newest["_id"]})
    assert main(["audit", "verify"]) == 1
    first = newest["rows"][0]["seq"]
    assert f"Entry {first} of log {newest['log_id']}" in capsys.readouterr().err
    (folder,) = services.settings.checkpoint_dirs
    (folder / "forged.checkpoints").write_text(next(folder.glob("*")).read_text().replace("\nat 2", "\nat 3"))
    assert main(["audit", "verify"]) == 1
    assert "keys signed" in capsys.readouterr().err


def test_reminders_can_be_planned_once_by_hand(shared: Services, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reminders", "plan"]) == 0
    first = capsys.readouterr().out
    assert "messages 0" not in first
    assert main(["reminders", "plan"]) == 0
    assert "messages 0" in capsys.readouterr().out, "twice must send nothing twice"


def test_sending_without_credentials_is_told_in_one_sentence(
    shared: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WALLET_FCM_CREDENTIALS", raising=False)
    assert main(["reminders", "send"]) == 1
    assert "WALLET_FCM_CREDENTIALS" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"project_id": "demo", "private_key": "x"}'])
def test_a_worker_without_a_usable_service_account_is_told_in_one_sentence(
    content: str | None,
    shared: Services,
    shared_db: Db,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account = tmp_path / "account.json"
    monkeypatch.setenv("WALLET_FCM_CREDENTIALS", str(account))
    if content is not None:
        account.write_text(content)

    def build(settings: Settings) -> Services:
        return build_services(settings, shared_db)

    assert main(["worker"], work=lambda settings: run_worker(settings, build)) == 1
    [told] = capsys.readouterr().err.splitlines()
    assert "WALLET_FCM_CREDENTIALS" in told and not (shared.settings.data_dir / "worker.ready").exists()


def test_a_stopped_push_text_is_shown_and_released(
    here: Settings, embedded_db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    brakes = open_brakes(embedded_db)
    assert main(["reminders", "status"]) == 0
    assert capsys.readouterr().out.splitlines() == ["push.v1: goes out", "fcm: not paused"]
    brakes.stop("push.v1")
    brakes.pause("fcm", datetime(2999, 1, 1, tzinfo=UTC))
    assert main(["reminders", "status"]) == 0
    told = capsys.readouterr().out
    assert "push.v1: stopped" in told and "fcm: paused until 2999-01-01" in told
    assert main(["reminders", "release", "push.v1"]) == 0
    assert not brakes.stopped("push.v1")
    assert main(["reminders", "release", "push.v1"]) == 1
    assert "not stopped" in capsys.readouterr().err


def test_keys_are_prepared_listed_and_rotated(here: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 0
    assert "not made yet" in capsys.readouterr().out
    assert main(["keys", "prepare"]) == 0
    assert main(["keys", "rotate", "token"]) == 0
    capsys.readouterr()
    assert main(["keys", "list"]) == 0
    told = capsys.readouterr().out
    assert len([line for line in told.splitlines() if " token " in line]) == 2
    assert "PRIVATE" not in told


def test_keys_are_not_rotated_into_being_where_none_are(
    here: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["keys", "rotate", "everything"])
    assert end.value.code == 2


def test_the_openapi_document_can_be_printed(here: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["openapi"].startswith("3.") and "/api/v1/provider/access-sessions" in found["paths"]


@pytest.mark.parametrize("command", [["seed"], ["token", "an"], ["run"], ["story"]])
def test_what_is_for_development_is_refused_elsewhere(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WALLET_ENV", raising=False)
    assert main(command) == 1
    assert "WALLET_ENV=dev" in capsys.readouterr().err


def test_demo_people_never_go_into_a_database_of_ones_own(
    here: Settings, embedded_db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["seed"]) == 1
    assert "WALLET_MONGO_URI" in capsys.readouterr().err
    assert not embedded_db.list_collection_names()


def test_a_token_is_fetched_on_this_machine_alone(here: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "an", "--url", "https://wallet.example.vn"]) == 1
    assert "127.0.0.1" in capsys.readouterr().err


def test_a_wallet_that_does_not_answer_is_told_in_one_sentence(
    here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "an", "--url", "http://127.0.0.1:1"]) == 1
    assert "No wallet answers" in capsys.readouterr().err
