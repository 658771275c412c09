"""No query behind a request of a citizen or a provider reads a whole collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pymongo
import pytest

from consent.predicate import own_eyes
from tests.examples import examples
from tests.listening import Operations
from tests.pages.resources import visit
from tests.plans import plan_stages
from tests.world import Granted, World, bundle, condition, found_in, immunization
from wallet_api.infra.ids import new_id
from wallet_api.records.model import Filter, Position

OTHERS = examples(240, 600)
ENOUGH = 60
"""How many documents the widest of these queries may look at; there are many times as many."""
SMALL = {"oauth_clients", "organisations", "practitioners"}
"""Looked up by id among few."""


@pytest.fixture(scope="module")
def crowd(world: World) -> Granted:
    """Somebody with a few records among hundreds of strangers' documents of every kind."""
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization(), condition("c2", on="2025")))
    world.send(doctor, bundle(an, condition("c2", on="2025-06")))
    made = world.grant(doctor, an)
    world.ask(doctor, an)
    for name in ("records", "record_versions", "consent_requests", "grants", "standings", "audit_log"):
        (pattern,) = world.db[name].find({}).limit(1)
        with pymongo.timeout(60):
            world.db[name].insert_many([strangers(pattern, name, number) for number in range(OTHERS)])
    return made


def strangers(pattern: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    """A document like one of ours, of somebody else."""
    copy = pattern | {"_id": new_id(), "citizen_id": new_id()}
    if name == "record_versions":
        copy["record_id"] = new_id()
    if name == "audit_log":
        log_id = new_id()
        copy |= {"log_id": log_id, "_id": f"{log_id}~{0:012d}", "citizens": [copy.pop("citizen_id")]}
        copy["rows"] = pattern["rows"][:1]  # of however many there were in the first group
    if name == "records":
        copy["organisation_id"] = new_id()
        copy["recorded_at"] = pattern["recorded_at"] + timedelta(seconds=number)
    return copy


def requests(made: Granted) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The hot requests of citizens and providers."""
    world, an, doctor = made.world, made.person, made.doctor
    world.send(doctor, bundle(an, visit()))
    visits = found_in(world.get("/citizens/me/records?category=visit", an))["items"]
    page = found_in(world.get("/citizens/me/records?limit=1", an))
    record, cursor = page["items"][0]["id"], page["next_cursor"]
    log = found_in(world.get("/citizens/me/access-log?limit=1", an))["next_cursor"]
    changes = found_in(world.get("/citizens/me/changes?limit=1", an))["next_since"]
    request = world.newest_request(an)
    session = made.session()
    theirs = found_in(made.read(session))["items"][0]["id"]
    for path in (
        "records",
        "records?category=condition&from=2026-01-01&to=2026-12-31",
        f"records?limit=1&cursor={cursor}",
        f"records/{record}",
        f"records/{record}/versions",
        "consent-requests",
        f"consent-requests/{request['id']}",
        f"consent-requests/{request['id']}/preview",
        "grants",
        "grants?limit=1",
        "grants/review",
        f"grants/{made.grant['id']}/preview",
        f"grants/{made.grant['id']}",
        f"grants/{made.grant['id']}/receipt",
        "blocked-organisations",
        "access-log",
        f"access-log?limit=1&cursor={log}",
        "sessions",
        "family",
        "forecast",
        "inbox",
        "summary",
        "emergency-card",
        "series/718-7",
        "changes",
        f"changes?since={changes}",
        f"encounters/{visits[0]['id']}",
    ):
        yield path, lambda path=path: world.get(f"/citizens/me/{path}", an)  # type: ignore[misc]  # a default binds it
    own = {"kind": "body_weight", "occurred_on": "2026", "value": 60}
    yield "entering", lambda: world.post("/citizens/me/records", an, own)
    yield "cards", lambda: world.post("/citizens/me/cards", an, {"kind": "immunization"})
    order = found_in(world.post("/citizens/me/exports", an, {"format": "fhir"}))["id"]
    yield "ordering a file", lambda: world.post("/citizens/me/exports", an, {"format": "fhir"})
    while world.services.exports.make_next() is not None:
        pass
    yield "fetching a file", lambda: world.get(f"/citizens/me/exports/{order}/file", an)
    yield "opening", made.open
    yield "reading", lambda: made.read(session)
    yield "reading one", lambda: made.read(session, path=f"/{theirs}")
    theirs_series = f"/provider/citizens/{made.citizen_ref}/series/718-7"
    yield "a series", lambda: world.get(theirs_series, doctor, headers={"Access-Session": session})
    yield "own writings", lambda: world.get("/provider/own-records", doctor)
    yield "outcome", lambda: world.get(f"/provider/consent-requests/{made.request_ref}", doctor)
    yield "asking", lambda: world.post("/provider/consent-requests", doctor, world.proposal(an))
    sent = bundle(an, condition("c3"))
    yield "sending", lambda: world.post("/provider/intake/fhir-bundles", doctor, sent)
    yield "sending again", lambda: world.post("/provider/intake/fhir-bundles", doctor, sent)
    path = f"/citizens/me/consent-requests/{request['id']}/approval"
    yield "approving", lambda: world.post(path, an, world.answer_to(request))
    yield "withdrawing", made.withdraw


def reads_of(command: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(collection, filter or pipeline) of everything a command has to find."""
    if "find" in command:
        yield command["find"], command.get("filter", {})
    elif "aggregate" in command:
        yield command["aggregate"], command["pipeline"]
    elif "update" in command:
        for each in command["updates"]:
            yield command["update"], each["q"]
    elif "delete" in command:
        for each in command["deletes"]:
            yield command["delete"], each["q"]


def by_id(query: Any) -> bool:
    """Whether one `_id` is named; the embedded server's plan of `_id` with a condition says COLLSCAN, yet
    its time does not grow from 10 documents to 20,000."""
    return isinstance(query, dict) and isinstance(query.get("_id"), str)


def test_no_request_reads_a_whole_collection(crowd: Granted, operations: Operations) -> None:
    world, scans, looked = crowd.world, [], set()
    for name, call in requests(crowd):
        with operations.heard() as commands:
            answer = call()
        assert answer.status_code < 300, (name, answer.get_data(as_text=True))
        for command in commands:
            for collection, query in reads_of(command):
                looked.add(collection)
                if by_id(query):
                    continue
                stages = plan_stages(world.db[collection], query)
                if not any(stage.startswith(("IXSCAN", "IDHACK", "EXPRESS", "EOF")) for stage in stages):
                    scans.append(f"{name}: {collection} {query} {stages}")
    assert scans == []
    assert {"records", "record_versions", "grants", "standings", "consent_requests", "audit_log"} <= looked


def test_no_request_looks_at_strangers_documents(crowd: Granted, operations: Operations) -> None:
    world, wide = crowd.world, []
    for name, call in requests(world.grant(crowd.doctor, crowd.person)):
        with operations.heard() as commands:
            call()
        for command in commands:
            for collection, query in reads_of(command):
                if collection in SMALL:
                    continue
                first = query[0]["$match"] if isinstance(query, list) else query
                found = world.db[collection].count_documents(first) if _indexed(first) else OTHERS
                if found > ENOUGH:
                    wide.append(f"{name}: {collection} {first} meets {found}")
    assert wide == []


def _indexed(query: dict[str, Any]) -> bool:
    """Whether the first stage is flat: what the embedded database looks at is then what it meets."""
    return bool(query) and not any(key.startswith("$") for key in query)


def test_the_guard_sees_a_scan(crowd: Granted) -> None:
    stages = plan_stages(crowd.world.db["records"], {"citizen_id": crowd.person.id, "format": "fhir-bundle"})
    assert "COLLSCAN" in stages


def test_a_page_and_a_record_use_the_index_made_for_them(crowd: Granted) -> None:
    book: Any = crowd.world.services.book.readers._parts.records
    whose = crowd.person.id
    page = book.page_pipeline(whose, own_eyes(), Filter(), None, 20)
    after = Position("2026-03-04", new_id())
    upwards = book.page_pipeline(whose, own_eyes(), Filter(oldest_first=True), after, 20)
    one = book.get_pipeline(whose, [new_id()], own_eyes())
    for query in (page, upwards):
        assert any("citizen_id" in stage for stage in plan_stages(crowd.world.db["records"], query))
    assert one[0] == {"$match": {"_id": one[0]["$match"]["_id"]}}, "one record is found by its id alone"
