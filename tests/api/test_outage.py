"""The database is gone: a 503 problem in time, nothing shown, and back by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.halting import halt
from tests.world import World, bundle, condition, found_in
from wallet_api.infra.crypto.errors import KeyUnavailable
from wallet_api.infra.embedded import EmbeddedServer
from wallet_api.infra.mongo import open_database

pytestmark = pytest.mark.usefixtures("impatient")

LIMIT = 5.5
"""Seconds: the three that a database is waited for once, and room for a busy machine; twice would be six."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """An embedded database of this file's own, which it may stop and kill."""
    made = EmbeddedServer(tmp_path_factory.mktemp("outage"))
    made.start()
    yield made
    made.stop(grace=0)


@pytest.fixture(scope="module")
def frail(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A wallet on that database."""
    db = open_database(server.uri, "outage")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    yield made
    db.client.close()


def timed(call: Any) -> tuple[Any, float]:
    begun = time.monotonic()
    return call(), time.monotonic() - begun


def test_a_silent_database_is_waited_for_or_shows_data(frail: World, server: EmbeddedServer) -> None:
    an, doctor = frail.person(), frail.doctor()
    frail.send(doctor, bundle(an, condition()))
    made = frail.grant(doctor, an)
    session, citizen, provider = made.session(), an.token, doctor.token
    headers = {"Access-Session": session}
    read = f"/provider/citizens/{made.citizen_ref}/records"
    calls = [
        lambda: frail.get("/citizens/me/records", citizen),
        lambda: frail.get(read, provider, headers=headers),
        lambda: frail.post(f"/citizens/me/grants/{made.grant['id']}/withdrawal", citizen),
        lambda: frail.post("/provider/intake/fhir-bundles", provider, bundle(an, condition("x"))),
        lambda: frail.get("/readyz"),
    ]
    halt(server.pid)
    try:
        with ThreadPoolExecutor(len(calls)) as pool:
            told = [each.result() for each in [pool.submit(timed, call) for call in calls]]
        alive, took = timed(lambda: frail.get("/healthz"))
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert alive.status_code == 200 and took < 2
    for answer, took in told:
        assert (answer.status_code, found_in(answer)["code"]) == (503, "unavailable")
        assert answer.mimetype == "application/problem+json" and answer.headers["Retry-After"]
        assert took < LIMIT, f"{took:.2f} s"
    back, took = timed(lambda: frail.get("/citizens/me/records", citizen))
    assert back.status_code == 200 and took < LIMIT
    assert made.read(session).status_code in (200, 403), "the withdrawal may or may not have got through"


def test_a_killed_database_stays_away(frail: World, server: EmbeddedServer) -> None:
    an, doctor = frail.person(), frail.doctor()
    frail.send(doctor, bundle(an, condition()))
    token = an.token
    os.kill(server.pid, signal.SIGKILL)
    answer, took = timed(lambda: frail.get("/citizens/me/records", token))
    assert (answer.status_code, found_in(answer)["code"]) == (503, "unavailable")
    assert took < LIMIT, f"{took:.2f} s"
    server.supervise()
    until = time.monotonic() + 20
    while frail.get("/readyz").status_code != 200:
        assert time.monotonic() < until, "it does not come back"
        time.sleep(0.1)
    found = found_in(frail.get("/citizens/me/records", token))["items"]
    assert len(found) == 1, "what was acknowledged is there"


def test_a_missing_key_is_a_crash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))

    def absent(*args: Any, **more: Any) -> Any:
        raise KeyUnavailable("planted")

    monkeypatch.setattr("wallet_api.stores.records.CitizenCipher.open_json", absent)
    answer = world.get("/citizens/me/records", an)
    assert (answer.status_code, found_in(answer)["code"]) == (503, "key_unavailable")
