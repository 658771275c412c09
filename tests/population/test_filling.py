"""A filled database is one the product works on: read over HTTP, planned, logged, and filled again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from datetime import date
from multiprocessing import get_context

import pymongo
import pytest
from joserfc.jwk import ECKey

from tests.examples import examples
from tests.world import Doctor, Person, World, found_in
from wallet_api.audit.verify import verify_all
from wallet_api.identity.oauth.model import SignedIn
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db
from wallet_api.records.bundle import NATIONAL_ID
from wallet_api.stores.audit_log import MongoAuditLog
from wallet_api.wiring.population import filling
from wallet_api.wiring.population.books import Entry, book_of
from wallet_api.wiring.population.filling import Filler
from wallet_api.wiring.population.people import Someone, people_of
from wallet_api.wiring.population.run import _add_providers, _begin
from wallet_api.wiring.population.sample import readable

SIZE = 185
"""The fewest with a child whose guardians are among them."""
EVERY = examples(4, 1)
"""Of the first shard every fourth person has a book: sealing and writing books is what takes the time."""


def a_book(seed: int, shard: int, one: Someone, day: date) -> list[Entry]:
    """What somebody's book is here."""
    return book_of(seed, shard, one, day) if shard or one.place % EVERY == 0 else []


@pytest.fixture(scope="module")
def day(world: World) -> date:
    return world.now().date()


@pytest.fixture(scope="module")
def filled(world: World, day: date) -> Iterator[Filler]:
    _add_providers(world.services, world.db)
    filler = Filler(world.db, world.services.keys, world.services.now, 1, day)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filling, "book_of", a_book)
        filler.fill(0, SIZE, again=False)
        yield filler


@pytest.fixture(scope="module")
def people(filled: Filler, day: date) -> tuple[Someone, ...]:
    return people_of(1, 0, day)


def counts(db: Db) -> dict[str, int]:
    names = (
        "citizens identifiers citizen_keys guardianships records record_versions consent_requests grants "
        "standings due_items reminders audit_log organisations"
    )
    return {name: db[name].count_documents({}) for name in names.split()}


def signed_in(world: World, one: Someone) -> Person:
    """A made-up citizen with a session, as after a sign-in."""
    client = world.services.identity.clients.get("app")
    signed = SignedIn("citizen", one.id, "2", world.now(), frozenset())
    session = world.services.identity.sessions.open(new_id(), signed, client).session.id
    return Person(world, one.id, str(one.number), one.born, one.name, str(one.phone), session)


def practitioner(world: World, organisation_id: str, practitioner_id: str) -> Doctor:
    """A member of a made-up roster at the keyboard of a system of the organisation."""
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    client = world.services.identity.clients.register(
        new_id(),
        "provider",
        "HIS",
        organisation_id=organisation_id,
        jwks={"keys": [key.as_dict(private=False)]},
    )
    return Doctor(world, organisation_id, client.id, practitioner_id)


def test_a_citizen_reads_the_whole_book_over_http(
    world: World, people: tuple[Someone, ...], day: date
) -> None:
    one = next(each for each in people if 40 < each.age_on(day) < 65 and len(a_book(1, 0, each, day)) > 10)
    person = signed_in(world, one)
    assert found_in(world.get("/citizens/me", person))["name"] == one.name
    items = found_in(world.get("/citizens/me/records?limit=100", person))["items"]
    assert len(items) == len(a_book(1, 0, one, day))
    forecast = world.get("/citizens/me/forecast", person)
    assert forecast.status_code == 200, forecast.get_data(as_text=True)
    log = found_in(world.get("/citizens/me/access-log?limit=50", person))["items"]
    assert log


def test_a_provider_reads_under_a_made_up_consent(world: World, filled: Filler, day: date) -> None:
    found = readable(1, day, [0], world.now(), 1)
    assert found, "no consent in force in the first shard"
    citizen_id, organisation_id, who = found[0]
    doctor = practitioner(world, organisation_id, who)
    reference = world.services.references.seal(organisation_id, "citizen", citizen_id)
    opened = world.post("/provider/access-sessions", doctor, {"citizen_ref": reference, "purpose": "TREAT"})
    assert opened.status_code == 201, opened.get_data(as_text=True)
    headers = {"Access-Session": str(found_in(opened)["id"])}
    read = world.get(f"/provider/citizens/{reference}/records?limit=50", doctor, headers=headers)
    assert read.status_code == 200, read.get_data(as_text=True)


def test_a_guardian_reads_a_childs_book(world: World, people: tuple[Someone, ...], day: date) -> None:
    filled = (one for one in people[:SIZE] if one.guardians)
    child = next(one for one in filled if one.age_on(day) < 18)
    guardian = signed_in(world, people[child.guardians[0]])
    family = world.services.identity.family
    assert family.acts_for(guardian.id, child.id, world.now())


def test_what_a_source_sends_again_is_known_already(
    world: World, people: tuple[Someone, ...], day: date
) -> None:
    """Ids, fingerprints and shape are the intake's own: the same bundle makes no new version."""
    one = next(each for each in people if each.number and len(a_book(1, 0, each, day)) > 8)
    book = a_book(1, 0, one, day)
    by = book[0].provider
    sent = [dict(entry.versions[-1][0]) for entry in book if entry.provider.id == by.id]
    subject = (sent[0].get("subject") or sent[0].get("patient"))["reference"]
    patient = {
        "resourceType": "Patient",
        "id": subject.removeprefix("Patient/"),
        "birthDate": one.born.isoformat(),
        "identifier": [{"system": NATIONAL_ID, "value": one.number}],
    }
    before = world.db["records"].count_documents({}), world.db["record_versions"].count_documents({})
    bundle = {"resourceType": "Bundle", "type": "collection"}
    bundle["entry"] = [{"resource": each} for each in (patient, *sent)]
    doctor = practitioner(world, by.id, by.roster[0].id)
    report = world.send(doctor, bundle)
    assert report["accepted"] == len(sent)
    after = world.db["records"].count_documents({}), world.db["record_versions"].count_documents({})
    assert after == before


def test_the_log_verifies(world: World, filled: Filler) -> None:
    with pymongo.timeout(60):  # a whole log is read; on a machine under load that takes its time
        report = verify_all(MongoAuditLog(world.db))
    assert report.ok, report.faults
    assert report.rows > SIZE


def test_filling_again_changes_nothing(world: World, filled: Filler) -> None:
    before = counts(world.db)
    filled.fill(0, SIZE, again=True)
    assert counts(world.db) == before


class Killed(Exception):
    """The process ends here."""


def test_a_shard_broken_off_anywhere_is_completed(
    world: World, filled: Filler, day: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wallet_api.stores.bulk as bulk

    real, size = bulk.insert_new, 12
    modules = ("records", "due_items", "reminders", "guardianships", "consents", "identities", "citizen_keys")

    def broken_at(step: int) -> None:
        calls = iter(range(1000))

        def insert(collection: object, documents: list[dict[str, object]]) -> int:
            if next(calls) == step:
                real(collection, documents[: len(documents) // 2])  # type: ignore[arg-type]  # as passed
                raise Killed
            return real(collection, documents)  # type: ignore[arg-type]  # as passed

        for name in modules:
            monkeypatch.setattr(f"wallet_api.stores.{name}.insert_new", insert)

    before = counts(world.db)
    broken = 0
    for step in range(0, 11, 2):
        broken_at(step)
        with pytest.raises(Killed):
            filled.fill(1, size, again=step > 0)
        broken += 1
    monkeypatch.undo()
    filled.fill(1, size, again=True)
    whole = counts(world.db)
    filled.fill(1, size, again=True)
    assert counts(world.db) == whole
    assert whole["citizens"] == before["citizens"] + size
    for one in (each for each in people_of(1, 1, day)[:size] if each.deceased_on is None):
        items = world.get("/citizens/me/records?limit=100", signed_in(world, one))
        assert items.status_code == 200, items.get_data(as_text=True)
        assert len(found_in(items)["items"]) == min(len(a_book(1, 1, one, day)), 100)
    print(f"broken off {broken} times")


@pytest.mark.skipif(sys.platform != "linux", reason="a process ends with its parent on Linux alone")
def test_a_child_whose_parent_has_ended_makes_nobody(world: World, day: date) -> None:
    child = get_context("spawn").Process(target=_begin, args=(os.getppid(), world.settings, 1, day))
    child.start()
    child.join(60)
    assert child.exitcode == 128 + signal.SIGKILL
