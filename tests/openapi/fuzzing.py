"""Runs schemathesis over the document a running wallet publishes, as somebody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.openapi.peopled import Identity

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
    "object_level_authorization",
)
PHASES = ("examples", "coverage", "fuzzing", "stateful")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Finding:
    """What a run found: requests by operation and status, what the report says, and its words."""

    seen: Counter[str]
    report: dict[str, Any]
    said: str
    code: int

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return sum(self.seen.values())

    @property
    def statuses(self) -> Counter[int]:
        """How many answers had each status."""
        found: Counter[int] = Counter()
        for name, count in self.seen.items():
            found[int(name.rsplit(" ", 1)[1])] += count
        return found


@dataclass(frozen=True)
class Run:
    """One run: where, as whom (the first; all must not see each other's things), over which tags."""

    url: str
    folder: Path
    identities: Sequence[Identity]
    tags: Sequence[str]
    examples: int = 10
    seed: int = 2026
    checks: Sequence[str] = CHECKS
    phases: Sequence[str] = PHASES
    more: str = ""

    def start(self, throwaways: Sequence[Sequence[str]] = ()) -> Finding:
        """Run to the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        who = self.identities[0]
        told = {
            "known": who.known,
            "throwaways": throwaways,
            "tokens": [each.token for each in self.identities],
        }
        (self.folder / "told.json").write_text(json.dumps(told))
        (self.folder / "auth.json").write_text(
            json.dumps({"auth": [_entry(each) for each in self.identities]})
        )
        (self.folder / "schemathesis.toml").write_text(self._config() + self.more)
        env = os.environ | {
            "SCHEMATHESIS_HOOKS": "tests.openapi.hooks",
            "PYTHONPATH": str(HERE.parents[1]),
            "WALLET_FUZZ_TOLD": str(self.folder / "told.json"),
            "WALLET_FUZZ_SEEN": str(self.folder / "seen.json"),
            "NO_COLOR": "1",
        }
        command = self._command()
        done = subprocess.run(command, env=env, cwd=self.folder, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        (self.folder / "said.txt").write_text(said)
        seen = json.loads((self.folder / "seen.json").read_text())
        report = json.loads((self.folder / "report.json").read_text())
        return Finding(Counter(seen), report, said, done.returncode)

    def _command(self) -> list[str]:
        tags = [part for tag in self.tags for part in ("--include-tag", tag)]
        return [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(self.folder / "schemathesis.toml"),
            "run",
            f"{self.url}/api/openapi.json",
            *tags,
            "--checks",
            ",".join(self.checks),
            "--phases",
            ",".join(self.phases),
            "--max-examples",
            str(self.examples),
            "--seed",
            str(self.seed),
            "--continue-on-failure",
            "--report-json-path",
            str(self.folder / "report.json"),
            "--no-color",
        ]

    def _config(self) -> str:
        lines = ["[generation]", 'database = "none"']
        names = [each.name for each in self.identities]
        lines += ["[auth.wfc]", f'path = "{self.folder / "auth.json"}"', f'user = "{names[0]}"']
        if len(names) > 1:
            lines.append(f"peers = {json.dumps(names)}")
        return "\n".join(lines) + "\n" + (HERE / "silenced.toml").read_text(encoding="utf-8")


def _entry(who: Identity) -> dict[str, Any]:
    headers = [{"name": "Authorization", "value": f"Bearer {who.token}"}]
    return {"name": who.name, "fixedHeaders": headers}
