"""F4, once: the disk fills up; the supervisor brings the database back when there is space."""

from __future__ import annotations

from pathlib import Path

from tests.faults.disk import fill_the_disk


def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    fill_the_disk(tmp_path, times=1)
