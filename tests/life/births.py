"""What a facility says of a birth, and of what it gave the newborn."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.world import Doctor, Json, Person, World, found_in
from wallet_api.infra.clock import vn_day

PATH = "/provider/births"
LINKS = "/ops/number-links"
REFERENCE = "urn:health-wallet:birth-reference"
MOTHERS_NUMBER = "urn:health-wallet:mother-cccd"
CCCD = "http://fhir.hl7.org.vn/core/sid/cccd"


def today(world: World) -> date:
    return vn_day(world.now())


def birth(world: World, mother: Any, order: int = 1, **newborn: Any) -> Json:
    """A birth of today; `mother` has a number and a birth date."""
    child = {"name": "Bé Thử", "birth_date": today(world).isoformat(), "sex": "female", "birth_order": order}
    return {
        "mother": {"national_id": mother.number, "birth_date": mother.born.isoformat()},
        "newborn": child | newborn,
        "paper": {"kind": "birth_record", "number": "CS-2026-000123"},
    }


def register(world: World, doctor: Doctor, mother: Any, order: int = 1, **newborn: Any) -> str:
    """Register a birth; the reference."""
    answer = world.post(PATH, doctor, birth(world, mother, order, **newborn))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(found_in(answer)["birth_reference"])


def dose(world: World, system: str, value: str, code: str = "08", order: int | None = None) -> Json:
    """A bundle with a birth dose for a child of today that is named in some way."""
    patient: Json = {
        "resourceType": "Patient",
        "id": "p",
        "birthDate": today(world).isoformat(),
        "identifier": [{"system": system, "value": value}],
    }
    if order is not None:
        patient["multipleBirthInteger"] = order
    given = {
        "resourceType": "Immunization",
        "id": f"dose-{code}",
        "status": "completed",
        "patient": {"reference": "Patient/p"},
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": code}]},
        "occurrenceDateTime": today(world).isoformat(),
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": patient}, {"resource": given}],
    }


def children_of(world: World, mother: Person) -> list[str]:
    """The ids of whom somebody acts for, as the app lists them."""
    items = found_in(world.get("/citizens/me/family", world.signed_in(mother)))["items"]
    return [each["dependent_id"] for each in items if each["role"] == "dependent"]


def doses(world: World, mother: Person, child_id: str) -> list[str]:
    """The vaccines in a child's book, as its guardian sees them."""
    page = found_in(world.get(f"/citizens/{child_id}/records?limit=100", world.signed_in(mother)))
    return sorted(each["resource"]["vaccineCode"]["coding"][0]["code"] for each in page["items"])


def link(world: World, person: Json, born: date, number: str, registrar: Any = None, **more: Any) -> Any:
    """What a registrar is answered who links a number."""
    body = {"person": person, "birth_date": born.isoformat(), "national_id": number}
    body |= {"evidence_kind": "birth_certificate"} | more
    return world.post(LINKS, registrar or world.ops("registrar"), body)
