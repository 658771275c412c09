"""What the rows of one visit say, in FHIR R4. Money, devices and names of people have no place in it.

A row is known by what it is about, never by its number: numbers are given anew when a visit is sent again.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wallet_api.records.insurance.dictionary import dictionary
from wallet_api.records.insurance.envelope import TableRow
from wallet_api.records.insurance.values import Unreadable, day, icd10, instant, listed, number
from wallet_api.records.types import Fault

PATIENT: Final = "Patient/1"
_SYSTEMS: Final = "urn:health-wallet:insurance"
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
_UCUM: Final = "http://unitsofmeasure.org"
_LOINC: Final = "http://loinc.org"
_OBSERVED: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_DIAGNOSIS: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/condition-category",
    "code": "encounter-diagnosis",
}
_EDITION_2026: Final = "2026-07-01"
"""Codes of whoever was discharged since are of the edition that took effect then; older ones stay."""
_OWN_EYES: Final = frozenset({"XML11"})
"""Papers for an employer: for the person, and for no other provider."""
_MOST_CODES: Final = 200
_SUMMARY: Final = ("CHAN_DOAN_RV", "PP_DIEU_TRI", "KET_QUA_DTRI", "GHI_CHU", "NGAY_TAI_KHAM")

Values = Mapping[str, str]
Rows = Mapping[str, list[TableRow]]


@dataclass(frozen=True)
class Mapped:
    """One thing the book keeps. `source_id` is the same whenever the visit is sent; `own_eyes`: it stays with
    the person."""

    at: str
    resource: Mapping[str, Any]
    source_id: str
    own_eyes: bool = False


Found = Mapped | tuple[str, Fault]


def mapped(key: str, tables: Rows) -> Iterator[Found]:
    """All that the rows of a visit say, what cannot be read as a fault at its place."""
    for name, read in _READERS.items():
        made: list[tuple[str, str, dict[str, Any]]] = []
        for row in tables.get(name, ()):
            try:
                made += [(row.at, about, resource) for about, resource in read(key, row.values, tables)]
            except Unreadable as why:
                yield row.at, Fault("", why.code)
        for (at, about, resource), nth in zip(made, _numbered(made), strict=True):
            source_id = json.dumps([resource["resourceType"], key, name, about, nth], ensure_ascii=False)
            yield Mapped(at, _in_visit(key, resource), source_id, name in _OWN_EYES)


def _numbered(made: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[int]:
    """Which of those about the same thing each is, by their time: in whatever order the rows are sent."""
    in_time = sorted(range(len(made)), key=lambda place: _in_time(made[place][2]))
    seen: Counter[tuple[str, str]] = Counter()
    numbers = [0] * len(made)
    for place in in_time:
        _, about, resource = made[place]
        seen[resource["resourceType"], about] += 1
        numbers[place] = seen[resource["resourceType"], about]
    return numbers


def _in_time(resource: Mapping[str, Any]) -> tuple[str, str]:
    """By time; of the same time by what they say, so that the order of rows never counts."""
    told = ("effectiveDateTime", "authoredOn", "performedDateTime", "recordedDate", "date")
    when = next((str(resource[each]) for each in told if each in resource), "")
    return when, json.dumps(resource, ensure_ascii=False, sort_keys=True)


def _in_visit(key: str, resource: dict[str, Any]) -> dict[str, Any]:
    """The same about the patient, and within the visit: that is how the parts of one are found together."""
    visit = {"identifier": {"system": f"{_SYSTEMS}/visit", "value": key}}
    resource["subject"] = {"reference": PATIENT}
    if resource["resourceType"] == "DocumentReference":
        resource.setdefault("context", {})["related"] = [visit]
    elif resource["resourceType"] != "Encounter":
        resource["encounter"] = visit
    return resource


Made = Iterator[tuple[str, dict[str, Any]]]
"""What a thing is about, within its visit and table, and the thing."""


def _head(key: str, row: Values, tables: Rows) -> Made:
    began, ended = instant(row.get("NGAY_VAO", "")), instant(row.get("NGAY_RA", ""))
    if began is None:
        raise Unreadable("date_missing")
    yield "visit", _visit(key, row, began, ended)
    yield from _conditions(row, ended or began)
    yield from _measured(row, began)
    if not any(set(each.values) - {"MA_LK"} for each in tables.get("XML8", ())):
        # Outpatients come without a summary; what the head says of the visit stands in for it.
        said = {name: row[name] for name in _SUMMARY if name in row}
        if said:
            yield "summary", _paper("XML1", said, ended or began) | {"description": "derived"}


def _visit(key: str, row: Values, began: str, ended: str | None) -> dict[str, Any]:
    care = dictionary().care.get(row.get("MA_LOAI_KCB", "").zfill(2), {})
    kind: dict[str, Any] = {
        "resourceType": "Encounter",
        "identifier": [{"system": f"{_SYSTEMS}/visit", "value": key}],
        "status": "finished" if ended else "in-progress",
        "class": _class(care),
        "period": {"start": began} | ({"end": ended} if ended else {}),
    }
    if "MA_LOAI_KCB" in row:
        code = row["MA_LOAI_KCB"].zfill(2)
        named = care.get("vi", row["MA_LOAI_KCB"])
        kind["type"] = [{"coding": [{"system": f"{_SYSTEMS}/care", "code": code}], "text": named}]
    if "LY_DO_VV" in row:
        kind["reasonCode"] = [{"text": row["LY_DO_VV"]}]
    outcome = dictionary().outcomes.get(row.get("KET_QUA_DTRI", ""))
    if outcome:
        kind["hospitalization"] = {"dischargeDisposition": {"text": outcome}}
    return kind


def _class(care: Mapping[str, str]) -> dict[str, str]:
    """In or out; what the list does not have is not known."""
    system = "http://terminology.hl7.org/CodeSystem/"
    if "class" in care:
        return {"system": f"{system}v3-ActCode", "code": care["class"]}
    return {"system": f"{system}v3-NullFlavor", "code": "UNK"}


def _conditions(row: Values, told: str) -> Made:
    """The diagnoses at the end, the main one first. What is no code stays as the text it is."""
    main = listed(row.get("MA_BENH_CHINH", ""))
    codes = [*main, *listed(row.get("MA_BENH_KT", ""))]
    if len(codes) > _MOST_CODES:
        raise Unreadable("list_too_long")
    names = listed(row.get("CHAN_DOAN_RV", ""))
    named = names if len(names) == len(codes) else [""] * len(codes)
    for place, (said, name) in enumerate(zip(codes, named, strict=True)):
        concept: dict[str, Any] = {"text": name or said}
        if (code := icd10(said)) is not None:
            coding = {"system": _ICD10, "code": code}
            concept["coding"] = [coding | ({"version": "2026"} if told >= _EDITION_2026 else {})]
        role = "main" if place < len(main) else "secondary"
        made = {
            "resourceType": "Condition",
            "category": [{"coding": [_DIAGNOSIS], "text": role}],
            "code": concept,
            "recordedDate": told,
        }
        yield said, made


def _measured(row: Values, when: str) -> Made:
    weight = number(row.get("CAN_NANG", ""))
    told: dict[str, Any] = {"valueString": row.get("CAN_NANG", "")}
    if weight is not None:
        told = {"valueQuantity": {"value": weight, "unit": "kg", "system": _UCUM, "code": "kg"}}
    if row.get("CAN_NANG", "").strip("0., "):  # zeros fill the place of what was not weighed
        yield "weight", _observed("vital-signs", "29463-7", "Cân nặng", when) | told
    if "NHOM_MAU" in row:
        told_group = {"valueString": row["NHOM_MAU"]}
        yield "blood group", _observed("laboratory", "882-1", "Nhóm máu", when) | told_group


def _observed(category: str, code: str, name: str, when: str) -> dict[str, Any]:
    concept = {"coding": [{"system": _LOINC, "code": code}], "text": name}
    return _observation(category, concept, when)


def _observation(category: str, concept: Mapping[str, Any], when: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": _OBSERVED, "code": category}]}],
        "code": concept,
        "effectiveDateTime": when,
    }


def _medicine(key: str, row: Values, tables: Rows) -> Made:
    name = row.get("TEN_THUOC") or row.get("MA_THUOC")
    if not name:
        raise Unreadable("code_missing")
    when = instant(row.get("NGAY_YL", ""))
    if when is None:
        raise Unreadable("date_missing")
    concept: dict[str, Any] = {"text": name}
    if "MA_THUOC" in row:
        concept["coding"] = [{"system": f"{_SYSTEMS}/medicine", "code": row["MA_THUOC"]}]
    made: dict[str, Any] = {
        "resourceType": "MedicationRequest",
        "status": "completed",
        "intent": "order",
        "medicationCodeableConcept": concept,
        "authoredOn": when,
    }
    amount = number(row.get("SO_LUONG", ""))
    unread = ("SO_LUONG",) if amount is None else ()
    taken = [row[each] for each in ("HAM_LUONG", "LIEU_DUNG", "CACH_DUNG", *unread) if each in row]
    if taken:
        made["dosageInstruction"] = [{"text": "; ".join(taken)}]
    if amount is not None:
        unit = {"unit": row["DON_VI_TINH"]} if "DON_VI_TINH" in row else {}
        made["dispenseRequest"] = {"quantity": {"value": amount} | unit}
    yield row.get("MA_THUOC", name), made


def _procedure(key: str, row: Values, tables: Rows) -> Made:
    """What was done to the person. Examinations, beds, supplies and mere orders are no procedures."""
    if row.get("MA_NHOM", "").lstrip("0") not in dictionary().procedures:
        return
    when = instant(row.get("NGAY_TH_YL", "")) or instant(row.get("NGAY_YL", ""))
    if when is None:
        raise Unreadable("date_missing")
    concept: dict[str, Any] = {"text": row.get("TEN_DICH_VU", "") or row.get("MA_DICH_VU", "")}
    if "MA_DICH_VU" in row:
        concept["coding"] = [{"system": f"{_SYSTEMS}/service", "code": row["MA_DICH_VU"]}]
    yield (
        row.get("MA_DICH_VU", ""),
        {"resourceType": "Procedure", "status": "completed", "code": concept, "performedDateTime": when},
    )


def _result(key: str, row: Values, tables: Rows) -> Made:
    """A value as an observation; a described finding as a report."""
    when = instant(row.get("NGAY_KQ", ""))
    if when is None:
        raise Unreadable("date_missing")
    name = row.get("TEN_CHI_SO") or row.get("MA_CHI_SO") or row.get("MA_DICH_VU")
    if not name:
        raise Unreadable("code_missing")
    code = row.get("MA_CHI_SO") or row.get("MA_DICH_VU")
    concept: dict[str, Any] = {"text": name}
    if code:
        concept["coding"] = [{"system": f"{_SYSTEMS}/index", "code": code}]
    about = json.dumps([row.get(each, "") for each in ("MA_DICH_VU", "MA_CHI_SO")])
    found = "\n".join(row[each] for each in ("MO_TA", "KET_LUAN") if each in row)
    value = row.get("GIA_TRI", "")
    if value and not (found and value == "0"):  # beside a finding, a lone zero fills the place of no value
        yield about, _value(row, concept, when)
    if found:
        yield about, _report(concept, when, found)
    if not value and not found:
        raise Unreadable("result_missing")


def _report(concept: Mapping[str, Any], when: str, found: str) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": concept,
        "effectiveDateTime": when,
        "conclusion": found,
    }


def _value(row: Values, concept: dict[str, Any], when: str) -> dict[str, Any]:
    made = _observation("laboratory", concept, when)
    exact = number(row["GIA_TRI"])
    if exact is None:
        said = " ".join(row[each] for each in ("GIA_TRI", "DON_VI_DO") if each in row)
        return made | {"valueString": said}
    unit = {"unit": row["DON_VI_DO"]} if "DON_VI_DO" in row else {}
    return made | {"valueQuantity": {"value": exact} | unit}


def _papers(name: str) -> Any:
    def read(key: str, row: Values, tables: Rows) -> Made:
        told = next((row[each] for each in _TOLD_AT if each in row), "")
        when = instant(told) or _visit_day(tables)
        said = {each: text for each, text in row.items() if each != "MA_LK"}
        if not said:
            return
        paper = _paper(name, said, when)
        later = day(row.get("NGAY_HEN_KL", ""))
        if later is not None:
            paper["context"] = {"period": {"start": later.text}}
        yield "paper", paper

    return read


_TOLD_AT: Final = ("NGAY_CT", "THOI_DIEM_DBLS", "NGAY_RA", "NGAY_VAO")


def _visit_day(tables: Rows) -> str:
    head = tables["XML1"][0].values
    when = instant(head.get("NGAY_RA", "")) or instant(head.get("NGAY_VAO", ""))
    if when is None:
        raise Unreadable("date_missing")
    return when


def _paper(name: str, said: Values, when: str) -> dict[str, Any]:
    """A paper as text, each part under the name the form gives it."""
    table = dictionary().tables[name]
    text = "\n".join(f"{table.fields[each]}: {value}" for each, value in said.items())
    packed = base64.b64encode(text.encode()).decode()
    # FHIR wants an instant here: a day alone stands for its beginning in Vietnam.
    at = when if "T" in when else f"{when}T00:00:00+07:00"
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": f"{_SYSTEMS}/paper", "code": name}], "text": table.title},
        "date": at,
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": packed}}],
    }


_READERS: Final = {
    "XML1": _head,
    "XML2": _medicine,
    "XML3": _procedure,
    "XML4": _result,
    **{name: _papers(name) for name in ("XML5", "XML7", "XML8", "XML11", "XML13", "XML14")},
}
