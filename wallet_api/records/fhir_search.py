"""What a FHIR search asks for, and whether a record is it. Pure.

Contents are sealed, so codes and types are looked at only after the reader's predicate has let a record out
of the store: a search can find nothing that reading the book would not show. Days are Vietnamese calendar
days, those the records are filed under.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from wallet_api.records.model import Filter, PartialDate, Record
from wallet_api.records.types import Resource, record_types

Prefix = Literal["eq", "ge", "le", "gt", "lt"]


def _kinds() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for each in record_types().values():
        found[each.resource_type] = found.get(each.resource_type, frozenset()) | each.categories
    return MappingProxyType(dict(sorted(found.items())))


KINDS: Final = _kinds()
"""The categories in which resources of a type are kept."""
CODES: Final[Mapping[str, tuple[str, str]]] = {
    "AllergyIntolerance": ("code", "code"),
    "Condition": ("code", "code"),
    "DiagnosticReport": ("code", "code"),
    "DocumentReference": ("type", "type"),
    "Encounter": ("type", "type"),
    "EpisodeOfCare": ("type", "type"),
    "Immunization": ("vaccine-code", "vaccineCode"),
    "MedicationRequest": ("code", "medicationCodeableConcept"),
    "MedicationStatement": ("code", "medicationCodeableConcept"),
    "Observation": ("code", "code"),
    "Procedure": ("code", "code"),
}
"""By which parameter FHIR R4 searches a type for what it is, and where that stands."""
CATEGORISED: Final = frozenset(KINDS) - {"Encounter", "EpisodeOfCare", "Immunization"}
"""The types that have a category."""


@dataclass(frozen=True)
class Token:
    """A code to look for; `system` None: of any system, "": of none."""

    code: str
    system: str | None = None

    def found_in(self, concept: Mapping[str, Any] | str) -> bool:
        """Whether a CodeableConcept, or a bare code, holds it."""
        if isinstance(concept, str):
            return self.system is None and concept == self.code
        return any(
            (not self.code or each.get("code") == self.code)
            and (self.system is None or each.get("system", "") == self.system)
            for each in concept.get("coding") or ()
        )


@dataclass(frozen=True)
class Days:
    """A comparison with a day, a month or a year, as FHIR compares ranges."""

    prefix: Prefix
    value: PartialDate

    def holds(self, when: PartialDate) -> bool:
        """Whether a date, as far as it is known, stands so to the value."""
        first, last = self.value.first_day, self.value.last_day
        return {
            "eq": first <= when.first_day and when.last_day <= last,
            "ge": when.last_day >= first,
            "le": when.first_day <= last,
            "gt": when.last_day > last,
            "lt": when.first_day < first,
        }[self.prefix]


@dataclass(frozen=True)
class Moments:
    """A comparison with an instant known to a part of a day: from `first` to before `end`."""

    prefix: Prefix
    first: datetime
    end: datetime

    def holds(self, when: datetime) -> bool:
        """Whether an instant stands so to it."""
        return {
            "eq": self.first <= when < self.end,
            "ge": when >= self.first,
            "le": when < self.end,
            "gt": when >= self.end,
            "lt": when < self.first,
        }[self.prefix]


@dataclass(frozen=True)
class Search:
    """What is asked for: every condition must hold; of the tokens of one condition any will do."""

    kinds: frozenset[str] = frozenset(KINDS)
    codes: tuple[tuple[Token, ...], ...] = ()
    categories: tuple[tuple[Token, ...], ...] = ()
    days: tuple[Days, ...] = ()
    updated: tuple[Moments, ...] = ()
    record_ids: frozenset[str] | None = None
    oldest_first: bool = False

    @property
    def filter(self) -> Filter:
        """What the store can leave out by itself: never a record that fits."""
        whole = self.kinds == frozenset(KINDS)
        kept = None if whole else frozenset(one for kind in self.kinds for one in KINDS[kind])
        after = [each.value.first_day for each in self.days if each.prefix in ("eq", "ge", "gt")]
        until = [each.value.last_day for each in self.days if each.prefix in ("eq", "le", "lt")]
        # A date may be known to the year alone, and so lie on both sides of a day within it.
        first = date(max(after).year, 1, 1) if after else None
        last = date(min(until).year, 12, 31) if until else None
        return Filter(kept, first, last, self.oldest_first)

    def fits(self, record: Record) -> bool:
        """Whether a record is asked for."""
        resource = record.resource
        return (
            resource.get("resourceType") in self.kinds
            and (self.record_ids is None or record.id in self.record_ids)
            and all(each.holds(record.occurred_on) for each in self.days)
            and all(each.holds(record.recorded_at) for each in self.updated)
            and all(_any(each, _coded(resource)) for each in self.codes)
            and all(_any(each, _list(resource.get("category"))) for each in self.categories)
        )


def _coded(resource: Resource) -> Sequence[Any]:
    return _list(resource.get(CODES[str(resource["resourceType"])][1]))


def _any(tokens: tuple[Token, ...], concepts: Sequence[Any]) -> bool:
    return any(token.found_in(each) for each in _concepts(concepts) for token in tokens)


def _concepts(found: Sequence[Any]) -> Iterator[Mapping[str, Any] | str]:
    return (each for each in found if isinstance(each, Mapping | str))


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
