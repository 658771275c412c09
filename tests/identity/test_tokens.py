"""Access tokens: forged ones are refused, and a session that ended takes its tokens with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt as jose
from joserfc.jwk import OctKey

from tests.identity.world import BASE, World
from wallet_api.identity.errors import SessionUnknown, TokenRefused
from wallet_api.infra.crypto.jws import load_private_key, new_private_pem, sign_compact, signer_of

Forge = Callable[[World, dict[str, Any]], str]


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    first, second, third = token.split(".")
    return (*(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (first, second)), third)


def resigned(world: World, claims: dict[str, Any], typ: str = "at+jwt", **header: object) -> str:
    signer = world.keys.signer("token")
    return sign_compact(signer, json.dumps(claims).encode(), typ=typ, header=header)


def claim(**over: object) -> Forge:
    def forge(world: World, claims: dict[str, Any]) -> str:
        changed = {name: value for name, value in (claims | over).items() if value is not None}
        return resigned(world, changed)

    return forge


def moved(name: str, seconds: int) -> Forge:
    return lambda world, claims: resigned(world, claims | {name: claims["iat"] + seconds})


def by_another_key(world: World, claims: dict[str, Any]) -> str:
    real = world.keys.signer("token")
    other = signer_of(load_private_key(new_private_pem("ES256")))
    fake = type(real)(real.kid, real.alg, other.sign)
    return sign_compact(fake, json.dumps(claims).encode(), typ="at+jwt")


def by_our_receipt_key(world: World, claims: dict[str, Any]) -> str:
    return sign_compact(world.keys.signer("receipt"), json.dumps(claims).encode(), typ="at+jwt")


def unsigned(world: World, claims: dict[str, Any]) -> str:
    head = {"alg": "none", "typ": "at+jwt", "kid": world.keys.signer("token").kid}
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in (head, claims)]
    return f"{encoded[0]}.{encoded[1]}."


def hmac_over_the_public_key(world: World, claims: dict[str, Any]) -> str:
    jwk = world.keys.jwks("token")["keys"][0]
    head = {"alg": "HS256", "typ": "at+jwt", "kid": jwk["kid"]}
    return jose.encode(head, claims, OctKey.import_key(json.dumps(jwk)), algorithms=["HS256"])


def changed_after_signing(world: World, claims: dict[str, Any]) -> str:
    first, _, third = resigned(world, claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "somebody"}).encode()).rstrip(b"=").decode()
    return f"{first}.{body}.{third}"


FORGERIES: dict[str, Forge] = {
    "no signature": unsigned,
    "another key under our kid": by_another_key,
    "our key of another use": by_our_receipt_key,
    "hmac over the public key": hmac_over_the_public_key,
    "changed after signing": changed_after_signing,
    "typ JWT": lambda world, claims: resigned(world, claims, typ="JWT"),
    "typ of a receipt": lambda world, claims: resigned(world, claims, typ="receipt+jwt"),
    "jwk in the header": lambda world, claims: resigned(world, claims, jwk={"kty": "EC"}),
    "jku in the header": lambda world, claims: resigned(world, claims, jku="https://evil.example"),
    "crit in the header": lambda world, claims: resigned(world, claims, crit=["x"], x=1),
    "other iss": claim(iss="https://evil.example"),
    "no iss": claim(iss=None),
    "other aud": claim(aud="https://evil.example/api"),
    "aud list": claim(aud=[f"{BASE}/api", "https://evil.example"]),
    "no aud": claim(aud=None),
    "no exp": claim(exp=None),
    "exp as text": claim(exp="later"),
    "exp as true": claim(exp=True),
    "expired": moved("exp", -31),
    "not yet good": moved("nbf", 31),
    "issued in the future": moved("iat", 31),
    "no sub": claim(sub=None),
    "no jti": claim(jti=None),
    "no sid": claim(sid=None),
    "another's sub": claim(sub="aaaaaaaaaaaaaaaaaaaaaaaaaa"),
    "another client": claim(client_id="other-app"),
    "unknown session": claim(sid="aaaaaaaaaaaaaaaaaaaaaaaaaa"),
    "another version": claim(ver=2),
    "version as text": claim(ver="1"),
    "kind ops": claim(kind="ops"),
    "kind provider": claim(kind="provider"),
    "kind unknown": claim(kind="root"),
    "an actor on a citizen's token": claim(act={"sub": "doctor"}),
    "a nested actor": claim(act={"sub": "doctor", "act": {"sub": "x"}}),
    "too large": claim(padding="x" * 4096),
    "not a token": lambda world, claims: "hello",
    "empty": lambda world, claims: "",
    "deep nesting": lambda world, claims: "[" * 4000,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_access_token_is_refused(world: World, forge: Forge) -> None:
    _, claims, _ = parts(world.signed_in()["access_token"])
    world.identity.authenticator.caller(resigned(world, claims))
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(forge(world, claims))


NESTED = {"sub": "doctor", "act": {"sub": "another"}}


@pytest.mark.parametrize(
    "forge", [claim(sub="another"), claim(ver=2), claim(act="doctor"), claim(act={}), claim(act=NESTED)]
)
def test_a_forged_provider_token_is_refused(world: World, forge: Forge) -> None:
    _, claims, _ = parts(world.practitioner_token()[1]["access_token"])
    assert world.identity.authenticator.caller(resigned(world, claims)).practitioner_id == "doctor"
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(forge(world, claims))


def test_a_token_lives_five_minutes_and_half_a_minute_of_leeway(world: World) -> None:
    token = world.signed_in()["access_token"]
    world.clock.forward(seconds=329)
    world.identity.authenticator.caller(token)
    world.clock.forward(seconds=1)
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(token)


def test_times_are_judged_by_the_injected_clock_years_away(world: World) -> None:
    world.clock.forward(days=3000)
    assert world.identity.authenticator.caller(world.signed_in()["access_token"]).kind == "citizen"


def test_an_ended_session_ends_its_tokens_at_once(world: World) -> None:
    body = world.signed_in()
    caller = world.identity.authenticator.caller(body["access_token"])
    world.identity.sessions.end(caller.session_id, subject_id=caller.subject_id)
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(body["access_token"])
    assert world.refresh(body["refresh_token"])[1]["error"] == "invalid_grant"
    assert world.identity.sessions.of(caller.subject_id) == []


def test_ending_all_sessions_ends_every_one_and_nobody_elses(world: World) -> None:
    tokens = [world.signed_in()["access_token"] for _ in range(3)]
    caller = world.identity.authenticator.caller(tokens[0])
    world.upstream.person = world.upstream.person | {"sub": "sub-2", "number": "001194999002"}
    stranger = world.signed_in()["access_token"]
    assert world.identity.sessions.end_all(caller.subject_id) == 3
    for token in tokens:
        with pytest.raises(TokenRefused):
            world.identity.authenticator.caller(token)
    assert world.identity.authenticator.caller(stranger).kind == "citizen"


def test_a_session_that_has_run_out_takes_its_last_access_token_with_it(world: World) -> None:
    body = world.signed_in()
    for step in ({"days": 29}, {"days": 29}, {"days": 29}, {"days": 2, "hours": 23, "minutes": 58}):
        world.clock.forward(**step)
        body = world.refresh(body["refresh_token"])[1]
    world.identity.authenticator.caller(body["access_token"])
    world.clock.forward(minutes=3)
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(body["access_token"])


def test_nobody_ends_anothers_session(world: World) -> None:
    caller = world.identity.authenticator.caller(world.signed_in()["access_token"])
    with pytest.raises(SessionUnknown):
        world.identity.sessions.end(caller.session_id, subject_id="somebody-else")
    assert len(world.identity.sessions.of(caller.subject_id)) == 1


def test_step_up_holds_five_minutes_and_a_refresh_does_not_renew_it(world: World) -> None:
    body = world.signed_in()
    world.clock.forward(minutes=5)
    assert world.identity.authenticator.caller(body["access_token"]).stepped_up(world.clock())
    world.clock.forward(seconds=1)
    fresh = world.refresh(body["refresh_token"])[1]["access_token"]
    assert not world.identity.authenticator.caller(fresh).stepped_up(world.clock())
    again = world.signed_in(prompt="login", max_age="0")["access_token"]
    assert world.identity.authenticator.caller(again).stepped_up(world.clock())


def test_a_rotated_signing_key_still_verifies_older_tokens(world: World) -> None:
    token = world.signed_in()["access_token"]
    world.keys.rotate("token")
    assert world.identity.authenticator.caller(token).kind == "citizen"
    assert parts(world.signed_in()["access_token"])[0]["kid"] != parts(token)[0]["kid"]


def test_revocation_ends_the_session_and_tells_nothing(world: World) -> None:
    body = world.signed_in()
    for token in ("unknown", "x" * 5000, body["refresh_token"], body["refresh_token"]):
        assert world.post("/oauth/revoke", {"client_id": "app", "token": token}) == (200, {})
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(body["access_token"])


def test_revocation_takes_an_access_token_too(world: World) -> None:
    body = world.signed_in()
    assert world.post("/oauth/revoke", {"client_id": "app", "token": body["access_token"]})[0] == 200
    assert world.refresh(body["refresh_token"])[0] == 400


def test_another_client_cannot_revoke(world: World) -> None:
    body = world.signed_in()
    for token in (body["access_token"], body["refresh_token"]):
        world.post("/oauth/revoke", {"client_id": "other-app", "token": token})
    assert world.identity.authenticator.caller(body["access_token"]).kind == "citizen"
    assert world.post("/oauth/revoke", {"token": body["refresh_token"]})[0] == 401
