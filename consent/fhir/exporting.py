"""A grant as a FHIR R4 Consent that is legal in IHE PCF, and says no more than the grant does.

Whoever does not know our extensions must not read more into it. So the categories are security labels of our
own system, which a stranger finds on no data; restricted labels that stay shut are an exception; a limit on
uses is a modifier; and what opens more is a plain extension. Breaking the glass has the purpose BTG and this
same shape: an exception cannot have exceptions, and a restricted record stays shut in an emergency too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.codes import LABELS
from consent.fhir.dates import before, instant_text
from consent.fhir.vocabulary import (
    ACT_REASON,
    CATEGORIES,
    CONSENT_DOCUMENT,
    CONSENT_SCOPE,
    EXTENSION,
    LOINC,
    PARTICIPATION,
    PRIVACY,
    PROFILES,
    RECIPIENT,
    label_system,
)
from consent.model import Evidence, Grant, GrantState, Scope

Json = dict[str, Any]
USES = f"{EXTENSION}:uses"
STATUS: Mapping[GrantState, str] = {
    "granted": "active",
    "suspended": "inactive",
    "withdrawn": "inactive",
    "superseded": "inactive",
    "ended": "inactive",
}


@dataclass(frozen=True)
class Surroundings:
    """What of a Consent is not in the grant: where this wallet is, and what the recipient is called."""

    url: str
    recipient: str


def consent_of(grant: Grant, state: GrantState, around: Surroundings) -> Json:
    """The resource. Equal grants give equal resources."""
    patient = {"reference": f"Patient/{grant.citizen_id}"}
    scope = grant.scope
    resource: Json = {
        "resourceType": "Consent",
        "id": grant.id,
        "meta": {
            "versionId": str(grant.version),
            "lastUpdated": instant_text(max([grant.granted_at, *(step.at for step in grant.history)])),
            "profile": [PROFILES["Advanced"]],
        },
        "language": grant.notice.locale,
        "extension": _extensions(grant, state),
        "status": STATUS[state],
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": PRIVACY}]},
        "category": [{"coding": [{"system": LOINC, "code": CONSENT_DOCUMENT}]}],
        "patient": patient,
        "dateTime": instant_text(grant.granted_at),
        "performer": _performers(grant, patient),
        "organization": [_wallet(around)],
        "sourceAttachment": {
            "contentType": "application/jose",
            "url": f"{around.url}/api/v1/citizens/{grant.citizen_id}/grants/{grant.id}/receipt",
            "title": "receipt",
        },
        "policy": [{"uri": notice_uri(around.url, scope.purpose, grant.notice.locale, grant.notice.version)}],
        "verification": [
            {
                "verified": True,
                "verifiedWith": patient,
                "verificationDate": instant_text(grant.evidence.authenticated_at),
            }
        ],
        "provision": _provision(grant, around),
    }
    if scope.uses is not None:
        resource["modifierExtension"] = [{"url": USES, "valuePositiveInt": scope.uses}]
    return resource


def notice_uri(url: str, purpose: str, locale: str, version: str) -> str:
    """Where the text lies that the person saw, down to its version."""
    return f"{url}/api/v1/notices/{purpose}?locale={locale}#{version}"


def recipient_reference(scope: Scope) -> str:
    """Who may read: an organisation, or one practitioner in it (staff numbers are an organisation's own)."""
    if scope.practitioner_id is None:
        return f"Organization/{scope.organisation_id}"
    return f"PractitionerRole/{scope.organisation_id}.{scope.practitioner_id}"


def record_reference(url: str, record_id: str) -> str:
    """A record of the book, for its owner."""
    return f"{url}/api/v1/citizens/me/records/{record_id}"


def _provision(grant: Grant, around: Surroundings) -> Json:
    scope = grant.scope
    end = scope.expires_at if grant.holds_until is None else min(scope.expires_at, grant.holds_until)
    found: Json = {
        "type": "permit",
        "period": {"start": instant_text(grant.granted_at), "end": instant_text(before(end))},
        "actor": [
            {
                "role": {"coding": [{"system": PARTICIPATION, "code": RECIPIENT}]},
                "reference": {"reference": recipient_reference(scope), "display": around.recipient},
            }
        ],
        "securityLabel": [{"system": CATEGORIES, "code": each} for each in sorted(scope.categories)],
        "purpose": [{"system": ACT_REASON, "code": scope.purpose}],
    }
    days = {"start": scope.record_period.first, "end": scope.record_period.last}
    if told := {name: day.isoformat() for name, day in days.items() if day is not None}:
        found["dataPeriod"] = told
    if scope.record_ids is not None:
        found["data"] = [
            {"meaning": "instance", "reference": {"reference": record_reference(around.url, each)}}
            for each in sorted(scope.record_ids)
        ]
    shut = sorted(LABELS.codes.keys() - scope.labels)
    labels = [{"system": label_system(each), "code": each} for each in shut]
    return found | ({"provision": [{"type": "deny", "securityLabel": labels}]} if labels else {})


def _extensions(grant: Grant, state: GrantState) -> list[Json]:
    scope = grant.scope
    told: list[tuple[str, str, object]] = [
        ("kind", "valueCode", grant.kind),
        ("state", "valueCode", state),
        ("access-mode", "valueCode", scope.mode),
        ("erase-at", "valueDateTime", instant_text(scope.expires_at)),
        ("notice-sha256", "valueString", grant.notice.sha256),
        *(("opened-label", "valueCode", each) for each in sorted(scope.labels)),
        *(("held-back", "valueCode", each.replace("_", "-")) for each in grant.held_back),
    ]
    return [{"url": f"{EXTENSION}:{name}", kind: value} for name, kind, value in told]


def _performers(grant: Grant, patient: Json) -> list[Json]:
    evidence = [each.evidence for each in grant.signatures] or [grant.evidence]
    return [_performer(each, grant, patient) for each in evidence]


def _performer(evidence: Evidence, grant: Grant, patient: Json) -> Json:
    if evidence.relation == "practitioner":
        return {"reference": f"PractitionerRole/{grant.scope.organisation_id}.{evidence.person_id}"}
    return patient if evidence.relation == "self" else {"reference": f"RelatedPerson/{evidence.person_id}"}


def _wallet(around: Surroundings) -> Json:
    return {"identifier": {"system": "urn:ietf:rfc:3986", "value": around.url}, "display": "Health wallet"}
