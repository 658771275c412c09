"""Legal clocks, code lists and retention classes of rights requests, from a cited file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

Acts = Literal["withdraw", "restrict", "copy", "erase", "none"]
"""What the wallet itself does when a request of a kind is carried out."""


@dataclass(frozen=True)
class KindRule:
    """The time limits of one kind: working days to acknowledge, calendar days to carry out.

    `with_others` counts when processors or third parties must act too. `extension` may be added once.
    """

    acknowledge: int
    days: int
    with_others: int
    extension: int
    acts: Acts
    vi: str
    en: str
    source: str


@dataclass(frozen=True)
class ClassRule:
    """What becomes of one retention class when its owner asks for erasure.

    A `retained` one is erased only when the person has no medical records; else it is restricted `until`.
    """

    retained: bool
    until: str | None
    vi: str
    en: str
    source: str


@dataclass(frozen=True)
class Texts:
    """The names of a code, and for a refusal the law it rests on."""

    vi: str
    en: str
    source: str = ""


@dataclass(frozen=True)
class Rules:
    """The whole file."""

    law: Mapping[str, str]
    kinds: Mapping[str, KindRule]
    states: Mapping[str, Texts]
    refusals: Mapping[str, Texts]
    classes: Mapping[str, ClassRule]

    def erased(self, *, has_records: bool) -> tuple[str, ...]:
        """The retention classes whose keys an erasure destroys."""
        return tuple(sorted(n for n, each in self.classes.items() if not (each.retained and has_records)))


def load_rules(raw: str) -> Rules:
    """Read the file.

    Raises ValueError or TypeError, which stop the start, for an unknown or missing member, an unknown act,
    a time limit that is not positive, or anything without its source.
    """
    told = json.loads(raw)
    rules = Rules(
        law=MappingProxyType(told.pop("law")),
        kinds=_each(told.pop("kinds"), KindRule),
        states=_each(told.pop("states"), Texts),
        refusals=_each(told.pop("refusals"), Texts),
        classes=_each(told.pop("classes"), ClassRule),
    )
    cited: tuple[Any, ...] = (*rules.kinds.values(), *rules.refusals.values(), *rules.classes.values())
    if told or not all(each.source for each in cited) or not rules.law.get("valid_from"):
        raise ValueError("the rules of rights requests: a member is misspelt, or a source is missing")
    for kind in rules.kinds.values():
        limits = (kind.acknowledge, kind.days, kind.with_others, kind.extension)
        if kind.acts not in get_args(Acts) or min(limits) < 1 or kind.with_others < kind.days:
            raise ValueError("the rules of rights requests: a time limit or an act cannot be")
    return rules


def _each(rows: Mapping[str, Mapping[str, Any]], kind: Any) -> Mapping[str, Any]:
    return MappingProxyType({code: kind(**row) for code, row in rows.items()})


RULES: Final = load_rules(files("wallet_api.rights").joinpath("rules.json").read_text(encoding="utf-8"))
