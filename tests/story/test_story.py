"""The main job, from end to end, with real processes: every step as it must be, nothing left or told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from tests.cli import runs
from wallet_api.cli import story
from wallet_api.sandbox.people import load_people

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
PLAYED = ("J02.9", "Viêm họng", "Rối loạn lo âu", "F41", "Paracetamol", "Amoxicillin", "sởi", "rubella")
"""Health facts of the story: what was written, read and reminded of."""


@dataclass(frozen=True)
class Played:
    code: int
    told: str
    complained: str
    folder: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The story, played once with its folder kept."""
    place = tmp_path_factory.mktemp("story")
    done = subprocess.run(
        [sys.executable, "-m", "wallet_api", "story", "--keep"],
        cwd=runs.ROOT,
        env=runs.environment(TMPDIR=str(place)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    yield Played(done.returncode, done.stdout, done.stderr, place)


def test_the_story_holds_and_leaves_nothing_running(played: Played) -> None:
    assert played.code == 0, played.told + played.complained
    assert "All 31 steps were as they must be" in played.told
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10}", played.told), "no token is printed"
    assert not re.search(r"\b[a-z2-7]{26}\b", played.told), "ids are shortened"
    assert runs.gone(played.folder) == []


def test_a_log_of_the_whole_story_names_somebody_or_holds_a_token(played: Played) -> None:
    logs = {each: each.read_text(encoding="utf-8") for each in played.folder.glob("**/logs/*.log")}
    text = "\n".join(logs.values())
    lines = [line for line in text.splitlines() if '"event"' in line]
    assert len(lines) > 60, "the logs were not where they were looked for"
    assert any(json.loads(line).get("route") for line in lines)
    people = load_people(date(2026, 11, 23))
    secrets = {word for each in people.citizens for word in (each.name, each.number, each.phone)} | set(
        PLAYED
    )
    secrets |= {word for each in people.dependents for word in (each.name, each.number)}
    found = sorted(word for word in secrets if word in text)
    assert not found, found
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10}|Bearer |client_assertion|code_verifier", text)
    assert not re.search(r"[?&](code|state|access_token|cursor)=", text), "a query was logged"
    print(f"{len(lines)} log lines of {len(logs)} processes, {len(secrets)} planted secrets, 0 found")


def test_a_story_that_is_over_leaves_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(story.tempfile, "tempdir", None)
    monkeypatch.setattr(story, "dev_settings", lambda command: None)
    monkeypatch.setattr(story, "_played", lambda folder: (folder / "clock").write_text("x") and 0)

    class Options:
        keep = False

    assert story._story(Options()) == 0  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
