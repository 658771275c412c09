"""bandit for known bad habits, semgrep with our own rules for those of this product."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.scanners.finding import HERE, ROOT, Finding

SHIPPED = ("wallet_api", "consent", "notifications", "wsgi.py")
ANSWERED_BY_RUFF = "B105,B106,B107,B311,B404,B603,B606,B607"
"""Rules that ruff asks too (S105 and so on), where each place carries its answer."""
PLANTED = HERE / "planted" / "bad_habits.txt"


def bandit(binaries: Path) -> list[Finding]:
    """What bandit finds in the shipped code."""
    return _bandit(binaries, [str(ROOT / each) for each in SHIPPED])


def semgrep(binaries: Path) -> list[Finding]:
    """What our own rules find in the shipped code."""
    return _semgrep(binaries, [str(ROOT / each) for each in SHIPPED])


def planted(binaries: Path) -> tuple[int, list[str]]:
    """How many planted faults the scanners found, and a complaint for each that was missed."""
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "planted" / "bad_habits.py"
        bad.parent.mkdir()
        shutil.copy(PLANTED, bad)
        seen = {(each.rule, each.line) for each in _semgrep(binaries, [folder])}
        habits = {each.rule for each in _bandit(binaries, [folder])}
    lines = PLANTED.read_text(encoding="utf-8").splitlines()
    wanted = {
        (mark[1], number + 2)
        for number, line in enumerate(lines)
        if (mark := re.search(r"# found: (\S+)", line))
    }
    missed = [f"planted: semgrep did not find {rule} in line {line}" for rule, line in sorted(wanted - seen)]
    missed += [f"planted: bandit did not find {rule}" for rule in sorted({"B301", "B501"} - habits)]
    rules = set(
        re.findall(r"- id: (\S+)", "".join(each.read_text() for each in (HERE / "rules").glob("*.yaml")))
    )
    missed += [
        f"planted: no fault is planted for {rule}" for rule in sorted(rules - {rule for rule, _ in wanted})
    ]
    return len(wanted) + 2, missed


def _bandit(binaries: Path, paths: list[str]) -> list[Finding]:
    told = _run([binaries / "bandit", "-q", "-r", "-f", "json", "-s", ANSWERED_BY_RUFF, *paths], {0, 1})
    return [
        Finding("bandit", each["test_id"], _inside(each["filename"]), each["line_number"], each["issue_text"])
        for each in json.loads(told)["results"]
    ]


def _semgrep(binaries: Path, paths: list[str]) -> list[Finding]:
    still = ("--metrics=off", "--disable-version-check", "--no-git-ignore", "--quiet", "--jobs=2")
    told = json.loads(
        _run([binaries / "semgrep", "scan", *still, "--json", "--config", HERE / "rules", *paths])
    )
    if told["errors"]:
        raise RuntimeError(f"semgrep could not read everything: {told['errors'][0]}")
    return [
        Finding(
            "semgrep",
            each["check_id"].rsplit(".", 1)[-1],
            _inside(each["path"]),
            each["start"]["line"],
            " ".join(each["extra"]["message"].split()),
        )
        for each in told["results"]
    ]


def _inside(path: str) -> str:
    place = Path(path)
    return str(place.relative_to(ROOT)) if place.is_relative_to(ROOT) else place.name


def _run(command: list[object], fine: set[int] = frozenset({0})) -> str:  # type: ignore[assignment]
    words = [str(word) for word in command]
    # semgrep finds its other half by PATH.
    done = subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": f"{Path(words[0]).parent}:/usr/bin:/bin"},
    )
    if done.returncode not in fine:
        raise RuntimeError(f"{Path(words[0]).name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
