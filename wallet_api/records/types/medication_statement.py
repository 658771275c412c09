"""MedicationStatement: medicines somebody takes."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, concept_in, first_of, needs_status

_STATUS = frozenset(
    {
        "active",
        "completed",
        "entered-in-error",
        "intended",
        "stopped",
        "on-hold",
        "unknown",
        "not-taken",
    }
)


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS)]


TYPE = RecordType(
    "MedicationStatement",
    always("medication"),
    first_of("effectiveDateTime", "effectivePeriod.start", "dateAsserted"),
    _faults,
    Words("Thuốc đang dùng", "Medicine taken"),
    frozenset({"medication"}),
    about=concept_in("medicationCodeableConcept"),
    lasting=True,
)
