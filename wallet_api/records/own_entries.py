"""What people write into their own book: values they measured, what old papers say, their circumstances.

Each is a record like any other, but for its source: no organisation, `self_reported`, a format of its own.
Nothing that is decided by what facilities recorded ever counts it: no dose and no check-up is settled by it,
and on a front page it stands on lines of its own. Circumstances alone are reminded by: they ask for care.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, TypeVar

import rfc8785

from notifications.conditions import kinds
from wallet_api.infra.clock import vn_day
from wallet_api.records.circumstances import circumstance
from wallet_api.records.errors import EntryRefused, NotSelfReported
from wallet_api.records.model import PartialDate, Record, Source
from wallet_api.records.own_kinds import CIRCUMSTANCE, Measurement, Part, own_kinds
from wallet_api.records.ports import OnRecorded, Records, Unit
from wallet_api.records.told import as_told
from wallet_api.records.types import RecordType, type_of
from wallet_api.records.types.encounter import CHECK_UP

T = TypeVar("T")
FORMAT: Final = "self-reported"
CORRECTED: Final = "corrected_by_person"
ENTERED_IN_ERROR: Final = "entered_in_error"
REASONS: Final = (CORRECTED, ENTERED_IN_ERROR)
_LOINC: Final = "http://loinc.org"
_UCUM: Final = "http://unitsofmeasure.org"
_CVX: Final = "http://hl7.org/fhir/sid/cvx"
_HL7: Final = "http://terminology.hl7.org/CodeSystem"
_SELF: Final = {"reference": "Patient/self"}
_NUMBERS: Final = ("value", "systolic", "diastolic")


@dataclass(frozen=True)
class Entry:
    """What was entered. `numbers` by field, `text` and `code` for what papers say, as the form has them."""

    kind: str
    occurred_on: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    unit: str | None = None
    text: str | None = None
    code: str | None = None
    labels: frozenset[str] = frozenset()
    until: str | None = None
    told: bool = False
    """Said in answer to a reminder: it ends the reminders of that dose or check-up, and proves nothing."""


@dataclass(frozen=True)
class OwnParts:
    """What writing into the own book needs; `fingerprint` and the rest as for an intake."""

    records: Records
    prepare: Callable[[str], object]
    in_unit: Callable[[Callable[[Unit], T]], T]
    on_recorded: OnRecorded
    fingerprint: Callable[[str, bytes], str]
    born: Callable[[str], date]
    now: Callable[[], datetime]


class OwnEntries:
    """Writes and corrects what people enter about themselves, or about a child they act for."""

    def __init__(self, parts: OwnParts) -> None:
        self._parts = parts

    def write(self, citizen_id: str, entry: Entry, record_id: str) -> Record:
        """Keep an entry as a new record, with what follows from it.

        Raises:
            EntryRefused: a field is missing, is not one of this kind, or is out of its limits.
        """
        made = self._record(citizen_id, entry, record_id)
        self._save(made)
        return made

    def correct(self, before: Record, entry: Entry, reason: str) -> Record:
        """Put a new version over an entry: with other values, or as entered in error.

        Raises:
            NotSelfReported: it is not the person's own entry. StaleRecord: it has changed meanwhile.
            EntryRefused: as for `write`, or the kind is another.
        """
        if not before.self_reported:
            raise NotSelfReported(before.id)
        made = self._record(before.citizen_id, entry, before.id)
        if _about(made) != _about(before):
            raise EntryRefused("/kind", "not_listed")
        resource = dict(made.resource)
        if reason == ENTERED_IN_ERROR:
            resource = dict(_kind(resource).in_error(resource))
        after = replace(
            made,
            version=before.version + 1,
            hidden_from=before.hidden_from,
            reason=reason,
            resource=resource,
            fingerprint=self._fingerprint(before.citizen_id, resource),
        )
        self._save(after)
        return after

    def _record(self, citizen_id: str, entry: Entry, record_id: str) -> Record:
        now = self._parts.now()
        when = self._when(citizen_id, entry, now)
        resource = _resource(entry, when)
        return Record(
            id=record_id,
            citizen_id=citizen_id,
            version=1,
            category=_kind(resource).category(resource),
            occurred_on=when,
            recorded_at=now,
            source=Source(None, None, FORMAT, now),
            resource=resource,
            fingerprint=self._fingerprint(citizen_id, resource),
            labels=entry.labels,
            self_reported=True,
        )

    def _when(self, citizen_id: str, entry: Entry, now: datetime) -> PartialDate:
        try:
            when = PartialDate(entry.occurred_on)
        except ValueError as why:
            raise EntryRefused("/occurred_on", "form") from why
        if when.first_day > vn_day(now) or when.last_day < self._parts.born(citizen_id):
            raise EntryRefused("/occurred_on", "not_in_life")
        return when

    def _fingerprint(self, citizen_id: str, resource: Mapping[str, Any]) -> str:
        return self._parts.fingerprint(citizen_id, rfc8785.dumps(dict(resource)))

    def _save(self, record: Record) -> None:
        def keep(unit: Unit) -> None:
            self._parts.records.save([record], unit)
            self._parts.on_recorded(record.citizen_id, unit)

        self._parts.prepare(record.citizen_id)
        self._parts.in_unit(keep)


def _resource(entry: Entry, when: PartialDate) -> dict[str, Any]:
    if entry.kind in own_kinds().measurements:
        return _measured(entry, when)
    return _stated(entry, when) if entry.kind == CIRCUMSTANCE else _told(entry, when)


def _stated(entry: Entry, when: PartialDate) -> dict[str, Any]:
    _only(entry, {"code", "until"})
    if entry.code is None:
        raise EntryRefused("/code", "missing")
    if entry.code not in kinds().stated:
        raise EntryRefused("/code", "not_listed")
    try:
        until = None if entry.until is None else PartialDate(entry.until)
    except ValueError as why:
        raise EntryRefused("/until", "form") from why
    if until is not None and until.last_day < when.first_day:
        raise EntryRefused("/until", "ends_before_it_begins")
    return circumstance(entry.code, when, until)


def _measured(entry: Entry, when: PartialDate) -> dict[str, Any]:
    what = own_kinds().measurements[entry.kind]
    _only(entry, {"unit", *what.parts})
    found = {name: _quantity(entry, name, part) for name, part in what.parts.items()}
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": f"{_HL7}/observation-category", "code": what.category}]}],
        "code": _concept(what.loinc, what.vi),
        "subject": _SELF,
        "effectiveDateTime": when.text,
    }
    return made | ({"valueQuantity": found["value"]} if "value" in found else _components(what, found))


def _components(what: Measurement, found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if not found["systolic"]["value"] > found["diastolic"]["value"]:
        raise EntryRefused("/diastolic", "range")
    parts = what.parts
    return {
        "component": [
            {"code": _concept(str(parts[name].loinc), str(parts[name].vi)), "valueQuantity": value}
            for name, value in found.items()
        ]
    }


def _quantity(entry: Entry, name: str, part: Part) -> dict[str, Any]:
    value = entry.numbers.get(name)
    if value is None:
        raise EntryRefused(f"/{name}", "missing")
    if entry.unit not in (None, part.unit):
        raise EntryRefused("/unit", "not_listed")
    if not part.lowest <= value <= part.highest:
        raise EntryRefused(f"/{name}", "range")
    return {"value": value, "unit": part.unit, "system": _UCUM, "code": part.unit}


def _told(entry: Entry, when: PartialDate) -> dict[str, Any]:
    vaccination = entry.kind == "past_vaccination"
    _only(entry, {"text", "code"} if vaccination else {"text"})
    if entry.text is None:
        raise EntryRefused("/text", "missing")
    concept: dict[str, Any] = {"text": entry.text}
    if entry.code is not None:
        if not (entry.code.isascii() and entry.code.isdigit() and len(entry.code) <= 3):
            raise EntryRefused("/code", "form")
        concept["coding"] = [{"system": _CVX, "code": entry.code}]
    made = _SHAPES[entry.kind](concept, when.text)
    return as_told(made) if entry.told else made


def _only(entry: Entry, taken: set[str]) -> None:
    """Refuse a field that says nothing about this kind."""
    given = {"unit": entry.unit, "text": entry.text, "code": entry.code, "until": entry.until}
    given |= {name: entry.numbers.get(name) for name in _NUMBERS}  # type: ignore[misc]  # only whether it is there
    for name, value in given.items():
        if value is not None and name not in taken:
            raise EntryRefused(f"/{name}", "unsupported")


def _concept(loinc: str, name: str) -> dict[str, Any]:
    return {"coding": [{"system": _LOINC, "code": loinc}], "text": name}


def _unconfirmed(system: str) -> dict[str, Any]:
    return {"verificationStatus": {"coding": [{"system": f"{_HL7}/{system}", "code": "unconfirmed"}]}}


_SHAPES: Final[Mapping[str, Callable[[dict[str, Any], str], dict[str, Any]]]] = {
    "past_vaccination": lambda concept, when: {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": concept,
        "patient": _SELF,
        "occurrenceDateTime": when,
        "primarySource": False,
    },
    "past_checkup": lambda concept, when: {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": f"{_HL7}/v3-ActCode", "code": "AMB"},
        "type": [{"coding": [{"system": CHECK_UP[0], "code": CHECK_UP[1]}], **concept}],
        "subject": _SELF,
        "period": {"start": when},
    },
    "past_condition": lambda concept, when: {
        "resourceType": "Condition",
        **_unconfirmed("condition-ver-status"),
        "code": concept,
        "subject": _SELF,
        "onsetDateTime": when,
    },
    "allergy": lambda concept, when: {
        "resourceType": "AllergyIntolerance",
        **_unconfirmed("allergyintolerance-verification"),
        "code": concept,
        "patient": _SELF,
        "onsetDateTime": when,
    },
    "operation": lambda concept, when: {
        "resourceType": "Procedure",
        "status": "completed",
        "code": concept,
        "subject": _SELF,
        "performedDateTime": when,
    },
}


def _kind(resource: Mapping[str, Any]) -> RecordType:
    found = type_of(resource)
    if found is None:
        raise EntryRefused("/kind", "not_listed")
    return found


def _about(record: Record) -> tuple[object, ...]:
    """What an entry is an entry of: its kind, and for a measurement what was measured."""
    resource = record.resource
    measured = resource.get("code") if resource["resourceType"] == "Observation" else None
    return resource["resourceType"], measured
