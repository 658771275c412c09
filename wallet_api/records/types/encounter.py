"""Encounter: visits: outpatient, inpatient, emergency."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource
from wallet_api.records.types._fields import codings, first_of, needs_status

CHECK_UP = ("http://snomed.info/sct", "185349003")
"""Encounter for check up."""
_STATUS = frozenset(
    {
        "planned",
        "arrived",
        "triaged",
        "in-progress",
        "onleave",
        "finished",
        "cancelled",
        "entered-in-error",
        "unknown",
    }
)


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS)]


def _category(resource: Resource) -> str:
    kinds = {pair for concept in resource.get("type") or () for pair in codings(concept)}
    return "checkup" if CHECK_UP in kinds else "visit"


TYPE = RecordType("Encounter", _category, first_of("period.start"), _faults)
