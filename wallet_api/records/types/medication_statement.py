"""MedicationStatement: medicines somebody takes."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource
from wallet_api.records.types._fields import always, first_of, needs_status

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
    lasting=True,
)
