"""intake: FHIR bundles of 50 resources over HTTP, and the same as files by the `import` command.

Each bundle is about another person, known to the wallet; two senders post at once. What the command takes of
the processors, its own processes' and the database's, says what it could do on a machine with nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bench import Options
from bench.figure import Figure, at_least
from bench.ground import RECORDS, environment, patient_bundle, provider_of, served, system_of
from wallet_api.context import Services
from wallet_api.identity.model import Identifier, Profile
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import connect
from wallet_api.settings import Settings
from wallet_api.wiring import build_services

SENT, IMPORTED = 100, 1000
"""Bundles over HTTP, and in files: so many that the start of the command, 1 to 2 s, is a small part of it."""
SENDERS = 2


def figures(_: Options) -> Iterator[Figure]:
    """Resources a second, either way."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as name:
        folder = Path(name)
        database = server_at(folder / "db")
        port = free_port()
        env = environment(folder, port)
        settings = Settings.from_env(env)
        db = connect(settings)
        services = build_services(settings, db)
        try:
            organisation_id = provider_of(services).organisation_id
            token = _token(services, organisation_id)
            bundles = [_about_somebody(services, number) for number in range(SENT + IMPORTED)]
            with served("wsgi:app", env, port) as wallet:
                sent = _sent(wallet, token, bundles[:SENT])
            imported = _imported(folder, env, organisation_id, bundles[SENT:], database.pid)
        finally:
            services.log.close()
            db.client.close()
            database.stop(grace=0)
    yield at_least("intake_http", sent, f"resources/s, bundles of {RECORDS}, {SENDERS} senders", 200)
    yield at_least("intake_bulk", imported.rate, f"resources/s, files of {RECORDS}, the whole command", 1500)
    unit = "ms of processor a resource, the whole command"
    yield Figure("intake_bulk_own", imported.own, unit)
    yield Figure("intake_bulk_database", imported.database, unit)


@dataclass(frozen=True)
class Imported:
    """Resources a second, and what each takes of the processors, in milliseconds."""

    rate: float
    own: float
    database: float


def _token(services: Services, organisation_id: str) -> str:
    desk = services.identity.oauth.server.desk
    client = services.identity.clients.get(system_of(services, organisation_id).client_id)
    return str(desk.provider_answer(client, None)["access_token"])


def _about_somebody(services: Services, number: int) -> bytes:
    national_id = f"0011909{number:05d}"
    profile = Profile("Lê Thị Đo", date(1990, 5, 4), "female")
    services.identity.people.register(profile, [Identifier("national_id", national_id)])
    return json.dumps(patient_bundle(national_id, services.now()), ensure_ascii=False).encode()


def _sent(wallet: str, token: str, bundles: Sequence[bytes]) -> float:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}

    def send(body: bytes) -> int:
        asked = urllib.request.Request(f"{wallet}/api/v1/provider/intake/fhir-bundles", body, headers)  # noqa: S310 - this machine's own server
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - this machine's own server
            said: dict[str, Any] = json.load(answer)
        return RECORDS if "id" in said else 0

    send(bundles[0])  # warm
    began = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        count = sum(pool.map(send, bundles[1:]))
    return count / (time.perf_counter() - began)


def _imported(
    folder: Path, env: dict[str, str], organisation_id: str, bundles: Sequence[bytes], database: int
) -> Imported:
    files = folder / "files"
    files.mkdir()
    for number, body in enumerate(bundles):
        (files / f"{number:04d}.json").write_bytes(body)
    command = [sys.executable, "-m", "wallet_api", "import", str(files), "--organisation", organisation_id]
    began, own, its = time.perf_counter(), _of_children(), _of_process(database)
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - this project's own command
    seconds = time.perf_counter() - began
    accepted = (files / "import-report.csv").read_text(encoding="utf-8").count(",accepted,")
    own, its = _of_children() - own, _of_process(database) - its
    return Imported(accepted / seconds, 1000 * own / accepted, 1000 * its / accepted)


def _of_children() -> float:
    """Seconds of processor that processes begun here took, which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _of_process(pid: int) -> float:
    """Seconds of processor that a running process took."""
    told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
