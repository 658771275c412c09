"""A progress bar: one line that fills at a terminal, a line each ten percent anywhere else."""

from __future__ import annotations

import sys

_WIDTH = 30


class Progress:
    """Shows how far long work has come. `total` may be an estimate."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = max(total, 1)
        self._done = 0
        self._shown = -1

    def add(self, count: int) -> None:
        """Count what was just done."""
        self._done += count
        self._show(min(100 * self._done // self._total, 99))

    def end(self) -> None:
        """Show that it is done."""
        self._show(100)
        if sys.stderr.isatty():
            sys.stderr.write("\n")

    def _show(self, percent: int) -> None:
        step = 1 if sys.stderr.isatty() else 10
        if percent // step == self._shown // step and self._shown >= 0:
            return
        self._shown = percent
        bar = ("#" * (_WIDTH * percent // 100)).ljust(_WIDTH)
        line = f"{self._what} [{bar}] {percent:3} %  {self._done}"
        sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line}\n")
        sys.stderr.flush()
