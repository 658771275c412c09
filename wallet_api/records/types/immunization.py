"""Immunization: vaccinations given, or refused with a reason."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, concept_in, first_of, needs_code, needs_status

_STATUS = frozenset({"completed", "entered-in-error", "not-done"})


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS), *needs_code(resource, "vaccineCode")]


TYPE = RecordType(
    "Immunization",
    always("immunization"),
    first_of("occurrenceDateTime"),
    _faults,
    Words("Tiêm chủng", "Vaccination"),
    frozenset({"immunization"}),
    subject="patient",
    about=concept_in("vaccineCode"),
)
