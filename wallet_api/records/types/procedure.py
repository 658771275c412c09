"""Procedure: procedures and operations."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, first_of, needs_code, needs_status

_STATUS = frozenset(
    {
        "preparation",
        "in-progress",
        "not-done",
        "on-hold",
        "stopped",
        "completed",
        "entered-in-error",
        "unknown",
    }
)


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS), *needs_code(resource, "code")]


TYPE = RecordType(
    "Procedure",
    always("procedure"),
    first_of("performedDateTime", "performedPeriod.start"),
    _faults,
    Words("Thủ thuật", "Procedure"),
    frozenset({"procedure"}),
)
