"""What a made-up request needs to get anywhere: people, organisations, and things that are really there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.pages.resources import visit
from tests.world import Doctor, Json, Person, World, bundle, condition, found_in, immunization, observation
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id
from wallet_api.routes.schemas import examples

WRITES = ("immunization", "visit", "condition", "lab_result")


@dataclass(frozen=True)
class Identity:
    """One who calls: a name, an access token, and by parameter name what is really there for them."""

    name: str
    token: str
    known: dict[str, list[str]] = field(default_factory=dict)


def citizens(world: World) -> list[Identity]:
    """Alice and Bob: each with a book, a child, requests that wait, grants, and messages."""
    return [_citizen(world, name) for name in ("alice", "bob")]


def _citizen(world: World, name: str) -> Identity:
    person, doctors = world.person(f"Nguyễn Thị {name}"), [world.doctor() for _ in range(4)]
    resources = [condition(f"c{n}", on=f"2026-0{n}-01") for n in range(1, 6)]
    world.send(doctors[0], bundle(person, *resources, immunization(), observation(), visit()))
    child = world.child_of(person)
    world.send(doctors[0], bundle(child, immunization("k1")))
    for each in doctors[:3]:
        world.grant(each, person)
    for each in doctors:
        world.ask(each, person)
    world.services.reminding.planning.review(person.id, vn_day(world.now()))
    return Identity(
        name,
        person.token,
        {
            "citizen": ["me", "me", "me", "me", person.id, child.id],
            "record_id": _ids(world, person, "records"),
            "reminder_id": _ids(world, person, "reminders"),
            "commune": ["00004"],
            "visit_id": _ids(world, person, "records?category=visit"),
            "kind": ["Condition"],
            "resource_id": _ids(world, person, "records?category=condition"),
            "version_id": ["1"],
            "patient_id": ["me", person.id, child.id],
            "code": ["718-7"],
            "grant_id": _ids(world, person, "grants"),
            "request_id": _ids(world, person, "consent-requests"),
            "organisation_id": [each.organisation_id for each in doctors[3:]],
            "session_id": [person.session_id],
        },
    )


def throwaways(world: World, count: int) -> list[list[str]]:
    """(access token, session id) of people who are there to be signed out."""
    people = [world.person(f"Trần Văn {index}") for index in range(count)]
    return [[each.token, each.session_id] for each in people]


def practitioners(world: World) -> list[Identity]:
    """A practitioner of each of two organisations, each with a consent, a session and writings of its own."""
    return [_practitioner(world, name) for name in ("doctor", "stranger")]


def _practitioner(world: World, name: str) -> Identity:
    doctor, person = world.doctor(writes=WRITES), world.person("Lê Thị Cúc")
    report = world.send(doctor, bundle(person, *[condition(f"c{n}", on="2026-03-01") for n in range(3)]))
    made = world.grant(doctor, person)
    session = made.session()
    records = [each["id"] for each in found_in(made.read(session))["items"]]
    return Identity(
        name,
        doctor.token,
        {
            "citizen_ref": [made.citizen_ref],
            "record_ref": records,
            "request_ref": [made.request_ref],
            "intake_id": [report["id"]],
            "Access-Session": [session],
            "national_id": [person.number],
        },
    )


def registrar(world: World) -> Identity:
    """Somebody of ops with every role, and an organisation to work on."""
    doctor: Doctor = world.doctor()
    token = world.ops("operator", "reviewer", "registrar").token
    people = [world.person(born=world.now().date().replace(year=year)) for year in (1985, 2020)]
    drafts = [world.post("/ops/campaigns", token, examples.CAMPAIGN) for _ in range(2)]
    known = {
        "organisation_id": [doctor.organisation_id],
        "guardian_id": [people[0].id],
        "dependent_id": [people[1].id],
        "campaign_id": [str(found_in(each)["id"]) for each in drafts],
        "programme_id": ["epi_routine"],
    }
    return Identity("registrar", token, known)


def nobody() -> Identity:
    """A stranger."""
    return Identity("nobody", new_id())


def _ids(world: World, person: Person, what: str) -> list[str]:
    items: list[Json] = found_in(world.get(f"/citizens/me/{what}", person))["items"]
    return [str(each["id"]) for each in items]


def told(identity: Identity, **more: Any) -> Json:
    """What the hooks are told of an identity."""
    return {"known": identity.known, **more}
