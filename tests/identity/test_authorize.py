"""What an app may ask at /oauth/authorize, and where refusals go."""

from __future__ import annotations

import pytest

from tests.identity.world import BASE, REDIRECT, World, authorize_query, told_in
from wallet_api.identity.clients import Clients
from wallet_api.identity.errors import BadClient, Taken
from wallet_api.identity.memory_oauth import MemoryClients

VERIFIER = "v" * 43

REDIRECTS = {
    "path longer": f"{REDIRECT}/more",
    "trailing slash": f"{REDIRECT}/",
    "other path": "https://app.example.vn/other",
    "port": "https://app.example.vn:443/signed-in",
    "host in capitals": "https://APP.example.vn/signed-in",
    "path in capitals": "https://app.example.vn/Signed-in",
    "suffix host": "https://app.example.vn.evil.example/signed-in",
    "userinfo": "https://app.example.vn@evil.example/signed-in",
    "dots": "https://app.example.vn/x/../signed-in",
    "query": f"{REDIRECT}?next=1",
    "fragment": f"{REDIRECT}#",
    "http": "http://app.example.vn/signed-in",
    "encoded": "https://app.example.vn/signed%2Din",
    "blank": f"{REDIRECT} ",
    "quote": f'{REDIRECT}"',
    "own scheme": "vn.example.app:/signed-in",
    "missing": None,
    "empty": "",
}


@pytest.mark.parametrize("redirect", REDIRECTS.values(), ids=REDIRECTS.keys())
def test_a_redirect_address_that_differs_in_anything_is_never_followed(
    world: World, redirect: str | None
) -> None:
    answer = world.browser().get(
        "/oauth/authorize", query_string=authorize_query(VERIFIER, redirect_uri=redirect)
    )
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert "evil" not in answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("client", [None, "", "nobody", "his", 'a"b', "é", "x" * 9000])
def test_an_unknown_client_gets_a_page_that_repeats_nothing(world: World, client: str | None) -> None:
    query = authorize_query(VERIFIER, client_id=client)
    answer = world.browser().get("/oauth/authorize", query_string=query)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert "bad_sign_in_request" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "v" * 44}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"state": "x" * 513}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_weak_request_is_refused_at_the_app(world: World, over: dict[str, str | None], error: str) -> None:
    answer = world.browser().get("/oauth/authorize", query_string=authorize_query(VERIFIER, **over))
    assert answer.headers["Location"].startswith(f"{REDIRECT}?")
    told = told_in(answer.headers["Location"])
    assert (told["error"], told["iss"]) == (error, BASE)
    assert told.get("state") == over.get("state", "app-state")
    assert "token" not in told["error_description"]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("value", ['"', "\\", "é", "\x00", "co\nde", "x" * 9000])
@pytest.mark.parametrize("name", ["response_type", "state", "code_challenge", "scope", "prompt"])
def test_odd_characters_are_refused_without_a_crash(world: World, name: str, value: str) -> None:
    query = authorize_query(VERIFIER, **{name: value})
    answer = world.browser().get("/oauth/authorize", query_string=query)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_parameters_we_do_not_know_are_ignored(world: World) -> None:
    query = authorize_query(VERIFIER, ui_locales="vi", greeting='"Chào"')
    assert "code_challenge" in world.browser().get("/oauth/authorize", query_string=query).headers["Location"]


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "code_challenge", "response_type"])
def test_a_repeated_parameter_is_refused(world: World, name: str) -> None:
    query = [*authorize_query(VERIFIER).items(), (name, authorize_query(VERIFIER)[name])]
    from urllib.parse import urlencode

    answer = world.browser().get(f"/oauth/authorize?{urlencode(query)}")
    assert answer.status_code == 400


def test_a_suspended_client_cannot_finish_a_sign_in_under_way(world: World) -> None:
    browser = world.browser()
    _, asked = world.begin(browser)
    world.identity.clients.set_status("app", "suspended")
    assert world.back(browser, asked).status_code == 400


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.vn/x",
        "https://app.example.vn/x#part",
        "https://app.example.vn/x#",
        "https://user@app.example.vn/x",
        "https:///x",
        "vn.example.app:/x",
        "/relative",
        "https://app.example.vn/x y",
        "",
    ],
)
def test_a_client_cannot_register_an_unsafe_redirect_address(uri: str) -> None:
    with pytest.raises(BadClient):
        Clients(MemoryClients(), dev=True).register("app", "app", "App", redirect_uris=(uri,))


def test_http_on_this_machine_is_for_development_only() -> None:
    uris = ("http://127.0.0.1:9000/signed-in",)
    assert Clients(MemoryClients(), dev=True).register("app", "app", "App", redirect_uris=uris)
    with pytest.raises(BadClient):
        Clients(MemoryClients(), dev=False).register("app", "app", "App", redirect_uris=uris)


def test_a_provider_registers_public_p256_keys_only(world: World) -> None:
    def register(jwk: dict[str, object]) -> None:
        world.identity.clients.register(
            "new", "provider", "New", jwks={"keys": [jwk]}, organisation_id="hospital"
        )

    private = world.provider_key.as_dict(private=True)
    public = {str(k): v for k, v in world.provider_key.as_dict(private=False).items()}
    for bad in (
        dict(private),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
        public | {"kid": ""},
        public | {"crv": "P-384"},
        public | {"x": "!!"},
    ):
        with pytest.raises(BadClient):
            register(bad)
    register(public)
    with pytest.raises(Taken):
        register(public)


def test_documents_tell_what_is_served(world: World) -> None:
    browser = world.browser()
    metadata = browser.get("/.well-known/oauth-authorization-server").get_json()
    assert metadata["issuer"] == BASE
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    smart = browser.get("/.well-known/smart-configuration").get_json()
    assert smart["token_endpoint"] == metadata["token_endpoint"]
    keys = browser.get("/.well-known/jwks.json").get_json()["keys"]
    assert [key["alg"] for key in keys] == ["ES256"]
    assert all("d" not in key for key in keys)
