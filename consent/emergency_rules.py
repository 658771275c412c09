"""What an emergency opens, for how long, and when it is to be reviewed: a cited file, read strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Final

from consent.codes import CATEGORIES

PURPOSE: Final = "BTG"
"""The purpose of an emergency, as reads must name it (HL7 v3 ActReason)."""


@dataclass(frozen=True)
class EmergencyRules:
    """The whole file. `repeat` is how far back an earlier access to the same book is pointed out."""

    valid_from: date
    lasts: timedelta
    categories: frozenset[str]
    review_within: timedelta
    repeat: timedelta
    sources: tuple[str, ...]


def load_rules(raw: str) -> EmergencyRules:
    """Read the file. A misspelt or missing member, a category on no list, or no source stops the start."""
    told = json.loads(raw)
    rules = EmergencyRules(
        valid_from=date.fromisoformat(told.pop("valid_from")),
        lasts=timedelta(minutes=told.pop("minutes")),
        categories=frozenset(told.pop("categories")),
        review_within=timedelta(hours=told.pop("review_hours")),
        repeat=timedelta(days=told.pop("repeat_days")),
        sources=tuple(told.pop(f"{of}_source") for of in ("minutes", "categories", "review", "repeat")),
    )
    if told or not all(rules.sources) or not rules.categories:
        raise ValueError("the emergency rules are misspelt or without a source")
    if not rules.categories <= CATEGORIES.codes.keys() or not rules.lasts:
        raise ValueError("the emergency rules name a category that is on no list, or no time")
    return rules


RULES: Final = load_rules(files("consent").joinpath("emergency.json").read_text(encoding="utf-8"))
