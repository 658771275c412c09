"""Code systems and codes that FHIR Consents are written in (HL7 terminology; IHE ITI PCF 1.1)."""

from __future__ import annotations

from collections.abc import Mapping

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
LOINC = "http://loinc.org"
RECIPIENT = "IRCP"
PRIVACY = "patient-privacy"
CONSENT_DOCUMENT = "59284-0"
PCF = "https://profiles.ihe.net/ITI/PCF"
PROFILES: Mapping[str, str] = {
    name: f"{PCF}/StructureDefinition/IHE.PCF.consent{name}" for name in ("Basic", "Intermediate", "Advanced")
}

CATEGORIES = "urn:wallet:categories"
LABELS = "urn:wallet:labels"
EXTENSION = "urn:wallet:fhir"
"""Our own systems, where HL7 has no code for what we mean."""

_HL7_LABELS = frozenset({"HIV", "PSY", "ETH", "SDV", "SEX"})


def label_system(label: str) -> str:
    """The code system of one of our restricted labels."""
    return ACT_CODE if label in _HL7_LABELS else LABELS
