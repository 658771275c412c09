"""AllergyIntolerance: allergies and intolerances."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, first_of, needs_code, taken_back


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_code(resource, "code")]


TYPE = RecordType(
    "AllergyIntolerance",
    always("allergy"),
    first_of("recordedDate", "onsetDateTime", "onsetPeriod.start", "lastOccurrence"),
    _faults,
    Words("Dị ứng", "Allergy"),
    frozenset({"allergy"}),
    subject="patient",
    in_error=taken_back,
    lasting=True,
)
