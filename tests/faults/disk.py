"""F4 and half of F14: the disk is full, or will not be synced. 503 while it lasts, and back by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError

from tests.faults.figures import note
from tests.faults.load import Ledger, Writer, inspect
from tests.faults.plant import Plant, eventually, pair, patiently, planted

SIZE = 160 * 2**20
RESERVE = 24
"""MiB that the wallet is told to keep free: three quarters of it hold one more journal of the database."""
SHORT_OF = RESERVE * 2**20 * 3 // 4
"""Bytes left of a disk that is nearly full."""
NOTICED = 10.0
BACK = 15.0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, of 160 MiB."""
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
    """F4: the disk fills up under writers; when space is there again, everything promised is there too.

    First it is nearly full: the wallet says so and takes nothing more. Then it is full, and somebody else
    writes past the wallet until the database's own reserve is gone and it stops.
    """
    with (
        small_disk(folder / "disk") as disk,
        planted(folder, database_at=disk / "db", WALLET_DISK_RESERVE=str(RESERVE)) as plant,
    ):
        ledger, noticed, back = Ledger(), list[float](), list[float]()
        for turn in range(times):
            writer = Writer(plant, pair(plant.world), ledger, turn)
            writer.start()
            assert _goes_on(ledger, 10)
            noticed.append(_nearly_fill(plant, disk, ledger))
            _fill(disk, leave=0)
            assert _status(plant, "/readyz") == 503 and _status(plant, "/healthz") == 200
            _flood(plant)
            assert _status(plant, "/readyz") == 503 and _status(plant, "/healthz") == 200
            (disk / "filler").unlink()
            back.append(plant.await_ready(BACK))
            assert _goes_on(ledger, 10), ledger.refused
            writer.over.set()
            writer.join(60)
            _drain(plant)
        damage = inspect(plant.world.db, ledger)
        seen = f"{len(ledger.promised)} writes acknowledged, refused {dict(ledger.refused)}"
        more = f"{seen}, noticed in {max(noticed):.1f} s, back {max(back):.1f} s after there was space"
        note(
            "F4 disk full",
            times,
            lost=len(damage.lost),
            half=len(damage.half),
            unlogged=len(damage.unlogged),
            more=more,
        )
        assert ledger.promised and not damage.lost and not damage.half and not damage.unlogged


def _nearly_fill(plant: Plant, disk: Path, ledger: Ledger) -> float:
    """Leave less than the reserve; seconds until the wallet says so. It must not be too late by then."""
    pid = plant.database.pid
    _fill(disk, leave=SHORT_OF)
    begun = time.monotonic()
    assert eventually(lambda: _status(plant, "/readyz") == 503, NOTICED), "nobody noticed the full disk"
    took = time.monotonic() - begun
    assert eventually(lambda: ledger.refused["503 unavailable"] > 0, NOTICED), ledger.refused
    assert _taken_without_room(disk, ledger, 3.0) == 0, "writes were taken without room"
    assert plant.database.pid == pid, "the database stopped before anybody was told"
    return took


def _taken_without_room(disk: Path, ledger: Ledger, seconds: float) -> int:
    """Writes that were taken although there had been no room for half a second, in which what had begun ends.

    A checkpoint of the database may free one of its journals: then there is room, and writing goes on until
    the disk is filled again.
    """
    taken, watched, least = 0, 0, RESERVE * 2**20
    begun = lost = time.monotonic()
    done = len(ledger.promised)
    while (now := time.monotonic()) < begun + seconds:
        if shutil.disk_usage(disk).free >= least:
            _fill(disk, leave=SHORT_OF)
            lost = time.monotonic()
        elif now > lost + 0.5:
            taken += len(ledger.promised) - done
            watched += 1
        done = len(ledger.promised)
        time.sleep(0.02)
    assert watched > 20, "the disk was never full for long"
    return taken


def _flood(plant: Plant) -> None:
    """Write past the wallet until the database, whose journal was set aside beforehand, cannot any more."""
    ballast, limit = plant.world.db["ballast"], time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            ballast.insert_many([{"of": os.urandom(60_000)} for _ in range(10)])
        except PyMongoError:
            return
    raise AssertionError("the database never noticed its full disk")


def _drain(plant: Plant) -> None:
    with patiently(plant.world.db):
        plant.world.db["ballast"].drop()


def _goes_on(ledger: Ledger, more: int) -> bool:
    done = len(ledger.promised)
    return eventually(lambda: len(ledger.promised) > done + more, 60)


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


def _fill(disk: Path, leave: int) -> None:
    """Fill the disk up to so many bytes; to the last one for 0."""
    filler = disk / "filler"
    # Bit by bit: the database may take space for itself meanwhile.
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while (over := shutil.disk_usage(disk).free - max(leave, 256 * 1024)) > 0:
            file.write(b"\0" * min(over, 2**20))
    for size in (65536, 4096, 512) if not leave else ():
        try:
            with filler.open("ab", buffering=0) as file:
                while file.write(b"\0" * size):
                    pass
        except OSError:
            continue


def _status(plant: Plant, path: str) -> int:
    answer = plant.try_call("GET", path)
    return 0 if answer is None else answer.status_code
