"""What a scanner found, and which of it is kept for a written reason."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Finding:
    """One thing found. `path` is relative to the project."""

    scanner: str
    rule: str
    path: str
    line: int
    says: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.says}"


def judge(scanner: str, found: list[Finding]) -> tuple[list[str], int]:
    """The complaints about what one scanner found, and how many findings are accepted.

    A complaint is a finding without an entry in accepted.toml, or an entry that finds less than it says.
    """
    entries = tomllib.loads((HERE / "accepted.toml").read_text(encoding="utf-8"))["accepted"]
    allowed = {(each["rule"], each["path"]): each["count"] for each in entries if each["scanner"] == scanner}
    seen = Counter((each.rule, each.path) for each in found)
    open_ = [
        str(each) for each in found if seen[(each.rule, each.path)] > allowed.get((each.rule, each.path), 0)
    ]
    stale = [
        f"accepted.toml: {rule} in {path}: {count} accepted, {seen[(rule, path)]} found: bring it up to date"
        for (rule, path), count in allowed.items()
        if seen[(rule, path)] < count
    ]
    return open_ + stale, sum(min(seen[key], count) for key, count in allowed.items())
