"""FHIR Consents with every member filled in."""

from __future__ import annotations

from typing import Any

from consent.fhir.vocabulary import ACT_CODE, ACT_REASON, CONFIDENTIALITY, CONSENT_SCOPE, PARTICIPATION

Json = dict[str, Any]
OURS, OTHERS, DOCTOR, CITIZEN = "Organization/org", "Organization/other", "Practitioner/dr", "Patient/citizen"
PRIVILEGED = "Group/privileged"


def coding(code: str, system: str = ACT_REASON) -> Json:
    """A code."""
    return {"system": system, "code": code}


def sensitivity(code: str) -> Json:
    """A sensitivity label."""
    return coding(code, ACT_CODE)


def mark(code: str) -> Json:
    """A confidentiality mark."""
    return coding(code, CONFIDENTIALITY)


def actor(reference: str) -> Json:
    """A recipient."""
    return {
        "role": {"coding": [{"system": PARTICIPATION, "code": "IRCP"}]},
        "reference": {"reference": reference},
    }


def permit(*purposes: str, **more: Any) -> Json:
    """A permit for some purposes, treatment unless others are named."""
    return {"type": "permit", "purpose": [coding(each) for each in purposes or ("TREAT",)]} | more


def deny(**more: Any) -> Json:
    """A denial."""
    return {"type": "deny"} | more


def consent(provision: Json, name: str = "c1", **more: Any) -> Json:
    """A Consent with this provision."""
    return {
        "resourceType": "Consent",
        "id": name,
        "status": "active",
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": CITIZEN},
        "dateTime": "2026-06-13",
        "performer": [{"reference": CITIZEN}],
        "organization": [{"reference": OURS}],
        "policy": [{"uri": "https://example.org/policy"}],
        "provision": provision,
    } | more
