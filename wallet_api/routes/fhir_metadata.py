"""What the FHIR side can do: the CapabilityStatement."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from wallet_api.context import services
from wallet_api.routes.fhir_answers import FHIR, fhir, fhir_blueprint
from wallet_api.routes.guarded import anybody
from wallet_api.routes.schemas.fhir import CAPABILITIES

fhir_metadata = fhir_blueprint("fhir-metadata", __name__, anybody, "What the FHIR side can do.", "public")
_PATIENT = {"name": "patient", "type": "reference", "documentation": "absent: the caller"}


@fhir_metadata.route("/metadata")
class Capabilities(MethodView):
    """What this FHIR side can do."""

    @fhir_metadata.doc(operationId="getFhirCapabilities")
    @fhir_metadata.response(200, CAPABILITIES, content_type=FHIR)
    def get(self) -> Response:
        """The CapabilityStatement: Consent (search, read, create) and AuditEvent (search)."""
        return fhir(_statement(services().settings.public_url))


def _statement(url: str) -> dict[str, Any]:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-01",
        "kind": "instance",
        "implementation": {"description": "Health wallet", "url": f"{url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                    "code": "SMART-on-FHIR",
                                }
                            ]
                        }
                    ]
                },
                "resource": [
                    {
                        "type": "AuditEvent",
                        "interaction": [{"code": "search-type"}],
                        "searchParam": [_PATIENT],
                    },
                    {
                        "type": "Consent",
                        "interaction": [{"code": each} for each in ("search-type", "read", "create")],
                        "searchParam": [_PATIENT],
                    },
                ],
            }
        ],
    }
