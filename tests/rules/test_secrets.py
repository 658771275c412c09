"""What a thief of the database, a reader of the logs or of a refusal may not learn."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import bson
import pytest
from pymongo.database import Database

from tests.world import CVX, Person, World, bundle, condition, found_in, immunization
from wallet_api.identity.model import Identifier
from wallet_api.infra import logs
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.stores.records import MongoRecords

NAME, CHILD = "Nguyễn Rò Rỉ", "Bé Rò Rỉ"
PHONE = "+84900099777"
DIAGNOSIS, DIAGNOSIS_TEXT = "F20.99", "tâm thần phân liệt rò rỉ"
VACCINE, VACCINE_CODE = "Vắc xin rò rỉ", "998"
PUSH_ADDRESS, INSTALLATION = "fcm-address-of-somebody-0123456789", "inst-of-somebody-01"
REASON = "nghi ngờ rò rỉ"
INSURANCE = "DN4010199900777"


@dataclass
class Scene:
    """A day in the life of somebody whose every secret is planted."""

    world: World
    an: Person
    child: Person
    problems: list[bytes]
    paths: list[str]
    logged: str

    @property
    def secrets(self) -> tuple[str, ...]:
        people = (NAME, CHILD, "Rò Rỉ", "rò rỉ", PHONE, PHONE[3:], self.an.number, self.child.number)
        health = (DIAGNOSIS, DIAGNOSIS_TEXT, VACCINE, VACCINE_CODE + '"', REASON)
        return (*people, *health, PUSH_ADDRESS, INSTALLATION, INSURANCE, INSURANCE[-10:])


def play(world: World, problems: list[bytes], paths: list[str]) -> tuple[Person, Person]:
    an = world.person(NAME, phone=PHONE, province="01")
    child = world.person(CHILD, date(2026, 8, 20), PHONE)
    world.guard(an, child)
    world.services.identity.people.change_number(an.id, Identifier("insurance_number", INSURANCE))
    doctor = world.doctor()
    call = world.app.test_client().open

    def say(method: str, path: str, who: Any, body: Any = None, **headers: str) -> Any:
        answer = world.call(method, path, who, body, headers=headers)
        paths.append(answer.request.full_path)
        if answer.status_code >= 400:
            problems.append(answer.get_data() + str(answer.headers).encode())
        return answer

    sick = condition(
        code={
            "coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": DIAGNOSIS}],
            "text": DIAGNOSIS_TEXT,
        }
    )
    dose = immunization(vaccineCode={"coding": [{"system": CVX, "code": VACCINE_CODE}], "text": VACCINE})
    for person in (an, child):
        say("POST", "/provider/intake/fhir-bundles", doctor, bundle(person, sick, dose))
        say("POST", "/provider/intake/fhir-bundles", doctor, bundle(person, sick | {"onsetDateTime": "2026"}))
        say("POST", "/provider/intake/fhir-bundles", doctor, bundle(person, sick, born="1901-01-01"))
        say("POST", "/provider/intake/fhir-bundles", doctor, bundle(person, sick | {"onsetDateTime": NAME}))
        say("POST", "/provider/intake/fhir-bundles", doctor, bundle(person, sick, number=NAME))
    made = world.grant(doctor, an, reason=REASON, labels=["PSY"])
    session = made.session()
    made.read(session)
    ask = world.proposal(an, reason=REASON)
    say("POST", "/provider/consent-requests", doctor, ask | {"citizen": {"insurance_number": INSURANCE}})
    say("POST", "/provider/consent-requests", doctor, ask | {"citizen": {"national_id": an.number + "1"}})
    say(
        "POST", "/provider/consent-requests", doctor, ask | {"purpose": DIAGNOSIS_TEXT, "labels": [DIAGNOSIS]}
    )
    say("POST", "/provider/consent-requests", doctor, ask | {"categories": ["imaging"]})
    request = world.newest_request(an)
    say("GET", f"/citizens/me/consent-requests/{request['id']}/preview", an)
    say("POST", f"/citizens/me/consent-requests/{request['id']}/refusal", an, {"reason": "too_much"})
    device = {"platform": "ios", "address_kind": "token", "address": PUSH_ADDRESS}
    say("PUT", f"/citizens/me/devices/{INSTALLATION}", an, device)
    say("PUT", f"/citizens/me/devices/{INSTALLATION}", an, device | {"address": NAME})
    for path in ("", "/records", "/forecast", "/reminders", "/access-log", "/family", "/inbox", "/grants"):
        say("GET", f"/citizens/me{path}", an)
        say("GET", f"/citizens/{child.id}{path}", an)
        say("GET", f"/citizens/{an.id}{path}", world.person())
    say("GET", f"/citizens/me/grants/{made.grant['id']}/receipt", an)
    say("POST", f"/citizens/me/grants/{made.grant['id']}/withdrawal", an, {"reason": NAME})
    made.withdraw()
    say("GET", f"/provider/citizens/{made.citizen_ref}/records", doctor, **{"Access-Session": session})
    world.services.reminding.dispatch.plan_day(date(2026, 11, 3))
    # Something that nobody expected, with a secret in its words.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MongoRecords, "page", explode)
        answer = say("GET", "/citizens/me/records", an)
        assert (answer.status_code, found_in(answer)["code"]) == (500, "internal_error")
    say("GET", "/citizens/me", f"{an.token}{NAME.encode().hex()}")
    assert call("/healthz").status_code == 200
    return an, child


def explode(*args: Any, **more: Any) -> Any:
    raise RuntimeError(f"cannot show {DIAGNOSIS_TEXT} of {NAME}")


@pytest.fixture(scope="module")
def scene(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    db = open_database(embedded_uri, f"secrets_{new_id()}")
    root, wallet, heard = logging.getLogger(), logging.getLogger("wallet"), io.StringIO()
    before = (root.handlers, root.level, wallet.level)
    problems: list[bytes] = []
    paths: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", heard)
        logs.set_up_logs("DEBUG")
        try:
            world = World(db, tmp_path_factory.mktemp("wallet"))
            an, child = play(world, problems, paths)
        finally:
            root.handlers = before[0]
            root.setLevel(before[1])
            wallet.setLevel(before[2])
    yield Scene(world, an, child, problems, paths, heard.getvalue())
    world.services.log.close()
    db.client.close()


def dump(db: Database[Any]) -> Iterator[tuple[str, bytes]]:
    """Every document as it lies on the disk."""
    for name in db.list_collection_names():
        for found in db[name].find({}):
            yield name, bson.encode(found)


def test_the_scene_is_played(scene: Scene) -> None:
    own = found_in(scene.world.get("/citizens/me/records", scene.an))["items"]
    assert DIAGNOSIS_TEXT in str(own) and VACCINE in str(own)
    held = {name for name, _ in dump(scene.world.db)}
    assert {
        "records",
        "record_versions",
        "parked_intakes",
        "intakes",
        "consent_requests",
        "grants",
        "audit_log",
        "devices",
        "due_items",
        "inbox",
        "citizens",
    } <= held, sorted(held)
    assert len(scene.problems) >= 20 and len(scene.logged.splitlines()) > 50


def test_a_dump_of_the_database_names_nobody_and_nothing(scene: Scene) -> None:
    found = sorted(
        {
            (name, secret)
            for name, raw in dump(scene.world.db)
            for secret in scene.secrets
            if secret.encode() in raw
        }
    )
    assert found == []


def test_a_dump_names_no_label_and_no_due_dose(scene: Scene) -> None:
    told = [
        name
        for name, raw in dump(scene.world.db)
        if name in ("records", "record_versions", "due_items", "reminders", "outbox", "inbox")
        and re.search(rb"(?<![\w-])(PSY|hepatitis|measles|epi)(?![a-zA-Z0-9-])", raw)
    ]
    assert told == []


def test_the_logs_hold_no_secret(scene: Scene) -> None:
    assert [secret for secret in scene.secrets if secret in scene.logged] == []
    assert '"unexpected_error"' in scene.logged and "RuntimeError" in scene.logged
    assert scene.an.id not in scene.logged and scene.child.id not in scene.logged


def test_no_address_holds_a_secret(scene: Scene) -> None:
    kept = [each for each in scene.paths if INSTALLATION not in each]
    assert kept and [secret for secret in scene.secrets for path in kept if secret in path] == []


def test_no_refusal_holds_a_secret(scene: Scene) -> None:
    found = {
        (secret, raw[:200]) for raw in scene.problems for secret in scene.secrets if secret.encode() in raw
    }
    assert found == set()
