"""The residual token of IHE PCF: what an authorisation server tells whoever holds the data (`ihe_pcf`)."""

from __future__ import annotations

from datetime import date
from typing import Any

from consent.fhir.deciding import PolicyDecision, Rule

Json = dict[str, Any]


def residual_claims(decision: PolicyDecision, patient_id: str, base: str) -> Json:
    """The `extensions` claim of a permit; references are made absolute under `base` (no slash at its end).

    Raises:
        ValueError: the decision refuses: a refusal has no token.
    """
    if not decision.permit:
        raise ValueError("a refusal has no token")
    return {
        "ihe_pcf": {
            "patient_id": patient_id,
            "doc_id": list(decision.consent_ids),
            "acp": list(decision.policies),
            "residual": [rule_json(each, base) for each in decision.residual],
        }
    }


def rule_json(rule: Rule, base: str) -> Json:
    """One residual rule."""
    found: Json = {"type": rule.type}
    meant = rule.restriction
    if meant.labels:
        found["securityLabel"] = [{"system": each.system, "code": each.code} for each in meant.labels]
    if meant.data_period is not None:
        ends = {"start": meant.data_period.first, "end": meant.data_period.last}
        found["dataPeriod"] = {name: _day(day) for name, day in ends.items() if day is not None}
    if meant.data:
        found["data"] = [
            {"meaning": each.meaning, "reference": {"reference": _absolute(each.reference, base)}}
            for each in meant.data
        ]
    return found


def _day(day: date) -> str:
    return day.isoformat()


def _absolute(reference: str, base: str) -> str:
    return reference if "://" in reference or reference.startswith("urn:") else f"{base}/{reference}"
