"""Provider systems: signed assertions used once, practitioners named, rosters obeyed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.identity.world import BASE, World
from wallet_api.identity.errors import OffRoster, TokenRefused
from wallet_api.identity.model import Practitioner


def test_a_signed_assertion_gives_a_token_of_the_organisation(world: World) -> None:
    status, body = world.provider_token()
    assert status == 200
    assert "refresh_token" not in body
    caller = world.identity.authenticator.caller(body["access_token"])
    assert (caller.kind, caller.organisation_id, caller.practitioner_id) == ("provider", "hospital", None)
    assert not caller.stepped_up(world.clock())


@pytest.mark.parametrize("audience", [BASE, f"{BASE}/oauth/token"])
def test_the_assertion_names_the_issuer_or_the_token_endpoint(world: World, audience: str) -> None:
    assert world.provider_token(world.assertion(aud=audience))[0] == 200


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "other iss": {"iss": "other"},
    "no iss": {"iss": None},
    "other sub": {"sub": "app"},
    "no sub": {"sub": None},
    "sub not text": {"sub": 1},
    "other aud": {"aud": "https://evil.example"},
    "aud list": {"aud": [BASE, "https://evil.example"]},
    "no aud": {"aud": None},
    "no exp": {"exp": None},
    "no jti": {"jti": None},
    "jti not text": {"jti": 7},
    "endless jti": {"jti": "x" * 129},
}


@pytest.mark.parametrize("over", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_an_assertion_with_a_bad_claim_is_refused(world: World, over: dict[str, Any]) -> None:
    status, body = world.provider_token(world.assertion(**over))
    assert (status, body["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(("name", "seconds"), [("exp", -30), ("exp", 331), ("iat", 31), ("nbf", 31)])
def test_an_assertion_out_of_time_is_refused(world: World, name: str, seconds: int) -> None:
    moment = int(world.clock().timestamp()) + seconds
    assert world.provider_token(world.assertion(**{name: moment}))[0] == 401


def test_an_assertion_by_another_key_is_refused(world: World) -> None:
    other = ECKey.generate_key("P-256", {"kid": "p1"})
    assert world.provider_token(world.assertion(other))[0] == 401


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "[" * 4000, "x" * 9000, "é"])
def test_a_malformed_assertion_is_refused(world: World, text: str) -> None:
    assert world.provider_token(text or "x")[0] in (400, 401)


def test_an_unsigned_assertion_is_refused(world: World) -> None:
    head, body, _ = world.assertion().split(".")
    import base64

    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"p1"}').rstrip(b"=").decode()
    assert world.provider_token(f"{none}.{body}.")[0] == 401
    assert world.provider_token(f"{head}.{body}.")[0] == 401


def test_an_assertion_works_once_even_for_sixteen_at_a_time(world: World) -> None:
    assertion = world.assertion()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: world.provider_token(assertion)[0], range(16)))
    assert sorted(answers) == [200] + [401] * 15


def test_a_client_id_that_differs_from_the_assertion_is_refused(world: World) -> None:
    from tests.identity.world import ASSERTION

    form = {"client_assertion_type": ASSERTION, "client_assertion": world.assertion()}
    assert world.token(grant_type="client_credentials", client_id="app", **form)[0] == 401


def test_an_app_gets_no_provider_token(world: World) -> None:
    assert world.token(grant_type="client_credentials", client_id="app")[0] == 401


def test_a_provider_gets_no_persons_grant(world: World) -> None:
    from tests.identity.world import ASSERTION

    form = {"client_assertion_type": ASSERTION, "client_assertion": world.assertion()}
    assert world.token(grant_type="refresh_token", refresh_token="x", **form)[0] == 401


def test_an_exchanged_token_names_the_practitioner(world: World) -> None:
    status, body = world.practitioner_token()
    assert (status, body["issued_token_type"]) == (200, "urn:ietf:params:oauth:token-type:access_token")
    assert body["expires_in"] == 300
    caller = world.identity.authenticator.caller(body["access_token"])
    assert (caller.organisation_id, caller.practitioner_id) == ("hospital", "doctor")


def test_an_unknown_practitioner_is_refused(world: World) -> None:
    assert world.practitioner_token("stranger")[1]["error"] == "invalid_grant"


def test_anothers_practitioner_is_refused(world: World) -> None:
    hospital = world.identity.organisations.get("hospital")
    world.identity.organisations.add(replace(hospital, id="station", facility_code="99002"))
    world.identity.organisations.enroll(
        Practitioner("nurse", "station", "ĐD. Hoa", "nurse", date(2026, 1, 1))
    )
    assert world.practitioner_token("nurse")[1]["error"] == "invalid_grant"


def test_a_dismissed_practitioner_is_refused_at_once(world: World) -> None:
    world.identity.organisations.dismiss("hospital", "doctor")
    assert world.practitioner_token()[1]["error"] == "invalid_grant"
    with pytest.raises(OffRoster):
        world.identity.organisations.practitioner("hospital", "doctor", world.clock())


def test_a_roster_counts_vietnamese_days(world: World) -> None:
    last = date(2026, 11, 2)
    world.identity.organisations.dismiss("hospital", "doctor", last)
    world.clock.forward(hours=13, minutes=59)  # 23:59 in Vietnam
    assert world.practitioner_token()[0] == 200
    world.clock.forward(minutes=1)
    assert world.practitioner_token()[1]["error"] == "invalid_grant"


def test_a_future_practitioner_is_refused(world: World) -> None:
    future = Practitioner("later", "hospital", "BS. Mai", "physician", date(2026, 11, 3))
    world.identity.organisations.enroll(future)
    assert world.practitioner_token("later")[1]["error"] == "invalid_grant"


def test_the_actor_statement_works_once(world: World) -> None:
    actor = world.assertion(sub="doctor")
    assert world.practitioner_token(actor_token=actor)[0] == 200
    assert world.practitioner_token(actor_token=actor)[1]["error"] == "invalid_grant"


def test_the_actor_statement_must_be_the_organisations_own(world: World) -> None:
    other = ECKey.generate_key("P-256", {"kid": "p1"})
    assert world.practitioner_token(actor_token=world.assertion(other, sub="doctor"))[0] == 400
    assert world.practitioner_token(actor_token=world.assertion(sub="doctor", iss="x"))[0] == 400


def test_only_the_organisations_own_plain_token_is_exchanged(world: World) -> None:
    citizen = world.signed_in()["access_token"]
    acting = world.practitioner_token()[1]["access_token"]
    for subject in (citizen, acting, "x"):
        assert world.practitioner_token(subject_token=subject)[1]["error"] == "invalid_grant"


@pytest.mark.parametrize("name", ["subject_token", "actor_token", "subject_token_type", "actor_token_type"])
def test_an_exchange_without_one_of_its_parts_is_refused(world: World, name: str) -> None:
    assert world.practitioner_token(**{name: ""})[1]["error"] == "invalid_request"


def test_a_suspended_organisation_is_out_at_once(world: World) -> None:
    token = world.provider_token()[1]["access_token"]
    world.identity.organisations.set_status("hospital", "suspended")
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(token)
    assert world.provider_token()[0] == 401
    world.identity.organisations.set_status("hospital", "active")
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(token)
    assert world.provider_token()[0] == 200


def test_a_client_registered_for_a_suspended_organisation_gets_nothing(world: World) -> None:
    world.identity.organisations.set_status("hospital", "suspended")
    world.identity.clients.set_status("his", "active")
    assert world.provider_token()[1]["error"] == "unauthorized_client"


def test_changed_keys_end_the_tokens_of_the_old_ones(world: World) -> None:
    token = world.provider_token()[1]["access_token"]
    fresh = ECKey.generate_key("P-256", {"kid": "p2"})
    world.identity.clients.change_keys("his", {"keys": [fresh.as_dict(private=False)]})
    with pytest.raises(TokenRefused):
        world.identity.authenticator.caller(token)
    assert world.provider_token()[0] == 401
    assert world.provider_token(world.assertion(fresh, {"kid": "p2"}))[0] == 200
