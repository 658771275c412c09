"""Observation: laboratory results, vital signs and findings of check-ups."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import codings, first_of, needs_code, needs_status

_STATUS = frozenset(
    {
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered-in-error",
        "unknown",
    }
)
_CATEGORIES = {"vital-signs": "vital_sign", "imaging": "imaging", "exam": "checkup"}


def _category(resource: Resource) -> str:
    for concept in resource.get("category") or ():
        for _, code in codings(concept):
            if code in _CATEGORIES:
                return _CATEGORIES[code]
    return "lab_result"


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS), *needs_code(resource, "code")]


TYPE = RecordType(
    "Observation",
    _category,
    first_of("effectiveDateTime", "effectivePeriod.start", "issued"),
    _faults,
    Words("Kết quả", "Result"),
    frozenset({"lab_result", "vital_sign", "imaging", "checkup"}),
    measured=True,
)
