"""The withdrawal fence at speed: real processes, real HTTP, readers hammering while the citizen withdraws."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.world import Granted, World, bundle, condition, found_in
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import open_database

READERS = 4
ROUNDS = int(os.environ.get("WALLET_FENCE_ROUNDS", "60"))


@dataclass(frozen=True)
class Look:
    """One read: when it was sent, when its answer was whole, and whether it held data."""

    began: float
    ended: float
    status: int
    had_data: bool


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    folder = tmp_path_factory.mktemp("fence")
    database = server_at(folder / "db")
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    world = World(
        open_database(database.uri, "wallet"),
        folder,
        WALLET_MONGO_URI=f"embedded:{folder / 'db'}",
        WALLET_PUBLIC_URL=here,
        PORT=str(port),
    )
    server = _serve(world, folder, port)
    try:
        _await(f"{here}/readyz")
        yield world, f"{here}/api/v1"
    finally:
        server.terminate()
        server.wait(15)
        world.services.log.close()
        world.db.client.close()
        database.stop(grace=0)


def _serve(world: World, folder: Path, port: int) -> subprocess.Popen[bytes]:
    settings = world.settings
    env = {
        "WALLET_ENV": "dev",
        "WALLET_LIMITS": "off",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_CLOCK_FILE": str(folder / "clock"),
        "WALLET_DATABASE": settings.database,
        "WALLET_MONGO_URI": settings.mongo_uri,
        "WALLET_PUBLIC_URL": settings.public_url,
        "WALLET_LOG_LEVEL": "ERROR",
        "PORT": str(port),
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}"]
    workers = ["--workers", "2", "--worker-class", "gthread", "--threads", "4"]
    with (folder / "api.log").open("wb") as log:
        return subprocess.Popen([*command, *workers], env=env, stderr=log)


def _await(url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


def _hammer(url: str, headers: dict[str, str], stop: threading.Event, looks: list[Look]) -> None:
    with requests.Session() as http:
        while not stop.is_set():
            began = time.monotonic()
            answer = http.get(url, headers=headers, timeout=10)
            looks.append(Look(began, time.monotonic(), answer.status_code, "resource" in answer.text))


def _round(granted: Granted, base: str, pause: float) -> tuple[list[Look], float]:
    """The looks of one round, and when the withdrawal's answer had arrived."""
    token = {"Authorization": f"Bearer {granted.doctor.token}", "Access-Session": granted.session()}
    url = f"{base}/provider/citizens/{granted.citizen_ref}/records"
    stop, looks = threading.Event(), list[Look]()
    readers = [threading.Thread(target=_hammer, args=(url, token, stop, looks)) for _ in range(READERS)]
    for each in readers:
        each.start()
    time.sleep(pause)
    citizen = {"Authorization": f"Bearer {granted.person.token}"}
    path = f"{base}/citizens/me/grants/{granted.grant['id']}/withdrawal"
    answer = requests.post(path, json={}, headers=citizen, timeout=10)
    withdrawn = time.monotonic()
    assert answer.status_code == 200, answer.text
    time.sleep(0.02)  # long enough for reads that begin after the answer
    stop.set()
    for each in readers:
        each.join(15)
    return looks, withdrawn


def _anew(first: Granted) -> Granted:
    """A grant like the first, given without asking: one call instead of four."""
    # Signed in anew: giving needs a sign-in of the last five minutes, and a soak takes longer.
    world, person = first.world, first.world.signed_in(first.person)
    sent = {
        "organisation_id": first.doctor.organisation_id,
        "purpose": "TREAT",
        "categories": ["condition"],
        "expires_at": first.grant["expires_at"],
        **world.answer_to({"purpose": "TREAT"}),
    }
    given = world.post("/citizens/me/grants", person, sent)
    assert given.status_code == 201, given.get_data(as_text=True)
    return replace(first, person=person, grant=found_in(given))


def test_no_read_that_starts_after_the_withdrawals_answer_gets_data(served: tuple[World, str]) -> None:
    world, base = served
    doctor, person = world.doctor(), world.person()
    world.send(doctor, bundle(person, *[condition(source_id=f"c{n}") for n in range(20)]))
    chance, everything, tail = random.Random(2026), list[Look](), 0.0
    first = world.grant(doctor, person)
    first.withdraw()
    for _ in range(ROUNDS):
        looks, withdrawn = _round(_anew(first), base, chance.uniform(0.0, 0.04))
        late = [look for look in looks if look.began > withdrawn and look.had_data]
        assert late == [], f"{len(late)} reads began after the withdrawal was answered and got data"
        tail = max([tail, *(look.ended - withdrawn for look in looks if look.had_data)])
        everything += looks
    _tell(everything, tail)
    assert {look.status for look in everything} <= {200, 403}
    assert any(look.had_data for look in everything), "nobody read anything: the test saw nothing"
    assert any(not look.had_data for look in everything)


def _tell(looks: list[Look], tail: float) -> None:
    data = sum(look.had_data for look in looks)
    line: dict[str, Any] = {"rounds": ROUNDS, "reads": len(looks), "with data": data}
    print(f"fence: {line}, longest tail of a read in flight {tail * 1000:.1f} ms")
