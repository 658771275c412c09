"""FHIR resources of the FHIR side, as far as JSON Schema needs to say: FHIR R4 says the rest."""

from __future__ import annotations

from typing import Any

from consent.fhir.vocabulary import ACT_REASON, CATEGORIES, CONSENT_SCOPE, PARTICIPATION


def _resource(kind: str, says: str) -> dict[str, Any]:
    members = {"resourceType": {"type": "string", "enum": [kind]}, "id": {"type": "string"}}
    return {"type": "object", "required": ["resourceType"], "properties": members, "description": says}


CONSENT = _resource("Consent", "FHIR R4 Consent, legal in IHE Privacy Consent on FHIR (Advanced).")
SEARCH_SET = _resource("Bundle", "A page of a search; the `next` link, if there is one, leads on.")
EXAMPLE: dict[str, Any] = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
    "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
    "patient": {"reference": "Patient/me"},
    "performer": [{"reference": "Patient/me"}],
    "policy": [{"uri": "http://127.0.0.1:8080/api/v1/notices/TREAT?locale=vi#2026-11-01"}],
    "provision": {
        "type": "permit",
        "period": {"end": "2027-03-31"},
        "actor": [
            {
                "role": {"coding": [{"system": PARTICIPATION, "code": "IRCP"}]},
                "reference": {"reference": "Organization/aaaaaaaaaaaaaaaaaaaaaaaaaa"},
            }
        ],
        "purpose": [{"system": ACT_REASON, "code": "TREAT"}],
        "securityLabel": [{"system": CATEGORIES, "code": "immunization"}],
    },
}
CONSENT_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/fhir+json": {
            "schema": {
                "type": "object",
                "required": [
                    "resourceType",
                    "status",
                    "scope",
                    "patient",
                    "performer",
                    "policy",
                    "provision",
                ],
                "properties": {
                    "resourceType": {"type": "string", "enum": ["Consent"]},
                    "status": {"type": "string", "enum": ["active", "proposed"]},
                    "scope": {"type": "object"},
                    "patient": {"type": "object"},
                    "performer": {"type": "array", "items": {"type": "object"}, "minItems": 1},
                    "policy": {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 1},
                    "provision": {"type": "object"},
                },
                "description": "A permit for one recipient and one purpose, with an end.",
            },
            "example": EXAMPLE,
        }
    },
}
AUDIT_EVENTS = _resource("Bundle", "A page of AuditEvents; the `next` link, if there is one, leads on.")
CAPABILITIES = _resource("CapabilityStatement", "What this FHIR side can do.")
