"""What the rows of one visit say, in FHIR R4. Money, devices and names of people have no place in it.

A row is known by what it is about, never by its number: numbers are given anew when a visit is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from wallet_api.records.insurance.births import birth_facts
from wallet_api.records.insurance.dictionary import dictionary
from wallet_api.records.insurance.envelope import TableRow
from wallet_api.records.insurance.resources import (
    SYSTEMS,
    Found,
    Made,
    Mapped,
    Values,
    codes_in,
    diagnoses,
    in_visit,
    numbered,
    observed,
    paper,
    quantity,
    result,
)
from wallet_api.records.insurance.supplies import supply_of
from wallet_api.records.insurance.values import Unreadable, day, instant, number
from wallet_api.records.labels import UNKNOWN
from wallet_api.records.model import PartialDate
from wallet_api.records.types import Fault

_OWN_EYES: Final = frozenset({"XML9", "XML11"})
"""Papers on a birth and for an employer: for the person, and for no other provider."""
_SUMMARY: Final = ("CHAN_DOAN_RV", "PP_DIEU_TRI", "KET_QUA_DTRI", "GHI_CHU", "NGAY_TAI_KHAM")

Rows = Mapping[str, list[TableRow]]


def mapped(key: str, tables: Rows) -> Iterator[Found]:
    """All that the rows of a visit say, what cannot be read as a fault at its place."""
    for name, read in _READERS.items():
        made: list[tuple[str, str, dict[str, Any]]] = []
        for row in tables.get(name, ()):
            try:
                made += [(row.at, about, resource) for about, resource in read(key, row.values, tables)]
            except Unreadable as why:
                yield row.at, Fault("", why.code)
        closed = frozenset({UNKNOWN} if name in _OWN_EYES else ())
        for (at, about, resource), nth in zip(made, numbered(made), strict=True):
            source_id = json.dumps([resource["resourceType"], key, name, about, nth], ensure_ascii=False)
            yield Mapped(at, in_visit(key, resource), source_id, closed)


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
            made = _paper("XML1", said, ended or began) | {"description": "derived"}
            yield "summary", made | _context_of(_return_day(row, tables))


def _visit(key: str, row: Values, began: str, ended: str | None) -> dict[str, Any]:
    care = dictionary().care.get(row.get("MA_LOAI_KCB", "").zfill(2), {})
    kind: dict[str, Any] = {
        "resourceType": "Encounter",
        "identifier": [{"system": f"{SYSTEMS}/visit", "value": key}],
        "status": "finished" if ended else "in-progress",
        "class": _class(care),
        "period": {"start": began} | ({"end": ended} if ended else {}),
    }
    if "MA_LOAI_KCB" in row:
        code = row["MA_LOAI_KCB"].zfill(2)
        named = care.get("vi", row["MA_LOAI_KCB"])
        kind["type"] = [{"coding": [{"system": f"{SYSTEMS}/care", "code": code}], "text": named}]
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
    main, others = codes_in(row, "MA_BENH_CHINH"), codes_in(row, "MA_BENH_KT")
    return diagnoses(main, others, codes_in(row, "CHAN_DOAN_RV"), told)


def _measured(row: Values, when: str) -> Made:
    if row.get("CAN_NANG", "").strip("0., "):  # zeros fill the place of what was not weighed
        weight = observed("vital-signs", "29463-7", "Cân nặng", when)
        yield "weight", weight | quantity(row["CAN_NANG"], "kg", "kg")
    if "NHOM_MAU" in row:
        told_group = {"valueString": row["NHOM_MAU"]}
        yield "blood group", observed("laboratory", "882-1", "Nhóm máu", when) | told_group


def _medicine(key: str, row: Values, tables: Rows) -> Made:
    name = row.get("TEN_THUOC") or row.get("MA_THUOC")
    if not name:
        raise Unreadable("code_missing")
    when = instant(row.get("NGAY_YL", ""))
    if when is None:
        raise Unreadable("date_missing")
    concept: dict[str, Any] = {"text": name}
    if "MA_THUOC" in row:
        concept["coding"] = [{"system": f"{SYSTEMS}/medicine", "code": row["MA_THUOC"]}]
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
        made["dispenseRequest"] = {"quantity": {"value": amount} | unit} | supply_of(row, amount)
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
        concept["coding"] = [{"system": f"{SYSTEMS}/service", "code": row["MA_DICH_VU"]}]
    yield (
        row.get("MA_DICH_VU", ""),
        {"resourceType": "Procedure", "status": "completed", "code": concept, "performedDateTime": when},
    )


def _result(key: str, row: Values, tables: Rows) -> Made:
    when = instant(row.get("NGAY_KQ", ""))
    if when is None:
        raise Unreadable("date_missing")
    yield from result(row, when)


def _papers(name: str) -> Any:
    def read(key: str, row: Values, tables: Rows) -> Made:
        told = next((row[each] for each in _TOLD_AT if each in row), "")
        when = instant(told) or _visit_day(tables)
        said = {each: text for each, text in row.items() if each != "MA_LK"}
        if not said:
            return
        made = _paper(name, said, when)
        later = day(row.get("NGAY_HEN_KL", ""))
        if name == "XML8":
            # The head's day to come back stands on the summary, where there is one.
            later = _return_day(tables["XML1"][0].values, tables)
        yield "paper", made | _context_of(later)

    return read


_TOLD_AT: Final = ("NGAY_CT", "THOI_DIEM_DBLS", "NGAY_RA", "NGAY_VAO")


def _birth(key: str, row: Values, tables: Rows) -> Made:
    """The paper on a birth, in the mother's book: the child has no number yet to be known by."""
    facts = birth_facts(row, tables["XML1"][0].values)
    yield "paper", _paper("XML9", facts.told, facts.when or _visit_day(tables))


def _context_of(later: PartialDate | None) -> dict[str, Any]:
    """The day to come back, where a paper names one."""
    return {} if later is None else {"context": {"period": {"start": later.text}}}


def _return_day(row: Values, tables: Rows) -> PartialDate | None:
    """The day to come back that the head names. Of several the first is next; none where a notice of its own
    (table 14) tells it, or where it cannot be read: the paper has it as it was sent."""
    if any(each.values.get("NGAY_HEN_KL") for each in tables.get("XML14", ())):
        return None
    days = []
    for said in codes_in(row, "NGAY_TAI_KHAM"):
        try:
            days.append(day(said))
        except Unreadable:
            return None
    return min((each for each in days if each is not None), key=lambda each: each.text, default=None)


def _visit_day(tables: Rows) -> str:
    head = tables["XML1"][0].values
    when = instant(head.get("NGAY_RA", "")) or instant(head.get("NGAY_VAO", ""))
    if when is None:
        raise Unreadable("date_missing")
    return when


def _paper(name: str, said: Values, when: str) -> dict[str, Any]:
    """A paper as text, each part under the name the form gives it."""
    table = dictionary().form.tables[name]
    kind = {"coding": [{"system": f"{SYSTEMS}/paper", "code": name}], "text": table.title}
    return paper(kind, [f"{table.fields[each]}: {value}" for each, value in said.items()], when)


_READERS: Final = {
    "XML1": _head,
    "XML2": _medicine,
    "XML3": _procedure,
    "XML4": _result,
    **{name: _papers(name) for name in ("XML5", "XML7", "XML8", "XML11", "XML13", "XML14")},
    "XML9": _birth,
}
