"""`import` killed while it files groups of files: each is whole or absent, and filed once in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_importing import reported, taken
from tests.environment import world_here
from tests.world import READS, Doctor, Person, World, bundle, condition
from wallet_api.cli.import_lots import LOT
from wallet_api.cli.import_reading import MANY
from wallet_api.infra.machine import command_of

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
ROOT = Path(__file__).parents[2]
GROUPS, ROWS = 9, 5
assert GROUPS * LOT >= MANY


@pytest.fixture(scope="module")
def here(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        yield from world_here(embedded_uri, tmp_path_factory.mktemp("killed"), patch)


def laid(folder: Path, people: list[Person]) -> None:
    for number, each in enumerate(people):
        sent = bundle(each, *(condition(f"c{row}") for row in range(ROWS)))
        (folder / f"{number:03d}.json").write_text(json.dumps(sent), encoding="utf-8")


def filed(world: World, doctor: Doctor) -> Counter[str]:
    """How many records each book has of that organisation."""
    rows = world.db["records"].find({"organisation_id": doctor.organisation_id}, {"citizen_id": 1})
    return Counter(each["citizen_id"] for each in rows)


def _hears_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell starts in its background ignores it


def begun(doctor: Doctor, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "wallet_api", "import", str(folder), "--organisation"]
    return subprocess.Popen(
        [*command, doctor.organisation_id],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hears_ctrl_c,  # noqa: PLW1509 - it takes no lock that another thread could hold
    )


def helpers_of(process: subprocess.Popen[str]) -> list[int]:
    return [
        int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]


def killed_at(world: World, doctor: Doctor, folder: Path, records: int) -> None:
    """Begin the command, and kill it when so many records are there; others are being written then."""
    with begun(doctor, folder) as victim:
        limit = time.monotonic() + 60
        while filed(world, doctor).total() < records:
            assert victim.poll() is None and time.monotonic() < limit
        helpers = helpers_of(victim)
        os.kill(victim.pid, signal.SIGKILL)
    assert victim.returncode == -signal.SIGKILL
    assert helpers, "a process of its own reads the files"
    while any(command_of(each) for each in helpers):
        assert time.monotonic() < limit, "and ends with it"
        time.sleep(0.05)


def test_ctrl_c_is_told_in_one_word(here: World, tmp_path: Path) -> None:
    laid(tmp_path, [here.person()] * 2 * MANY)  # one book, so one after the other: some seconds
    with begun(here.doctor(reads=READS, writes=READS), tmp_path) as process:
        limit = time.monotonic() + 60
        while not helpers_of(process):
            assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, said.splitlines()[-1]) == (130, "Stopped.")
    assert "Traceback" not in said


@pytest.mark.parametrize("records", [1, 2 * LOT * ROWS])
def test_a_kill_leaves_half_a_group_or_files_one_twice(here: World, tmp_path: Path, records: int) -> None:
    doctor = here.doctor(reads=READS, writes=READS)
    people = [here.person() for _ in range(GROUPS * LOT)]
    laid(tmp_path, people)
    killed_at(here, doctor, tmp_path, records)
    found = filed(here, doctor)
    for first in range(0, len(people), LOT):
        assert {found[each.id] for each in people[first : first + LOT]} in ({0}, {ROWS}), first
    assert 0 < found.total() < len(people) * ROWS, "it was killed in the middle"
    assert taken(tmp_path, doctor) == 0
    assert filed(here, doctor) == {each.id: ROWS for each in people}
    told = Counter((each["file"], each["row"]) for each in reported(tmp_path) if each["code"] == "accepted")
    assert len(told) == len(people) * ROWS and set(told.values()) == {1}
    for each in people:
        log = here.services.log.entries(each.id, limit=10)
        assert sum(one.event.action == "record:written" for one in log) >= 1
