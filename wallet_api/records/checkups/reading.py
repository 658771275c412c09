"""A check-up file as the intake takes it: for each check-up whom it is about, and its entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wallet_api.records.bundle import Person, Reading
from wallet_api.records.checkups.dictionary import check_ups
from wallet_api.records.checkups.mapping import mapped
from wallet_api.records.insurance.envelope import TableRow, Visit, visits_of
from wallet_api.records.insurance.labelling import labels_of_parts
from wallet_api.records.insurance.reading import entry_of, is_whole
from wallet_api.records.insurance.resources import PATIENT, Found, Mapped
from wallet_api.records.insurance.values import Unreadable, day
from wallet_api.records.model import PartialDate
from wallet_api.records.types import Fault

FORMAT = "check-up-xml"
MOST_CHECK_UPS = 50
_LONGEST_KEY = 1_000
_CODED = (
    "TSBT_MA_BENH",
    "TSGD_MA_BENH",
    "MA_BENH_SAN_KHOA_KHONG_BT",
    "TSBT_MA_BENH_KHAC",
    "TSBT_MA_BENH_THAI_SAN",
    "KET_LUAN_BENH",
    "GHI_RO_VAN_DE_SUC_KHOE",
    "CAC_BENH_TAT_NEU_CO",
)
"""Where a disease may stand as a code; one that the law closes closes the check-up as a whole."""
_TELLING = frozenset({"XML1", "XML8", "XML9", "XML12"})
"""What is in these nobody knows when they cannot be read: the check-up is closed then."""


def read_check_ups(raw: bytes, most: int = MOST_CHECK_UPS) -> list[Reading]:
    """Take a file of at most so many check-ups apart: one reading for each.

    Raises:
        BundleRefused: the file as a whole cannot be read; nothing was kept.
    """
    known: dict[tuple[Person, str], bytes] = {}
    return [_reading(each, known) for each in visits_of(raw, most, check_ups().form)]


def _reading(visit: Visit, known: dict[tuple[Person, str], bytes]) -> Reading:
    person, key, found = _taken_apart(visit)
    if key and known.setdefault((person, key), visit.body) != visit.body:
        found = [(f"/HOSO/{visit.number}/XML2/0/MA_LK", Fault("", "repeated_source_id"))]
    made = [each.resource for each in found if isinstance(each, Mapped)]
    labels = labels_of_parts(visit, made, _CODED, _TELLING)
    entries = [entry_of(index, one, person, labels) for index, one in enumerate(found)]
    return Reading(person, entries, FORMAT, visit.body, key, is_whole(found))


def _taken_apart(visit: Visit) -> tuple[Person, str, list[Found]]:
    """Whom a check-up is about, its key, and all that it says; without either nothing but what is wrong."""
    faults, nobody = list(_faults(visit)), _nobody(visit, f"check-up {visit.number}")
    for name in ("XML1", "XML2"):
        if len(visit.tables.get(name, ())) != 1:
            return nobody, "", [(f"/HOSO/{visit.number}/{name}", Fault("", "checkup_head_needed")), *faults]
    person_row, occasion = visit.tables["XML1"][0], visit.tables["XML2"][0]
    if not (person_row.identified and occasion.identified):
        return nobody, "", faults
    key = occasion.values.get("MA_LK", "")
    if not key or len(key) > _LONGEST_KEY:
        fault = Fault("", "text_too_long") if key else Fault("", "visit_key_needed")
        return nobody, "", [(f"{occasion.at}/MA_LK", fault), *faults]
    try:
        person = _person(visit, person_row, key)
    except Unreadable as why:
        return nobody, "", [(f"{person_row.at}/NGAY_SINH", Fault("", why.code)), *faults]
    return person, key, [*mapped(key, visit.tables), *faults]


def _faults(visit: Visit) -> Iterator[Found]:
    for rows in visit.tables.values():
        for row in rows:
            for fault in row.faults:
                yield row.at + fault.pointer, replace(fault, pointer="")
    yield from visit.faults


def _person(visit: Visit, row: TableRow, key: str) -> Person:
    """By the personal number where it is one: other papers and names are too weak to file under.

    Raises:
        Unreadable: the birth date cannot be read, or there is none.
    """
    born = day(row.values.get("NGAY_SINH", ""))
    if born is None:
        raise Unreadable("birth_date_needed")
    number = row.values.get("SO_CCCD", "")
    if len(number) == 12 and number.isascii() and number.isdigit():
        return Person((("national_id", number),), born, frozenset({PATIENT}))
    return Person((), born, frozenset({PATIENT, f"check-up {key}"}))


def _nobody(visit: Visit, mark: str) -> Person:
    return Person((), PartialDate("1900"), frozenset({PATIENT, mark}))
