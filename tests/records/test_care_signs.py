"""What single records tell the planner of: pregnancies, visits and set days, and nothing of what is void."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from notifications.model import Exam, GivenDose, SetDate, Sign
from wallet_api.records.circumstances import circumstance, stated_in
from wallet_api.records.model import PartialDate, Record, Source
from wallet_api.records.types import type_of
from wallet_api.wiring.care import care_of
from wallet_api.wiring.care_signs import _told_of, told_by

CAME = datetime(2026, 11, 1, 3, tzinfo=UTC)
LOINC, SNOMED, ICD10 = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10"
SEEN = "2026-10-10"


def record(resource: dict[str, Any], **over: Any) -> Record:
    kind = type_of(resource)
    assert kind is not None
    made = {
        "id": "r",
        "citizen_id": "c",
        "version": 1,
        "category": kind.category(resource),
        "occurred_on": PartialDate((kind.occurred(resource) or SEEN)[:10]),
        "recorded_at": CAME,
        "source": Source("clinic", None, "fhir-bundle", CAME),
        "resource": resource,
        "fingerprint": "",
    }
    return Record(**(made | over))


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def seen(code: str, **value: Any) -> dict[str, Any]:
    made = {"resourceType": "Observation", "status": "final", "code": concept(LOINC, code)}
    return made | {"effectiveDateTime": SEEN} | value


def weeks(value: float, unit: str = "wk") -> dict[str, Any]:
    return {"valueQuantity": {"value": value, "code": unit, "system": "http://unitsofmeasure.org"}}


def diagnosis(code: str, **over: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "code": concept(ICD10, code), "recordedDate": SEEN} | over


def signs(resource: dict[str, Any], **over: Any) -> list[tuple[date | None, date | None, bool]]:
    told = [each for each in care_of(record(resource, **over)) if isinstance(each, Sign)]
    return [(each.starts, each.ends, each.present) for each in told if each.kind == "pregnant"]


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (seen("8665-2", valueDateTime="2026-08-01"), (date(2026, 8, 1), None, True)),
        (seen("8665-2", valueDateTime="2026-08"), None),
        (seen("11778-8", valueDateTime="2027-05-08"), (date(2026, 8, 1), None, True)),
        (seen("11779-6", valueDateTime="2027-05-07T20:00:00Z"), (date(2026, 8, 1), None, True)),
        (seen("18185-9", **weeks(10)), (date(2026, 8, 1), None, True)),
        (seen("11888-5", **weeks(70, "d")), (date(2026, 8, 1), None, True)),
        (seen("18185-9", **weeks(70)), None),
        (seen("18185-9", **weeks(10, "mo")), None),
        (seen("82810-3", valueCodeableConcept=concept(SNOMED, "77386006")), (None, None, True)),
        (
            seen("82810-3", valueCodeableConcept=concept(LOINC, "LA26683-5")),
            (None, date(2026, 10, 10), False),
        ),
        (seen("718-7", valueDateTime="2026-08-01"), None),
        (diagnosis("Z34.9"), (None, None, True)),
        (diagnosis("O80"), (None, date(2026, 10, 10), False)),
        (diagnosis("O04.9"), (None, date(2026, 10, 10), False)),
        (diagnosis("O09.9"), None),
        (diagnosis("Z34", verificationStatus=concept("x", "refuted")), None),
        (
            {
                "resourceType": "EpisodeOfCare",
                "status": "active",
                "type": [concept(SNOMED, "77386006")],
                "period": {"start": SEEN},
            },
            (None, None, True),
        ),
        (
            {
                "resourceType": "EpisodeOfCare",
                "status": "finished",
                "type": [concept(SNOMED, "77386006")],
                "period": {"start": SEEN, "end": "2026-10-30"},
            },
            (None, date(2026, 10, 30), True),
        ),
    ],
)
def test_what_tells_of_a_pregnancy(resource: dict[str, Any], told: Any) -> None:
    assert signs(resource) == ([told] if told else [])


def test_a_label_hides_a_pregnancy_and_not_its_end() -> None:
    assert signs(diagnosis("Z34"), labels=frozenset({"R"})) == []
    assert signs(seen("18185-9", **weeks(10)), labels=frozenset({"R"})) == []
    assert signs(diagnosis("O04"), labels=frozenset({"SEX"})) == [(None, date(2026, 10, 10), False)]


def test_of_a_code_no_more_is_remembered_than_can_tell() -> None:
    list(told_by(record(diagnosis("E11" + "9" * 5_000))))
    asked = _told_of.cache_info().misses
    list(told_by(record(diagnosis("E11" + "9" * 5_001))))
    assert _told_of.cache_info().misses == asked


def visit(status: str = "finished", **over: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "status": status,
        "class": {"code": "AMB"},
        "period": {"start": SEEN},
    } | over


def exams(resource: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.kind, each.by) for each in care_of(record(resource)) if isinstance(each, Exam)]


def test_what_a_visit_was_settles_what_it_can() -> None:
    assert exams(visit()) == [("visit", "clinic")]
    assert exams(visit(type=[concept(SNOMED, "424525001")])) == [("antenatal", "clinic")]
    assert exams(visit(type=[concept(SNOMED, "185349003")])) == [("periodic", "clinic")]
    for status in ("planned", "cancelled", "entered-in-error"):
        assert exams(visit(status)) == []


def test_a_circumstance_is_no_examination_whoever_sends_it() -> None:
    told = circumstance("employee", PartialDate("2026-05"), PartialDate("2026-10-31"))
    (sign,) = care_of(record(told))
    assert isinstance(sign, Sign)
    assert (sign.kind, sign.starts, sign.ends) == ("employee", date(2026, 5, 1), date(2026, 11, 1))
    assert list(care_of(record(told | {"status": "entered-in-error"}))) == []


@pytest.mark.parametrize(
    "period", [None, "2026", {}, {"start": "soon"}, {"start": None}, {"start": "2026", "end": 5}]
)
def test_a_circumstance_without_its_days_is_none(period: Any) -> None:
    told = circumstance("employee", PartialDate("2026-05"), None)
    assert stated_in(told | {"effectivePeriod": period}) is None


def prescription(days: float, status: str = "active") -> dict[str, Any]:
    supply = {"expectedSupplyDuration": {"value": days, "code": "d"}}
    made = {"resourceType": "MedicationRequest", "status": status, "authoredOn": SEEN}
    return made | {"medicationCodeableConcept": {"text": "Metformin"}, "dispenseRequest": supply}


def test_a_prescription_sets_the_day_it_runs_out_unless_it_was_stopped() -> None:
    (told,) = care_of(record(prescription(30)))
    assert isinstance(told, SetDate)
    assert (told.kind, told.day, told.noted_on) == ("refill", date(2026, 11, 9), date(2026, 10, 10))
    assert list(care_of(record(prescription(30, "stopped")))) == []


def test_what_people_say_of_themselves_settles_nothing() -> None:
    dose = {"resourceType": "Immunization", "status": "completed", "occurrenceDateTime": SEEN}
    dose["vaccineCode"] = concept("http://hl7.org/fhir/sid/cvx", "05")
    assert [type(each) for each in care_of(record(dose))] == [GivenDose]
    for resource in (dose, visit(), diagnosis("O80"), prescription(30)):
        assert list(care_of(record(resource, self_reported=True))) == []
