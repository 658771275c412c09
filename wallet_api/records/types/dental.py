"""Dental care: what was found of a tooth, what was done to it, and visits for it.

Teeth are named as ISO 3950 (FDI) does: the quadrant, then the tooth; the first digit 5 to 8 for milk teeth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from wallet_api.records.types import Fault, RecordType, Resource, Words, encounter, observation, procedure
from wallet_api.records.types._fields import always, codings

TEETH: Final = frozenset({"urn:iso:std:iso:3950", "http://terminology.hl7.org/CodeSystem/ex-tooth"})
"""Systems whose codes are FDI numbers: the standard itself, and FHIR's list of teeth."""
_SNOMED: Final = "http://snomed.info/sct"
_DENTAL: Final = frozenset({(_SNOMED, "225362009"), (_SNOMED, "34043003")})
"""Dental care; dental consultation and report."""
_LASTING: Final = frozenset(f"{quadrant}{tooth}" for quadrant in range(1, 5) for tooth in range(1, 9))
_MILK: Final = frozenset(f"{quadrant}{tooth}" for quadrant in range(5, 9) for tooth in range(1, 6))
_AREAS: Final = frozenset({"00", "01", "02", *(f"{quadrant}0" for quadrant in range(1, 9))})
"""The whole mouth, a jaw, a quadrant."""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _teeth(resource: Resource) -> list[str]:
    places = _list(resource.get("bodySite"))
    return [code for place in places for system, code in codings(place) if system in TEETH]


def _kinds(resource: Resource) -> Iterator[tuple[str, str]]:
    for field in ("category", "type", "serviceType", "code"):
        for concept in _list(resource.get(field)):
            yield from codings(concept)


def _claims(resource: Resource) -> bool:
    return bool(_teeth(resource)) or not _DENTAL.isdisjoint(_kinds(resource))


def _place(resource: Resource) -> Words | None:
    teeth = ", ".join(_teeth(resource))
    return Words(f"răng {teeth}", f"tooth {teeth}") if teeth else None


def _of(ordinary: RecordType, vi: str, en: str) -> RecordType:
    """A dental kind of an ordinary type: the same but for what makes it dental."""

    def faults(resource: Resource) -> list[Fault]:
        wrong = [Fault("/bodySite", "tooth_unknown")] if set(_teeth(resource)) - known else []
        return [*wrong, *ordinary.faults(resource)]

    known = _LASTING | _MILK | _AREAS
    return RecordType(
        ordinary.resource_type,
        always("dental"),
        ordinary.occurred,
        faults,
        Words(vi, en),
        frozenset({"dental"}),
        name=f"{ordinary.resource_type}.dental",
        claims=_claims,
        about=ordinary.about,
        place=_place,
        measured=ordinary.measured,
    )


TYPES = (
    _of(observation.TYPE, "Khám răng", "Dental finding"),
    _of(procedure.TYPE, "Điều trị răng", "Dental treatment"),
    _of(encounter.TYPE, "Lượt khám răng", "Dental visit"),
)
