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
DOCUMENT = _resource("Bundle", "An International Patient Summary: a Bundle of type document.")
CAPABILITIES = _resource("CapabilityStatement", "What this FHIR side can do.")
RESOURCE: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType", "id"],
    "properties": {"resourceType": {"type": "string"}, "id": {"type": "string"}},
    "description": "A FHIR R4 resource of the type in the path.",
}
HISTORY = _resource("Bundle", "The versions of a resource, newest first.")
PATIENT = _resource("Patient", "A person; numbers are masked.")
OUTCOME = _resource(
    "OperationOutcome",
    "What went wrong: the `code` of the problem stands in `issue[0].details`, the request id in "
    "`issue[0].diagnostics`; problem details instead where `Accept` names `application/problem+json`.",
)


def _parameter(name: str, says: str, **schema: Any) -> dict[str, Any]:
    return {"in": "query", "name": name, "description": says, "schema": {"type": "string", **schema}}


FORMAT = [
    _parameter("_format", "JSON, in any of its names; it counts for more than `Accept`."),
    _parameter("_pretty", "Taken and not heeded."),
]
_PAGING = [
    _parameter("_count", "1 to 100: at most so many on a page.", pattern="^[1-9][0-9]{0,2}$"),
    _parameter("cursor", "From a `next` link, and then alone: it holds the search.", maxLength=2048),
    *FORMAT,
]
_HOW_MANY = [
    _parameter("_total", "`accurate`: say how many there are.", enum=["none", "estimate", "accurate"]),
    _parameter("_summary", "`count`: say nothing else.", enum=["count", "false"]),
]
_PERSON = "`Patient/{id}` or an id; absent: the caller, or whose book the access session is for."
_COMPARED = "With a prefix eq, ge, le, gt or lt; a year, a month, a day or an instant; may be repeated."
SEARCH_PARAMETERS = [
    _parameter("patient", _PERSON),
    _parameter("subject", "The same."),
    _parameter("_id", "Ids, separated by commas."),
    _parameter("date", f"The Vietnamese day it is filed under. {_COMPARED}"),
    _parameter("_lastUpdated", f"When this version was recorded. {_COMPARED}"),
    _parameter("code", "`system|code` or `code`, separated by commas; not of every type."),
    _parameter("vaccine-code", "The same, of immunizations."),
    _parameter("type", "The same, of encounters and documents."),
    _parameter("category", "The same, of what has a category."),
    _parameter("_sort", "By day.", enum=["date", "-date"]),
    *_HOW_MANY,
    *_PAGING,
]
PATIENT_PARAMETERS = [_parameter("_id", "Ids, separated by commas."), *_HOW_MANY, *_PAGING]
EVERYTHING_PARAMETERS = [
    _parameter("_type", "Types of resources, separated by commas."),
    _parameter("_since", "Recorded at this instant or later."),
    *_PAGING,
]


def form_of(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a search that is posted."""
    members = {each["name"]: each["schema"] for each in parameters}
    schema = {"type": "object", "properties": members, "description": "As in the query of the search."}
    return {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
