"""What stands on a front page and in a patient summary: the sections, what a resource is about there, and how
things stand. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from wallet_api.infra.clock import vn_day
from wallet_api.records.model import Record
from wallet_api.records.types import Resource
from wallet_api.records.types._fields import codings
from wallet_api.records.types.observation import is_pregnancy
from wallet_api.records.words import medicine_in

BLOOD_GROUP: Final = frozenset({"882-1", "883-9", "10331-7"})
"""LOINC: ABO and Rh group, ABO group, Rh type."""
CHECKUP_CLASS: Final = ("urn:health-wallet:check-up/element", "PHAN_LOAI_SK")
"""How a check-up classed the person's health, as its intake files it."""
_LOINC: Final = "http://loinc.org"
_VOID: Final = frozenset({"entered-in-error", "not-done", "refuted"})
_OVER: Final = frozenset({"inactive", "remission", "resolved", "stopped", "cancelled", "not-taken", "draft"})
_ACTIVE: Final = frozenset({"active", "recurrence", "relapse", "on-hold", "intended"})
_MEASURED: Final = MappingProxyType(
    {
        "lab_result": "results",
        "imaging": "results",
        "vital_sign": "vital_signs",
        "procedure": "procedures",
        "pregnancy": "pregnancies",
    }
)
_DAYS: Final = MappingProxyType({"d": 1, "wk": 7})
_VISITS: Final = frozenset({"visit", "dental", "pregnancy"})
"""The categories of visits that are no check-ups."""


@dataclass(frozen=True)
class Section:
    """One section: which categories stand in it, how many lines are kept and shown.

    Few are shown: each is a look into the database, which is to cost the same for any book.
    `past`: what is over is shown as well. `ahead`: its days lie ahead, and the nearest comes first.
    """

    name: str
    categories: frozenset[str]
    shown: int = 6
    kept: int = 12
    past: bool = False
    ahead: bool = False


SECTIONS: Final[Mapping[str, Section]] = MappingProxyType(
    {
        each.name: each
        for each in (
            Section("blood_group", frozenset({"lab_result"}), shown=2, kept=6),
            Section("allergies", frozenset({"allergy"}), shown=8, kept=20),
            Section("conditions", frozenset({"condition"}), kept=30),
            Section("medicines", frozenset({"medication"}), kept=30),
            Section("visits", _VISITS, shown=3, kept=6, past=True),
            Section("immunizations", frozenset({"immunization"}), past=True),
            Section("checkups", frozenset({"checkup"}), shown=2, kept=6, past=True),
            Section("checkup_class", frozenset({"checkup"}), shown=1, kept=2),
            Section("appointments", _VISITS | {"checkup", "document"}, shown=3, ahead=True),
            Section("refills", frozenset({"medication"}), shown=3, ahead=True),
        )
    }
)
SUMMARY: Final[Mapping[str, Section]] = MappingProxyType(
    {
        each.name: each
        for each in (
            SECTIONS["conditions"],
            SECTIONS["allergies"],
            SECTIONS["medicines"],
            SECTIONS["immunizations"],
            Section("results", frozenset({"lab_result", "imaging"}), shown=4, kept=8, past=True),
            Section("vital_signs", frozenset({"vital_sign"}), shown=4, kept=8, past=True),
            Section("procedures", frozenset({"procedure"}), shown=4, kept=8, past=True),
            Section("pregnancies", frozenset({"pregnancy", "lab_result"}), shown=3, kept=6, past=True),
        )
    }
)
"""What stands in a patient summary: the same sections where the front page has them, and more."""
KEPT: Final[Mapping[str, Section]] = MappingProxyType({**SUMMARY, **SECTIONS})
"""Every section that is kept of a book."""
RULES: Final = 2
"""The number of these rules: what was kept by others is made anew."""


def subjects_of(record: Record) -> Iterator[tuple[str, str, str]]:
    """(section, subject, day) of each line a record may stand on; nothing of what is void."""
    resource, day = record.resource, record.occurred_on.first_day.isoformat()
    if _void(resource):
        return
    if record.category in ("allergy", "condition"):
        section = "allergies" if record.category == "allergy" else "conditions"
        yield section, _digest(resource.get("code")), day
    elif record.category == "medication":
        yield from _of_medicine(resource, day)
    elif record.category == "immunization":
        yield "immunizations", record.id, day
    elif record.category in ("visit", "checkup") or resource.get("resourceType") == "Encounter":
        yield from _of_visit(record, day)
    elif record.category in _MEASURED:
        yield from _of_finding(record, day)
    elif record.category == "document" and (later := date_of(_at(resource, "context", "period", "start"))):
        yield "appointments", record.id, later


def _of_finding(record: Record, day: str) -> Iterator[tuple[str, str, str]]:
    resource, about = record.resource, _digest(record.resource.get("code"))
    if record.category == "lab_result" and _is_blood_group(resource):
        yield "blood_group", "blood group", day
    if record.category == "pregnancy" or is_pregnancy(resource):
        yield "pregnancies", about, day
    else:
        yield _MEASURED[record.category], about, day


def _of_medicine(resource: Resource, day: str) -> Iterator[tuple[str, str, str]]:
    told = resource.get("medicationCodeableConcept") or medicine_in(resource)
    subject = _digest(told or resource.get("medicationReference"))
    yield "medicines", subject, day
    supply = _at(resource, "dispenseRequest", "expectedSupplyDuration") or {}
    days, value = _DAYS.get(str(supply.get("code")), 0), supply.get("value")
    # Of a prescription that a document tells without its day nobody knows when it runs out.
    if resource.get("authoredOn") and days and isinstance(value, int | float) and 0 < value * days <= 366:
        yield "refills", subject, (date.fromisoformat(day) + timedelta(days=int(value * days))).isoformat()


def _of_visit(record: Record, day: str) -> Iterator[tuple[str, str, str]]:
    if record.resource.get("resourceType") != "Encounter":
        if CHECKUP_CLASS in codings(record.resource.get("code")):
            yield "checkup_class", "class", day
        return
    if record.resource.get("status") == "planned":
        yield "appointments", record.id, day
        return
    yield ("checkups" if record.category == "checkup" else "visits"), record.id, day


def standing_of(resource: Resource) -> str:
    """How things stand, as the source says: `active`, `over`, or `told` where it says neither."""
    said = {code for _, code in codings(resource.get("clinicalStatus"))} | {str(resource.get("status", ""))}
    if said & _OVER:
        return "over"
    return "active" if said & _ACTIVE else "told"


def _void(resource: Resource) -> bool:
    said = {code for _, code in codings(resource.get("verificationStatus"))}
    return bool((said | {str(resource.get("status", ""))}) & _VOID)


def _is_blood_group(resource: Resource) -> bool:
    return any(system == _LOINC and code in BLOOD_GROUP for system, code in codings(resource.get("code")))


def _digest(concept: Any) -> str:
    """A short name for what a concept is about: its first code, or its words."""
    found = next(iter(codings(concept)), None)
    said = "|".join(found) if found else str((concept or {}).get("text") or (concept or {}).get("reference"))
    return hashlib.sha256(said.strip().casefold().encode()).hexdigest()[:20]


def _at(resource: Any, *steps: str) -> Any:
    for step in steps:
        resource = resource.get(step) if isinstance(resource, Mapping) else None
    return resource


def date_of(said: Any) -> str | None:
    """The Vietnamese day of a date or instant; None for a part of a date, which is no appointment."""
    try:
        if "T" in said:
            instant = datetime.fromisoformat(said)
            return vn_day(instant).isoformat() if instant.tzinfo else said.partition("T")[0]
        return date.fromisoformat(said).isoformat()
    except (TypeError, ValueError, OverflowError):
        return None
