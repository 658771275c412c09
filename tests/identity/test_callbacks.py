"""Whoever brings something forged, old or stolen to the callback signs nobody in, and hijacks nobody."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.identity.stores import mongo_stores
from tests.identity.upstream import Upstream
from tests.identity.world import Clock, World, authorize_query, make_world, told_in
from wallet_api.identity.oauth import sign_in
from wallet_api.identity.oauth.model import digest

CALLBACK = "/oauth/vneid/callback"


class Pair:
    """Somebody's sign-in under way, and an attacker's own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.victim, self.attacker = world.browser(), world.browser()
        self.verifier, self.asked = world.begin(self.victim)
        self.own_verifier, self.own = world.begin(self.attacker)

    def name(self, asked: dict[str, str]) -> str:
        return self.world.identity.oauth.sign_in.cookie_name(asked["state"])

    def cookie(self, browser: FlaskClient, asked: dict[str, str]) -> str:
        found = browser.get_cookie(self.name(asked))
        assert found is not None
        return str(found.value)

    def bring(self, browser: FlaskClient, path: str = CALLBACK, **query: Any) -> Any:
        return browser.get(path, query_string=query)

    def code(self, asked: dict[str, str]) -> str:
        return self.world.upstream_code(asked)


def replayed(found: Pair) -> Any:
    code = found.code(found.asked)
    assert "code" in told(found.bring(found.victim, code=code, state=found.asked["state"]))
    return found.bring(found.victim, code=code, state=found.asked["state"])


def replayed_with_its_cookie_kept(found: Pair) -> Any:
    code, value = found.code(found.asked), found.cookie(found.victim, found.asked)
    found.bring(found.victim, code=code, state=found.asked["state"])
    found.victim.set_cookie(found.name(found.asked), value)
    return found.bring(found.victim, code=code, state=found.asked["state"])


def login_forced_on_the_victim(found: Pair) -> Any:
    """The attacker's own good answer, opened in the victim's browser: login CSRF."""
    return found.bring(found.victim, code=found.code(found.own), state=found.own["state"])


def attackers_state_under_the_victims_cookie_name(found: Pair) -> Any:
    found.victim.set_cookie(found.name(found.own), found.cookie(found.victim, found.asked))
    return found.bring(found.victim, code=found.code(found.own), state=found.own["state"])


def with_cookie(change: Callable[[str], str]) -> Callable[[Pair], Any]:
    def forge(found: Pair) -> Any:
        found.victim.set_cookie(found.name(found.asked), change(found.cookie(found.victim, found.asked)))
        return found.bring(found.victim, code=found.code(found.asked), state=found.asked["state"])

    return forge


def stale(seconds: int) -> Callable[[Pair], Any]:
    def forge(found: Pair) -> Any:
        found.world.clock.forward(seconds=seconds)
        return found.bring(found.victim, code=found.code(found.asked), state=found.asked["state"])

    return forge


def with_query(**change: Any) -> Callable[[Pair], Any]:
    def forge(found: Pair) -> Any:
        query = {"code": found.code(found.asked), "state": found.asked["state"]} | change
        return found.bring(found.victim, **{name: one for name, one in query.items() if one is not None})

    return forge


def after_suspension(found: Pair) -> Any:
    found.world.identity.clients.set_status("app", "suspended")
    return found.bring(found.victim, code=found.code(found.asked), state=found.asked["state"])


def no_iss_though_promised(found: Pair) -> Any:
    found.world.upstream.metadata = {"authorization_response_iss_parameter_supported": True}
    found.world.identity.oauth.sign_in.providers["vneid"]._discovery._endpoints = None  # type: ignore[index]
    return found.bring(found.victim, code=found.code(found.asked), state=found.asked["state"])


FORGERIES: dict[str, Callable[[Pair], Any]] = {
    "the same answer again": replayed,
    "the same answer again, its cookie kept": replayed_with_its_cookie_kept,
    "no cookie: a browser that never asked": lambda f: f.bring(
        f.world.browser(), code=f.code(f.asked), state=f.asked["state"]
    ),
    "the attacker's answer in the victim's browser": login_forced_on_the_victim,
    "the attacker's state with the victim's cookie": attackers_state_under_the_victims_cookie_name,
    "the victim's answer in the attacker's browser": lambda f: f.bring(
        f.attacker, code=f.code(f.asked), state=f.asked["state"]
    ),
    "a code of another attempt (its nonce)": lambda f: f.bring(
        f.victim, code=f.code(f.own), state=f.asked["state"]
    ),
    "a code nobody gave": with_query(code="made-up"),
    "no code": with_query(code=None),
    "an empty code": with_query(code=""),
    "two codes": with_query(code=["a", "b"]),
    "no state": with_query(state=None),
    "an unknown state": with_query(state="x" * 43),
    "two states": lambda f: f.bring(f.victim, code=f.code(f.asked), state=[f.asked["state"], f.own["state"]]),
    "a state for a database": lambda f: f.victim.get(f"{CALLBACK}?code=x&state[$ne]=x"),
    "a state with NUL": lambda f: f.bring(f.victim, code="x", state=f.asked["state"] + "\x00"),
    "an endless state": with_query(state="x" * 9000),
    "the digest of the state, as stored": lambda f: f.bring(
        f.victim, code=f.code(f.asked), state=digest(f.asked["state"])
    ),
    "an empty cookie": with_cookie(lambda _: ""),
    "a longer cookie": with_cookie(lambda value: value + "x"),
    "a cookie in other case": with_cookie(str.swapcase),
    "the cookie's digest, as stored": with_cookie(digest),
    "five minutes old": stale(300),
    "a day old": stale(86_400),
    "another issuer named": with_query(iss="https://evil.example"),
    "an issuer with a slash more": lambda f: f.bring(
        f.victim, code=f.code(f.asked), state=f.asked["state"], iss=f.world.upstream.issuer + "/"
    ),
    "two issuers": lambda f: f.bring(
        f.victim, code=f.code(f.asked), state=f.asked["state"], iss=[f.world.upstream.issuer, "x"]
    ),
    "no issuer where one is promised": no_iss_though_promised,
    "an error put in": with_query(error="access_denied"),
    "an error of the attacker's words": with_query(error="<script>", code=None),
    "at the ops callback": lambda f: f.bring(
        f.victim, "/oauth/ops/callback", code=f.code(f.asked), state=f.asked["state"]
    ),
    "the app's client suspended meanwhile": after_suspension,
    "an ID token sent along instead of a code": with_query(code=None, id_token="x.y.z", access_token="x"),
}


def told(answer: Any) -> dict[str, str]:
    return told_in(answer.headers.get("Location", ""))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_answer_signs_nobody_in(world: World, name: str) -> None:
    pair = Pair(world)
    answer = FORGERIES[name](pair)
    assert answer.status_code in (302, 400), answer.get_data(as_text=True)
    assert "code" not in told(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    location = answer.headers.get("Location", "https://app.example.vn/signed-in?")
    assert location.startswith("https://app.example.vn/signed-in?"), "nobody is sent elsewhere"
    assert pair.asked["state"] not in answer.get_data(as_text=True)


def test_the_list_is_long_enough() -> None:
    print(f"\n{len(FORGERIES)} forged callbacks refused")
    assert len(FORGERIES) >= 20


def test_an_attack_on_an_attempt_does_not_burn_it_without_its_state(world: World) -> None:
    """Who does not know the state cannot end somebody's sign-in."""
    pair = Pair(world)
    for name in ("an unknown state", "no state", "a state for a database"):
        FORGERIES[name](pair)
    login_forced_on_the_victim(pair)
    assert "code" in told(pair.bring(pair.victim, code=pair.code(pair.asked), state=pair.asked["state"])), (
        "the victim's own sign-in goes on"
    )


def test_our_verifier_goes_to_the_provider_and_differs_with_each_attempt(world: World) -> None:
    first, second = Pair(world), Pair(world)
    seen = []
    for pair in (first, second):
        pair.bring(pair.victim, code=pair.code(pair.asked), state=pair.asked["state"])
        seen.append(world.upstream.forms[-1]["code_verifier"])
        assert pair.asked["code_challenge_method"] == "S256"
    assert len(set(seen)) == 2


@pytest.mark.parametrize("round_", range(3))
def test_sixteen_at_once_with_one_answer_give_one_code_and_one_session(
    upstream: Upstream, clock: Clock, embedded_db: Any, round_: int
) -> None:
    world = make_world(upstream, clock, mongo_stores(embedded_db))
    pair = Pair(world)
    code, value = pair.code(pair.asked), pair.cookie(pair.victim, pair.asked)

    def submit(_: int) -> dict[str, str]:
        browser = world.browser()
        browser.set_cookie(pair.name(pair.asked), value)
        return told(pair.bring(browser, code=code, state=pair.asked["state"]))

    with ThreadPoolExecutor(16) as pool:
        codes = [answer["code"] for answer in pool.map(submit, range(16)) if "code" in answer]
    assert len(codes) == 1
    with ThreadPoolExecutor(16) as pool:
        statuses = [
            status for status, _ in pool.map(lambda _: world.exchange(codes[0], pair.verifier), range(16))
        ]
    assert statuses.count(200) <= 1
    assert embedded_db["sessions"].count_documents({"ended_at": None}) <= 1


GUARDS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch, World], object]]] = {
    "the browser's cookie": (
        "the attacker's state with the victim's cookie",
        lambda patch, _: patch.setattr(sign_in.hmac, "compare_digest", lambda *_: True),
    ),
    "the five minutes": (
        "five minutes old",
        lambda patch, _: patch.setattr(sign_in, "ATTEMPT_LIFE", sign_in.timedelta(days=2)),
    ),
    "the issuer": (
        "another issuer named",
        lambda patch, world: patch.setattr(
            type(world.identity.oauth.sign_in.providers["vneid"]), "names_right_issuer", lambda *_: True
        ),
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_each_guard_is_what_refuses(world: World, monkeypatch: pytest.MonkeyPatch, guard: str) -> None:
    name, remove = GUARDS[guard]
    pair = Pair(world)
    remove(monkeypatch, world)
    world.upstream.forge = lambda header, claims: claims.update(nonce=expected_nonce(world))
    assert "code" in told(FORGERIES[name](pair)), "without it the forgery gets in"


def expected_nonce(world: World) -> str:
    """What the check of the nonce waits for: these forgeries are to be refused before it."""
    form = world.upstream.forms[-1]
    return next((nonce for code, nonce in world.upstream.nonces.items() if code == form["code"]), "")


def test_the_query_of_the_honest_flow_is_still_taken(world: World) -> None:
    assert authorize_query("v" * 43)["code_challenge_method"] == "S256"
    pair = Pair(world)
    assert "code" in told(
        pair.bring(
            pair.victim, code=pair.code(pair.asked), state=pair.asked["state"], iss=world.upstream.issuer
        )
    )
