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


PREGNANCY = frozenset(
    {
        "82810-3",
        "11778-8",
        "11779-6",
        "11780-4",
        "11612-9",
        "11613-7",
        "11614-5",
        "11636-8",
        "11637-6",
        "11638-4",
        "11639-2",
        "11640-0",
        "33065-4",
        "69043-8",
    }
)
"""LOINC: pregnancy status, expected date of delivery, outcomes (HL7 IPS 1.1, value sets of pregnancies)."""
_OF_PREGNANCY = frozenset(("http://loinc.org", code) for code in PREGNANCY)


def is_pregnancy(resource: Resource) -> bool:
    """Whether it tells of a pregnancy."""
    return any(pair in _OF_PREGNANCY for pair in codings(resource.get("code")))


def _category(resource: Resource) -> str:
    if is_pregnancy(resource):
        return "pregnancy"
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
