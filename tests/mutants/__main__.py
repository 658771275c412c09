"""`python -m tests.mutants [NAME ...]`: remove each guard in a copy of the project and run its tests there.

Ends with 0 when every guard's removal was noticed, with 1 when a mutant lived or a test was red before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.guards import ROOT, Guard, guards, without

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "data", "build", "node_modules", "__pycache__", ".*_cache", ".hypothesis"
)
_LONGEST = 300.0  # seconds; a mutant that never ends has been noticed too


def main(names: Sequence[str]) -> int:
    """Try the named guards, or all of them."""
    if unknown := sorted(set(names) - {each.name for each in guards()}):
        print(f"There is no guard named {unknown[0]!r}: see tests/mutants/guards.toml.", file=sys.stderr)
        return 2
    chosen = [each for each in guards() if not names or each.name in names]
    with tempfile.TemporaryDirectory(prefix="wallet-mutants-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
        tests = sorted({test for each in chosen for test in each.dies_by})
        print(f"{len(tests)} tests with every guard in place", flush=True)
        if not _green(copy, tests):
            print("They must be green before anything is removed.", file=sys.stderr)
            return 1
        numbered = enumerate(chosen, 1)
        lived = [each.name for number, each in numbered if not _dies(copy, each, number, len(chosen))]
    print(f"killed {len(chosen) - len(lived)} of {len(chosen)}")
    for name in lived:
        print(f"nobody notices when this is gone: {name}", file=sys.stderr)
    return 1 if lived else 0


def _dies(copy: Path, guard: Guard, number: int, of: int) -> bool:
    target, began = copy / guard.file, time.monotonic()
    source = target.read_text(encoding="utf-8")
    target.write_text(without(guard, source), encoding="utf-8")
    try:
        dead = not _green(copy, guard.dies_by)
    finally:
        target.write_text(source, encoding="utf-8")
    told = "killed" if dead else "LIVES"
    print(f"[{number}/{of}] {told} in {time.monotonic() - began:.0f} s: {guard.name}", flush=True)
    return dead


def _green(copy: Path, tests: Sequence[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=_LONGEST * max(1, len(tests) // 10),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1):  # neither green nor red: the tests could not be run
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
        raise SystemExit(f"pytest ended with {done.returncode}")
    return done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
