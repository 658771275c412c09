"""Immunization: vaccinations given, or refused with a reason."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource
from wallet_api.records.types._fields import always, first_of, needs_code, needs_status

_STATUS = frozenset({"completed", "entered-in-error", "not-done"})


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS), *needs_code(resource, "vaccineCode")]


TYPE = RecordType(
    "Immunization", always("immunization"), first_of("occurrenceDateTime"), _faults, subject="patient"
)
