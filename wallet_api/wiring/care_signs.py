"""What records tell the planner besides doses: visits, days that were set, and conditions as dated signs.

What people state of themselves tells of conditions alone. What a label restricts tells of no disease and no
pregnancy, but may tell that one has ended; a day set in it is a day and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from consent.predicate import COMPANIONS
from notifications.conditions import Kind, kinds
from notifications.model import Exam, SetDate, Sign
from wallet_api.infra.clock import vn_day
from wallet_api.records.circumstances import stated_in
from wallet_api.records.front_rules import date_of, subjects_of
from wallet_api.records.model import PartialDate, Record
from wallet_api.records.types import Resource
from wallet_api.records.types._fields import codings
from wallet_api.records.types.encounter import SUBJECT_GROUP
from wallet_api.records.types.pregnancy import DUE, WEEKS

_LOINC: Final = "http://loinc.org"
_LAST_PERIOD: Final = "8665-2"
_TERM: Final = timedelta(days=280)
"""From the first day of the last period to the day the child is expected."""
_EXAMS: Final[Mapping[str, str]] = {
    "checkup": "periodic",
    "visit": "visit",
    "dental": "visit",
    "pregnancy": "antenatal",
}
_WITHOUT_DAYS: Final = frozenset({"allergy", "condition", "immunization"})
"""These stand on a page, and never tell of a day to come."""
_NOT_YET: Final = frozenset({"planned", "cancelled", "entered-in-error"})
_STOPPED: Final = frozenset({"stopped", "cancelled", "draft", "on-hold"})
_UNSURE: Final = frozenset({"refuted", "entered-in-error", "provisional", "differential"})
_SUPERVISED: Final = ("Z33", "Z34", "Z35", "Z36")
"""ICD-10: pregnant state, its supervision, antenatal screening."""
_ENDED: Final = (*(f"O0{number}" for number in range(9)), "O80", "O81", "O82", "O83", "O84", "Z37", "Z39")
"""ICD-10: abortive outcomes, deliveries, outcome of delivery, care after birth."""
_PREGNANT: Final = frozenset({"77386006", "LA15173-0"})
_NOT_PREGNANT: Final = frozenset({"60001007", "LA26683-5"})
"""SNOMED CT and LOINC answers to the pregnancy status."""
_BIRTH: Final = ("urn:health-wallet:insurance/paper", "XML9")
_OVER: Final = frozenset({"resolved", "inactive", "remission"})
_ACTIVE: Final = frozenset({"active", "recurrence", "relapse"})
_UNITS: Final = {"d": 1, "wk": 7, "w": 7}
_TELLING: Final = 8
"""Characters of an ICD-10 code that are looked at: no code of the classification has more."""


def told_by(record: Record) -> Iterator[Exam | SetDate | Sign]:
    """All that the record of a facility tells."""
    diagnoses = _diagnoses(record)
    yield from _exams(record, diagnoses)
    yield from _days(record)
    yield from _signs(record, diagnoses)


def _hidden(record: Record) -> bool:
    return bool(record.hidden_from & COMPANIONS)


def _by(record: Record) -> str:
    return record.source.organisation_id or ""


def _exam(record: Record, kind: str) -> Exam:
    return Exam(kind, record.occurred_on.last_day, record.id, _hidden(record), _by(record))


def _sign(
    record: Record,
    kind: str,
    starts: date | None = None,
    ends: date | None = None,
    *,
    present: bool = True,
) -> Sign:
    """A sign of a record that was known on its day. A day known only in part counts as its first here: a
    condition asks for care, and does not settle it."""
    noted = record.occurred_on.first_day
    return Sign(kind, noted, record.id, _hidden(record), starts, ends, present)


def _exams(record: Record, diagnoses: tuple[str, ...]) -> Iterator[Exam]:
    if record.resource.get("resourceType") == "Encounter":
        if record.resource.get("status") not in _NOT_YET and record.category in _EXAMS:
            yield _exam(record, _EXAMS[record.category])
    elif record.category == "checkup" and stated_in(record.resource) is None:
        yield _exam(record, "periodic")
    elif _is_one(diagnoses, _SUPERVISED) and "onsetDateTime" not in record.resource:
        # Of visits that are sent to the insurance only the diagnosis says what they were for.
        yield _exam(record, "antenatal")


def _days(record: Record) -> Iterator[SetDate]:
    if record.category in _WITHOUT_DAYS:
        return
    known = min(vn_day(record.recorded_at), record.occurred_on.last_day)
    for section, subject, day in subjects_of(record):
        if section == "appointments":
            yield SetDate(
                "appointment", date.fromisoformat(day), known, record.id, _hidden(record), _by(record)
            )
        elif section == "refills" and record.resource.get("status") not in _STOPPED:
            until = date.fromisoformat(day)
            yield SetDate("refill", until, known, record.id, _hidden(record), _by(record), subject)


def stated_by(record: Record) -> Iterator[Sign]:
    """The circumstance that a record states, whoever states it."""
    said = stated_in(record.resource)
    if said is not None:
        ends = None if said.until is None else said.until + timedelta(days=1)
        yield _sign(record, said.kind, said.since, ends)


def _signs(record: Record, diagnoses: tuple[str, ...]) -> Iterator[Sign]:
    # What a label restricts asks for nothing, but it may end what something open asked for.
    yield from (each for each in _pregnancy(record, diagnoses) if not (record.labels and each.present))
    groups = {code for system, code in _types(record.resource) if system == SUBJECT_GROUP}
    told = frozenset[str]() if record.labels else frozenset[str]().union(*map(_told_of, diagnoses))
    for kind in kinds().by_id.values() if groups or told else ():
        if groups & kind.groups or kind.id in told:
            onset = _day_in(record.resource, "onsetDateTime")
            yield _sign(record, kind.id, onset, _ended(record, kind))


def _ended(record: Record, kind: Kind) -> date | None:
    resource = record.resource
    over = {code for _, code in codings(resource.get("clinicalStatus"))} & _OVER
    told = _day_in(resource, "abatementDateTime")
    if over or told is not None:
        return told or record.occurred_on.first_day
    return kind.seen_until(_last_known(record))


def _last_known(record: Record) -> date:
    """The last day on which a record says that something is there: filed under its onset, which may be long
    past, a diagnosis tells of the day it was written, and one called active of the day it came."""
    days = [record.occurred_on.first_day]
    if (written := _day_in(record.resource, "recordedDate")) is not None:
        days.append(written)
    if {code for _, code in codings(record.resource.get("clinicalStatus"))} & _ACTIVE:
        days.append(vn_day(record.source.received_at))
    return max(days)


def _pregnancy(record: Record, diagnoses: tuple[str, ...]) -> Iterator[Sign]:
    resource, kind = record.resource, "pregnant"
    if resource.get("resourceType") == "EpisodeOfCare":
        ends = _day_of(_at(resource, "period", "end"))
        if resource.get("status") not in ("cancelled", "entered-in-error"):
            yield _sign(record, kind, ends=ends)
    elif resource.get("resourceType") == "Observation":
        yield from _finding(record, kind)
    elif _is_one(diagnoses, _ENDED) or _is_birth(resource):
        yield _sign(record, kind, ends=record.occurred_on.first_day, present=False)
    elif _is_one(diagnoses, _SUPERVISED):
        yield _sign(record, kind)


def _finding(record: Record, kind: str) -> Iterator[Sign]:
    for part in (record.resource, *(record.resource.get("component") or ())):
        loinc = {code for system, code in codings(part.get("code")) if system == _LOINC}
        answers = {code for _, code in codings(part.get("valueCodeableConcept"))}
        if answers & _NOT_PREGNANT:
            yield _sign(record, kind, ends=record.occurred_on.first_day, present=False)
        elif answers & _PREGNANT:
            yield _sign(record, kind)
        elif loinc and (starts := _began(part, loinc, record.occurred_on)) is not None:
            yield _sign(record, kind, starts)


def _began(part: Mapping[str, Any], loinc: set[str], seen: PartialDate) -> date | None:
    """The first day of the last period, as one finding has it."""
    told = _day_of(part.get("valueDateTime"))
    if loinc & {_LAST_PERIOD}:
        return told
    if loinc & DUE:
        return None if told is None else told - _TERM
    value, unit = _at(part, "valueQuantity", "value"), _UNITS.get(str(_at(part, "valueQuantity", "code")), 0)
    if loinc & WEEKS and unit and isinstance(value, int | float) and 0 < value * unit <= 44 * 7:
        return seen.first_day - timedelta(days=int(value * unit))
    return None


def _diagnoses(record: Record) -> tuple[str, ...]:
    """The ICD-10 codes, without a point, of a condition that somebody is sure of."""
    resource = record.resource
    if resource.get("resourceType") != "Condition":
        return ()
    if {code for _, code in codings(resource.get("verificationStatus"))} & _UNSURE:
        return ()
    said = codings(resource.get("code"))
    return tuple(code.replace(".", "")[:_TELLING].upper() for system, code in said if "icd-10" in system)


def _is_one(diagnoses: tuple[str, ...], prefixes: tuple[str, ...]) -> bool:
    return any(code.startswith(prefixes) for code in diagnoses)


@lru_cache(maxsize=4096)
def _told_of(diagnosis: str) -> frozenset[str]:
    """The ids of the conditions that a code tells of: asked once of each, records repeat them."""
    return frozenset(kind.id for kind in kinds().by_id.values() if diagnosis.startswith(kind.icd10))


def _is_birth(resource: Resource) -> bool:
    return resource.get("resourceType") == "DocumentReference" and _BIRTH in codings(resource.get("type"))


def _types(resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.get("resourceType") == "Encounter":
        for concept in resource.get("type") or ():
            yield from codings(concept)


def _at(resource: Any, *steps: str) -> Any:
    for step in steps:
        resource = resource.get(step) if isinstance(resource, Mapping) else None
    return resource


def _day_in(resource: Resource, field: str) -> date | None:
    return _day_of(resource.get(field))


def _day_of(said: Any) -> date | None:
    """The Vietnamese day of a date or instant; None for a part of a date."""
    told = date_of(said)
    return None if told is None else date.fromisoformat(told)
