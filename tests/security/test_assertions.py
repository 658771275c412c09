"""Provider systems' signed statements, and our own signing keys: replayed, confused, rolled over, retired."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from tests.identity.stores import mongo_stores
from tests.identity.upstream import Upstream
from tests.identity.world import AN, ASSERTION, BASE, Clock, World, make_world
from wallet_api.identity.errors import TokenRefused
from wallet_api.identity.model import LEEWAY
from wallet_api.identity.oauth.assertions import LONGEST_LIFE
from wallet_api.infra.crypto import keystore
from wallet_api.infra.ids import new_id
from wallet_api.stores import sign_ins
from wallet_api.stores.sign_ins import MongoJtis


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> Iterator[World]:
    upstream = Upstream(clock)
    upstream.person = dict(AN)
    yield make_world(upstream, clock)
    upstream.stop()


def public(*keys: ECKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def by(key: ECKey, world: World, **over: Any) -> str:
    """An assertion under a key's own kid."""
    return world.assertion(key, {"kid": str(key.kid)}, **over)


def claims_of(world: World, **over: Any) -> dict[str, Any]:
    now = int(world.clock().timestamp())
    return {"iss": "his", "sub": "his", "aud": BASE, "iat": now, "exp": now + 60, "jti": new_id()} | over


def b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hmac_over_the_public_key(world: World) -> str:
    secret = OctKey.import_key(json.dumps(world.provider_key.as_dict(private=False)))
    return jwt.encode({"alg": "HS256", "kid": "p1"}, claims_of(world), secret, algorithms=["HS256"])


def hmac_over_the_pem(world: World) -> str:
    signed = f"{b64({'alg': 'HS256', 'kid': 'p1'})}.{b64(claims_of(world))}"
    mac = hmac.digest(world.provider_key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def rsa(world: World) -> str:
    key = RSAKey.generate_key(2048, {"kid": "p1"})
    return jwt.encode({"alg": "RS256", "kid": "p1"}, claims_of(world), key, algorithms=["RS256"])


def p384(world: World) -> str:
    key = ECKey.generate_key("P-384", {"kid": "p1"})
    return jwt.encode({"alg": "ES384", "kid": "p1"}, claims_of(world), key, algorithms=["ES384"])


def own_key_in_the_head(world: World) -> str:
    key = ECKey.generate_key("P-256", {"kid": "evil"})
    return world.assertion(key, {"kid": "evil", "jwk": key.as_dict(private=False)})


def another_client(world: World) -> ECKey:
    """Another hospital's system and its key."""
    key = ECKey.generate_key("P-256", {"kid": "p1"})
    world.identity.clients.register(
        "other-his", "provider", "Other", jwks=public(key), organisation_id="hospital"
    )
    return key


FORGERIES: dict[str, Callable[[World], str]] = {
    "unsigned": lambda w: f"{b64({'alg': 'none', 'kid': 'p1'})}.{b64(claims_of(w))}.",
    "HS256 over the public JWK": hmac_over_the_public_key,
    "HS256 over the public PEM": hmac_over_the_pem,
    "RS256": rsa,
    "ES384": p384,
    "its own key in the head": own_key_in_the_head,
    "another key under the kid": lambda w: w.assertion(ECKey.generate_key("P-256", {"kid": "p1"})),
    "another client's key": lambda w: w.assertion(another_client(w)),
    "another client's key, as that client, for us": lambda w: w.assertion(another_client(w), iss="other-his"),
    "a kid nobody has": lambda w: w.assertion(header={"kid": "p9"}),
    "a kid that is a path": lambda w: w.assertion(header={"kid": "../p1"}),
    "crit": lambda w: f"{b64({'alg': 'ES256', 'kid': 'p1', 'crit': ['x'], 'x': 1})}.{b64(claims_of(w))}.x",
    "no jti": lambda w: w.assertion(jti=None),
    "an empty jti": lambda w: w.assertion(jti=""),
    "a list for a jti": lambda w: w.assertion(jti=[new_id()]),
    "an endless jti": lambda w: w.assertion(jti="x" * 129),
    "no exp": lambda w: w.assertion(exp=None),
    "exp as text": lambda w: w.assertion(exp="soon"),
    "exp as a fraction": lambda w: w.assertion(exp=w.clock().timestamp() + 0.5),
    "exp too far": lambda w: w.assertion(exp=int(w.clock().timestamp()) + 331),
    "exp in a year": lambda w: w.assertion(exp=int(w.clock().timestamp()) + 365 * 86400),
    "exp beyond all time": lambda w: w.assertion(exp=10**30),
    "exp past": lambda w: w.assertion(exp=int(w.clock().timestamp()) - 31),
    "issued in the future": lambda w: w.assertion(iat=int(w.clock().timestamp()) + 31),
    "good later": lambda w: w.assertion(nbf=int(w.clock().timestamp()) + 31),
    "for another server": lambda w: w.assertion(aud="https://evil.example"),
    "for several servers": lambda w: w.assertion(aud=[BASE, "https://evil.example"]),
    "for our API": lambda w: w.assertion(aud=f"{BASE}/api"),
    "for nobody": lambda w: w.assertion(aud=None),
    "by another": lambda w: w.assertion(iss="app"),
    "about another": lambda w: w.assertion(sub="app"),
    "about somebody unknown": lambda w: w.assertion(sub="nobody"),
    "too long": lambda w: w.assertion(padding="x" * 4096),
    "two parts": lambda w: w.assertion().rpartition(".")[0],
    "our own token": lambda w: w.provider_token()[1]["access_token"],
}


def test_no_forged_assertion_is_taken(world: World, record_property: Callable[[str, object], None]) -> None:
    got_in = []
    for name, forge in FORGERIES.items():
        fresh = make_world(world.upstream, world.clock)
        status, body = fresh.provider_token(forge(fresh))
        if (status, body.get("error")) not in ((401, "invalid_client"), (400, "invalid_request")):
            got_in.append((name, status, body))
    record_property("forged_assertions_refused", len(FORGERIES))
    print(f"\n{len(FORGERIES)} forged assertions, {len(got_in)} taken")
    assert got_in == []
    assert world.provider_token()[0] == 200


@pytest.mark.parametrize("round_", range(2))
def test_sixteen_who_replay_one_assertion_at_once_get_one_token(
    clock: Clock, embedded_db: Any, round_: int
) -> None:
    world = make_world("http://127.0.0.1:9", clock, mongo_stores(embedded_db))
    assertion = world.assertion()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: world.provider_token(assertion)[0], range(16)))
    assert sorted(answers) == [200] + [401] * 15
    clock.forward(seconds=80)  # its end has passed, the leeway has not
    assert world.provider_token(assertion)[0] == 401


def test_a_used_id_is_remembered_longer_than_any_assertion_is_good(embedded_db: Any) -> None:
    """The database clears by its own clock; it must not before the last moment a replay would be in time."""
    MongoJtis(embedded_db).use("his", "one", sign_ins.system_now())
    kept = embedded_db["used_assertions"].find_one({})["purge_at"] - sign_ins.system_now()
    assert kept > LONGEST_LIFE + 2 * LEEWAY + timedelta(minutes=5), "with minutes to spare for clocks apart"
    assert any(index.ttl == 0 and index.collection == "used_assertions" for index in sign_ins.INDEXES)


def test_an_actor_statement_and_an_assertion_share_no_second_use(world: World) -> None:
    """One id, one use, whichever of the two it is used for."""
    jti = new_id()
    assert world.provider_token(world.assertion(jti=jti))[0] == 200
    assert world.practitioner_token(actor_token=world.assertion(sub="doctor", jti=jti))[0] == 400


def test_a_client_rolls_its_key_over_with_two_live_keys(world: World) -> None:
    old, new = world.provider_key, ECKey.generate_key("P-256", {"kid": "p2"})
    world.identity.clients.change_keys("his", public(old, new))
    assert world.provider_token(by(old, world))[0] == 200
    assert world.provider_token(by(new, world))[0] == 200
    assert world.provider_token(world.assertion(new, {"kid": "p1"}))[0] == 401, "each key under its own id"
    waiting = by(old, world)
    world.identity.clients.change_keys("his", public(new))
    assert world.provider_token(waiting)[0] == 401, "a removed key is refused at once"
    assert world.provider_token(by(old, world))[0] == 401
    assert world.provider_token(by(new, world))[0] == 200


def test_a_removed_keys_tokens_are_refused_at_once(world: World) -> None:
    token = world.provider_token()[1]["access_token"]
    world.identity.clients.change_keys("his", public(ECKey.generate_key("P-256", {"kid": "p2"})))
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(token)


def test_a_suspended_client_is_refused_however_well_it_signs(world: World) -> None:
    waiting = world.assertion()
    world.identity.clients.set_status("his", "suspended")
    assert world.provider_token(waiting)[0] == 401


def test_an_app_cannot_come_as_a_provider_nor_a_provider_as_an_app(world: World) -> None:
    form = {"client_assertion_type": ASSERTION, "client_assertion": world.assertion(iss="app", sub="app")}
    assert world.token(grant_type="client_credentials", **form)[0] == 401
    assert (
        world.token(grant_type="authorization_code", client_id="his", code="x", code_verifier="v" * 43)[0]
        == 401
    )


# --- our own keys --------------------------------------------------------------------------------------


def published(world: World) -> list[str]:
    keys = world.browser().get("/.well-known/jwks.json").get_json()["keys"]
    return [str(key["kid"]) for key in keys]


def kid_of(token: str) -> str:
    return str(json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"])


def test_our_key_rolls_over_without_losing_anybody(world: World) -> None:
    old = world.signed_in()
    fresh_kid = world.keys.rotate("token")
    new = world.refresh(old["refresh_token"])[1]
    assert kid_of(old["access_token"]) != kid_of(new["access_token"]) == fresh_kid
    for body in (old, new):
        assert world.identity.authenticator.caller(body["access_token"]).kind == "citizen"
    assert published(world) == [fresh_kid, kid_of(old["access_token"])]
    keys = KeySet.import_key_set(world.browser().get("/.well-known/jwks.json").get_json())
    for body in (old, new):
        assert jwt.decode(body["access_token"], keys, algorithms=["ES256"]).claims["iss"] == BASE
    world.clock.forward(seconds=331)
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(old["access_token"])
    assert world.refresh(new["refresh_token"])[0] == 200, "the session goes on"


def test_a_retired_key_is_refused_within_a_minute_even_for_what_was_proven_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = world.signed_in()
    world.keys.rotate("token")
    assert world.identity.authenticator.caller(body["access_token"])
    world.keys._shelf.destroy("token-1")
    later = time.monotonic() + keystore.HELD_SECONDS + 1
    monkeypatch.setattr(keystore.time, "monotonic", lambda: later)
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(body["access_token"])
    assert kid_of(body["access_token"]) not in published(world)
    again = world.refresh(body["refresh_token"])[1]
    assert world.identity.authenticator.caller(again["access_token"]), (
        "only the token was lost, not the session"
    )
