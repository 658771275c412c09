"""FHIR resources of the FHIR side, as far as JSON Schema needs to say: FHIR R4 says the rest."""

from __future__ import annotations

from typing import Any

from consent.fhir.vocabulary import ACT_REASON, CATEGORIES, CONSENT_SCOPE, PARTICIPATION
from wallet_api.records.fhir_search import KINDS


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
_NO_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {
        "resourceType": {"type": "string", "enum": ["Parameters"]},
        "id": {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"},
        "parameter": {"type": "array", "items": {"type": "object"}, "maxItems": 0},
    },
    "additionalProperties": False,
}
NO_PARAMETERS: dict[str, Any] = {
    "content": {
        "application/fhir+json": {
            "schema": {
                "allOf": [_NO_PARAMETERS],  # within, for where nothing is sent nothing is demanded
                "description": "A FHIR R4 Parameters resource without any parameter, or no body at all.",
            },
            "example": {"resourceType": "Parameters"},
        }
    },
}
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


_ID = "[A-Za-z0-9._-]{1,64}"
_IDS = f"^{_ID}(,{_ID}){{0,9}}$"
_ZONE = "(Z|[+ -][0-9]{2}:[0-9]{2})"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_COMPARABLE = f"^(eq|ge|le|gt|lt)?[0-9]{{4}}(-[0-9]{{2}}(-[0-9]{{2}}(T{_CLOCK}{_ZONE})?)?)?$"
_INSTANT = f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_ZONE}$"
_CODING = r"([^,|]+(\|[^,|]*)?|\|[^,|]+)"
_CODINGS = f"^{_CODING}(,{_CODING}){{0,9}}$"
_TYPE = f"({'|'.join(sorted({'Patient', *KINDS}))})"
_REFERENCE = "^[A-Za-z0-9:/._-]+$"
FORMATS = r"(json|application/json|application/(fhir[+ ]json|json[+ ]fhir))(;[ -~]*)?"
"""What `_format` may say. A plus sign that was not escaped is a blank in a query."""
LONGEST_PARAMETER = 300
FORMAT = [
    _parameter(
        "_format",
        "JSON, in any of its names (else 406); it counts for more than `Accept`.",
        pattern=f"^{FORMATS}$",
    ),
    _parameter("_pretty", "Taken and not heeded.", enum=["true", "false"]),
]
_PAGING = [
    _parameter("_count", "1 to 100: at most so many on a page.", pattern="^([1-9][0-9]?|100)$"),
    _parameter(
        "cursor",
        "From a `next` link, and then alone: it holds the search.",
        pattern="^[A-Za-z0-9._~-]+$",
        maxLength=2048,
    ),
    *FORMAT,
]
_HOW_MANY = [
    _parameter("_total", "`accurate`: say how many there are.", enum=["none", "estimate", "accurate"]),
    _parameter("_summary", "`count`: say nothing else.", enum=["count", "false"]),
]
_PERSON = "`Patient/{id}` or an id; absent: the caller, or whose book the access session is for."
_COMPARED = "With a prefix eq, ge, le, gt or lt; a year, a month, a day or an instant; may be repeated."


def _searched(name: str, says: str, pattern: str) -> dict[str, Any]:
    return _parameter(name, says, pattern=pattern, maxLength=LONGEST_PARAMETER)


_BY_ID = _searched("_id", "Up to ten ids, separated by commas.", _IDS)
SEARCH_PARAMETERS = [
    _searched("patient", _PERSON, _REFERENCE),
    _searched("subject", "The same.", _REFERENCE),
    _BY_ID,
    _searched("date", f"The Vietnamese day it is filed under. {_COMPARED}", _COMPARABLE),
    _searched("_lastUpdated", f"When this version was recorded. {_COMPARED}", _COMPARABLE),
    _searched("code", "`system|code` or `code`, separated by commas; not of every type.", _CODINGS),
    _searched("vaccine-code", "The same, of immunizations.", _CODINGS),
    _searched("type", "The same, of encounters and documents.", _CODINGS),
    _searched("category", "The same, of what has a category.", _CODINGS),
    _parameter("_sort", "By day.", enum=["date", "-date"]),
    *_HOW_MANY,
    *_PAGING,
]
PATIENT_PARAMETERS = [_BY_ID, *_HOW_MANY, *_PAGING]
EVERYTHING_PARAMETERS = [
    _searched("_type", "Types of resources, separated by commas.", f"^{_TYPE}(,{_TYPE})*$"),
    _searched("_since", "Recorded at this instant or later.", _INSTANT),
    *_PAGING,
]


def form_of(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a search that is posted."""
    members = {each["name"]: each["schema"] for each in parameters}
    schema = {"type": "object", "properties": members, "description": "As in the query of the search."}
    return {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
