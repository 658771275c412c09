"""What a share may be: its bounds, what a summary holds, and the names of its states, from a cited file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from consent.codes import CATEGORIES


@dataclass(frozen=True)
class Bounds:
    """How long, how often and how much. Days and minutes as named; passcodes in characters.

    `kept_days_after`: how long the person can still look at a share whose time is over.
    `most_refused_kept`: of how many refused attempts a share remembers who they said they were.
    `most_late_noted`: how many attempts on a link that is over are still written down.
    """

    longest_days: int
    longest_days_without_passcode: int
    most_uses: int
    most_open: int
    most_named: int
    most_records: int
    shortest_passcode: int
    longest_passcode: int
    passcode_attempts: int
    most_refused_kept: int
    most_late_noted: int
    kept_days_after: int
    location_minutes: int
    source: str


@dataclass(frozen=True)
class Names:
    """A code in words."""

    vi: str
    en: str


@dataclass(frozen=True)
class Rules:
    """The whole file."""

    summary: frozenset[str]
    bounds: Bounds
    states: Mapping[str, Names]
    outcomes: Mapping[str, Names]


def load_rules(raw: str) -> Rules:
    """Read the file.

    Raises ValueError or TypeError, which stop the start, for an unknown or missing member, a category that no
    list names, a number below one, or anything without its source.
    """
    told = json.loads(raw)
    summary, bounds = told.pop("summary"), Bounds(**told.pop("bounds"))
    rules = Rules(
        frozenset(summary["categories"]), bounds, _each(told.pop("states")), _each(told.pop("outcomes"))
    )
    numbers = [value for value in vars(bounds).values() if isinstance(value, int)]
    if told or not summary["source"] or not bounds.source or min(numbers) < 1:
        raise ValueError("the rules of shares: a member is misspelt, too small or without its source")
    if not rules.summary or not rules.summary <= CATEGORIES.codes.keys():
        raise ValueError("the rules of shares: a summary holds categories of the list")
    return rules


def _each(rows: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Names]:
    return MappingProxyType({code: Names(**row) for code, row in rows.items()})


RULES: Final = load_rules(files("wallet_api.shares").joinpath("rules.json").read_text(encoding="utf-8"))
