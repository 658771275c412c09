"""Signing in at OpenID providers that others wrote: npm oidc-provider and oauth2-mock-server, over real HTTP.

`make test` installs them where npm is; elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from joserfc.jwk import ECKey

from tests.identity.world import AN, BASE, World, make_world, told_in
from tests.node_peers import NODE, PEERS, SCRIPTS, needs, placed
from tests.sandbox.conftest import free_port
from wallet_api.infra.clock import system_now

CALLBACK = f"{BASE}/oauth/vneid/callback"

pytestmark = needs("oidc-provider", "oauth2-mock-server")


@contextmanager
def running(script: str, **told: Any) -> Iterator[None]:
    """One of the peers, until the block ends."""
    process = subprocess.Popen(
        [str(NODE), placed(script)],
        cwd=PEERS,
        env={"PATH": os.environ["PATH"], "PEER": json.dumps(told)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        heard = []
        for line in process.stdout:
            heard.append(line)
            if line.strip() == "ready":
                break
        assert heard[-1:] == ["ready\n"], "".join(heard)
        yield
    finally:
        process.kill()
        process.communicate(timeout=10)


def wallet_at(port: int) -> World:
    """A wallet whose citizens sign in there; by the machine's clock, as the peer has no other."""
    return make_world(f"http://127.0.0.1:{port}", system_now)


def upstream_answer(asked_at: str) -> str:
    """What the provider's pages send the browser back with: every step over HTTP, as a browser does."""
    with requests.Session() as browser:
        address = asked_at
        for _ in range(12):
            answer = browser.get(address, allow_redirects=False, timeout=5)
            assert answer.status_code in (302, 303), answer.text[:500]
            address = urljoin(address, answer.headers["Location"])
            if address.startswith(CALLBACK):
                return address
    raise AssertionError("the provider sends the browser in circles")


class Visit:
    """One sign-in under way in one browser."""

    def __init__(self, world: World) -> None:
        from tests.identity.world import authorize_query

        self.world, self.browser, self.verifier = world, world.browser(), "v" * 50
        begun = self.browser.get("/oauth/authorize", query_string=authorize_query(self.verifier))
        self.location = begun.headers["Location"]
        assert urlsplit(self.location).netloc, self.location

    def back(self, **over: str | None) -> dict[str, str]:
        """The person signs in; what the app is told. `over` changes what the browser brings back."""
        return self.bring({**told_in(upstream_answer(self.location)), **over})

    def bring(self, told: dict[str, str | None]) -> dict[str, str]:
        query = {name: value for name, value in told.items() if value is not None}
        answer = self.browser.get("/oauth/vneid/callback", query_string=query)
        return told_in(answer.headers.get("Location", "")) or {"error": str(answer.status_code)}

    def exchanged(self, told: dict[str, str]) -> Any:
        return self.world.exchange(told["code"], self.verifier)


def ec_key(kid: str) -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}).as_dict(private=True))


def certified(world: World, port: int, kid: str = "one") -> Any:
    return running(
        "certified.mjs",
        port=port,
        wallet=world.keys.jwks("vneid_client"),
        keys=[ec_key(kid)],
        person=AN,
        redirect=CALLBACK,
    )


def test_a_person_signs_in_at_oidc_provider_and_nothing_replayed_is_taken() -> None:
    port = free_port()
    world = wallet_at(port)
    with certified(world, port):
        visit = Visit(world)
        brought = told_in(upstream_answer(visit.location))
        assert brought["iss"] == f"http://127.0.0.1:{port}"
        told = visit.bring(dict(brought))
        status, body = visit.exchanged(told)
        assert status == 200
        caller = world.identity.authenticator.caller(body["access_token"])
        assert world.identity.people.profile(caller.subject_id).name == AN["name"]
        assert world.identity.people.resolve("national_id", AN["number"]) == caller.subject_id
        assert caller.acr == "2"
        assert caller.stepped_up(world.clock())
        refused = {
            "the same answer again": visit.bring(dict(brought)),
            "its code in another attempt": Visit(world).back(code=brought["code"]),
            "its code as another browser's": Visit(world).bring(dict(brought)),
            "another issuer": Visit(world).back(iss="https://evil.example"),
            "no issuer": Visit(world).back(iss=None),
            "no code": Visit(world).back(code=None),
            "a made-up code": Visit(world).back(code="made-up"),
        }
    print(f"\noidc-provider: 1 sign-in, {len(refused)} replays and swaps refused")
    assert [name for name, told in refused.items() if "code" in told or "error" not in told] == []
    assert len(world.identity.sessions.of(caller.subject_id)) == 1


def test_a_key_that_rolled_over_at_oidc_provider_is_found() -> None:
    port, tick = free_port(), [0.0]
    world = wallet_at(port)
    discovery: Any = world.identity.oauth.sign_in.providers["vneid"]
    discovery._discovery._tick = lambda: tick[0]
    with certified(world, port, "one"):
        assert "code" in Visit(world).back()
    with certified(world, port, "two"):
        assert Visit(world).back()["error_description"] == "sign_in_refused", "looked for once a minute"
        tick[0] = 61.0
        assert "code" in Visit(world).back()


def test_a_wallet_with_a_key_oidc_provider_does_not_know_gets_nothing() -> None:
    port = free_port()
    world, another = wallet_at(port), wallet_at(port)
    with certified(another, port):
        assert Visit(world).back()["error"] == "access_denied"


BENDS: dict[str, dict[str, Any]] = {
    "other nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "other issuer": {"claims": {"iss": "https://evil.example"}},
    "other audience": {"claims": {"aud": "another-client"}},
    "two audiences, no azp": {"claims": {"aud": ["health-wallet", "another"]}},
    "other azp": {"claims": {"azp": "another"}},
    "low acr": {"claims": {"acr": "1"}},
    "no acr": {"claims": {"acr": None}},
    "other at_hash": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "at_hash as a number": {"claims": {"at_hash": 7}},
    "old sign-in": {"claims": {"auth_time": 1}},
    "no sub": {"claims": {"sub": None}},
    "expired": {"claims": {"exp": 1}},
    "issued long ago": {"claims": {"iat": 1}},
    "not yet good": {"claims": {"nbf": 2**33}},
    "unknown kid": {"head": {"kid": "unknown"}},
    "typ of an access token": {"head": {"typ": "at+jwt"}},
    "status 500": {"status": 500},
    "status 401": {"status": 401, "body": {"error": "invalid_client"}},
    "no ID token": {"body": {"access_token": "peer-access"}},
    "a text for an answer": {"body": "hello"},
}


def test_what_oauth2_mock_server_bends_signs_nobody_in(
    record_property: Callable[[str, object], None],
) -> None:
    port = free_port()
    world = wallet_at(port)
    with running("pliable.mjs", port=port, person=AN):

        def bent(how: dict[str, Any]) -> dict[str, str]:
            # Each failure counts for itself here, and two of them in a row are not yet an outage.
            requests.post(f"http://127.0.0.1:{port + 1}/bend", json=how, timeout=5)
            return Visit(world).back()

        assert "code" in bent({})
        got_in = [name for name, how in BENDS.items() if "code" in bent(how)]
        told = bent({})
        assert "code" in told, "and once it behaves, people get in again"
    record_property("bent_answers_refused", len(BENDS))
    print(f"\noauth2-mock-server: {len(BENDS)} bent answers, {len(got_in)} got in")
    assert got_in == []


def test_the_peers_are_pinned_and_no_registry_is_named() -> None:
    """The lock must serve whoever installs from a mirror of their own."""
    lock = json.loads((SCRIPTS / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    # What a package brings along within itself is covered by its own digest.
    fetched = [one for one in packages.values() if not one.get("inBundle")]
    assert all("integrity" in one for one in fetched)
    assert not any("resolved" in one for one in packages.values())
    wanted = json.loads((SCRIPTS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
