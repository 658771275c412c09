"""A book with one of everything, and clients that follow links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from werkzeug.test import TestResponse

from tests.fhir import ICD10
from tests.pages.resources import allergy, measured, medicine, quantity, visit
from tests.world import (
    Caller,
    Doctor,
    Json,
    Person,
    World,
    bundle,
    condition,
    found_in,
    immunization,
)

FHIR = "application/fhir+json"
ALL = (
    *("immunization", "visit", "condition", "allergy", "medication", "lab_result", "vital_sign"),
    *("procedure", "document", "pregnancy"),
)
_SUBJECT: Json = {"subject": {"reference": "Patient/p"}}


def one_of_everything() -> list[Json]:
    """One resource of each type that a book keeps, as a hospital would send them."""
    within = {"encounter": {"reference": "Encounter/v1", "display": "Khám"}}
    return [
        allergy(clinicalStatus=_coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical")),
        condition(
            "c1", clinicalStatus=_coded("http://terminology.hl7.org/CodeSystem/condition-clinical"), **within
        ),
        _report(),
        _document(),
        visit(
            "v1",
            **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
        ),
        immunization(),
        medicine("m1", **within),
        _statement(),
        measured("o1", "718-7", "2026-01-02", "laboratory", **within, **quantity(130.0, "g/L")),
        _procedure(),
        _pregnancy(),
    ]


def _coded(system: str) -> Json:
    return {"coding": [{"system": system, "code": "active"}]}


def _report() -> Json:
    made: Json = {"resourceType": "DiagnosticReport", "id": "d1", "status": "final"}
    return made | _SUBJECT | {"code": {"text": "Công thức máu"}, "effectiveDateTime": "2026-01-02T08:00:00Z"}


def _document() -> Json:
    made: Json = {"resourceType": "DocumentReference", "id": "f1", "status": "current"}
    file = {"attachment": {"contentType": "application/pdf", "title": "Giấy ra viện"}}
    return made | _SUBJECT | {"date": "2026-01-03T08:00:00+07:00", "content": [file]}


def _statement() -> Json:
    made: Json = {"resourceType": "MedicationStatement", "id": "s1", "status": "active"}
    return made | _SUBJECT | {"medicationCodeableConcept": {"text": "Metformin"}, "dateAsserted": "2026"}


def _procedure() -> Json:
    made: Json = {"resourceType": "Procedure", "id": "p1", "status": "completed"}
    return made | _SUBJECT | {"code": {"text": "Mổ ruột thừa"}, "performedDateTime": "2020-05"}


def _pregnancy() -> Json:
    made: Json = {"resourceType": "EpisodeOfCare", "id": "e1", "status": "active"}
    care = {"system": "http://snomed.info/sct", "code": "424525001", "display": "Antenatal care"}
    return made | {
        "type": [{"coding": [care]}],
        "patient": {"reference": "Patient/p"},
        "period": {"start": "2026-01-05"},
    }


def filled(world: World, *resources: Json, who: Person | None = None) -> Person:
    """Somebody whose hospital sent these; one of everything unless any are named."""
    person = who or world.person()
    sender = world.doctor(writes=ALL)
    told = world.send(sender, bundle(person, *(resources or one_of_everything())))
    assert all(each["accepted"] for each in told["rows"]), told
    return person


def conditions(count: int) -> list[Json]:
    """Conditions of days in a row, the last the newest: codes A00, A01 ..."""
    return [condition(f"c{n}", code=f"A{n:02d}", on=f"2026-03-{n + 1:02d}") for n in range(count)]


def entries(answer: TestResponse) -> list[Json]:
    """The resources of a page."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.mimetype == FHIR
    return [each["resource"] for each in found_in(answer).get("entry", [])]


def link(answer: TestResponse, relation: str) -> str | None:
    """Where a link of a page leads."""
    found = (each["url"] for each in found_in(answer)["link"] if each["relation"] == relation)
    return next(found, None)


def pages(world: World, path: str, who: Caller, **more: Any) -> Iterator[list[Json]]:
    """Page after page, as a client follows them."""
    at: str | None = f"/fhir/{path}"
    while at is not None:
        answer = world.get(at.removeprefix(world.settings.public_url), who, **more)
        yield entries(answer)
        at = link(answer, "next")


def whole(world: World, path: str, who: Caller, **more: Any) -> list[Json]:
    """All pages together."""
    return [each for page in pages(world, path, who, **more) for each in page]


def codes(resources: list[Json]) -> list[str]:
    """ICD-10 codes of conditions, in their order."""
    return [
        coding["code"] for each in resources for coding in each["code"]["coding"] if coding["system"] == ICD10
    ]


def hide(world: World, who: Person, record_id: str, audience: str) -> None:
    """Hide a record."""
    path = f"/citizens/me/records/{record_id}/visibility"
    answer = world.call("PUT", path, who, {"audience": audience, "hidden": True})
    assert answer.status_code == 204


def under(world: World, doctor: Doctor, person: Person, *categories: str) -> tuple[Any, dict[str, str]]:
    """A grant, and the header of a session under it."""
    granted = world.grant(doctor, person, categories=list(categories or ("condition",)))
    return granted, {"Access-Session": granted.session()}
