"""A visit file as the intake takes it: for each visit whom it is about, and its entries with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from consent.codes import LABELS
from wallet_api.records.bundle import Entry, Person, Reading, read_entry
from wallet_api.records.insurance.dictionary import dictionary
from wallet_api.records.insurance.envelope import MOST_VISITS, TableRow, Visit, visits_of
from wallet_api.records.insurance.mapping import PATIENT, Mapped, mapped
from wallet_api.records.insurance.values import Unreadable, day, listed
from wallet_api.records.labels import UNKNOWN, labels_of
from wallet_api.records.model import PartialDate
from wallet_api.records.types import Fault

FORMAT: Final = "insurance-xml"
"""The same for every version of the decision: a visit sent again after an update is the same visit."""
_LABELS = frozenset(LABELS.codes)
_SECURITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_TERMINATED: Final = "SEX"
"""The label of what a visit file tells of a pregnancy that was ended."""
_CARD_LENGTHS: Final = frozenset({10, 15})


def read_visits(raw: bytes, most: int = MOST_VISITS) -> list[Reading]:
    """Take a file of at most so many visits apart: one reading for each.

    Raises:
        BundleRefused: the file as a whole cannot be read; nothing was kept.
    """
    return [_reading(each) for each in visits_of(raw, most)]


def _reading(visit: Visit) -> Reading:
    person, entries = _taken_apart(visit)
    return Reading(person, entries, FORMAT, visit.body)


def _taken_apart(visit: Visit) -> tuple[Person, list[Entry]]:
    at, head = f"/HOSO/{visit.number}/XML1", visit.tables.get("XML1", [])
    if len(head) != 1:
        return _nobody(visit), [_fault(0, at, "visit_head_needed")]
    try:
        person = _person(head[0])
    except Unreadable as why:
        return _nobody(visit), [_fault(0, f"{at}/0/NGAY_SINH", why.code)]
    if head[0].fault is not None:
        return person, [_fault(0, head[0].at + head[0].fault.pointer, head[0].fault.code)]
    if "MA_LK" not in head[0].values:
        return person, [_fault(0, f"{at}/0/MA_LK", "visit_key_needed")]
    made = list(_checked(visit, head[0].values["MA_LK"]))
    labels = _labels(visit, made)
    entries = [_entry(index, one, person, labels) for index, one in enumerate(made)]
    entries += [_fault(len(made) + number, at, fault.code) for number, (at, fault) in enumerate(visit.faults)]
    return person, entries


def _checked(visit: Visit, key: str) -> Iterator[Mapped | tuple[str, Fault]]:
    """What the rows say, row by row; a row of another visit, or one that cannot be read, as a fault."""
    good: dict[str, list[TableRow]] = {}
    for name, rows in visit.tables.items():
        for row in rows:
            if row.fault is not None:
                yield row.at + row.fault.pointer, row.fault
            elif row.values.get("MA_LK", key) != key:
                yield f"{row.at}/MA_LK", Fault("", "other_visit", "")
            else:
                good.setdefault(name, []).append(row)
    yield from mapped(key, good)


def _entry(index: int, one: Mapped | tuple[str, Fault], person: Person, labels: frozenset[str]) -> Entry:
    if not isinstance(one, Mapped):
        return _fault(index, one[0], one[1].code)
    said = labels | ({UNKNOWN} if one.own_eyes else frozenset())
    resource: dict[str, Any] = dict(one.resource)
    if said:
        resource["meta"] = {"security": [{"system": _SECURITY, "code": each} for each in sorted(said)]}
    entry = read_entry(index, {"resource": resource}, person)
    return replace(entry, source_id=one.source_id, at=one.at)


def _labels(visit: Visit, made: list[Mapped | tuple[str, Fault]]) -> frozenset[str]:
    """What closes one part of a visit closes all of it: a medicine tells the disease it is given for."""
    never = dictionary().never_kept
    labels = {never[name] for name in visit.tables_named if name in never}
    labels |= {_TERMINATED} if visit.restricted else set()
    for one in made:
        if isinstance(one, Mapped):
            labels |= labels_of(one.resource, _LABELS)
    return frozenset(labels)


def _person(head: TableRow) -> Person:
    """By the personal number where it is one, else by the insurance cards; names never count.

    Raises:
        Unreadable: the birth date cannot be read, or there is none.
    """
    born = day(head.values.get("NGAY_SINH", ""))
    if born is None:
        raise Unreadable("birth_date_needed")
    numbers = _numbers(head.values)
    return Person(numbers, born, frozenset({PATIENT}))


def _numbers(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    personal = values.get("SO_CCCD", "")
    if len(personal) == 12 and personal.isascii() and personal.isdigit():
        return (("national_id", personal),)
    # Nine digits or letters are an older paper or a passport: too weak to put records on somebody.
    cards = [each for each in listed(values.get("MA_THE_BHYT", "")) if len(each) in _CARD_LENGTHS]
    return tuple(("insurance_number", each) for each in dict.fromkeys(cards))


def _nobody(visit: Visit) -> Person:
    return Person((), PartialDate("1900"), frozenset({PATIENT, f"visit {visit.number}"}))


def _fault(index: int, at: str, code: str) -> Entry:
    return Entry(index, {}, None, fault=Fault("", code, ""), at=at)
