"""A person's access log as FHIR R4 AuditEvents, after IHE Basic Audit Log Patterns (BALP).

Made of the very lines of the list and of nothing else, so that it can tell no more than the list does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask.views import MethodView

from consent.fhir.vocabulary import ACT_REASON, CATEGORIES
from wallet_api.routes.citizens import log_page
from wallet_api.routes.fhir_answers import FHIR, PatientQuery, fhir, fhir_blueprint, patient, search_set
from wallet_api.routes.guarded import citizen_only
from wallet_api.routes.schemas.base import instant
from wallet_api.routes.schemas.fhir import AUDIT_EVENTS

fhir_audit_events = fhir_blueprint(
    "fhir-audit-events", __name__, citizen_only, "Who looked, as FHIR R4 AuditEvents (IHE BALP)."
)
Json = dict[str, Any]
_REST = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
_INTERACTIONS = "http://hl7.org/fhir/restful-interaction"
_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
_ENTITIES = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_SOURCES = "http://terminology.hl7.org/CodeSystem/security-source-type"
_AGENTS = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ACTIONS = "urn:wallet:log-actions"
_KINDS: Mapping[str, tuple[str, str]] = {
    "record:read": ("R", "read"),
    "record:searched": ("R", "search-type"),
    "record:exported": ("R", "search-type"),
    "record:written": ("C", "create"),
    "record:corrected": ("U", "update"),
    "forecast:read": ("R", "read"),
    "log:read": ("R", "search-type"),
    "share:viewed": ("R", "read"),
    "consent:granted": ("C", "create"),
    "consent:withdrawn": ("U", "update"),
    "data:erased": ("D", "delete"),
}
"""What an act is as a RESTful interaction; any other is executed (E) and has no such name."""


@fhir_audit_events.route("/AuditEvent")
class AuditEvents(MethodView):
    """Who looked."""

    @fhir_audit_events.doc(operationId="searchFhirAuditEvents")
    @fhir_audit_events.arguments(PatientQuery, location="query")
    @fhir_audit_events.response(200, AUDIT_EVENTS, content_type=FHIR)
    @fhir_audit_events.alt_response(404)
    def get(self, query: dict[str, Any]) -> Response:
        """Every look and every refused attempt, newest first. Cursors are those of the access log."""
        who = patient(query["patient"])
        lines, more = log_page(who, {"limit": query["count"], "cursor": query["cursor"]})
        found = [audit_event(each, who.citizen_id) for each in lines]
        return fhir(search_set("AuditEvent", found, query, more))


def audit_event(line: Mapping[str, Any], citizen_id: str) -> Json:
    """One line of the log as an AuditEvent."""
    action, interaction = _KINDS.get(line["action"], ("E", ""))
    subtypes = [{"system": _ACTIONS, "code": line["action"].replace(":", "-").replace("_", "-")}]
    if interaction:
        subtypes.insert(0, {"system": _INTERACTIONS, "code": interaction})
    event: Json = {
        "resourceType": "AuditEvent",
        # A FHIR id may hold no underscore, and ours no dot.
        "id": line["id"].replace("_", "."),
        "type": _REST,
        "subtype": subtypes,
        "action": action,
        "recorded": instant(line["at"]),
        "outcome": "0" if line["decision"] == "permit" else "4",
        "outcomeDesc": line["text"],
        "agent": _agents(line),
        "source": {"observer": {"display": "Health wallet"}, "type": [{"system": _SOURCES, "code": "4"}]},
        "entity": _entities(line, citizen_id),
    }
    if line["purpose"] is not None:
        event["purposeOfEvent"] = [{"coding": [{"system": ACT_REASON, "code": line["purpose"]}]}]
    return event


def _agents(line: Mapping[str, Any]) -> list[Json]:
    """Who acted; then the organisation it is about or acted through."""
    human = line["actor_kind"] in ("citizen", "practitioner", "link")
    kind = {"system": _AGENTS, "code": "IRCP" if human else "CST"}
    actor: Json = {"type": {"coding": [kind]}, "who": {"display": line["actor"]["name"]}, "requestor": True}
    organisation = line["organisation"]
    if organisation is None:
        return [actor]
    whom = {"reference": f"Organization/{organisation['id']}", "display": organisation["name_vi"]}
    return [
        actor,
        {"type": {"coding": [{"system": _AGENTS, "code": "CST"}]}, "who": whom, "requestor": False},
    ]


def _entities(line: Mapping[str, Any], citizen_id: str) -> list[Json]:
    found: list[Json] = [
        {
            "what": {"reference": f"Patient/{citizen_id}"},
            "type": {"system": _ENTITIES, "code": "1"},
            "role": {"system": _ROLES, "code": "1"},
        }
    ]
    if line["grant_id"] is not None:
        found.append(
            {
                "what": {"reference": f"Consent/{line['grant_id']}"},
                "type": {"system": _ENTITIES, "code": "2"},
                "role": {"system": _ROLES, "code": "4"},
            }
        )
    if line["categories"]:
        seen: Json = {
            "type": {"system": _ENTITIES, "code": "2"},
            "role": {"system": _ROLES, "code": "4"},
            "securityLabel": [{"system": CATEGORIES, "code": each} for each in line["categories"]],
        }
        if line["record_count"] is not None:
            seen["detail"] = [{"type": "records", "valueString": str(line["record_count"])}]
        found.append(seen)
    return found
