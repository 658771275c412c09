"""The FHIR R4 resources that files of visits and check-ups are turned into, and how they are told apart."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wallet_api.records.fetal_sex import unsaid
from wallet_api.records.insurance.values import Unreadable, icd10, listed, number
from wallet_api.records.types import Fault

PATIENT: Final = "Patient/1"
SYSTEMS: Final = "urn:health-wallet:insurance"
UCUM: Final = "http://unitsofmeasure.org"
LOINC: Final = "http://loinc.org"
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
_OBSERVED: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_DIAGNOSIS: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/condition-category",
    "code": "encounter-diagnosis",
}
_EDITION_2026: Final = "2026-07-01"
"""Codes of whoever was discharged since are of the edition that took effect then; older ones stay."""
_MOST_CODES: Final = 200

Values = Mapping[str, str]
Made = Iterator[tuple[str, dict[str, Any]]]
"""What a thing is about, within its visit and table, and the thing."""


@dataclass(frozen=True)
class Mapped:
    """One thing the book keeps. `source_id` is the same whenever the visit is sent; `labels` close it and
    nothing else of the visit."""

    at: str
    resource: Mapping[str, Any]
    source_id: str
    labels: frozenset[str] = frozenset()


Found = Mapped | tuple[str, Fault]


def numbered(made: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[int]:
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


def in_visit(key: str, resource: dict[str, Any], system: str = SYSTEMS) -> dict[str, Any]:
    """The same about the patient, and within the visit: that is how the parts of one are found together."""
    visit = {"identifier": {"system": f"{system}/visit", "value": key}}
    resource["subject"] = {"reference": PATIENT}
    if resource["resourceType"] == "DocumentReference":
        resource.setdefault("context", {})["related"] = [visit]
    elif resource["resourceType"] != "Encounter":
        resource["encounter"] = visit
    return resource


def diagnoses(main: Sequence[str], others: Sequence[str], names: Sequence[str], told: str) -> Made:
    """The diagnoses of a visit, the main ones first. What is no code stays as the text it is.

    Raises:
        Unreadable: there are too many.
    """
    codes = [*main, *others]
    if len(codes) > _MOST_CODES:
        raise Unreadable("list_too_long")
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


def observed(category: str, code: str, name: str, when: str) -> dict[str, Any]:
    """An observation that LOINC has a code for, still without its value."""
    return observation(category, {"coding": [{"system": LOINC, "code": code}], "text": name}, when)


def observation(category: str, concept: Mapping[str, Any], when: str) -> dict[str, Any]:
    """An observation, still without its value."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": _OBSERVED, "code": category}]}],
        "code": concept,
        "effectiveDateTime": when,
    }


def quantity(said: str, code: str, unit: str) -> dict[str, Any]:
    """A value with its UCUM unit; the text as it was sent where that is no number."""
    exact = number(said)
    if exact is None:
        return {"valueString": said}
    return {"valueQuantity": {"value": exact, "unit": unit, "system": UCUM, "code": code}}


def result(row: Values, when: str) -> Made:
    """One row of laboratory results: a value as an observation, a described finding as a report.

    Raises:
        Unreadable: it names nothing, or finds nothing.
    """
    name = row.get("TEN_CHI_SO") or row.get("MA_CHI_SO") or row.get("MA_DICH_VU")
    if not name:
        raise Unreadable("code_missing")
    code = row.get("MA_CHI_SO") or row.get("MA_DICH_VU")
    concept: dict[str, Any] = {"text": name}
    if code:
        concept["coding"] = [{"system": f"{SYSTEMS}/index", "code": code}]
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
    made = observation("laboratory", concept, when)
    exact = number(row["GIA_TRI"])
    if exact is None:
        said = " ".join(row[each] for each in ("GIA_TRI", "DON_VI_DO") if each in row)
        return made | {"valueString": said}
    unit = {"unit": row["DON_VI_DO"]} if "DON_VI_DO" in row else {}
    return made | {"valueQuantity": {"value": exact} | unit}


def paper(kind: Mapping[str, Any], lines: Sequence[str], when: str) -> dict[str, Any]:
    """A paper as plain text. `kind` is what FHIR calls its type."""
    packed = base64.b64encode(unsaid("\n".join(lines)).encode()).decode()
    # FHIR wants an instant here: a day alone stands for its beginning in Vietnam.
    at = when if "T" in when else f"{when}T00:00:00+07:00"
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": kind,
        "date": at,
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": packed}}],
    }


def codes_in(row: Values, name: str) -> list[str]:
    """The parts of a listed element."""
    return listed(row.get(name, ""))
