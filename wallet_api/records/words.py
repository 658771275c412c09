"""What a record is about and what was found, in words and codes: for lines that do not show it all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from wallet_api.records.types import Resource

_ABOUT: Final = {
    "Immunization": "vaccineCode",
    "MedicationRequest": "medicationCodeableConcept",
    "MedicationStatement": "medicationCodeableConcept",
    "DocumentReference": "type",
}
"""Where a resource says what it is about; everywhere else in `code`."""
_LONGEST: Final = 300


def concept_of(resource: Resource) -> Mapping[str, Any]:
    """The concept a resource is about; of a visit why it was, or what kind it was."""
    if resource.get("resourceType") == "Encounter":
        told = [*_list(resource.get("reasonCode")), *_list(resource.get("type"))]
        named = resource.get("class") or {}
        kind = {"coding": [named], "text": named.get("display")}
        return next((each for each in told if name_of(each)), kind)
    if isinstance(carried := medicine_in(resource), Mapping):
        return carried
    found = resource.get(_ABOUT.get(str(resource.get("resourceType")), "code"))
    return found if isinstance(found, Mapping) else {}


def medicine_in(resource: Resource) -> Any:
    """What a contained Medication says that it is, if a resource refers to one."""
    reference = _at(resource.get("medicationReference"), "reference")
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    inside = (each for each in _list(resource.get("contained")) if each.get("id") == reference[1:])
    return _at(next(inside, None), "code")


def name_of(concept: Mapping[str, Any]) -> str | None:
    """The words of a concept: its text, or the display or code of its first coding."""
    first: Mapping[str, Any] = next(iter(_list(concept.get("coding"))), {})
    said = concept.get("text") or first.get("display") or first.get("code")
    return str(said)[:_LONGEST] if said else None


def codes_of(concept: Mapping[str, Any]) -> list[dict[str, str]]:
    """The codes of a concept."""
    return [
        {"system": str(each.get("system", "")), "code": str(each["code"])}
        for each in _list(concept.get("coding"))
        if each.get("code")
    ]


def values_of(resource: Resource) -> Iterator[dict[str, Any]]:
    """What was found: a line for the observation itself, or for each of its components."""
    components = _list(resource.get("component"))
    parts = [(resource, None), *((each, name_of(each.get("code") or {})) for each in components)]
    for part, name in parts:
        quantity = part.get("valueQuantity") or {}
        text = part.get("valueString") or name_of(part.get("valueCodeableConcept") or {})
        if quantity.get("value") is not None or text:
            unit = quantity.get("unit") or quantity.get("code")
            value = quantity.get("value")
            yield {"name": name, "value": value, "unit": unit, "text": text}


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _list(value: Any) -> list[Any]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
