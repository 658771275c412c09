"""The codes of corrections and disputes with their names, and the law's time limit for an answer.

The limit is that of the rights requests' own cited file for "correct": one place holds the law's numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from wallet_api.rights.calendar import add_days
from wallet_api.rights.rules import RULES as RIGHTS

MOST_FILES: Final = 5
"""Evidence files of one request."""
LIMIT: Final = RIGHTS.kinds["correct"]

Names = Mapping[str, Mapping[str, str]]
"""By code: what it is called in Vietnamese (`vi`) and English (`en`)."""


@dataclass(frozen=True)
class Rules:
    """The whole file: code lists."""

    kinds: Names
    states: Names
    refusals: Names
    dispute_states: Names
    keep_reasons: Names
    remove_reasons: Names

    def reasons(self, decision: str) -> Names:
        """Why a dispute can be decided so: `keep` or `remove`."""
        return {"keep": self.keep_reasons, "remove": self.remove_reasons}[decision]


def answer_by(asked_on: date) -> date:
    """The last Vietnamese day for an answer: calendar days, which come before working days."""
    return add_days(asked_on, LIMIT.days)


def load_rules(raw: str) -> Rules:
    """Read the file.

    Raises ValueError or TypeError, which stop the start, for an unknown or missing list, an empty one, or a
    code that has not exactly its two names.
    """
    told = json.loads(raw)
    if set(told) != {one.name for one in fields(Rules)}:
        raise ValueError("the codes of corrections: a list is missing or misspelt")
    for name, rows in told.items():
        if not rows or any(set(row) != {"vi", "en"} or not all(row.values()) for row in rows.values()):
            raise ValueError(f"the codes of corrections: {name} is empty, or a name is missing")
    return Rules(**{name: MappingProxyType(rows) for name, rows in told.items()})


RULES: Final = load_rules(files("wallet_api.corrections").joinpath("rules.json").read_text(encoding="utf-8"))
