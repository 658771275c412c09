"""MedicationRequest: prescriptions."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, concept_in, first_of, needs_status

_STATUS = frozenset(
    {
        "active",
        "on-hold",
        "cancelled",
        "completed",
        "entered-in-error",
        "stopped",
        "draft",
        "unknown",
    }
)


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS)]


TYPE = RecordType(
    "MedicationRequest",
    always("medication"),
    first_of("authoredOn"),
    _faults,
    Words("Đơn thuốc", "Prescription"),
    frozenset({"medication"}),
    lasting=True,
    about=concept_in("medicationCodeableConcept"),
)
