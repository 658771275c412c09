"""Encounter: visits: outpatient, inpatient, emergency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import codings, first_of, needs_status
from wallet_api.records.words import name_of

CHECK_UP = ("http://snomed.info/sct", "185349003")
"""Encounter for check up."""
SUBJECT_GROUP = "urn:health-wallet:check-up/subject-group"
"""Whom a check-up was for: DOI_TUONG of the national check-up data set."""
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


def _about(resource: Resource) -> Mapping[str, Any]:
    """Why it was, or what kind it was."""
    told = [*(resource.get("reasonCode") or ()), *(resource.get("type") or ())]
    named = resource.get("class") or {}
    kind = {"coding": [named], "text": named.get("display")}
    return next((each for each in told if name_of(each)), kind)


TYPE = RecordType(
    "Encounter",
    _category,
    first_of("period.start"),
    _faults,
    Words("Lượt khám", "Visit"),
    frozenset({"visit", "checkup"}),
    about=_about,
)
