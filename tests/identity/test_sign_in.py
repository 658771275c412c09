"""Signing in over a real HTTP upstream: the whole flow, and every way it must not go."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.identity.world import (
    BASE,
    REDIRECT,
    World,
    authorize_query,
    bare_app,
    make_world,
    settings_for,
    told_in,
)
from wallet_api.identity.oidc.breaker import Breaker
from wallet_api.identity.oidc.discovery import Discovery


def refused(world: World, **over: str | None) -> dict[str, str]:
    """The app's redirect parameters after a callback that must not sign anybody in."""
    browser = world.browser()
    _, asked = world.begin(browser)
    told = told_in(world.back(browser, asked, **over).headers.get("Location", ""))
    assert "code" not in told
    return told


def test_whole_flow_signs_the_person_in(world: World) -> None:
    browser = world.browser()
    verifier, asked = world.begin(browser)
    assert asked["prompt"] == "login"
    assert asked["max_age"] == "0"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{BASE}/oauth/vneid/callback"
    answer = world.back(browser, asked)
    assert answer.headers["Location"].startswith(REDIRECT)
    assert answer.headers["Cache-Control"] == "no-store"
    told = told_in(answer.headers["Location"])
    assert (told["state"], told["iss"]) == ("app-state", BASE)
    status, body = world.exchange(told["code"], verifier)
    assert status == 200
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    caller = world.identity.authenticator.caller(body["access_token"])
    assert caller.kind == "citizen"
    assert caller.stepped_up(world.clock())
    assert world.identity.people.profile(caller.subject_id).name == "Nguyễn Thị An"


def test_the_upstreams_tokens_reach_nobody(world: World) -> None:
    browser = world.browser()
    verifier, asked = world.begin(browser)
    answer = world.back(browser, asked)
    _, body = world.exchange(told_in(answer.headers["Location"])["code"], verifier)
    everything = f"{answer.headers} {body} {world.identity.oauth.sign_in.attempts}"
    assert "upstream-access" not in everything


def test_the_code_is_exchanged_with_our_signed_assertion_and_verifier(world: World) -> None:
    world.code()
    form = world.upstream.forms[-1]
    key = ECKey.import_key(world.keys.jwks("vneid_client")["keys"][0])
    claims = jwt.decode(form["client_assertion"], key, algorithms=["ES256"]).claims
    assert claims["aud"] == f"{world.upstream.issuer}/token"
    assert claims["iss"] == claims["sub"] == "health-wallet"
    assert claims["exp"] - world.clock().timestamp() == 60
    assert len(form["code_verifier"]) == 43


def test_the_cookie_is_bound_to_the_attempt_and_hidden_from_scripts(world: World) -> None:
    answer = world.browser().get("/oauth/authorize", query_string=authorize_query("v" * 43))
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=300" in cookie
    assert "Secure" not in cookie


def test_outside_development_the_cookie_is_secure_and_host_locked(world: World) -> None:
    object.__setattr__(world.identity.oauth.sign_in, "dev", False)
    app = bare_app(world.identity, dev=False)
    answer = app.test_client().get("/oauth/authorize", query_string=authorize_query("v" * 43))
    assert answer.headers["Set-Cookie"].startswith("__Host-")
    assert "Secure" in answer.headers["Set-Cookie"]


FORGERIES: dict[str, dict[str, Any]] = {
    "other nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "other iss": {"iss": "https://evil.example"},
    "other aud": {"aud": "another-client"},
    "aud list without us": {"aud": ["another-client"]},
    "other azp": {"azp": "another-client"},
    "two audiences and no azp": {"aud": ["health-wallet", "another"], "azp": None},
    "no sub": {"sub": None},
    "expired": {"exp": -31},
    "no exp": {"exp": None},
    "exp as text": {"exp": "tomorrow"},
    "issued in the future": {"iat": 31},
    "issued long ago": {"iat": -400},
    "not yet good": {"nbf": 31},
    "low acr": {"acr": "1"},
    "no acr": {"acr": None},
    "other at_hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "at_hash as a list": {"at_hash": []},
    "authenticated before we asked": {"auth_time": -31},
    "no auth_time": {"auth_time": None},
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_claim_signs_nobody_in(world: World, forgery: dict[str, Any]) -> None:
    now = int(world.clock().timestamp())

    def forge(_header: dict[str, Any], claims: dict[str, Any]) -> None:
        for name, value in forgery.items():
            claims[name] = now + value if isinstance(value, int) else value
            if value is None:
                del claims[name]

    world.upstream.forge = forge
    assert refused(world)["error_description"] == "sign_in_refused"


def test_a_provider_that_leaves_the_optional_at_hash_out_is_understood(world: World) -> None:
    world.upstream.forge = lambda _header, claims: claims.pop("at_hash")
    assert world.signed_in()["token_type"] == "Bearer"


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header | {"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def test_an_unsigned_id_token_signs_nobody_in(world: World) -> None:
    world.upstream.encode = unsigned
    assert refused(world)["error"] == "access_denied"


def test_an_id_token_by_another_key_signs_nobody_in(world: World) -> None:
    other = ECKey.generate_key("P-256", {"kid": "k1"})
    world.upstream.encode = lambda header, claims: jwt.encode(header, claims, other, algorithms=["ES256"])
    assert refused(world)["error"] == "access_denied"


def test_an_id_token_by_hmac_over_the_public_key_signs_nobody_in(world: World) -> None:
    secret = OctKey.import_key(json.dumps(world.upstream.key.as_dict(private=False)))
    world.upstream.encode = lambda header, claims: jwt.encode(
        header | {"alg": "HS256"}, claims, secret, algorithms=["HS256"]
    )
    assert refused(world)["error"] == "access_denied"


def test_an_id_token_that_brings_its_own_key_signs_nobody_in(world: World) -> None:
    other = ECKey.generate_key("P-256", {"kid": "evil"})
    jwk = other.as_dict(private=False)
    world.upstream.encode = lambda header, claims: jwt.encode(
        header | {"kid": "evil", "jwk": jwk}, claims, other, algorithms=["ES256"]
    )
    assert refused(world)["error"] == "access_denied"


@pytest.mark.parametrize("path", ["vneid", "ops"])
def test_a_callback_without_the_cookie_signs_nobody_in(world: World, path: str) -> None:
    _, asked = world.begin(world.browser())
    answer = world.back(world.browser(), asked, path)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert asked["state"] not in answer.get_data(as_text=True)


def test_another_browsers_cookie_signs_nobody_in(world: World) -> None:
    victim, attacker = world.browser(), world.browser()
    _, asked = world.begin(attacker)
    _, own = world.begin(victim)
    name = world.identity.oauth.sign_in.cookie_name
    victim.set_cookie(name(asked["state"]), victim.get_cookie(name(own["state"])).value)
    assert world.back(victim, asked).status_code == 400


def test_the_other_providers_callback_refuses_the_attempt(world: World) -> None:
    browser = world.browser()
    _, asked = world.begin(browser)
    assert world.back(browser, asked, "ops").status_code == 400


def test_a_state_works_once_even_for_sixteen_at_a_time(world: World) -> None:
    browser = world.browser()
    _, asked = world.begin(browser)
    name = world.identity.oauth.sign_in.cookie_name(asked["state"])
    value = browser.get_cookie(name).value

    def again(_: int) -> bool:
        fresh = world.browser()
        fresh.set_cookie(name, value)
        return "code" in told_in(world.back(fresh, asked).headers.get("Location", ""))

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(again, range(16))) == 1


def test_a_stale_attempt_signs_nobody_in(world: World) -> None:
    browser = world.browser()
    _, asked = world.begin(browser)
    world.clock.forward(minutes=5)
    assert world.back(browser, asked).status_code == 400


@pytest.mark.parametrize("over", [{"state": "x" * 43}, {"state": None}, {"state": ""}])
def test_an_unknown_state_signs_nobody_in(world: World, over: dict[str, str | None]) -> None:
    browser = world.browser()
    _, asked = world.begin(browser)
    assert world.back(browser, asked, **over).status_code == 400


def test_a_mixed_up_issuer_signs_nobody_in(world: World) -> None:
    assert refused(world, iss="https://evil.example")["error_description"] == "sign_in_refused"
    assert world.upstream.forms == []


def test_a_missing_issuer_signs_nobody_in_where_the_provider_sends_it(world: World) -> None:
    world.upstream.metadata = {"authorization_response_iss_parameter_supported": True}
    assert refused(world)["error_description"] == "sign_in_refused"


@pytest.mark.parametrize(
    ("told", "error"), [("access_denied", "access_denied"), ("login_required", "server_error")]
)
def test_the_upstreams_refusal_goes_to_the_app_in_our_words(world: World, told: str, error: str) -> None:
    found = refused(world, code=None, error=told, error_description="<script> Người dùng")
    assert (found["error"], found["state"], found["iss"]) == (error, "app-state", BASE)
    assert "script" not in found["error_description"]


def test_an_upstream_that_fails_is_told_as_unavailable(world: World) -> None:
    world.upstream.status = 500
    assert refused(world)["error"] == "temporarily_unavailable"


def test_a_gone_upstream_is_told_as_unavailable(world: World) -> None:
    gone = make_world(world.upstream, world.clock)
    sign_in = gone.identity.oauth.sign_in
    sign_in.providers["vneid"]._discovery = Discovery("http://127.0.0.1:9", Breaker(), dev=True)  # type: ignore[index]  # a dict within
    answer = gone.browser().get("/oauth/authorize", query_string=authorize_query("v" * 43))
    assert told_in(answer.headers["Location"])["error"] == "temporarily_unavailable"


def test_an_ops_member_signs_in_with_known_roles_only(world: World) -> None:
    world.upstream.person = {
        "aud": "health-wallet-ops",
        "azp": "health-wallet-ops",
        "roles": ["operator", "root"],
    }
    body = world.signed_in(client_id="console")
    caller = world.identity.authenticator.caller(body["access_token"])
    assert (caller.kind, caller.roles) == ("ops", frozenset({"operator"}))


def test_an_ops_member_without_a_role_is_refused(world: World) -> None:
    world.upstream.person = {"aud": "health-wallet-ops", "azp": "health-wallet-ops", "roles": ["root"]}
    browser = world.browser()
    _, asked = world.begin(browser, client_id="console")
    told = told_in(world.back(browser, asked, "ops").headers["Location"])
    assert told["error_description"] == "claims_refused"


def test_settings_without_an_upstream_answer_as_unavailable(world: World) -> None:
    world.identity.oauth.sign_in.providers.clear()  # type: ignore[attr-defined]  # a dict within
    answer = world.browser().get("/oauth/authorize", query_string=authorize_query("v" * 43))
    assert told_in(answer.headers["Location"])["error"] == "temporarily_unavailable"
    assert settings_for("").vneid_issuer == ""
