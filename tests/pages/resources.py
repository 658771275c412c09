"""FHIR R4 resources that front pages, visits and series are made of."""

from __future__ import annotations

from typing import Any

from tests.fhir import LOINC, Json

ATC = "http://www.whocc.no/atc"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_KIND = "http://terminology.hl7.org/CodeSystem/observation-category"
_SUBJECT: Json = {"subject": {"reference": "Patient/p"}}


def clinical(status: str) -> Json:
    """The member that says whether a condition goes on."""
    return {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": status}]}}


def allergy(source_id: str = "a1", text: str = "Tôm", on: str = "2024-05", **over: Any) -> Json:
    """An allergy."""
    made = {"resourceType": "AllergyIntolerance", "id": source_id, "code": {"text": text}}
    return made | {"patient": {"reference": "Patient/p"}, "recordedDate": on} | over


def medicine(source_id: str = "m1", name: str = "Metformin", on: str = "2026-10-20", **over: Any) -> Json:
    """A prescription."""
    made = {"resourceType": "MedicationRequest", "id": source_id, "status": "completed", "intent": "order"}
    return made | _SUBJECT | {"medicationCodeableConcept": {"text": name}, "authoredOn": on} | over


def visit(source_id: str = "v1", on: str = "2026-10-20", **over: Any) -> Json:
    """A visit."""
    made: Json = {
        "resourceType": "Encounter",
        "id": source_id,
        "status": "finished",
        "class": {"code": "AMB"},
    }
    return made | _SUBJECT | {"period": {"start": on}, "reasonCode": [{"text": "Đau lưng"}]} | over


def blood_group(source_id: str = "b1", said: str = "O+", on: str = "2012") -> Json:
    """A blood group."""
    return measured(source_id, "882-1", on, "laboratory") | {"valueString": said}


def measured(source_id: str, code: str, on: str, kind: str = "vital-signs", **over: Any) -> Json:
    """An observation of a LOINC code."""
    made = {"resourceType": "Observation", "id": source_id, "status": "final", "effectiveDateTime": on}
    kinds = [{"coding": [{"system": _KIND, "code": kind}]}]
    return made | _SUBJECT | {"category": kinds, "code": {"coding": [{"system": LOINC, "code": code}]}} | over


def quantity(value: float, unit: str = "kg") -> Json:
    """A value with its unit."""
    told = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {"valueQuantity": told}
