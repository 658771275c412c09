"""F4 and half of F14: the disk is full, or will not be synced. 503 while it lasts, and back by itself."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.figures import note
from tests.faults.load import Ledger, Writer, inspect
from tests.faults.plant import Plant, eventually, pair, planted

SIZE = 48 * 2**20
BACK = 15.0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 48 MiB."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("this user may not mount a small disk: a full one is not tried")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_the_disk(folder: Path, times: int) -> None:
    """F4: the disk fills up under writers; when space is there again, everything promised is there too."""
    with small_disk(folder / "disk") as disk, planted(folder, database_at=disk / "db") as plant:
        ledger, back = Ledger(), list[float]()
        for turn in range(times):
            writer = Writer(plant, pair(plant.world), ledger, turn)
            writer.start()
            done = len(ledger.promised)
            assert eventually(lambda done=done: len(ledger.promised) > done + 10, 60)
            filler = disk / "filler"
            _fill(filler, disk)
            assert eventually(lambda: _status(plant, "/readyz") == 503, 30), "nobody noticed the full disk"
            assert _status(plant, "/healthz") == 200
            answer = plant.call("POST", "/provider/consent-requests", "x", {})
            assert answer.status_code in (401, 503)
            filler.unlink()
            begun = time.monotonic()
            plant.await_ready(BACK)
            back.append(time.monotonic() - begun)
            done = len(ledger.promised)
            assert eventually(lambda done=done: len(ledger.promised) > done, 30), ledger.refused
            writer.over.set()
            writer.join(30)
        damage = inspect(plant.world.db, ledger)
        seen = f"{len(ledger.promised)} writes acknowledged, refused {dict(ledger.refused)}"
        more = f"{seen}, back at most {max(back):.1f} s after there was space"
        note(
            "F4 disk full",
            times,
            lost=len(damage.lost),
            half=len(damage.half),
            unlogged=len(damage.unlogged),
            more=more,
        )
        assert ledger.promised and not damage.lost and not damage.half and not damage.unlogged


def refuse_to_sync(plant: Plant, seconds: float) -> None:
    """F14: `fsync` answers EIO for a while. What was not synced is not acknowledged."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: failing syncs are not tried")
    ledger = Ledger()
    writer = Writer(plant, pair(plant.world), ledger, 77)
    writer.start()
    assert eventually(lambda: len(ledger.promised) > 10, 60)
    calls = "fsync,fdatasync"
    command = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:error=EIO"]
    traced = subprocess.Popen([*command, "-p", str(plant.database.pid)], stderr=subprocess.PIPE)
    try:
        time.sleep(seconds)
        if (
            traced.poll() is not None
            and traced.stderr is not None
            and b"not permitted" in traced.stderr.read()
        ):
            pytest.skip("this user may not trace processes: failing syncs are not tried")
        unready = _status(plant, "/readyz")
    finally:
        traced.kill()
        traced.communicate()
    begun = time.monotonic()
    plant.await_ready(BACK)
    took = time.monotonic() - begun
    done = len(ledger.promised)
    assert eventually(lambda: len(ledger.promised) > done, 30), ledger.refused
    writer.over.set()
    writer.join(30)
    damage = inspect(plant.world.db, ledger)
    seen = f"{len(ledger.promised)} writes acknowledged, refused {dict(ledger.refused)}"
    more = f"{seen}, readiness meanwhile {unready}, back in {took:.1f} s"
    note(
        "F14 fsync answers EIO",
        1,
        lost=len(damage.lost),
        half=len(damage.half),
        unlogged=len(damage.unlogged),
        more=more,
    )
    assert ledger.promised and not damage.lost and not damage.half and not damage.unlogged


def _fill(filler: Path, disk: Path) -> None:
    with filler.open("wb") as file:
        left = shutil.disk_usage(disk).free - 256 * 1024
        file.write(b"\0" * max(left, 0))
    for size in (65536, 4096, 512):
        try:
            with filler.open("ab", buffering=0) as file:
                while file.write(b"\0" * size):
                    pass
        except OSError:
            continue


def _status(plant: Plant, path: str) -> int:
    answer = plant.try_call("GET", path)
    return 0 if answer is None else answer.status_code
