"""Vaccination events (Decision 3891/QD-BYT, 2025) as the intake takes them: one dose each, about many people.

The decision names what an event tells of a person and a dose. No national transport is published, so the
names and the envelope are this project's own; whoever sends FHIR bundles of Immunization needs none of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from wallet_api.infra.clock import vn_day
from wallet_api.records.bundle import Entry, Person, Reading, read_entry
from wallet_api.records.errors import BundleRefused
from wallet_api.records.model import PartialDate
from wallet_api.records.types import Fault

FORMAT: Final = "vaccination-events"
MOST_EVENTS: Final = 500
MOST_PEOPLE: Final = 100
"""In one batch: each person's doses are filed in a transaction of their own, while the sender waits."""
OPERATIONS: Final = ("create", "replace", "cancel")
_PATIENT: Final = "Patient/1"
_NOBODY: Final = Person((), PartialDate("1900"), frozenset({_PATIENT, "unread"}))
_CVX: Final = "http://hl7.org/fhir/sid/cvx"
_OWN_CODES: Final = "urn:health-wallet:vaccine"
_LONGEST: Final = 200
_BIRTH_REFERENCE: Final = re.compile(r"SS[A-Z2-7]{16}")


class _Unreadable(Exception):
    """An event cannot be taken: where in it, and why."""

    def __init__(self, pointer: str, code: str) -> None:
        super().__init__(code)
        self.fault = Fault(pointer, code)


def read_events(raw: object, today: date) -> list[Reading]:
    """Take a batch apart: one reading for each person, in the order in which they are first named.

    An event is known by its `event_id`; of its versions the highest counts, in whatever order they come. A
    dose given after `today` (a Vietnamese day) is a mistake.

    Raises:
        BundleRefused: it is no batch of events; nothing was kept.
    """
    events = raw.get("events") if isinstance(raw, dict) else None
    if not isinstance(events, list) or not 0 < len(events) <= MOST_EVENTS:
        raise BundleRefused("/events", "event_count")
    people: dict[Person, list[Entry]] = {}
    bodies: dict[Person, list[object]] = {}
    known: dict[tuple[str | None, int], Entry] = {}
    for index, event in enumerate(events):
        try:
            person = _person(event)
            entry = _entry(index, event, person, today)
            first = known.setdefault((entry.source_id, entry.source_version), entry)
            if first.resource != entry.resource:
                raise _Unreadable("/event_id", "repeated_source_id")
        except _Unreadable as why:
            # Whoever it is about: what cannot be read is reported and filed under nobody.
            person, entry = _NOBODY, Entry(index, {}, None, fault=why.fault, at=f"/events/{index}")
        people.setdefault(person, []).append(entry)
        bodies.setdefault(person, []).append(event)
    if len(people.keys() - {_NOBODY}) > MOST_PEOPLE:
        raise BundleRefused("/events", "people_count")
    return [Reading(person, entries, FORMAT, _body(bodies[person])) for person, entries in people.items()]


def _body(events: list[object]) -> bytes:
    return json.dumps({"events": events}, ensure_ascii=False, separators=(",", ":")).encode()


def _person(event: object) -> Person:
    subject = _part(event, "subject", "")
    said = _text(subject, "birth_date", "/subject")
    if said is None:
        raise _Unreadable("/subject/birth_date", "birth_date_needed")
    try:
        born = PartialDate(said)
    except ValueError as why:
        raise _Unreadable("/subject/birth_date", "date_unreadable") from why
    number = _text(subject, "subject_identifier", "/subject") or ""
    # A passport, or the number of a birth paper, is a person's too, and too weak to file under.
    strong = len(number) == 12 and number.isascii() and number.isdigit()
    if _BIRTH_REFERENCE.fullmatch(number):
        return Person((("birth_reference", number),), born, frozenset({_PATIENT}))
    if strong:
        return Person((("national_id", number),), born, frozenset({_PATIENT}))
    return Person((), born, frozenset({_PATIENT, f"weak {number}"}))


def _entry(index: int, event: Mapping[str, Any], person: Person, today: date) -> Entry:
    event_id = _text(event, "event_id", "")
    if not event_id:
        raise _Unreadable("/event_id", "event_id_needed")
    version = event.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 2**31:
        raise _Unreadable("/version", "number_invalid")
    operation = event.get("operation", "create")
    if operation not in OPERATIONS:
        raise _Unreadable("/operation", "operation_unknown")
    if operation != "create" and "version" not in event:
        raise _Unreadable("/version", "version_needed")
    resource = _dose(_part(event, "dose", ""), cancelled=operation == "cancel")
    resource["meta"] = {"versionId": str(version)}
    made = read_entry(index, {"resource": resource}, person)
    is_future = made.occurred_on is not None and made.occurred_on.first_day > today
    if is_future and operation != "cancel":
        raise _Unreadable("/dose/vaccination_date", "date_in_future")
    return replace(made, source_id=event_id, source_version=version, at=f"/events/{index}")


def _dose(dose: Mapping[str, Any], *, cancelled: bool) -> dict[str, Any]:
    given = _text(dose, "vaccination_date", "/dose")
    if given is None:
        raise _Unreadable("/dose/vaccination_date", "date_missing")
    made: dict[str, Any] = {
        "resourceType": "Immunization",
        "status": "entered-in-error" if cancelled else "completed",
        "patient": {"reference": _PATIENT},
        "vaccineCode": _vaccine(_part(dose, "vaccine", "/dose")),
        "occurrenceDateTime": _when(given),
    }
    if (lot := _text(dose, "lot_number", "/dose")) is not None:
        made["lotNumber"] = lot
    order = dose.get("dose_order")
    if order is not None:
        if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= 99:
            raise _Unreadable("/dose/dose_order", "number_invalid")
        made["protocolApplied"] = [{"doseNumberPositiveInt": order}]
    return made


def _vaccine(said: Mapping[str, Any]) -> dict[str, Any]:
    at = "/dose/vaccine"
    cvx, code, text = (_text(said, name, at) for name in ("cvx", "code", "text"))
    codings = [(_CVX, cvx), (_OWN_CODES, code)]
    concept: dict[str, Any] = {
        "coding": [{"system": system, "code": each} for system, each in codings if each is not None]
    }
    if text is not None:
        concept["text"] = text
    if not concept["coding"] and text is None:
        raise _Unreadable(at, "code_missing")
    return concept if concept["coding"] else {"text": text}


def _when(said: str) -> str:
    """A day, or an instant with its zone; in Vietnam's book it stands on its Vietnamese day."""
    try:
        if "T" not in said:
            return PartialDate(said).text
        instant = datetime.fromisoformat(said)
        if instant.tzinfo is None or not 1900 <= vn_day(instant).year <= 2200:
            raise _Unreadable("/dose/vaccination_date", "date_unreadable")
    except (ValueError, OverflowError) as why:
        raise _Unreadable("/dose/vaccination_date", "date_unreadable") from why
    return said


def _part(value: object, name: str, at: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise _Unreadable(f"{at}/{name}", "part_missing")
    return found


def _text(value: Mapping[str, Any], name: str, at: str) -> str | None:
    """A text that says something; None for one that is absent or empty."""
    found = value.get(name)
    if found is None or found == "":
        return None
    if not isinstance(found, str) or len(found) > _LONGEST:
        raise _Unreadable(f"{at}/{name}", "text_invalid")
    return found.strip() or None
