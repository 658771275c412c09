"""What somebody may enter into their own book: a data file with codes, units and limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

CIRCUMSTANCE: Final = "circumstance"
"""Something that holds of the person for a time; `notifications.conditions` has the list of them."""


@dataclass(frozen=True)
class Part:
    """A number of a measurement: its UCUM unit and what a living person can have."""

    unit: str
    lowest: float
    highest: float
    loinc: str | None = None
    vi: str | None = None


@dataclass(frozen=True)
class Measurement:
    """Something people measure at home. `parts` by the field it is entered in."""

    loinc: str
    vi: str
    category: str
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class OwnKinds:
    """Everything that may be entered, by kind."""

    measurements: Mapping[str, Measurement]
    histories: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """Every kind."""
        return (*self.measurements, *sorted(self.histories), CIRCUMSTANCE)


@cache
def own_kinds() -> OwnKinds:
    """The kinds as they stand. A limit that is the wrong way round stops the start."""
    raw: dict[str, Any] = json.loads(
        files(__package__).joinpath("own_kinds.json").read_text(encoding="utf-8")
    )
    measurements = {
        name: Measurement(one["loinc"], one["vi"], one["category"], _parts(one["parts"]))
        for name, one in raw["measurements"].items()
    }
    return OwnKinds(MappingProxyType(measurements), frozenset(raw["histories"]))


def _parts(raw: Mapping[str, Any]) -> Mapping[str, Part]:
    found = {
        name: Part(one["unit"], one["lowest"], one["highest"], one.get("loinc"), one.get("vi"))
        for name, one in raw.items()
    }
    if any(not each.lowest < each.highest for each in found.values()):
        raise ValueError("own_kinds.json: a lowest value is not below its highest")
    return MappingProxyType(found)
