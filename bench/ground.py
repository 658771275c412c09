"""What the served measurements stand on: an embedded database, a filled book, a consent, two servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bson import json_util
from joserfc.jwk import ECKey

from bench import LIMIT, PIPELINE
from consent.model import Actor, Answer, Evidence, LiveGrant, Period, Scope
from consent.predicate import granted_eyes
from consent.service import Proposal
from wallet_api.context import Services
from wallet_api.identity.model import Identifier, Licence, Organisation, Practitioner, Profile
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import Db, connect
from wallet_api.records.intake import Sender
from wallet_api.records.model import Filter
from wallet_api.settings import Settings
from wallet_api.stores.records import MongoRecords
from wallet_api.wiring import build_services

CONFIG = Path(__file__).parents[1] / "deploy" / "gunicorn.conf.py"
RECORDS = 50
NUMBER = "001190999001"
_CATEGORIES = frozenset({"condition", "immunization", "visit"})
_PERIOD = Period(date(2015, 1, 1), date(2027, 1, 1))


@dataclass(frozen=True)
class Provider:
    """The organisation that reads: its system and its licence."""

    client_id: str
    organisation_id: str


@dataclass(frozen=True)
class Read:
    """One page to ask for, with what the asker must show."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Ground:
    """Two servers on one database: the wallet, and a bare route with the same query, without and with a row
    written."""

    wallet: Read
    bare: Read
    written: Read
    fresh: Callable[[], Read]
    """The wallet's page again, with a token and an access of this moment."""


@contextmanager
def laid() -> Iterator[Ground]:
    """Lay the ground and clear it away."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        database = server_at(Path(folder) / "db")
        ports = free_port(), free_port()
        env = environment(Path(folder), ports[0])
        settings = Settings.from_env(env)
        db = connect(settings)
        services = build_services(settings, db)
        try:
            provider = provider_of(services)
            scope = _scope(provider, services.now())
            citizen_id = _filled_book(services, provider, scope)
            floor = env | {PIPELINE: json_util.dumps(_query(db, services, citizen_id, scope))}
            with (
                served("wsgi:app", env, ports[0]) as wallet,
                served("bench.bare:app", floor, ports[1]) as bare,
            ):
                fresh = partial(opened, services, provider, "dr", citizen_id, wallet)
                floors = Read(f"{bare}/records", {}), Read(f"{bare}/written/records", {})
                yield Ground(fresh(), *floors, fresh)
        finally:
            services.log.close()
            db.client.close()
            database.stop(grace=0)


def environment(folder: Path, port: int) -> dict[str, str]:
    """What a server on this data folder is started with: limits are counted as ever, and never reached."""
    return {
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_MONGO_URI": f"embedded:{folder / 'db'}",
        "WALLET_LOG_LEVEL": "ERROR",
        # Counted as ever, and never reached: one organisation asks for all.
        "WALLET_LIMITS": json.dumps({"provider_read": "100000000/minute"}),
        "PORT": str(port),
        "PATH": os.environ["PATH"],
    }


@contextmanager
def served(app: str, env: dict[str, str], port: int, workers: int = 2) -> Iterator[str]:
    """A server of this application; its address once it answers."""
    # A reader that waits for its turn keeps its connection.
    shape = ["-c", str(CONFIG), "--workers", str(workers), "--keep-alive", "75"]
    shape += ["--bind", f"127.0.0.1:{port}"]
    running = subprocess.Popen([sys.executable, "-m", "gunicorn", app, *shape], env=env)
    try:
        _await(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(15)


def _await(url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - this machine's own server
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def _scope(provider: Provider, now: datetime) -> Scope:
    return Scope(provider.organisation_id, None, "TREAT", _CATEGORIES, _PERIOD, now + timedelta(days=30))


def _filled_book(services: Services, provider: Provider, scope: Scope) -> str:
    """Whose book it is, with records in it and a consent to read them."""
    now, born = services.now(), date(1990, 5, 4)
    profile = Profile("Lê Thị Đo", born, "female")
    citizen_id = services.identity.people.register(profile, [Identifier("national_id", NUMBER)])
    sender = Sender(provider.organisation_id, "dr", _CATEGORIES)
    services.book.intake.receive_bundle(sender, patient_bundle(NUMBER, now))
    request = services.consent.propose(Proposal(citizen_id, scope, "dr", "bench"))
    notice = services.consent.notice("TREAT", "vi")
    actor = Actor(Evidence(citizen_id, "self", "session", "app", now, "2"), born)
    services.consent.approve(citizen_id, request.id, Answer(notice.version, "vi"), actor)
    return citizen_id


def _query(db: Db, services: Services, citizen_id: str, scope: Scope) -> list[dict[str, Any]]:
    """What the wallet asks the database for a page under this consent."""
    predicate = granted_eyes(
        scope.organisation_id, (LiveGrant("bench", scope, None),), _CATEGORIES, services.now().date()
    )
    unused = CitizenCipher(MemoryWrappedKeys(), services.keys, services.now)
    records = MongoRecords(db, unused, services.blind)
    return records.page_pipeline(citizen_id, predicate, Filter(), None, LIMIT + 1)


def opened(services: Services, provider: Provider, practitioner: str, citizen_id: str, wallet: str) -> Read:
    """A page of this citizen's book, as a practitioner of an organisation reads it under a consent."""
    desk = services.identity.oauth.server.desk
    client = services.identity.clients.get(provider.client_id)
    token = str(desk.provider_answer(client, practitioner)["access_token"])
    reference = services.references.seal(provider.organisation_id, "citizen", citizen_id)
    opening = urllib.request.Request(  # noqa: S310 - this machine's own server
        f"{wallet}/api/v1/provider/access-sessions",
        json.dumps({"citizen_ref": reference, "purpose": "TREAT"}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(opening, timeout=10) as answer:  # noqa: S310 - this machine's own server
        session = str(json.load(answer)["id"])
    url = f"{wallet}/api/v1/provider/citizens/{reference}/records?limit={LIMIT}"
    return Read(url, {"Authorization": f"Bearer {token}", "Access-Session": session})


def provider_of(services: Services) -> Provider:
    """A hospital with a doctor and a system."""
    identity = services.identity
    licence = Licence(frozenset({"TREAT"}), _CATEGORIES, _CATEGORIES)
    made = identity.organisations.add(Organisation(new_id(), "Bệnh viện Đo", "Bench", "hospital", licence))
    identity.organisations.enroll(Practitioner("dr", made.id, "BS. Đo", "physician", date(2020, 1, 1)))
    return system_of(services, made.id)


def system_of(services: Services, organisation_id: str) -> Provider:
    """A new system of an organisation."""
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    keys = {"keys": [key.as_dict(private=False)]}
    clients = services.identity.clients
    client = clients.register(new_id(), "provider", "HIS", organisation_id=organisation_id, jwks=keys)
    return Provider(client.id, organisation_id)


def patient_bundle(number: str, now: datetime) -> dict[str, Any]:
    """What a hospital sends about the person with this number: RECORDS conditions of some years."""
    system = "http://fhir.hl7.org.vn/core/sid/cccd"
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "birthDate": "1990-05-04",
        "identifier": [{"system": system, "value": number}],
    }
    first = now.astimezone(UTC).date() - timedelta(days=10 * RECORDS)
    conditions = [
        {
            "resourceType": "Condition",
            "id": f"c{index}",
            "subject": {"reference": "Patient/p"},
            "code": {
                "coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}],
                "text": "x" * 300,
            },
            "onsetDateTime": (first + timedelta(days=10 * index)).isoformat(),
        }
        for index in range(RECORDS)
    ]
    entry = [{"resource": each} for each in (patient, *conditions)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entry}
