"""Planners that run at once or are killed lose nobody and tell nobody twice: counted, on a real database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pymongo.database import Database

from notifications.reminders import SHARDS, State
from tests.planner.changing import DAY
from tests.planner.town import Town, changed_rules
from wallet_api.infra.mongo import open_database

PEOPLE = 16
KILLS = 2


@dataclass(frozen=True)
class Place:
    """Where the processes of a test meet."""

    uri: str
    db: Database[dict[str, Any]]
    folder: Path

    def town(self, people: int, programmes: Any = None) -> Town:
        """The town as this process sees it."""
        return Town(self.db, self.folder, people, programmes)

    def start(self, people: int, minutes: int, work: str) -> subprocess.Popen[bytes]:
        """A planner of its own; it has begun when this returns."""
        told = (self.uri, self.db.name, str(self.folder), str(people), str(minutes), work)
        command = [sys.executable, "-m", "tests.planner.town", *told]
        began = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert began.stdout is not None and began.stdout.readline() == b"begun\n"
        return began


@pytest.fixture
def place(embedded_uri: str, embedded_db: Database[dict[str, Any]], tmp_path: Path) -> Place:
    return Place(embedded_uri, embedded_db, tmp_path)


def killed(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    if process.stdout is not None:
        process.stdout.close()


def ended(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    with process.stdout as said:  # `communicate` would leave out what was read ahead with the first line
        out = said.read()
    assert process.wait(30) == 0 and out.endswith(b"done\n")


def meanings(town: Town, states: frozenset[State]) -> Counter[tuple[object, ...]]:
    kept = (r for r in town.all_reminders() if r.state in states)
    return Counter((r.citizen_id, r.series_id, r.dose, r.offset, r.recipient_id) for r in kept)


def check_a_day(place: Place, people: int, kills: int, at_once: int) -> dict[str, int]:
    """Plan a day in processes of which some are killed; everybody is told as if one had done it in peace."""
    peace = Town(open_database(place.uri, f"{place.db.name}_peace"), place.folder, people)
    peace.move_in()
    peace.dispatch.plan_day(DAY)
    wanted = meanings(peace, frozenset({State.QUEUED}))
    pushed = Counter(peace.send_all())
    peace.db.client.close()
    town, draw = place.town(people), Random(kills)
    town.move_in()
    for _ in range(kills):
        victim = place.start(people, 0, "day")
        time.sleep(draw.uniform(0.02, 0.02 * people))
        killed(victim)
    last = [place.start(people, 0, "day") for _ in range(at_once)]
    for each in last:
        ended(each)
    found = meanings(town, frozenset({State.QUEUED}))
    assert found == wanted and set(found.values()) == {1}, "nobody lost, nobody twice"
    got = Counter(town.send_all())
    assert got == pushed and set(got.values()) == {1}, "one push for each family, and no other"
    messages = sum(len(town.inbox.page(parent, 999)) for parent in got)
    assert messages == sum(found.values())
    return {"reminders": sum(found.values()), "pushes": sum(got.values()), "lost": 0, "doubled": 0}


def check_a_rebuild(place: Place, people: int, kills: int, at_once: int) -> dict[str, int]:
    """Rebuild in processes of which some are killed; every plan is made anew, and counted once."""
    town = place.town(people)
    town.move_in()
    rebuilding = place.town(people, changed_rules()).upkeep.rebuilding
    rebuilding.begin("r1", "an", dry_run=False, shards=range(SHARDS), sample=SHARDS)
    draw, minutes = Random(kills), 0
    for _ in range(kills):
        victim = place.start(people, minutes, "rebuild")
        assert victim.stdout is not None
        for _ in range(draw.randrange(1, 60)):
            if victim.stdout.readline() != b"page\n":
                break
        killed(victim)
        minutes += 2  # its lease has run out
    last = [place.start(people, minutes, "rebuild") for _ in range(at_once)]
    for each in last:
        ended(each)
    ended(place.start(people, minutes + 2, "rebuild"))
    made = rebuilding.get("r1")
    counts = dict(rebuilding.progress(made).counts)
    assert made.state == "done" and made.preview is not None and made.preview.rows == people
    assert counts["rows"] == people == counts.get("anew", 0) + counts.get("already", 0), counts
    assert town.db["due_items"].distinct("rules") == [made.rules]
    assert town.db["due_items"].count_documents({}) == people
    return counts


def test_a_day_planned_by_two_at_once_after_two_were_killed(place: Place) -> None:
    told = check_a_day(place, PEOPLE, KILLS, 2)
    assert told["reminders"] > PEOPLE


def test_a_rebuild_by_two_at_once_after_two_were_killed(place: Place) -> None:
    check_a_rebuild(place, PEOPLE, KILLS, 2)
