"""What closes a visit: found in all that was sent of it, readable or not, kept or not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from consent.codes import LABELS
from wallet_api.records.insurance.dictionary import VISITS
from wallet_api.records.insurance.envelope import UNNAMED, Visit
from wallet_api.records.labels import UNKNOWN, labels_of
from wallet_api.records.types import Resource

_ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
_KNOWN = frozenset(LABELS.codes)
_CODES = re.compile(r"(?<![A-Z0-9])[A-Z][0-9]{2}(?:\.?[0-9A-Z]{1,4})?(?![A-Z0-9])")
_CODED: Final = ("MA_BENH_CHINH", "MA_BENH_KT", "MA_BENH_YHCT", "CHAN_DOAN_VAO", "CHAN_DOAN_RV")
_TERMINATED: Final = "SEX"
"""The label of what a visit file tells of a pregnancy that was ended."""
_TELLING: Final = frozenset({"XML1", "XML7", "XML8", "XML11"})
"""What is in these nobody knows when they cannot be read: the visit is closed then."""


def labels_of_visit(visit: Visit, made: Iterable[Resource]) -> frozenset[str]:
    """The labels of everything in a visit: a medicine tells the disease it is given for.

    Codes count wherever they stand and however they are written. Where the head cannot be read, or a table
    has no name, the visit is closed, for nobody knows what it said.
    """
    never = VISITS.never_kept
    labels = frozenset(never[name] for name in visit.named if name in never)
    if visit.restricted:
        labels |= {_TERMINATED}
    return labels | labels_of_parts(visit, made, _CODED, _TELLING)


def labels_of_parts(
    visit: Visit, made: Iterable[Resource], coded: Collection[str], telling: Collection[str]
) -> frozenset[str]:
    """The labels that codes put on everything of a visit: in its records, and in the elements `coded`.

    It is closed where one of these elements or of the tables `telling` cannot be read, where a table has no
    name, and where no visit came of it.
    """
    resources, labels = list(made), set[str]()
    for resource in resources:
        labels |= labels_of(resource, _KNOWN)
    for code in _codes_said(visit, coded):
        labels |= labels_of({"code": {"system": _ICD10, "code": code}}, _KNOWN)
    has_visit = any(each["resourceType"] == "Encounter" for each in resources)
    if not has_visit or _is_dark(visit, coded, telling):
        labels.add(UNKNOWN)
    return frozenset(labels)


def _codes_said(visit: Visit, coded: Collection[str]) -> set[str]:
    said = (
        row.values.get(name, "").upper() for rows in visit.tables.values() for row in rows for name in coded
    )
    return {code for text in said for code in _CODES.findall(text)}


def _is_dark(visit: Visit, coded: Collection[str], telling: Collection[str]) -> bool:
    unread = {at.rpartition("/")[2] for at, fault in visit.faults if fault.code != "table_not_kept"}
    unreadable = {fault.pointer[1:] for rows in visit.tables.values() for row in rows for fault in row.faults}
    return bool(visit.named & {UNNAMED} or unread & set(telling) or unreadable & set(coded))
