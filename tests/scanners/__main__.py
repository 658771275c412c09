"""`python -m tests.scanners FOLDER`: run every scanner of that folder, a line each; 1 if anything is open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.scanners import code, deployment, leaks, parts
from tests.scanners.finding import Finding, judge


def main(binaries: Path) -> int:
    """How many scanners complained."""
    runs: dict[str, Callable[[], tuple[str, list[str]]]] = {
        "bandit": lambda: _judged("bandit", code.bandit(binaries)),
        "semgrep": lambda: _judged("semgrep", code.semgrep(binaries)),
        "detect-secrets": lambda: _judged("detect-secrets", leaks.detect_secrets(binaries)),
        "planted faults": lambda: _counted("found", code.planted(binaries)),
        "planted secrets": lambda: _counted("found", leaks.planted(binaries)),
        "deployment": lambda: _counted("files linted", deployment.deployment(binaries)),
        "planted deployments": lambda: _counted("found", deployment.planted(binaries)),
        "licences": lambda: _counted("packages, each may be shipped", parts.licences(binaries)),
        "list of parts": lambda: _counted(f"parts in {parts.SBOM.name}", parts.sbom(binaries)),
    }
    with ThreadPoolExecutor(2) as pool:
        answers = {name: pool.submit(run) for name, run in runs.items()}
    failed = 0
    for name, answer in answers.items():
        says, complaints = answer.result()
        failed += bool(complaints)
        print(f"scan: {name}: {says if not complaints else f'{len(complaints)} open'}")
        print("".join(f"  {each}\n" for each in complaints), end="")
    return failed


def _judged(scanner: str, found: list[Finding]) -> tuple[str, list[str]]:
    complaints, accepted = judge(scanner, found)
    return f"0 open, {accepted} accepted for a written reason", complaints


def _counted(what: str, result: tuple[int, list[str]]) -> tuple[str, list[str]]:
    count, complaints = result
    return f"{count} {what}", complaints


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]).absolute())))
