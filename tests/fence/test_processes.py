"""The withdrawal fence at speed: real processes, real HTTP, readers hammering while the citizen withdraws."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from consent.model import Actor, Answer, Evidence, Period, Scope
from tests.world import Granted, World, bundle, condition
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import open_database

READERS = 3
RECORDS = 6
PATIENCE = 30.0
ROUNDS = int(os.environ.get("WALLET_FENCE_ROUNDS", "200"))


@dataclass(frozen=True)
class Look:
    """One read: when it was sent, when its answer was whole, and whether it held data."""

    began: float
    ended: float
    status: int
    had_data: bool


@dataclass(eq=False)
class Aim:
    """What the readers of a round ask for, and what they saw. `withdrawn`: when its answer had arrived."""

    url: str
    headers: dict[str, str]
    looks: list[Look] = field(default_factory=list)
    withdrawn: float = 0.0


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
        server.wait(30)
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
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


class Readers:
    """Readers that hammer what they are aimed at, each over one connection; they are started once.

    Each ends a round with one look that began after the withdrawal's answer. A look belongs to what was aimed
    at when it began, however late its answer comes.
    """

    def __init__(self) -> None:
        self._aim: Aim | None = None
        self._over, self._busy = False, 0
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._hammer, daemon=True) for _ in range(READERS)]

    def __enter__(self) -> Readers:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *why: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for each in self._threads:
            each.join(PATIENCE)

    def at(self, aim: Aim) -> None:
        """Hammer this from now on."""
        with self._changed:
            self._aim = aim
            self._changed.notify_all()

    def until(self, seen: Callable[[], bool]) -> None:
        """Wait for what one of the looks shows."""
        with self._changed:
            assert self._changed.wait_for(seen, PATIENCE), "the readers did not get so far"

    def rest(self) -> None:
        """Begin no more reads, and let those in flight come home."""
        with self._changed:
            self._aim = None
            assert self._changed.wait_for(lambda: self._busy == 0, PATIENCE), "a read never came home"

    def _hammer(self) -> None:
        done = None
        with requests.Session() as http:
            while (aim := self._next(done)) is not None:
                try:
                    began = time.monotonic()
                    answer = http.get(aim.url, headers=aim.headers, timeout=PATIENCE)
                    look = Look(began, time.monotonic(), answer.status_code, "resource" in answer.text)
                    aim.looks.append(look)
                    if aim.withdrawn and began > aim.withdrawn:
                        done = aim
                    elif not look.had_data:
                        self._wait_for_the_answer(aim)
                finally:
                    with self._changed:
                        self._busy -= 1
                        self._changed.notify_all()

    def _wait_for_the_answer(self, aim: Aim) -> None:
        """Who is refused already reads again when the withdrawal is answered: that look counts."""
        with self._changed:
            self._changed.wait_for(lambda: aim.withdrawn or self._over, PATIENCE)

    def answered(self, aim: Aim) -> None:
        """The answer to the withdrawal has arrived."""
        with self._changed:
            aim.withdrawn = time.monotonic()
            self._changed.notify_all()

    def _next(self, done: Aim | None) -> Aim | None:
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._aim not in (None, done))
            found = None if self._over else self._aim
            self._busy += found is not None
            return found


def _round(granted: Granted, base: str, readers: Readers, http: requests.Session, pause: float) -> Aim:
    """The looks of one round: some in flight when it was withdrawn, some that began after the answer."""
    headers = {"Authorization": f"Bearer {granted.doctor.token}", "Access-Session": granted.session()}
    aim = Aim(f"{base}/provider/citizens/{granted.citizen_ref}/records", headers)
    citizen = {"Authorization": f"Bearer {granted.person.token}"}
    path = f"{base}/citizens/me/grants/{granted.grant['id']}/withdrawal"
    readers.at(aim)
    time.sleep(pause)
    answer = http.post(path, json={}, headers=citizen, timeout=PATIENCE)
    readers.answered(aim)
    assert answer.status_code == 200, answer.text
    readers.until(lambda: sum(look.began > aim.withdrawn for look in aim.looks) >= READERS)
    readers.rest()
    return aim


def _anew(first: Granted) -> Granted:
    """A grant like the first, given without asking: how it came to be is not what is tried here."""
    world, person = first.world, first.person
    shown = world.services.consent.notice("TREAT", "vi")
    scope = Scope(
        first.doctor.organisation_id,
        None,
        "TREAT",
        frozenset({"condition"}),
        Period(),
        world.now() + timedelta(days=30),
    )
    evidence = Evidence(person.id, "self", person.session_id, "app", world.now(), "2")
    given = world.services.consent.give(
        person.id, scope, Answer(shown.version, shown.locale), Actor(evidence, person.born)
    )
    return replace(first, grant={"id": given.id})


def test_no_read_that_starts_after_the_withdrawals_answer_gets_data(served: tuple[World, str]) -> None:
    world, base = served
    doctor, person = world.doctor(), world.person()
    world.send(doctor, bundle(person, *[condition(source_id=f"c{n}") for n in range(RECORDS)]))
    chance, everything, tail = random.Random(2026), list[Look](), 0.0
    first = world.grant(doctor, person)
    first.withdraw()
    with Readers() as readers, requests.Session() as http:
        for turn in range(ROUNDS):
            if turn % 50 == 0:  # a soak takes longer than a session that nobody renews
                first = replace(first, person=world.signed_in(person))
            aim = _round(_anew(first), base, readers, http, chance.uniform(0.0, 0.03))
            late = [look for look in aim.looks if look.began > aim.withdrawn and look.had_data]
            assert late == [], f"{len(late)} reads began after the withdrawal was answered and got data"
            tail = max([tail, *(look.ended - aim.withdrawn for look in aim.looks if look.had_data)])
            everything += aim.looks
    _tell(everything, tail)
    assert {look.status for look in everything} <= {200, 403}
    assert any(look.had_data for look in everything), "nobody read anything: the test saw nothing"
    assert any(not look.had_data for look in everything)


def _tell(looks: list[Look], tail: float) -> None:
    data = sum(look.had_data for look in looks)
    line: dict[str, Any] = {"rounds": ROUNDS, "reads": len(looks), "with data": data}
    print(f"fence: {line}, longest tail of a read in flight {tail * 1000:.1f} ms")
