"""Reading FHIR fields that several record types share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from wallet_api.records.types import Fault, Resource

ABSENT_UNKNOWN: Final = (
    "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips",
    "http://terminology.hl7.org/CodeSystem/absent-unknown-uv-ips",
)
"""Where the International Patient Summary says that nothing is known, or that there is no information."""


def first_of(*paths: str) -> Callable[[Resource], str | None]:
    """A reader of the first of these fields (dots go deeper) that is set."""

    def read(resource: Resource) -> str | None:
        for path in paths:
            value: Any = resource
            for step in path.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, str):
                return value
        return None

    return read


def always(category: str) -> Callable[[Resource], str]:
    """A category that does not depend on the content."""
    return lambda resource: category


def codings(concept: Any) -> Iterator[tuple[str, str]]:
    """The (system, code) pairs of a CodeableConcept."""
    for coding in (concept or {}).get("coding", ()):
        if coding.get("code"):
            yield coding.get("system", ""), coding["code"]


def concept_in(field: str) -> Callable[[Resource], Mapping[str, Any]]:
    """A reader of the concept in this field."""

    def read(resource: Resource) -> Mapping[str, Any]:
        found = resource.get(field)
        return found if isinstance(found, Mapping) else {}

    return read


def taken_back(resource: Resource) -> Resource:
    """The same as something entered in error, for types that have no status but a verification; FHIR wants
    no clinical status beside it."""
    system = f"http://terminology.hl7.org/CodeSystem/{_VERIFICATIONS[str(resource['resourceType'])]}"
    kept = {name: value for name, value in resource.items() if name != "clinicalStatus"}
    return {**kept, "verificationStatus": {"coding": [{"system": system, "code": "entered-in-error"}]}}


_VERIFICATIONS: Final = {
    "AllergyIntolerance": "allergyintolerance-verification",
    "Condition": "condition-ver-status",
}


def says_nothing(resource: Resource) -> Fault | None:
    """A fault for an entry that stands in a summary for want of anything to say; "none known" is not one."""
    for field in ("code", "vaccineCode", "medicationCodeableConcept"):
        concept = resource.get(field)
        for system, code in codings(concept if isinstance(concept, dict) else None):
            if system in ABSENT_UNKNOWN and code.startswith("no-") and code.endswith("-info"):
                return Fault(f"/{field}", "no_information")
    return None


def unknown_modifier(resource: Resource) -> Fault | None:
    """A fault where something that is not understood changes what the resource means.

    FHIR R4 2.4.0.3: whoever processes a resource must not overlook a modifier extension.
    """
    for field in ("modifierExtension", "implicitRules"):
        if resource.get(field):
            return Fault(f"/{field}", "unknown_modifier")
    return None


def needs_code(resource: Resource, field: str) -> list[Fault]:
    """A fault unless the CodeableConcept has a coding with system and code, or a text."""
    concept = resource.get(field) or {}
    if any(system for system, _ in codings(concept)) or concept.get("text"):
        return []
    return [Fault(f"/{field}", "code_missing", f"{field} needs a coding with system and code, or a text")]


def needs_status(resource: Resource, allowed: frozenset[str], field: str = "status") -> list[Fault]:
    """A fault unless the status is one FHIR R4 defines; the structure check does not look."""
    if resource.get(field) in allowed:
        return []
    return [Fault(f"/{field}", "code_invalid", f"{field} must be one of {', '.join(sorted(allowed))}")]
