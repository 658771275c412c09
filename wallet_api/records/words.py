"""What a record is about and what was found, in words and codes: for lines that do not show it all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from wallet_api.records.types import Resource, Words, type_of

_LONGEST: Final = 300


def concept_of(resource: Resource) -> Mapping[str, Any]:
    """The concept a resource is about, as its type says; empty for a type the book does not know."""
    if isinstance(carried := medicine_in(resource), Mapping):
        return carried
    kind = type_of(resource)
    return kind.about(resource) if kind is not None else {}


def line_of(resource: Resource) -> Words:
    """One line that tells of a record: what it is, where it belongs, what it is about, what was found.

    Only the names of types and places are ours, and in two languages; what a source wrote stays as it is.
    """
    kind = type_of(resource)
    if kind is None:
        return Words("", "")
    called, place = kind.called, kind.place(resource)
    if place is not None:
        called = Words(f"{called.vi}, {place.vi}", f"{called.en}, {place.en}")
    said = " ".join(each for each in (name_of(concept_of(resource)) or "", _found(resource)) if each)
    return Words(*(f"{each}: {said}"[:_LONGEST] if said else each for each in called))


def _found(resource: Resource) -> str:
    """The values that were found, as text."""
    told = (
        " ".join(str(part) for part in (each["name"], each["text"] or each["value"], each["unit"]) if part)
        for each in values_of(resource)
    )
    return "; ".join(told)


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
        told = part.get("valueString") or part.get("valueDateTime")
        text = told or name_of(part.get("valueCodeableConcept") or {})
        value = quantity.get("value", part.get("valueInteger"))
        if value is not None or text:
            unit = quantity.get("unit") or quantity.get("code")
            yield {"name": name, "value": value, "unit": unit, "text": text}


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _list(value: Any) -> list[Any]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
