"""What a guardianship takes: kinds of evidence, the waiting period, reasons. Data, cited in its file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class GuardianshipRules:
    """`waiting_days`: Vietnamese days between a registrar's yes and the first day of a claimed relation."""

    source: str
    valid_from: str
    waiting_days: int
    most_files: int
    evidence_kinds: tuple[str, ...]
    refusal_reasons: tuple[str, ...]
    end_reasons: tuple[str, ...]


def load_rules() -> GuardianshipRules:
    """The rules in force. A misspelt or missing key stops the start (TypeError)."""
    text = resources.files("wallet_api.identity").joinpath("guardianship.json").read_text(encoding="utf-8")
    said = json.loads(text)
    lists = ("evidence_kinds", "refusal_reasons", "end_reasons")
    return GuardianshipRules(**said | {name: tuple(said[name]) for name in lists})


RULES = load_rules()
