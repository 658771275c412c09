"""What the parts of one check-up say, in FHIR R4.

Measurements, results and conclusions become records of their own; all that was ticked or written beside them
is a paper of its part. An element that the law or custom closes, such as a finding of psychiatry, is on a
paper of its own, so that it closes nothing but itself. What a person remembers of vaccinations is no dose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from notifications.conditions import kinds
from wallet_api.records.checkups.dictionary import Part, check_ups
from wallet_api.records.insurance.envelope import TableRow
from wallet_api.records.insurance.resources import (
    LOINC,
    UCUM,
    Found,
    Made,
    Mapped,
    Values,
    codes_in,
    diagnoses,
    in_visit,
    numbered,
    observation,
    observed,
    paper,
    quantity,
    result,
)
from wallet_api.records.insurance.values import Unreadable, instant
from wallet_api.records.types import Fault
from wallet_api.records.types.encounter import CHECK_UP, SUBJECT_GROUP

_SYSTEMS: Final = "urn:health-wallet:check-up"
_PRESSURE = re.compile(r"([0-9]{2,3})\s*/\s*([0-9]{2,3})")
_CLASS: Final = "PHAN_LOAI_SK"
_DISEASES: Final = "KET_LUAN_BENH"
_HEAD: Final = frozenset({"SO_CCCD", "NGAY_SINH", "NHOM_MAU", "LY_DO_VV"})
"""What the first part says of the person and the occasion; the rest of it is history."""

Rows = Mapping[str, list[TableRow]]


def mapped(key: str, tables: Rows) -> Iterator[Found]:
    """All that the parts of a check-up say, what cannot be read as a fault at its place."""
    occasion = tables["XML2"][0]
    try:
        began, ended = (instant(occasion.values.get(each, "")) for each in ("NGAY_VAO", "NGAY_RA"))
    except Unreadable as why:
        yield occasion.at, Fault("", why.code)
        return
    if began is None:
        yield f"{occasion.at}/NGAY_VAO", Fault("", "date_missing")
        return
    yield _kept(key, "XML2", occasion.at, "visit", _visit(key, tables, began, ended))
    for name, rows in tables.items():
        if name != "XML2":
            yield from _of_part(key, name, rows, began)


def _kept(
    key: str, name: str, at: str, about: str, made: dict[str, Any], nth: int = 1, label: str = ""
) -> Mapped:
    source_id = json.dumps([made["resourceType"], key, name, about, nth], ensure_ascii=False)
    return Mapped(at, in_visit(key, made, _SYSTEMS), source_id, frozenset({label} - {""}))


def _of_part(key: str, name: str, rows: list[TableRow], when: str) -> Iterator[Found]:
    known, found = check_ups().parts[name], list[tuple[str, str, dict[str, Any]]]()
    for row in rows:
        try:
            found += [(row.at, about, made) for about, made in _records(name, row.values, known, when)]
        except Unreadable as why:
            yield row.at, Fault("", why.code)
        else:
            yield from _papers(key, name, row, when)
    for (at, about, made), nth in zip(found, numbered(found), strict=True):
        yield _kept(key, name, at, about, made, nth)


def _visit(key: str, tables: Rows, began: str, ended: str | None) -> dict[str, Any]:
    system, code = CHECK_UP
    made: dict[str, Any] = {
        "resourceType": "Encounter",
        "identifier": [{"system": f"{_SYSTEMS}/visit", "value": key}],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [{"coding": [{"system": system, "code": code}], "text": "Khám sức khỏe"}, *_groups(tables)],
        "period": {"start": began} | ({"end": ended} if ended else {}),
    }
    reason = next((row.values["LY_DO_VV"] for row in tables["XML1"] if "LY_DO_VV" in row.values), None)
    return made | ({"reasonCode": [{"text": reason}]} if reason else {})


def _groups(tables: Rows) -> list[dict[str, Any]]:
    """Whom the check-up was for, as far as reminders go by it."""
    told = codes_in(tables["XML2"][0].values, "DOI_TUONG")
    known = {code for kind in kinds().by_id.values() for code in kind.groups}
    return [
        {"coding": [{"system": SUBJECT_GROUP, "code": code}]} for code in dict.fromkeys(told) if code in known
    ]


def _records(name: str, row: Values, known: Part, when: str) -> Made:
    """What of a row is a record of its own."""
    if name == "XML11":
        yield from result(row, when)
    for field, said in row.items():
        if field in known.measured and said.strip("0., "):  # zeros fill the place of what was not measured
            kind = known.measured[field]
            title = check_ups().form.tables[name].fields[field]
            made = observed("vital-signs", kind.loinc, title, when)
            yield field, made | quantity(said, kind.unit, kind.shown)
    for field, read in _READERS.items():
        if row.get(field):
            yield from read(row, field, when)


def _blood_group(row: Values, field: str, when: str) -> Made:
    yield field, observed("laboratory", "882-1", "Nhóm máu", when) | {"valueString": row[field]}


def _blood_pressure(row: Values, field: str, when: str) -> Made:
    made, pair = observed("vital-signs", "85354-9", "Huyết áp", when), _PRESSURE.fullmatch(row[field])
    if pair is None:
        yield field, made | {"valueString": row[field]}
        return
    named = (("8480-6", "Tâm thu"), ("8462-4", "Tâm trương"))
    parts = [
        {
            "code": {"coding": [{"system": LOINC, "code": code}], "text": text},
            "valueQuantity": {"value": int(said), "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
        }
        for (code, text), said in zip(named, pair.groups(), strict=True)
    ]
    yield field, made | {"component": parts}


def _class(row: Values, field: str, when: str) -> Made:
    answers = check_ups().parts["XML12"].answers[field]
    concept: dict[str, Any] = {"text": answers.get(row[field], row[field])}
    if row[field] in answers:
        concept["coding"] = [{"system": f"{_SYSTEMS}/class", "code": row[field]}]
    kind = {"coding": [{"system": f"{_SYSTEMS}/element", "code": field}], "text": "Phân loại sức khỏe"}
    yield field, observation("exam", kind, when) | {"valueCodeableConcept": concept}


def _concluded(row: Values, field: str, when: str) -> Made:
    return diagnoses(codes_in(row, field), (), (), when)


_READERS: Final[Mapping[str, Callable[[Values, str, str], Made]]] = {
    "NHOM_MAU": _blood_group,
    "HUYET_AP": _blood_pressure,
    _CLASS: _class,
    _DISEASES: _concluded,
}


def _papers(key: str, name: str, row: TableRow, when: str) -> Iterator[Found]:
    """What is left of a row, and apart from it what each label closes."""
    if name == "XML11":
        return
    known = check_ups().parts[name]
    left = [each for each in row.values if each not in {*known.measured, *_READERS, *_HEAD}]
    for label in ("", *sorted(set(known.labelled.values()))):
        fields = [each for each in left if known.labelled.get(each, "") == label]
        if fields:
            made = _paper(name, fields, row.values, when)
            yield _kept(key, name, row.at, f"paper {label}".strip(), made, label=label)


def _paper(name: str, fields: list[str], said: Values, when: str) -> dict[str, Any]:
    table, answers = check_ups().form.tables[name], check_ups().parts[name].answers
    lines = [
        f"{title}: {answers.get(each, {}).get(said[each], said[each])}"
        for each, title in table.fields.items()
        if each in fields
    ]
    kind = {"coding": [{"system": f"{_SYSTEMS}/part", "code": name}], "text": table.title}
    return paper(kind, lines, when)
