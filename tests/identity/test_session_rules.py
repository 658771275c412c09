"""Who may be signed in, in how many places and for how long: death, locks, the cap, ops hours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from tests.identity.stores import mongo_stores
from tests.identity.upstream import Upstream
from tests.identity.world import START, Clock, World, make_world, told_in
from tests.world import World as Wallet
from tests.world import found_in
from wallet_api.audit.errors import LogUnavailable
from wallet_api.identity.errors import TokenRefused
from wallet_api.identity.oauth.model import SignedIn
from wallet_api.identity.sessions import MOST_SESSIONS
from wallet_api.infra.ids import new_id

OPS = {"aud": "health-wallet-ops", "azp": "health-wallet-ops", "roles": ["operator"]}


def whose(world: World, body: dict[str, Any]) -> str:
    return world.identity.authenticator.caller(body["access_token"]).subject_id


def works(world: World, body: dict[str, Any]) -> bool:
    try:
        world.identity.authenticator.caller(body["access_token"])
    except TokenRefused:
        return False
    return True


def refusal(world: World) -> str:
    """The reason with which a sign-in is turned away."""
    browser = world.browser()
    _, asked = world.begin(browser)
    told = told_in(world.back(browser, asked).headers["Location"])
    assert "code" not in told
    return told["error_description"]


def shut_out(world: World, how: str, citizen_id: str) -> None:
    if how == "death":
        world.identity.people.record_death(citizen_id, date(2026, 11, 1))
    else:
        world.identity.people.lock(citizen_id)


HOWS = pytest.mark.parametrize("how", ["death", "lock"])
CODES = {"death": "account_closed", "lock": "account_locked"}


@HOWS
def test_nobody_signs_in_as_somebody_dead_or_locked_and_no_session_lives_on(world: World, how: str) -> None:
    bodies = [world.signed_in() for _ in range(3)]
    shut_out(world, how, whose(world, bodies[0]))
    for body in bodies:
        assert not works(world, body)
        assert world.refresh(body["refresh_token"])[1]["error"] == "invalid_grant"
    assert refusal(world) == CODES[how]
    assert world.stolen == []


@HOWS
def test_a_code_given_before_the_death_or_lock_opens_nothing_after_it(world: World, how: str) -> None:
    citizen = whose(world, world.signed_in())
    waiting, verifier = world.code()
    shut_out(world, how, citizen)
    assert world.exchange(waiting, verifier)[1]["error"] == "invalid_grant"
    assert world.identity.sessions.of(citizen) == []


@HOWS
def test_a_session_the_ending_did_not_see_is_refused_at_its_refresh(world: World, how: str) -> None:
    body = world.signed_in()
    citizen = whose(world, body)
    world.identity.people._end_sessions = lambda _: 0  # as if the process died between state and ending
    shut_out(world, how, citizen)
    assert world.refresh(body["refresh_token"])[1]["error"] == "invalid_grant"
    assert not works(world, body)


def test_another_account_that_claims_a_dead_persons_number_is_refused(world: World) -> None:
    citizen = whose(world, world.signed_in())
    world.identity.people.record_death(citizen, date(2026, 11, 1))
    world.upstream.person = world.upstream.person | {"sub": "sub-2"}
    assert refusal(world) == "identity_conflict"


def test_an_unlocked_person_signs_in_again_but_old_sessions_stay_ended(world: World) -> None:
    body = world.signed_in()
    citizen = whose(world, body)
    world.identity.people.lock(citizen)
    world.identity.people.unlock(citizen)
    assert not works(world, body)
    assert whose(world, world.signed_in()) == citizen


def test_a_sixth_sign_in_ends_the_place_unused_longest_and_tells(world: World) -> None:
    bodies = []
    for _ in range(MOST_SESSIONS):
        bodies.append(world.signed_in())
        world.clock.forward(minutes=1)
    bodies[0] |= world.refresh(bodies[0]["refresh_token"])[1]  # the oldest, but in use: the second goes
    newest = world.signed_in()
    assert [works(world, body) for body in [*bodies, newest]] == [True, False, True, True, True, True]
    assert world.refresh(bodies[1]["refresh_token"])[0] == 400
    assert len(world.crowded) == 1
    assert world.stolen == []
    assert len(world.identity.sessions.of(whose(world, newest))) == MOST_SESSIONS


def test_places_of_others_are_never_counted(world: World) -> None:
    first = world.signed_in()
    world.upstream.person = world.upstream.person | {"sub": "sub-2", "number": "001194999002"}
    for _ in range(MOST_SESSIONS):
        world.signed_in()
    assert works(world, first)
    assert world.crowded == []


@pytest.mark.parametrize("round_", range(3))
def test_sixteen_sign_ins_at_once_leave_five_places_each_working(
    upstream: Upstream, clock: Clock, embedded_db: Any, round_: int
) -> None:
    world = make_world(upstream, clock, mongo_stores(embedded_db))
    citizen = whose(world, world.signed_in())
    client = world.identity.clients.get("app")

    def sign_in(_: int) -> str:
        signed = SignedIn("citizen", citizen, "2", START)
        return world.identity.sessions.open(new_id(), signed, client).refresh_token

    with ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(sign_in, range(16)))
    assert len(world.identity.sessions.of(citizen)) == MOST_SESSIONS
    assert sum(world.refresh(token)[0] == 200 for token in tokens) in (MOST_SESSIONS - 1, MOST_SESSIONS)
    assert len(world.crowded) == 17 - MOST_SESSIONS, "each that had to go was told of once"


def test_an_ops_console_left_alone_for_fifteen_minutes_is_signed_out(world: World) -> None:
    world.upstream.person = dict(OPS)
    body = world.signed_in(client_id="console")
    world.clock.forward(minutes=14, seconds=59)
    body = world.refresh(body["refresh_token"], "console")[1]
    world.clock.forward(minutes=15)
    assert world.refresh(body["refresh_token"], "console")[0] == 400


def test_an_ops_session_ends_after_eight_hours_however_busy(world: World) -> None:
    world.upstream.person = dict(OPS)
    body = world.signed_in(client_id="console")
    for _ in range(47):
        world.clock.forward(minutes=10)
        body = world.refresh(body["refresh_token"], "console")[1]
    world.clock.forward(minutes=9)
    assert world.refresh(body["refresh_token"], "console")[0] == 200
    world.clock.forward(minutes=1)
    assert not works(world, body)


def test_the_citizen_finds_the_place_that_had_to_go_in_the_access_log(
    shared_world: Wallet,
) -> None:
    shared_world.clock.set_to(START)
    an = shared_world.person()
    for _ in range(MOST_SESSIONS):
        shared_world.forward(seconds=1)
        an = shared_world.signed_in(an)
    shown = found_in(shared_world.get("/citizens/me/sessions", an))["items"]
    assert len(shown) == MOST_SESSIONS
    lines = found_in(shared_world.get("/citizens/me/access-log", an))["items"]
    found = [(line["action"], line["reason"], line["actor"]["name"]) for line in lines]
    assert ("session:ended", "too_many_sessions", "Hệ thống") in found


def test_a_sign_in_is_in_the_log_or_it_is_none(shared_world: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_world.clock.set_to(START)
    an = shared_world.person()
    lines = found_in(shared_world.get("/citizens/me/access-log", an))["items"]
    assert ("session:started", "signed_in") in [(line["action"], line["reason"]) for line in lines]
    before = len(found_in(shared_world.get("/citizens/me/sessions", an))["items"])

    def away(event: object) -> str:
        raise LogUnavailable("no log")

    with monkeypatch.context() as broken, pytest.raises(LogUnavailable):
        broken.setattr(shared_world.services.log, "append", away)
        shared_world.signed_in(an)
    assert len(found_in(shared_world.get("/citizens/me/sessions", an))["items"]) == before
