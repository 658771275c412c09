"""detect-secrets over every file of the project."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from tests.scanners.finding import ROOT, Finding

HASHED = r".*requirements.*\.txt$|.*scanners\.txt$|.*package-lock\.json$"
"""Lock files are hashes from end to end."""
NAMED = r"secretName: "
"""A Kubernetes manifest says by name which secret it wants."""
_LOOKED_OVER = ("tests/", "docs/asvs.csv")
"""Tests are full of made-up keys: there only private keys and the tokens of known services count."""
_FORMS = frozenset(
    {"Base64 High Entropy String", "Hex High Entropy String", "Secret Keyword", "Basic Auth Credentials"}
)
_FORMS |= {"JSON Web Token"}


def detect_secrets(binaries: Path) -> list[Finding]:
    """Anything that looks like a secret."""
    return [
        each
        for each in _scan(binaries, ROOT, _files())
        if not (each.path.startswith(_LOOKED_OVER) and each.rule in _FORMS)
    ]


def planted(binaries: Path) -> tuple[int, list[str]]:
    """Two secrets made up on the spot, and a complaint for each that is not found."""
    with tempfile.TemporaryDirectory() as folder:
        key = "-----BEGIN " + "PRIVATE KEY-----"
        (Path(folder) / "a.py").write_text(f'password = "{"k7Q2" * 6}"\npem = "{key}"\n', encoding="utf-8")
        rules = {each.rule for each in _scan(binaries, Path(folder), ["a.py"])}
    return 2, [f"planted: no {kind} found" for kind in ("Secret Keyword", "Private Key") if kind not in rules]


def _files() -> list[str]:
    told = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if told.returncode == 0 and told.stdout:
        return [line for line in told.stdout.splitlines() if (ROOT / line).is_file()]
    return [
        str(each.relative_to(ROOT))
        for each in ROOT.rglob("*")
        if each.is_file()
        and not any(part.startswith(".") or part == "data" for part in each.relative_to(ROOT).parts)
    ]


def _scan(binaries: Path, root: Path, files: list[str]) -> list[Finding]:
    done = subprocess.run(
        [str(binaries / "detect-secrets"), "scan", "--no-verify",
         "--exclude-files", HASHED, "--exclude-lines", NAMED, *files],
        check=False, cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"detect-secrets ended with {done.returncode}: {done.stderr[-2000:]}")
    results = json.loads(done.stdout)["results"]
    return [
        Finding("detect-secrets", each["type"], path, each["line_number"], "looks like a secret")
        for path, many in results.items()
        for each in many
    ]
