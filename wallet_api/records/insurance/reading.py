"""A visit file as the intake takes it: for each visit whom it is about, and its entries with their places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from wallet_api.records.bundle import Entry, Person, Reading, read_entry
from wallet_api.records.insurance.dictionary import VISITS
from wallet_api.records.insurance.envelope import MOST_VISITS, UNNAMED, TableRow, Visit, visits_of
from wallet_api.records.insurance.labelling import labels_of_visit
from wallet_api.records.insurance.mapping import mapped
from wallet_api.records.insurance.resources import PATIENT, Found, Mapped
from wallet_api.records.insurance.values import Unreadable, day, listed
from wallet_api.records.model import PartialDate
from wallet_api.records.types import Fault

FORMAT: Final = "insurance-xml"
"""The same for every version of the decision: a visit sent again after an update is the same visit."""
_SECURITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CARD = re.compile(r"(?:[A-Z]{2}[1-5][0-9]{2})?[0-9]{10}")
_MOST_CARDS: Final = 10
_LONGEST_KEY: Final = 1_000


def read_visits(raw: bytes, most: int = MOST_VISITS) -> list[Reading]:
    """Take a file of at most so many visits apart: one reading for each.

    Raises:
        BundleRefused: the file as a whole cannot be read; nothing was kept.
    """
    known: dict[tuple[Person, str], bytes] = {}
    return [_reading(each, known) for each in visits_of(raw, most)]


def _reading(visit: Visit, known: dict[tuple[Person, str], bytes]) -> Reading:
    """One visit. One that says otherwise under the key of another of this file is a mistake of the sender."""
    person, key, found = _taken_apart(visit)
    if key and known.setdefault((person, key), visit.body) != visit.body:
        found = [(f"/HOSO/{visit.number}/XML1/0/MA_LK", Fault("", "repeated_source_id"))]
    made = [each.resource for each in found if isinstance(each, Mapped)]
    labels = labels_of_visit(visit, made)
    entries = [entry_of(index, one, person, labels) for index, one in enumerate(found)]
    edition = VISITS.edition_of(visit.seen)
    return Reading(person, entries, FORMAT, visit.body, key, is_whole(found), edition)


def _taken_apart(visit: Visit) -> tuple[Person, str, list[Found]]:
    """Whom a visit is about, its key, and all that its rows say; without either nothing but what is wrong."""
    at, heads, faults = f"/HOSO/{visit.number}/XML1", visit.tables.get("XML1", []), _faults(visit)
    if len(heads) != 1:
        return _nobody(visit), "", [(at, Fault("", "visit_head_needed")), *faults]
    head = heads[0]
    if not head.identified:
        return _nobody(visit), "", faults
    try:
        person = _person(head)
    except Unreadable as why:
        return _nobody(visit), "", [(f"{head.at}/NGAY_SINH", Fault("", why.code)), *faults]
    key = head.values.get("MA_LK", "")
    if not key or len(key) > _LONGEST_KEY:
        fault = Fault("", "text_too_long") if key else Fault("", "visit_key_needed")
        return person, "", [(f"{head.at}/MA_LK", fault), *faults]
    return person, key, [*mapped(key, _own_rows(visit, key)), *_strangers(visit, key), *faults]


def is_whole(found: Iterable[Found]) -> bool:
    """Whether all that was sent of a visit could be read, but for tables that the book never keeps: only
    then is what it does not say any more known to be left out."""
    faults = [each for each in found if not isinstance(each, Mapped)]
    return all(
        fault.code == "kept_by_source"
        or (fault.code == "table_not_kept" and at.rpartition("/")[2] != UNNAMED)
        for at, fault in faults
    )


def _own_rows(visit: Visit, key: str) -> dict[str, list[TableRow]]:
    """The rows that can be read whole and are of this visit; of the head, whatever of it can be read."""
    return {
        name: [row for row in rows if _is_of(row, key) and (name == "XML1" or not row.faults)]
        for name, rows in visit.tables.items()
    }


def _is_of(row: TableRow, key: str) -> bool:
    return row.values.get("MA_LK", key) == key


def _strangers(visit: Visit, key: str) -> Iterator[Found]:
    for rows in visit.tables.values():
        for row in rows:
            if not _is_of(row, key):
                yield f"{row.at}/MA_LK", Fault("", "other_visit")


def _faults(visit: Visit) -> list[Found]:
    """All that could not be read: elements of rows, and tables."""
    rows = (row for rows in visit.tables.values() for row in rows)
    elements = [(row.at + fault.pointer, replace(fault, pointer="")) for row in rows for fault in row.faults]
    return [*elements, *visit.faults]


def entry_of(index: int, one: Found, person: Person, labels: frozenset[str]) -> Entry:
    """An entry of the intake, closed by these labels besides its own; a fault is an entry as well."""
    if not isinstance(one, Mapped):
        return Entry(index, {}, None, fault=one[1], at=one[0])
    said = labels | one.labels
    resource: dict[str, Any] = dict(one.resource)
    if said:
        resource["meta"] = {"security": [{"system": _SECURITY, "code": each} for each in sorted(said)]}
    entry = read_entry(index, {"resource": resource}, person)
    return replace(entry, source_id=one.source_id, at=one.at)


def _person(head: TableRow) -> Person:
    """By the personal number where it is one, else by the insurance cards; names never count.

    Raises:
        Unreadable: the birth date cannot be read, or there is none.
    """
    born = day(head.values.get("NGAY_SINH", ""))
    if born is None:
        raise Unreadable("birth_date_needed")
    numbers = _numbers(head.values)
    # Who has no number is told apart by the visit: two of one birth date are not one nobody.
    visit = frozenset[str]() if numbers else frozenset({f"visit {head.values.get('MA_LK', '')}"})
    return Person(numbers, born, visit | {PATIENT})


def _numbers(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    personal = values.get("SO_CCCD", "")
    if len(personal) == 12 and personal.isascii() and personal.isdigit():
        return (("national_id", personal),)
    # Nine digits or letters are an older paper or a passport: too weak to put records on somebody. So is a
    # list in which something is no card.
    cards = [each.upper() for each in listed(values.get("MA_THE_BHYT", ""))]
    if len(cards) > _MOST_CARDS or not all(_CARD.fullmatch(each) for each in cards):
        return ()
    return tuple(("insurance_number", each) for each in dict.fromkeys(cards))


def _nobody(visit: Visit) -> Person:
    return Person((), PartialDate("1900"), frozenset({PATIENT, f"visit {visit.number}"}))
