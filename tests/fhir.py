"""FHIR R4 resources as a hospital would send them, about synthetic people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

NATIONAL_ID = "http://fhir.hl7.org.vn/core/sid/cccd"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
CVX = "http://hl7.org/fhir/sid/cvx"
LOINC = "http://loinc.org"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
Json = dict[str, Any]


class Known(Protocol):
    """Somebody a bundle can be about."""

    @property
    def number(self) -> str: ...

    @property
    def born(self) -> date: ...


def bundle(person: Known, *resources: Json, **over: Any) -> Json:
    """A FHIR R4 bundle about somebody."""
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": NATIONAL_ID, "value": over.pop("number", person.number)}],
        "birthDate": over.pop("born", person.born.isoformat()),
    }
    entries = [{"resource": each} for each in (patient, *resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries} | over


def condition(source_id: str = "c1", code: str | Json = "I10", on: str = "2026-03-04", **over: Any) -> Json:
    """A diagnosis; `code` is an ICD-10 code or a whole CodeableConcept."""
    concept = {"coding": [{"system": ICD10, "code": code}]} if isinstance(code, str) else code
    return {
        "resourceType": "Condition",
        "id": source_id,
        "subject": {"reference": "Patient/p"},
        "code": concept,
        "onsetDateTime": on,
    } | over


def immunization(source_id: str = "i1", cvx: str = "08", on: str = "2026-02-03", **over: Any) -> Json:
    """A vaccination."""
    return {
        "resourceType": "Immunization",
        "id": source_id,
        "status": "completed",
        "patient": {"reference": "Patient/p"},
        "vaccineCode": {"coding": [{"system": CVX, "code": cvx}]},
        "occurrenceDateTime": on,
    } | over


def observation(source_id: str = "o1", on: str = "2026-01-02", **over: Any) -> Json:
    """A laboratory result."""
    return {
        "resourceType": "Observation",
        "id": source_id,
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": LOINC, "code": "718-7"}]},
        "effectiveDateTime": on,
    } | over


def labelled(resource: Json, *labels: str) -> Json:
    """The same with sensitivity labels as its sender says."""
    return resource | {"meta": {"security": [{"system": "x", "code": label} for label in labels]}}


def sources(items: Sequence[Json]) -> list[str]:
    """The senders' ids of records, in their order."""
    return [str(each["resource"]["id"]) for each in items]


def brought(url: str, organisation_id: str, version: str = "2026-11-01", **over: Any) -> Json:
    """A FHIR Consent that somebody brings along: an organisation may see immunizations, for treatment."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": "Patient/me"},
        "performer": [{"reference": "Patient/me"}],
        "policy": [{"uri": f"{url}/api/v1/notices/TREAT?locale=vi#{version}"}],
        "provision": {
            "type": "permit",
            "period": {"end": "2027-03-31"},
            "actor": [
                {
                    "role": {"coding": [{"system": PARTICIPATION, "code": "IRCP"}]},
                    "reference": {"reference": f"Organization/{organisation_id}"},
                }
            ],
            "purpose": [{"system": ACT_REASON, "code": "TREAT"}],
            "securityLabel": [{"system": "urn:wallet:categories", "code": "immunization"}],
        },
    } | over
