"""What is compared with the standard, and the words for where a value lies: data files, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from wallet_api.records.types import Words

SIDES: Final = ("below_minus_3", "below_minus_2", "within_2", "above_plus_2", "above_plus_3")
"""Where a z-score may lie. A score on a line lies nearer to the median."""
ABOVE_1: Final = "above_plus_1"
"""The part of `within_2` that WHO has a name for."""
REASONS: Final = (
    *("no_number", "sex_unknown", "day_unknown", "before_birth", "over_age", "unit_unknown"),
    "implausible",
)
"""Why a value is not judged, in the order in which it is asked."""


@dataclass(frozen=True)
class Indicator:
    """One curve of the standard: which LOINC codes and units it is for, and what WHO says of z-scores."""

    title: str
    vi: str
    en: str
    unit: str
    year: int
    source: str
    loinc: Mapping[str, str | None]
    """The codes; `lying` or `standing` where the code says how it was measured."""
    units: Mapping[str, float]
    """What a number in each unit is multiplied by."""
    lowest: float
    highest: float
    """Beyond these z-scores WHO flags a value as implausible."""
    names: Mapping[str, str]


@dataclass(frozen=True)
class Measures:
    """What is compared, and until which birthday."""

    standard: str
    valid_from: str
    ends_at_years: int
    names_source: str
    limits_source: str
    correction_source: str
    codes_source: str
    correction_cm: float
    last_lying_day: int
    indicators: Mapping[str, Indicator]

    def named(self, loinc: str) -> str | None:
        """The indicator that a LOINC code is a measure of."""
        return next((name for name, each in self.indicators.items() if loinc in each.loinc), None)


@dataclass(frozen=True)
class Sayings:
    """Both languages of everything that is said of a value."""

    line: Words
    named: Words
    note: Words
    sides: Mapping[str, Words]
    names: Mapping[str, Words]
    reasons: Mapping[str, Words]


@cache
def measures() -> Measures:
    """The measures as they stand.

    Raises:
        TypeError, ValueError: a key is missing or misspelt, a code means two things, a name has no words.
    """
    raw = _read("measures.json")
    indicators = {name: Indicator(**one) for name, one in raw.pop("indicators").items()}
    codes = [code for each in indicators.values() for code in each.loinc]
    if len(set(codes)) < len(codes):
        raise ValueError("measures.json: a code is a measure of two indicators")
    for each in indicators.values():
        sides, names = set(each.names), set(each.names.values())
        if not sides <= {*SIDES, ABOVE_1} or not names <= sayings().names.keys():
            raise ValueError("measures.json: a name of no side, or one without words")
        if each.units.get(each.unit) != 1 or not each.lowest < -3 < 3 < each.highest:
            raise ValueError("measures.json: an indicator has a wrong unit or limit")
    return Measures(indicators=MappingProxyType(indicators), **raw)


@cache
def sayings() -> Sayings:
    """The words as they stand; as strict."""
    raw = _read("words.json")
    sides, names, reasons = (_words(raw.pop(name)) for name in ("sides", "names", "reasons"))
    if set(sides) != set(SIDES) or set(reasons) != set(REASONS):
        raise ValueError("words.json: a side or a reason has no words, or words that nobody says")
    whole = _words(raw)
    if set(whole) != {"line", "named", "note"}:
        raise ValueError("words.json: a key is missing or misspelt")
    return Sayings(whole["line"], whole["named"], whole["note"], sides, names, reasons)


def _words(raw: Mapping[str, Mapping[str, str]]) -> Mapping[str, Words]:
    return MappingProxyType({name: Words(**one) for name, one in raw.items()})


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return found
