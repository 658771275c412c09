"""Refresh tokens in races, losses and deaths: the owner is always served, a thief ends the session."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
import requests
from pymongo.errors import AutoReconnect
from werkzeug.serving import make_server

from tests.identity.stores import mongo_stores
from tests.identity.world import Clock, World, make_world
from wallet_api.identity.model import Identifier, Profile, Session
from wallet_api.identity.oauth.model import SignedIn, digest
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database

ROUNDS = 2
AT_ONCE = 16
NUMBERS = itertools.count(999001)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def wallet(embedded_uri: str, clock: Clock) -> Iterator[World]:
    """One for all races: each runs in sessions of its own."""
    db = open_database(embedded_uri, f"races_{new_id()}")
    yield make_world("http://127.0.0.1:9", clock, mongo_stores(db))
    db.client.close()


@pytest.fixture
def world(wallet: World) -> World:
    """The same with nothing told yet."""
    wallet.stolen.clear()
    return wallet


@pytest.fixture(scope="module")
def served(wallet: World) -> Iterator[str]:
    """The wallet over HTTP."""
    server = make_server("127.0.0.1", 0, wallet.app, threaded=True)
    thread = threading.Thread(target=lambda: server.serve_forever(0.2), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/oauth/token"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def citizen(world: World) -> str:
    profile = Profile("Nguyễn Thị An", date(1994, 3, 12), "female", None, None)
    number = f"001194{next(NUMBERS):06d}"
    return world.identity.people.register(profile, [Identifier("national_id", number)])


def opened(world: World, citizen: str, clock: Clock) -> tuple[str, str]:
    """A session and its first refresh token."""
    client = world.identity.clients.get("app")
    found = world.identity.sessions.open(new_id(), SignedIn("citizen", citizen, "2", clock()), client)
    return found.session.id, found.refresh_token


def asked(address: str, token: str) -> dict[str, Any]:
    form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": token}
    answer = requests.post(address, data=form, timeout=30)
    assert answer.status_code in (200, 400), answer.text
    return dict(answer.json())


def at_once(address: str, tokens: list[str]) -> list[dict[str, Any]]:
    gate = threading.Barrier(len(tokens))

    def present(token: str) -> dict[str, Any]:
        gate.wait()
        return asked(address, token)

    with ThreadPoolExecutor(len(tokens)) as pool:
        return list(pool.map(present, tokens))


def live(world: World, session_id: str) -> bool:
    found = world.identity.sessions.get(session_id)
    return found is not None and world.identity.sessions.live(found)


def test_sixteen_retries_of_the_owner_are_all_served_and_one_line_survives(
    world: World, served: str, citizen: str, clock: Clock
) -> None:
    answered = 0
    session_id, token = opened(world, citizen, clock)
    for _ in range(ROUNDS):
        answers = at_once(served, [token] * AT_ONCE)
        given = [answer["refresh_token"] for answer in answers if "refresh_token" in answer]
        assert len(given) == AT_ONCE, "each retry is served"
        assert len(set(given)) == AT_ONCE
        answered += len(given)
        for answer in answers:
            world.identity.authenticator.caller(answer["access_token"])
        # One of the sixteen goes on; the fifteen it voided are refused without harm as long as it waits.
        survivors = [one for one in given if waiting(world, one)]
        assert len(survivors) == 1
        token = survivors[0]
        assert live(world, session_id)
    assert "access_token" in asked(served, token)
    assert world.stolen == []
    print(f"\n{ROUNDS} rounds of {AT_ONCE} retries at once: {answered} served, 0 sessions lost")


def waiting(world: World, token: str) -> bool:
    """Whether the session waits for this token."""
    found = world.identity.sessions._sessions.issued(digest(token))
    return found is not None and found.line.waiting == digest(token)


def test_a_thief_among_the_retries_ends_the_session_once(
    world: World, served: str, citizen: str, clock: Clock
) -> None:
    ended = 0
    for _ in range(ROUNDS):
        session_id, first = opened(world, citizen, clock)
        second = asked(served, first)["refresh_token"]
        third = asked(served, second)
        answers = at_once(served, [first] * AT_ONCE)
        assert {answer.get("error") for answer in answers} == {"invalid_grant"}
        assert not live(world, session_id)
        assert asked(served, third["refresh_token"])["error"] == "invalid_grant"
        ended += 1
    assert len(world.stolen) == ended, "told once for each session"
    print(f"\n{ended} thefts: {ended} sessions ended, {len(world.stolen)} told")


def test_owner_and_thief_at_once_never_both_go_on(
    world: World, served: str, citizen: str, clock: Clock
) -> None:
    for _ in range(ROUNDS):
        session_id, first = opened(world, citizen, clock)
        answers = at_once(served, [first] * 2)
        assert all("refresh_token" in answer for answer in answers), "a retry looks the same"
        on = at_once(served, [answer["refresh_token"] for answer in answers])
        assert sum("refresh_token" in answer for answer in on) <= 1
        if live(world, session_id):
            # Whoever lost shows up again with what was voided, and that is how the theft is seen.
            lost = next(a["refresh_token"] for a, later in zip(answers, on, strict=True) if "error" in later)
            assert asked(served, lost)["error"] == "invalid_grant"
        assert not live(world, session_id)


def test_signing_out_during_sixteen_refreshes_leaves_nothing_alive(
    world: World, served: str, citizen: str, clock: Clock
) -> None:
    for _ in range(ROUNDS):
        session_id, token = opened(world, citizen, clock)
        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(world.identity.sessions.end_all, citizen)
            answers = at_once(served, [token] * AT_ONCE)
            ending.result()
        assert not live(world, session_id)
        for answer in answers:
            if "refresh_token" in answer:
                assert asked(served, answer["refresh_token"])["error"] == "invalid_grant"


class Dies:
    """A collection whose next change is cut off: before it reaches the database, or after."""

    def __init__(self, real: Any, when: str) -> None:
        self.real, self.when = real, when

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def update_one(self, *args: Any, **options: Any) -> Any:
        if self.when == "after":
            self.real.update_one(*args, **options)
        raise AutoReconnect("cut off")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_death_in_the_middle_of_a_refresh_costs_nobody_the_session(
    world: World, citizen: str, clock: Clock, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id, token = opened(world, citizen, clock)
    store: Any = world.identity.sessions._sessions
    for _ in range(3):
        with monkeypatch.context() as patch, pytest.raises(AutoReconnect):
            patch.setattr(store, "_sessions", Dies(store._sessions, when))
            world.identity.sessions.refresh(token, "app")
        found = world.identity.sessions.refresh(token, "app")  # the client got no answer and asks again
        assert found.session.id == session_id
        token = found.refresh_token
    assert live(world, session_id)
    assert world.stolen == []


def test_the_rule_is_what_keeps_the_family_alive_and_what_ends_it(
    world: World, citizen: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain rotation, without the retry, would lose the owner's session; without the check a thief stays."""
    session_id, token = opened(world, citizen, clock)
    stolen: list[Session] = []
    monkeypatch.setattr(world.identity.sessions, "_stolen", stolen.append)
    second = world.identity.sessions.refresh(token, "app").refresh_token
    third = world.identity.sessions.refresh(second, "app").refresh_token
    assert world.refresh(token)[0] == 400
    assert len(stolen) == 1
    assert live(world, session_id), "with the check taken away the session outlives the theft"
    assert world.refresh(third)[0] == 200
