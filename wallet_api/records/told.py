"""What a family says was given, in answer to a reminder: an own entry that says where it is known from.

FHIR has a code for it: the patient's recollection (HL7 immunization-origin `recall`, "based on the memory of
the patient or their agent, with no written documentation"). An own entry without it is paper history: shown,
and heeded by no plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ORIGIN: Final = "http://terminology.hl7.org/CodeSystem/immunization-origin"
_RECALL: Final = "recall"
_CONCEPT: Final = {"coding": [{"system": _ORIGIN, "code": _RECALL}]}


def as_told(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The same vaccination or check-up, as somebody remembers it."""
    if resource["resourceType"] == "Immunization":
        return {**resource, "reportOrigin": _CONCEPT}
    return {**resource, "type": [*resource.get("type", ()), _CONCEPT]}


def is_told(resource: Mapping[str, Any]) -> bool:
    """Whether it rests on memory alone."""
    concepts = [resource.get("reportOrigin") or {}, *(resource.get("type") or ())]
    pairs = ((c.get("system"), c.get("code")) for each in concepts for c in each.get("coding") or ())
    return (_ORIGIN, _RECALL) in pairs
