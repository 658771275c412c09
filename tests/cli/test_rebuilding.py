"""`reminders rebuild`: it counts, asks for a second person, goes on after a kill, and tells what it did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from notifications.rebuilds import Bounds
from tests.environment import told_of
from wallet_api.cli import main, rebuilding
from wallet_api.context import Services
from wallet_api.settings import Settings
from wallet_api.wiring import build_services, upkeep
from wallet_api.wiring.demo import demo_marked, seed_demo

pytestmark = pytest.mark.usefixtures("impatient")
ROOT = Path(__file__).parents[2]
OLD = "0123456789abcdef"

Db = Database[dict[str, Any]]


@pytest.fixture
def told(
    tmp_path: Path, embedded_uri: str, embedded_db: Db, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment of a fresh database."""
    found = told_of(tmp_path, embedded_uri, embedded_db.name)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def services(told: dict[str, str], embedded_db: Db) -> Iterator[Services]:
    """A demonstration whose plans are of older rules."""
    settings = Settings.from_env(told)
    assert demo_marked(embedded_db)
    found = build_services(settings, embedded_db)
    seed_demo(found, embedded_db, settings)
    outdate(embedded_db)
    yield found
    found.log.close()


def outdate(db: Db) -> None:
    db["due_items"].update_many({}, {"$set": {"rules": OLD}})


def rules(db: Db) -> list[str]:
    return sorted(db["due_items"].distinct("rules"))


def test_a_dry_run_counts_and_changes_nothing(
    services: Services, embedded_db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reminders", "rebuild", "--dry-run"]) == 0
    said = capsys.readouterr()
    plans = embedded_db["due_items"].count_documents({})
    assert f"{plans} plans in 64 shards looked at." in said.out
    assert "0 reminders appear, 0 vanish, 0 move." in said.out
    assert "previewing, in shards [" in said.err and rules(embedded_db) == [OLD]


def test_shards_are_rebuilt_and_then_the_others(
    services: Services, embedded_db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reminders", "rebuild", "--shards", "0-31", "--a-second", "5000"]) == 0
    half = {row["rules"] for row in embedded_db["due_items"].find({"shard": {"$lte": 31}})}
    assert half == {services.reminding.planning.rules}
    assert main(["reminders", "rebuild", "--shards", "32-63", "--a-second", "5000"]) == 0
    assert rules(embedded_db) == [services.reminding.planning.rules]
    assert "plans made anew, 0 were, 0 failed." in capsys.readouterr().out


def test_too_many_new_reminders_wait_for_somebody_of_ops(
    services: Services, embedded_db: Db, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "Bounds", lambda: Bounds(alone=-1))
    assert main(["reminders", "rebuild"]) == 1
    said = capsys.readouterr().out
    assert "a second person lets it go" in said and rules(embedded_db) == [OLD]
    [waiting] = services.reminding.upkeep.rebuilding.newest(9)
    assert waiting.id in said and waiting.asked_by.startswith("cli:")
    services.reminding.upkeep.rebuilding.approve(waiting.id, "binh")
    assert main(["reminders", "rebuild"]) == 0
    assert f"Going on with rebuild {waiting.id}." in capsys.readouterr().out
    assert rules(embedded_db) == [services.reminding.planning.rules]


def test_a_killed_command_goes_on_when_it_is_given_again(
    services: Services, told: dict[str, str], embedded_db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "wallet_api", "reminders", "rebuild", "--a-second", "8"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as victim:
        assert victim.stderr is not None
        while b"planning anew" not in victim.stderr.readline():
            assert victim.poll() is None
        os.kill(victim.pid, signal.SIGKILL)
    [left] = services.reminding.upkeep.rebuilding.newest(9)
    assert left.state == "running"
    embedded_db["planner_walks"].update_many({}, {"$set": {"held_until": None}})  # a minute passes
    assert main(["reminders", "rebuild", "--a-second", "5000"]) == 0
    assert f"Going on with rebuild {left.id}." in capsys.readouterr().out
    done = services.reminding.upkeep.rebuilding.get(left.id)
    counts = services.reminding.upkeep.rebuilding.progress(done).counts
    plans = embedded_db["due_items"].count_documents({})
    assert done.state == "done" and counts["rows"] == plans
    assert counts.get("anew", 0) + counts.get("already", 0) == plans
    assert rules(embedded_db) == [services.reminding.planning.rules]


@pytest.mark.parametrize("shards", ["64", "-1", "5-2", "a-b", "0-64", ""])
def test_shards_that_are_none_are_refused(shards: str) -> None:
    with pytest.raises(SystemExit) as why:
        main(["reminders", "rebuild", f"--shards={shards}"])
    assert why.value.code == 2


@pytest.mark.parametrize("wrong", [["--sample", "1"], ["--a-second", "0"]])
def test_numbers_that_make_no_sense_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reminders", "rebuild", *wrong]) == 1
    assert "--sample is a whole number from 2" in capsys.readouterr().err
    assert rebuilding._shards("7") == range(7, 8)
