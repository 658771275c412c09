"""The demonstration: people, families, organisations and books of a development wallet, made once.

Everything goes in by the product's own doors: people are registered, guardianships proposed and confirmed,
books filled by the intake of bundles. Nothing here runs outside development.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.context import Services
from wallet_api.identity.errors import ClientUnknown, OrganisationUnknown
from wallet_api.identity.model import Identifier, Licence, Organisation, Practitioner, Profile
from wallet_api.infra.crypto.jws import load_private_key, new_private_pem, public_jwk
from wallet_api.infra.ids import id_from_bytes
from wallet_api.infra.machine import write_private
from wallet_api.infra.mongo import Db
from wallet_api.records.intake import Sender
from wallet_api.sandbox.clients import client_jwks_path
from wallet_api.sandbox.conditions import MARKER_COLLECTION, carries_demo_marker, put_demo_marker
from wallet_api.sandbox.folder import replace_file, sandbox_folder, seed_day
from wallet_api.sandbox.people import Citizen, Dependent, load_organisations, load_people
from wallet_api.sandbox.people import Organisation as DemoOrganisation
from wallet_api.sandbox.service_account import service_account_path
from wallet_api.settings import Settings
from wallet_api.wiring.demo_books import Patient, books

WALLET_APP, OPS_CONSOLE = "wallet-app", "ops-console"
REDIRECTS = {
    WALLET_APP: "http://127.0.0.1/wallet-app/callback",
    OPS_CONSOLE: "http://127.0.0.1/ops-console/callback",
}
"""Where the demo clients are sent back. Nobody listens there: the client reads the address itself."""
_SEEDED = "seeded"


def demo_marked(db: Db) -> bool:
    """Whether this database may hold demo people. An empty one is marked now; one with data never is."""
    if carries_demo_marker(db):
        return True
    if any(db[name].find_one({}, {"_id": 1}) for name in db.list_collection_names()):
        return False
    put_demo_marker(db)
    return True


def already_seeded(db: Db) -> bool:
    """Whether the demo is complete, so that seeding has nothing to do."""
    return db[MARKER_COLLECTION].find_one({"_id": _SEEDED}) is not None


def sandbox_credentials(settings: Settings) -> Path:
    """Where the push receiver keeps the service account that opens it, and nothing else."""
    return service_account_path(settings)


def provider_key(settings: Settings, organisation: str) -> Path:
    """Where the key of a demo organisation's own system is kept."""
    return sandbox_folder(settings) / "providers" / f"{organisation}.pem"


def demo_organisations() -> tuple[str, ...]:
    """The demo ids of the organisations that have a system of their own."""
    return tuple(one.id for one in load_organisations())


def demo_patients(settings: Settings, now: Callable[[], datetime]) -> dict[str, Patient]:
    """The demo people as senders of records know them, by demo id."""
    people = load_people(seed_day(settings, now))
    everybody: tuple[Citizen | Dependent, ...] = (*people.citizens, *people.dependents)
    return {one.id: Patient(one.id, one.number, one.name, one.birth_date, one.sex) for one in everybody}


def publish_client_keys(services: Services, settings: Settings) -> None:
    """Let the sandbox provider know the public keys with which the wallet signs in there."""
    for audience, use in (("citizen", "vneid_client"), ("ops", "ops_client")):
        services.keys.signer(use)  # type: ignore[arg-type]  # makes the first key
        keys = services.keys.jwks(use)  # type: ignore[arg-type]  # both are signing uses
        path = client_jwks_path(settings, audience)  # type: ignore[arg-type]  # both are audiences
        replace_file(path, json.dumps(keys, indent=1).encode("ascii"))


def seed_demo(
    services: Services, db: Db, settings: Settings, tell: Callable[[str], object] = lambda sentence: None
) -> None:
    """Make what is missing of the demonstration; `tell` gets a sentence for each part. Safe to repeat.

    Raises:
        ValueError: the database carries no demo marker: it is somebody's real one.
    """
    if not carries_demo_marker(db):
        raise ValueError("this database is not a demonstration")
    day = seed_day(settings, services.now)
    publish_client_keys(services, settings)
    _add_clients(services)
    for organisation in load_organisations():
        tell(f"{organisation.name_en} with its roster and key")
        _add_organisation(services, settings, organisation, day)
    people = load_people(day)
    everybody: tuple[Citizen | Dependent, ...] = (*people.citizens, *people.dependents)
    ids = {one.id: _citizen_id(services, one) for one in everybody}
    tell(f"{len(ids)} people")
    for child in people.dependents:
        _join_family(services, ids[child.guardian], ids[child.id], child.birth_date)
    _fill_books(services, demo_patients(settings, services.now), day, tell)
    db[MARKER_COLLECTION].replace_one({"_id": _SEEDED}, {"_id": _SEEDED, "day": day.isoformat()}, upsert=True)


def _add_clients(services: Services) -> None:
    clients = services.identity.clients
    for client_id, kind, label in ((WALLET_APP, "app", "Ví sức khỏe"), (OPS_CONSOLE, "ops", "Ops console")):
        try:
            clients.get(client_id)
        except ClientUnknown:
            clients.register(client_id, kind, label, redirect_uris=(REDIRECTS[client_id],))  # type: ignore[arg-type]  # both are kinds


def _add_organisation(services: Services, settings: Settings, demo: DemoOrganisation, day: date) -> None:
    registry, made = services.identity.organisations, _organisation(demo)
    try:
        registry.get(made.id)
    except OrganisationUnknown:
        registry.add(made)
    for one in demo.practitioners:
        since = day - timedelta(days=365)
        registry.enroll(Practitioner(one.id, made.id, one.name, one.role, since))
    jwks = {"keys": [_public_key(provider_key(settings, demo.id))]}
    clients, client_id = services.identity.clients, provider_client(demo.id)
    try:
        known = clients.get(client_id)
    except ClientUnknown:
        clients.register(client_id, "provider", demo.name_vi, organisation_id=made.id, jwks=jwks)
    else:
        if known.jwks != jwks:
            clients.change_keys(client_id, jwks)


def provider_client(organisation: str) -> str:
    """The client id of a demo organisation's own system."""
    return f"{organisation}-system"


def organisation_id(organisation: str) -> str:
    """The registry's id of a demo organisation: random-looking, the same in every demonstration."""
    return id_from_bytes(hashlib.sha256(f"demo-organisation\x1f{organisation}".encode()).digest()[:16])


def _organisation(demo: DemoOrganisation) -> Organisation:
    return Organisation(
        id=organisation_id(demo.id),
        name_vi=demo.name_vi,
        name_en=demo.name_en,
        kind=demo.kind,
        licence=Licence(frozenset(demo.purposes), frozenset(demo.reads), frozenset(demo.writes)),
        facility_code=demo.facility_code,
        gln=demo.gln,
        verified=True,
    )


def _public_key(path: Path) -> dict[str, str]:
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, new_private_pem("ES256").decode("ascii"))
    return public_jwk(load_private_key(path.read_bytes()).public_key())


def _citizen_id(services: Services, person: Citizen | Dependent) -> str:
    people = services.identity.people
    known = people.resolve("national_id", person.number)
    if known is not None:
        return known
    phone = person.phone if isinstance(person, Citizen) else None
    profile = Profile(person.name, person.birth_date, person.sex, phone, person.number[:3])
    return people.register(profile, (Identifier("national_id", person.number),))


def _join_family(services: Services, guardian_id: str, child_id: str, since: date) -> None:
    family = services.identity.family
    if any(one.dependent_id == child_id for one in family.dependents_of(guardian_id, services.now())):
        return
    waiting = [
        one for one in family.of(guardian_id) if one.dependent_id == child_id and one.state == "proposed"
    ]
    proposed = (
        waiting[0]
        if waiting
        else family.propose(
            guardian_id, child_id, relation="minor", evidence_kind="birth_certificate", valid_from=since
        )
    )
    family.confirm(proposed.id, verified_by=organisation_id("demo-registrar"))
    services.reminding.planning.replan(child_id)


def _fill_books(
    services: Services, patients: dict[str, Patient], day: date, tell: Callable[[str], object]
) -> None:
    for sender, bundle in books(patients, day):
        known = services.identity.organisations.get(organisation_id(sender))
        made = services.book.intake.receive_bundle(
            Sender(known.id, None, known.licence.write_categories), bundle
        )
        kept = sum(row.kept for row in made.rows)
        tell(f"{kept} records from {known.name_en}")
        if not all(row.accepted for row in made.rows) or made.citizen_id is None:
            raise ValueError("a demo book was not taken in whole")
        services.log.append(
            AuditEvent(
                at=services.now(),
                request_id=made.id,
                action=Action.RECORD_WRITTEN,
                actor_kind=ActorKind.ORGANISATION,
                actor_id=known.id,
                decision="permit",
                reason="author",
                citizen_id=made.citizen_id,
                organisation_id=known.id,
                client_id=provider_client(sender),
                record_count=kept,
            )
        )
