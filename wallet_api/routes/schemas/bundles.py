"""The FHIR bundle a provider sends, as far as JSON Schema can say it."""

from __future__ import annotations

from typing import Any

from wallet_api.records.bundle import BUNDLE_TYPES, MAX_ENTRIES

_ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["resource"],
    "properties": {
        "fullUrl": {"type": "string"},
        "resource": {
            "type": "object",
            "required": ["resourceType"],
            "properties": {"resourceType": {"type": "string"}},
        },
    },
}
EXAMPLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "resource": {
                "resourceType": "Patient",
                "id": "p",
                "identifier": [{"system": "http://fhir.hl7.org.vn/core/sid/cccd", "value": "001190999001"}],
                "birthDate": "1990-05-04",
            }
        },
        {
            "resource": {
                "resourceType": "Condition",
                "id": "c-2026-0001",
                "subject": {"reference": "Patient/p"},
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "J02.9"}]},
                "onsetDateTime": "2026-11-21",
            }
        },
    ],
}
EVIDENCE_FILE: dict[str, Any] = {
    "required": True,
    "description": "JPEG, PNG or PDF, at most 5 MiB: told by its first bytes, whatever type it is sent with.",
    # One type, and this one: generators of clients know none of the three, and would leave the call out.
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
INSURANCE_FILE: dict[str, Any] = {
    "required": True,
    "description": "The XML file itself (UTF-8, at most 10 MiB and 50 visits), as facilities make it for the "
    "health insurance under Decision 130 and its amendments: known by its content, whatever type it is sent "
    "with; application/xml is the fitting one.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
FHIR_BUNDLE: dict[str, Any] = {
    "required": True,
    "content": {
        "application/fhir+json": {
            "schema": {
                "type": "object",
                "required": ["resourceType", "type", "entry"],
                "properties": {
                    "resourceType": {"type": "string", "enum": ["Bundle"]},
                    "type": {"type": "string", "enum": sorted(BUNDLE_TYPES)},
                    "entry": {"type": "array", "items": _ENTRY, "minItems": 1, "maxItems": MAX_ENTRIES},
                },
                "description": "About exactly one `Patient` with a number and a birth date.",
            },
            "example": EXAMPLE,
        }
    },
}
