"""The main job, from end to end, with real processes: every step as it must be, nothing left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import runs


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_the_story_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wallet_api", "story"],
        cwd=runs.ROOT,
        env=runs.environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 19 steps were as they must be" in done.stdout
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10}", done.stdout), "no token is printed"
    assert not re.search(r"\b[a-z2-7]{26}\b", done.stdout), "ids are shortened"
    assert runs.gone(tmp_path) == []
    assert not list(tmp_path.iterdir()), "the temporary folder is gone"
