"""What the served measurements stand on: an embedded database, a filled book, a consent, two servers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from consent.model import Actor, Answer, Evidence, Period, Scope
from consent.service import Proposal
from wallet_api.context import Services
from wallet_api.identity.model import Identifier, Licence, Organisation, Practitioner, Profile
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.machine import free_port
from wallet_api.records.intake import Sender
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

RECORDS = 50
_CATEGORIES = frozenset({"condition", "immunization", "visit"})


@dataclass(frozen=True)
class Ground:
    """Two servers on one database: the wallet, and a bare route with the same query."""

    services: Services
    wallet_url: str
    bare_url: str
    token: str
    session: str


@contextmanager
def laid() -> Iterator[Ground]:
    """Lay the ground and clear it away."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        database = server_at(Path(folder) / "db")
        ports = free_port(), free_port()
        env = _environment(Path(folder), ports[0])
        services = build_services(Settings.from_env(env))
        try:
            with _servers(env, ports):
                yield _filled(services, ports)
        finally:
            services.log.close()
            database.stop(grace=0)


def _environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_MONGO_URI": f"embedded:{folder / 'db'}",
        "WALLET_LOG_LEVEL": "ERROR",
        "PORT": str(port),
        "PATH": os.environ["PATH"],
    }


@contextmanager
def _servers(env: dict[str, str], ports: tuple[int, int]) -> Iterator[None]:
    running = [
        _serve(app, env, port) for app, port in zip(("wsgi:app", "bench.bare:app"), ports, strict=True)
    ]
    try:
        for port in ports:
            _await(f"http://127.0.0.1:{port}/healthz")
        yield
    finally:
        for each in running:
            each.terminate()
        for each in running:
            each.wait(15)


def _serve(app: str, env: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    shape = ["--workers", "2", "--worker-class", "gthread", "--threads", "8", "--log-level", "error"]
    command = [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", *shape]
    return subprocess.Popen(command, env=env)


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


def _filled(services: Services, ports: tuple[int, int]) -> Ground:
    now = services.now()
    client_id, organisation_id = _provider(services)
    number = "001190999001"
    citizen_id = services.identity.people.register(
        Profile("Lê Thị Đo", date(1990, 5, 4), "female"), [Identifier("national_id", number)]
    )
    sender = Sender(organisation_id, "dr", _CATEGORIES)
    services.book.intake.receive_bundle(sender, _bundle(number, now))
    period = Period(date(2015, 1, 1), date(2027, 1, 1))
    scope = Scope(organisation_id, None, "TREAT", _CATEGORIES, period, now + timedelta(days=30))
    request = services.consent.propose(Proposal(citizen_id, scope, "dr", "bench"))
    notice = services.consent.notice("TREAT", "vi")
    evidence = Evidence(citizen_id, "self", "session", "app", now, "2")
    actor = Actor(evidence, date(1990, 5, 4))
    services.consent.approve(citizen_id, request.id, Answer(notice.version, "vi"), actor)
    opened = services.access.open_session(citizen_id, organisation_id, "dr", "TREAT")
    desk = services.identity.oauth.server.desk
    answer = desk.provider_answer(services.identity.clients.get(client_id), "dr")
    reference = services.references.seal(organisation_id, "citizen", citizen_id)
    state = {
        "citizen": citizen_id,
        "purpose": "TREAT",
        "grants": sorted(opened.grant_ids),
        "expires_at": opened.expires_at.isoformat(),
    }
    binding = ("access-session", organisation_id, "dr")
    session = services.cursors.seal(state, bound_to=binding, expires=opened.expires_at)
    return Ground(
        services,
        f"http://127.0.0.1:{ports[0]}/api/v1/provider/citizens/{reference}/records?limit=20",
        f"http://127.0.0.1:{ports[1]}/records/{citizen_id}",
        str(answer["access_token"]),
        session,
    )


def _provider(services: Services) -> tuple[str, str]:
    identity = services.identity
    licence = Licence(frozenset({"TREAT"}), _CATEGORIES, _CATEGORIES)
    made = identity.organisations.add(Organisation(new_id(), "Bệnh viện Đo", "Bench", "hospital", licence))
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    keys = {"keys": [key.as_dict(private=False)]}
    client = identity.clients.register(new_id(), "provider", "HIS", organisation_id=made.id, jwks=keys)
    identity.organisations.enroll(Practitioner("dr", made.id, "BS. Đo", "physician", date(2020, 1, 1)))
    return client.id, made.id


def _bundle(number: str, now: datetime) -> dict[str, Any]:
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
