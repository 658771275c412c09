"""What people say of their own circumstances, as FHIR: employee, pupil, pregnant, since when and until when.

Reminders follow from it and nothing else: it is no finding, and no examination is settled by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from notifications.conditions import kinds
from wallet_api.records.model import PartialDate
from wallet_api.records.types._fields import codings
from wallet_api.records.types.circumstance import SYSTEM

_HL7: Final = "http://terminology.hl7.org/CodeSystem"
_PREGNANCY_STATUS: Final = {"system": "http://loinc.org", "code": "82810-3"}
_PREGNANT: Final = {"system": "http://snomed.info/sct", "code": "77386006"}


@dataclass(frozen=True)
class Stated:
    """A circumstance on the days from `since` to `until`, both within; None: until told otherwise."""

    kind: str
    since: date
    until: date | None


def circumstance(code: str, since: PartialDate, until: PartialDate | None) -> dict[str, Any]:
    """The resource that states one of `kinds().stated`."""
    name = kinds().by_id[code].title["vi"]
    told = [{"system": SYSTEM, "code": code}]
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": f"{_HL7}/observation-category", "code": "social-history"}]}],
        "code": {"coding": told, "text": name},
        "subject": {"reference": "Patient/self"},
        "effectivePeriod": {"start": since.text} | ({} if until is None else {"end": until.text}),
    }
    if code == "pregnant":
        made["code"] = {"coding": [_PREGNANCY_STATUS, *told], "text": "Tình trạng thai kỳ"}
        return made | {"valueCodeableConcept": {"coding": [_PREGNANT], "text": name}}
    return made | {"valueBoolean": True}


def stated_in(resource: Mapping[str, Any]) -> Stated | None:
    """What a resource states, None for any other and for what was entered in error."""
    code = next((code for system, code in codings(resource.get("code")) if system == SYSTEM), None)
    period = resource.get("effectivePeriod")
    if code is None or not isinstance(period, Mapping) or resource.get("status") in _VOID:
        return None
    try:
        since, until = PartialDate(str(period.get("start"))), period.get("end")
        return Stated(code, since.first_day, None if until is None else PartialDate(str(until)).last_day)
    except ValueError:
        return None


_VOID: Final = ("entered-in-error", "cancelled")
