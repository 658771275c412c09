"""Code lists as data: purposes, categories, labels, frequencies, refusal reasons, states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True)
class Code:
    """One code with its names; `more` holds what this list alone says of its codes."""

    code: str
    vi: str
    en: str
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class CodeList:
    """A closed list of codes and where it comes from."""

    id: str
    source: str
    codes: Mapping[str, Code]

    def __contains__(self, code: object) -> bool:
        return code in self.codes


@cache
def code_list(name: str) -> CodeList:
    """Read one list of this folder.

    Raises:
        KeyError: there is no such list.
        ValueError: the file names no source or repeats a code; such a product must not start.
    """
    if name not in NAMES:
        raise KeyError(name)
    raw = json.loads(files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    codes = {row["code"]: _code(row) for row in raw["codes"]}
    if not raw["source"] or len(codes) != len(raw["codes"]):
        raise ValueError(f"code list {name} is not usable")
    return CodeList(raw["id"], raw["source"], MappingProxyType(codes))


def _code(row: dict[str, object]) -> Code:
    more = {key: value for key, value in row.items() if key not in ("code", "vi", "en")}
    return Code(str(row["code"]), str(row["vi"]), str(row["en"]), more)


NAMES = frozenset(
    {
        "purposes",
        "categories",
        "labels",
        "frequencies",
        "refusal-reasons",
        "withdrawal-reasons",
        "emergency-reasons",
        "states",
    }
)
PURPOSES = code_list("purposes")
CATEGORIES = code_list("categories")
LABELS = code_list("labels")
FREQUENCIES = code_list("frequencies")
REFUSAL_REASONS = code_list("refusal-reasons")
WITHDRAWAL_REASONS = code_list("withdrawal-reasons")
EMERGENCY_REASONS = code_list("emergency-reasons")
STATES = code_list("states")


def uses_of(frequency: str) -> int | None:
    """How many uses a frequency code allows; None means no limit within the grant's time."""
    uses = FREQUENCIES.codes[frequency].more["uses"]
    return uses if isinstance(uses, int) else None
