from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import jwt
import pytest
import requests

from tests.sandbox.conftest import Provider, RelyingParty, new_key
from wallet_api.sandbox.conditions import SANDBOX_CLAIM


def claims_of(provider: Provider, token: str, audience: str) -> dict[str, object]:
    keys = jwt.PyJWKSet.from_dict(requests.get(f"{provider.issuer}/jwks", timeout=5).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        audience=audience,
        options={"verify_exp": False, "verify_iat": False},
    )


def test_the_discovery_document_names_working_doors_and_says_sandbox(provider: Provider) -> None:
    answer = requests.get(f"{provider.issuer}/.well-known/openid-configuration", timeout=5)
    found = answer.json()
    assert found["issuer"] == provider.issuer
    assert found[SANDBOX_CLAIM] is True
    assert found["code_challenge_methods_supported"] == ["S256"]
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert requests.get(found[name], timeout=5).status_code in (200, 400, 405)


def test_signing_in_by_hint_gives_a_complete_id_token(provider: Provider, wallet: RelyingParty) -> None:
    back = wallet.answer(wallet.ask())
    assert (back["state"], back["iss"]) == ("state-1", provider.issuer)
    answer = wallet.redeem(back["code"])
    assert answer.status_code == 200, answer.text
    claims = claims_of(provider, answer.json()["id_token"], "health-wallet")
    half = hashlib.sha256(answer.json()["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert (claims["iss"], claims["azp"], claims["nonce"]) == (provider.issuer, "health-wallet", "nonce-1")
    assert (claims["acr"], claims["amr"]) == ("2", ["pwd", "otp"])
    assert abs(claims["auth_time"] - provider.clock().timestamp()) < 30
    assert claims["exp"] == claims["iat"] + 300
    assert claims["name"] == "Nguyễn Thị An"
    assert (claims["number"], claims["birthdate"], claims["gender"]) == (
        "001194999001",
        "1994-03-12",
        "female",
    )
    assert claims["phone_number"].startswith("+84")
    assert claims["wallet_sandbox"] is True
    assert "roles" not in claims


def test_staff_sign_in_with_their_roles_at_the_ops_console_only(provider: Provider) -> None:
    answer = provider.ops.redeem(provider.ops.code(login_hint="ops-registrar"))
    claims = claims_of(provider, answer.json()["id_token"], "health-wallet-ops")
    assert claims["roles"] == ["registrar"]
    assert "number" not in claims
    assert provider.ops.ask(login_hint="an").status_code == 400
    assert provider.wallet.ask(login_hint="ops-registrar").status_code == 400


def test_the_child_cannot_sign_in(wallet: RelyingParty) -> None:
    assert wallet.ask(login_hint="minh").status_code == 400


def test_the_page_lists_people_and_its_form_signs_one_in(provider: Provider, wallet: RelyingParty) -> None:
    page = wallet.ask(login_hint=None, state='"><script>x</script>')
    assert page.status_code == 200
    assert page.headers["Wallet-Sandbox"] == "true"
    assert "SANDBOX" in page.text
    assert "Trần Văn Bình" in page.text
    assert "Vận hành" not in page.text
    assert "<script>" not in page.text
    form = {
        "response_type": "code",
        "client_id": "health-wallet",
        "redirect_uri": wallet.callback,
        "scope": "openid",
        "state": "s",
        "nonce": "n",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
    }
    post = f"{provider.issuer}/oauth2/authorize"
    chosen = requests.post(post, form | {"person": "binh"}, allow_redirects=False, timeout=5)
    assert chosen.status_code == 303
    assert "code" in wallet.answer(chosen)
    declined = requests.post(post, form | {"person": ""}, allow_redirects=False, timeout=5)
    assert wallet.answer(declined)["error"] == "access_denied"
    stranger = requests.post(post, form | {"person": "minh"}, allow_redirects=False, timeout=5)
    assert stranger.status_code == 400


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_weak_request_is_refused_at_the_relying_party(wallet: RelyingParty, change, error: str) -> None:
    back = wallet.answer(wallet.ask(**change))
    assert back["error"] == error
    assert "code" not in back
    assert back["iss"] == wallet.issuer


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:8080/oauth/vneid/callback/",
        "http://127.0.0.1:8080/oauth/vneid/callback?x=1",
        "http://127.0.0.1:8080/OAUTH/vneid/callback",
        "http://127.0.0.1:8081/oauth/vneid/callback",
        "http://user@127.0.0.1:8080/oauth/vneid/callback",
        "http://127.0.0.1:8080/oauth/ops/callback",
        "http://evil.example/",
        None,
    ],
)
def test_another_redirect_address_is_never_answered(wallet: RelyingParty, uri: str | None) -> None:
    answer = wallet.ask(redirect_uri=uri)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_an_unknown_client_or_a_repeated_parameter_is_never_answered(wallet: RelyingParty) -> None:
    assert wallet.ask(client_id="stranger").status_code == 400
    url = wallet.ask().request.url
    twice = requests.get(f"{url}&login_hint=binh", allow_redirects=False, timeout=5)
    assert twice.status_code == 400
    assert "Location" not in twice.headers


def test_a_code_opens_once(wallet: RelyingParty) -> None:
    code = wallet.code()
    assert wallet.redeem(code).status_code == 200
    again = wallet.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_code_dies_after_sixty_seconds_of_the_wallets_clock(
    provider: Provider, wallet: RelyingParty
) -> None:
    young, old = wallet.code(), wallet.code()
    provider.clock.set_to(provider.clock() + timedelta(seconds=50))
    assert wallet.redeem(young).status_code == 200
    provider.clock.set_to(provider.clock() + timedelta(seconds=11))
    assert wallet.redeem(old).json()["error"] == "invalid_grant"


def test_time_in_tokens_is_the_wallets_clock(provider: Provider, wallet: RelyingParty) -> None:
    provider.clock.set_to(provider.clock() + timedelta(days=90))
    answer = wallet.redeem(wallet.code())
    claims = claims_of(provider, answer.json()["id_token"], "health-wallet")
    assert abs(claims["iat"] - provider.clock().timestamp()) < 30


@pytest.mark.parametrize(
    "change",
    [
        {"code_verifier": "b" * 64},
        {"code_verifier": None},
        {"code_verifier": "đ" * 43},
        {"redirect_uri": "http://127.0.0.1:8080/other"},
        {"redirect_uri": None},
        {"code": "unknown"},
        {"code": None},
    ],
)
def test_a_token_request_that_does_not_fit_is_refused_and_spends_the_code(
    wallet: RelyingParty, change
) -> None:
    code = wallet.code()
    refused = wallet.redeem(**({"code": code} | change))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    if "code" not in change:
        assert wallet.redeem(code).json()["error"] == "invalid_grant"


def test_another_clients_code_is_refused(provider: Provider) -> None:
    code = provider.wallet.code()
    thief = RelyingParty(
        provider.issuer,
        provider.ops.client_id,
        provider.wallet.callback,
        provider.ops.pem,
        provider.clock,
        provider.wallet.verifier,
    )
    assert thief.redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "change",
    [
        {"client_assertion": None},
        {"client_assertion_type": None},
        {"client_assertion": "not.a.jwt"},
        {"client_assertion": None, "client_id": "health-wallet", "client_secret": "guess"},
        {"client_id": "health-wallet-ops"},
    ],
)
def test_a_client_without_a_good_assertion_is_refused_and_spends_nothing(
    wallet: RelyingParty, change
) -> None:
    code = wallet.code()
    refused = wallet.redeem(code, **change)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert wallet.redeem(code).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://elsewhere.example/token"},
        {"sub": "health-wallet-ops"},
        {"iss": "stranger"},
        {"exp": 1},
        {"exp": 32503680000},
        {"exp": "soon"},
        {"jti": None},
    ],
)
def test_a_wrong_assertion_is_refused(wallet: RelyingParty, change) -> None:
    refused = wallet.redeem(wallet.code(), client_assertion=wallet.assertion(**change))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_an_assertion_by_another_key_or_unsigned_is_refused(wallet: RelyingParty) -> None:
    forged = wallet.assertion(key=new_key())
    assert wallet.redeem(wallet.code(), client_assertion=forged).status_code == 401
    claims = jwt.decode(forged, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, "none")
    assert wallet.redeem(wallet.code(), client_assertion=unsigned).status_code == 401


def test_an_assertion_works_once(wallet: RelyingParty) -> None:
    assertion = wallet.assertion()
    assert wallet.redeem(wallet.code(), client_assertion=assertion).status_code == 200
    assert wallet.redeem(wallet.code(), client_assertion=assertion).status_code == 401


def test_other_grants_are_not_served(wallet: RelyingParty) -> None:
    refused = wallet.redeem(wallet.code(), grant_type="client_credentials")
    assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("path", ["/", "/jwks", "/nowhere", "/oauth2/token", "/oauth2/authorize"])
def test_every_answer_says_sandbox(provider: Provider, path: str) -> None:
    answer = requests.get(provider.issuer + path, timeout=5)
    assert answer.headers["Wallet-Sandbox"] == "true"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_page_of_another_site_cannot_borrow_the_provider_by_name(provider: Provider) -> None:
    answer = requests.get(f"{provider.issuer}/", headers={"Host": "evil.example"}, timeout=5)
    assert answer.status_code == 400


def test_the_signing_key_is_kept_and_private(provider: Provider) -> None:
    key = provider.data / "sandbox" / "vneid-key.json"
    assert key.stat().st_mode & 0o077 == 0
    published = requests.get(f"{provider.issuer}/jwks", timeout=5).json()["keys"]
    assert [sorted(one) for one in published] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]
