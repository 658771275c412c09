"""Code lists and legal clocks of the register, read from a cited file: another law is another file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import Final


@dataclass(frozen=True)
class Clock:
    """A legal time limit that runs from detection; `data` empty means for every breach that must be told."""

    code: str
    to: str
    after: timedelta
    data: frozenset[str]
    source: str

    def runs_for(self, data: frozenset[str]) -> bool:
        """Whether it runs when these kinds of data are concerned."""
        return not self.data or bool(self.data & data)


@dataclass(frozen=True)
class Rules:
    """The whole file. Each list: code to its text by language."""

    clocks: tuple[Clock, ...]
    kinds: Mapping[str, Mapping[str, str]]
    causes: Mapping[str, Mapping[str, str]]
    data: Mapping[str, Mapping[str, str]]
    risks: Mapping[str, Mapping[str, str]]
    states: Mapping[str, Mapping[str, str]]


def load_rules(raw: str) -> Rules:
    """Read the file. An unknown or missing member, or a clock without a source, stops the start."""
    told = json.loads(raw)
    clocks = tuple(
        Clock(
            code=each.pop("code"),
            to=each.pop("to"),
            after=timedelta(hours=each.pop("hours")),
            data=frozenset(each.pop("data")),
            source=each.pop("source"),
        )
        for each in told["clocks"]
    )
    rules = Rules(**{**told, "clocks": clocks})
    if any(told["clocks"]) or not all(each.source and each.data <= set(rules.data) for each in clocks):
        raise ValueError("a clock of the breach register is misspelt or without its source")
    return rules


RULES: Final = load_rules(files("wallet_api.breaches").joinpath("rules.json").read_text(encoding="utf-8"))
