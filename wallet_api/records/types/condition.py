"""Condition: diagnoses and diseases."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, codings, first_of, needs_code, taken_back

_CLINICAL = frozenset({"active", "recurrence", "relapse", "inactive", "remission", "resolved"})


def _faults(resource: Resource) -> list[Fault]:
    faults = needs_code(resource, "code")
    status = {code for _, code in codings(resource.get("clinicalStatus"))}
    if not status <= _CLINICAL:
        faults.append(Fault("/clinicalStatus", "code_invalid", "clinicalStatus is not a FHIR R4 code"))
    return faults


TYPE = RecordType(
    "Condition",
    always("condition"),
    first_of("onsetDateTime", "onsetPeriod.start", "recordedDate", "abatementDateTime"),
    _faults,
    Words("Chẩn đoán", "Diagnosis"),
    frozenset({"condition"}),
    in_error=taken_back,
    lasting=True,
)
