"""What the FHIR side can do: the CapabilityStatement."""

from __future__ import annotations

from typing import Any, Final

from flask import Response
from flask.views import MethodView

from wallet_api.context import services
from wallet_api.records.fhir_search import CATEGORISED, CODES, KINDS
from wallet_api.routes.fhir_answers import FHIR, fhir, fhir_blueprint
from wallet_api.routes.guarded import anybody
from wallet_api.routes.schemas.fhir import CAPABILITIES

fhir_metadata = fhir_blueprint("fhir-metadata", __name__, anybody, "What the FHIR side can do.", "public")
Json = dict[str, Any]
_PATIENT: Final = {"name": "patient", "type": "reference", "documentation": "absent: the caller"}
_ID: Final = {"name": "_id", "type": "token"}
_SERVICE: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_OAUTH: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_OPERATIONS: Final = {
    "everything": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
    "summary": "http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
}


@fhir_metadata.route("/metadata")
class Capabilities(MethodView):
    """What this FHIR side can do."""

    @fhir_metadata.doc(operationId="getFhirCapabilities")
    @fhir_metadata.response(200, CAPABILITIES, content_type=FHIR)
    def get(self) -> Response:
        """The CapabilityStatement: the book, Patient, Consent (search, read, create), AuditEvent (search)."""
        return fhir(_statement(services().settings.public_url))


def _statement(url: str) -> Json:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "implementation": {"description": "Health wallet", "url": f"{url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Of citizens and guardians their own token; of providers one that names the "
                "practitioner, and the header Access-Session. What is not understood is refused (400) unless "
                "Prefer: handling=lenient. Pages hold no total unless _total=accurate.",
                "security": _security(url),
                "resource": _resources(),
            }
        ],
    }


def _security(url: str) -> Json:
    places = [
        {"url": name, "valueUri": f"{url}/oauth/{path}"}
        for name, path in (("token", "token"), ("authorize", "authorize"), ("revoke", "revoke"))
    ]
    return {
        "extension": [{"url": _OAUTH, "extension": places}],
        "service": [{"coding": [{"system": _SERVICE, "code": "SMART-on-FHIR"}]}],
    }


def _resources() -> list[Json]:
    named: list[Json] = [
        _resource("AuditEvent", ("search-type",), [_PATIENT]),
        _resource("Consent", ("search-type", "read", "create"), [_PATIENT]),
        _resource("Patient", ("search-type", "read"), [_ID])
        | {"operation": [{"name": name, "definition": url} for name, url in _OPERATIONS.items()]},
        *map(_kept, KINDS),
    ]
    return sorted(named, key=lambda each: str(each["type"]))


def _kept(kind: str) -> Json:
    """A type whose resources are records of the book."""
    code = {"name": CODES[kind][0], "type": "token"}
    days = {"name": "date", "type": "date", "documentation": "the Vietnamese day it is filed under"}
    asked = [
        _ID,
        _PATIENT,
        {"name": "subject", "type": "reference", "documentation": "the same as patient"},
        days,
        code,
        *([{"name": "category", "type": "token"}] if kind in CATEGORISED else []),
        {"name": "_lastUpdated", "type": "date"},
    ]
    made = _resource(kind, ("read", "vread", "history-instance", "search-type"), asked)
    return made | {"versioning": "versioned", "readHistory": True, "conditionalRead": "not-match"}


def _resource(kind: str, interactions: tuple[str, ...], searched: list[Json]) -> Json:
    return {
        "type": kind,
        "interaction": [{"code": each} for each in interactions],
        "searchParam": searched,
    }
