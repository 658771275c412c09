"""The IHE Privacy Consent on FHIR examples, from the folder that WALLET_VECTORS_DIR names."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consent.fhir.deciding import PolicyAsk

FOLDER = os.environ.get("WALLET_VECTORS_DIR", "")
ABSENT = "WALLET_VECTORS_DIR is not set: the IHE PCF examples are not checked"
BASE = "http://example.org/fhir"
ORGANISATION, DOCTOR, PATIENT = (
    "Organization/ex-organization",
    "Practitioner/ex-practitioner",
    "Patient/ex-patient",
)
PRIVILEGED, RESEARCHER = "Group/ex-privilegedUsers", "Organization/ex-org-researcher"
KNOWN = {ORGANISATION, DOCTOR, PATIENT, PRIVILEGED, RESEARCHER}
AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def load(name: str) -> dict[str, Any]:
    """One file of the examples; nothing when there is no folder."""
    if not FOLDER:
        return {}
    found: dict[str, Any] = json.loads((Path(FOLDER) / "pcf" / name).read_text(encoding="utf-8"))
    return found


def consents() -> dict[str, dict[str, Any]]:
    """The examples, without the mark the conversion has added."""
    raw = load("pcf-consents.json")
    return {
        name: {key: part for key, part in one.items() if not key.startswith("_")} for name, one in raw.items()
    }


def ask(**over: Any) -> PolicyAsk:
    """A doctor of the organisation asks for treatment."""
    base: dict[str, Any] = {
        "patient": PATIENT,
        "organisation": ORGANISATION,
        "practitioner": DOCTOR,
        "purpose": "TREAT",
        "at": AT,
    }
    return PolicyAsk(**(base | over))


def knows(reference: str) -> bool:
    """Whom the examples' directory knows."""
    return reference in KNOWN
