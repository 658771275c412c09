"""Stand a process still, and know that it does."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def halt(pid: int, patience: float = 10.0) -> None:
    """SIGSTOP, and return when no thread runs any more: until then it may still answer."""
    os.kill(pid, signal.SIGSTOP)
    threads, limit = Path(f"/proc/{pid}/task"), time.monotonic() + patience
    while threads.exists() and not all(_stands(each) for each in threads.iterdir()):
        assert time.monotonic() < limit, f"process {pid} does not stand still"
        time.sleep(0.001)


def _stands(thread: Path) -> bool:
    try:
        told = (thread / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # it ended meanwhile
        return True
    return told.rpartition(")")[2].split()[0] in "TtZX"
