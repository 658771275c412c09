"""Every property with many made-up examples: the files that have one, with the numbers of the long run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak
TESTS = Path(__file__).parents[1]
EXAMPLES = re.compile(r"(\d+) passing,")
OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
FILES = sorted(
    path.relative_to(TESTS.parent).as_posix()
    for path in TESTS.rglob("test_*.py")
    if path.parent != Path(__file__).parent
    and "from tests.examples import" in path.read_text(encoding="utf-8")
)


def test_the_files_are_found() -> None:
    assert "tests/consent/test_decision.py" in FILES and len(FILES) > 10


@pytest.mark.parametrize("path", FILES)
def test_many_examples_find_nothing(path: str, record_property: Callable[[str, object], None]) -> None:
    """In a process of its own: how many are made up is read once, where the file is imported."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-o", "faulthandler_timeout=1800", "--hypothesis-show-statistics", path],
        env=OUTSIDE | {"WALLET_EXAMPLES": "many"},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    counts = [int(each) for each in EXAMPLES.findall(said)]
    record_property("examples", sum(counts))
    print(f"{path}: {sum(counts)} examples, {said.strip().splitlines()[-1]}")
    made_up = "@given(" in (TESTS.parent / path).read_text(encoding="utf-8")
    assert sum(counts) >= 80 or not made_up, said
