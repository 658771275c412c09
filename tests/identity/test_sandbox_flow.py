"""Signing in at the real sandbox provider process, on the embedded database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask.testing import FlaskClient

from tests.identity.stores import mongo_stores
from tests.identity.world import World, make_world, told_in
from tests.sandbox.conftest import end, ready_line, sandbox_env, start
from wallet_api.identity.errors import TokenRefused
from wallet_api.infra.clock import FileClock
from wallet_api.infra.machine import free_port


@pytest.fixture
def real(tmp_path: Path, embedded_db: Any) -> Iterator[World]:
    port, clock = free_port(), FileClock(tmp_path / "clock")
    issuer = f"http://127.0.0.1:{port}"
    found = make_world(issuer, clock, mongo_stores(embedded_db))  # type: ignore[arg-type]  # the world also takes an issuer for its upstream
    (tmp_path / "sandbox").mkdir()
    for use, audience in (("vneid_client", "citizen"), ("ops_client", "ops")):
        keys = json.dumps(found.keys.jwks(use))  # type: ignore[arg-type]  # both are uses
        (tmp_path / "sandbox" / f"{audience}-client.jwks.json").write_text(keys)
    process = start("vneid", sandbox_env(tmp_path, port), "--port", str(port), "--issuer", issuer)
    try:
        ready_line(process)
        yield found
    finally:
        end(process)


def sign_in(world: World, person: str, client: str = "app") -> tuple[dict[str, str], str, FlaskClient]:
    """Walk through both providers as a browser does: our answer at the app, and the verifier."""
    browser = world.browser()
    verifier, asked = world.begin(browser, client_id=client)
    address = f"{world.upstream}/oauth2/authorize"
    answer = requests.get(address, asked | {"login_hint": person}, allow_redirects=False, timeout=30)
    back = urlsplit(answer.headers["Location"])
    told = told_in(browser.get(f"{back.path}?{back.query}").headers["Location"])
    return told, verifier, browser


def test_a_demo_person_signs_in_refreshes_and_signs_out(real: World) -> None:
    told, verifier, _ = sign_in(real, "an")
    status, body = real.exchange(told["code"], verifier)
    assert status == 200
    caller = real.identity.authenticator.caller(body["access_token"])
    assert real.identity.people.profile(caller.subject_id).name == "Nguyễn Thị An"
    assert real.identity.people.resolve("national_id", "001194999001") == caller.subject_id
    assert caller.stepped_up(real.clock())
    fresh = real.refresh(body["refresh_token"])[1]
    again, verifier, _ = sign_in(real, "an")
    second = real.exchange(again["code"], verifier)[1]
    assert real.identity.authenticator.caller(second["access_token"]).subject_id == caller.subject_id
    assert real.identity.sessions.end_all(caller.subject_id) == 2
    for token in (fresh["access_token"], second["access_token"]):
        with pytest.raises(TokenRefused):
            real.identity.authenticator.caller(token)


def test_an_ops_member_signs_in_at_the_console(real: World) -> None:
    people = json.loads((Path(__file__).parents[2] / "wallet_api/sandbox/people.json").read_text("utf-8"))
    staff, roles = people["staff"][0]["id"], people["staff"][0]["roles"]
    told, verifier, _ = sign_in(real, staff, "console")
    body = real.exchange(told["code"], verifier, client="console")[1]
    caller = real.identity.authenticator.caller(body["access_token"])
    assert (caller.kind, caller.roles) == ("ops", frozenset(roles))


def test_a_provider_and_its_practitioner_on_the_database(real: World) -> None:
    status, body = real.practitioner_token()
    assert status == 200
    assert real.identity.authenticator.caller(body["access_token"]).practitioner_id == "doctor"
    real.identity.organisations.dismiss("hospital", "doctor")
    assert real.practitioner_token()[1]["error"] == "invalid_grant"


def test_a_code_replay_and_a_stolen_refresh_token_end_sessions_on_the_database(real: World) -> None:
    told, verifier, _ = sign_in(real, "binh")
    body = real.exchange(told["code"], verifier)[1]
    assert real.exchange(told["code"], verifier)[0] == 400
    with pytest.raises(TokenRefused):
        real.identity.authenticator.caller(body["access_token"])
    told, verifier, _ = sign_in(real, "binh")
    first = real.exchange(told["code"], verifier)[1]["refresh_token"]
    second = real.refresh(first)[1]["refresh_token"]
    assert real.refresh(second)[0] == 200
    assert real.refresh(first)[0] == 400
    assert len(real.stolen) == 1
