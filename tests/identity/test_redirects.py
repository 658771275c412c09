"""No spelling of an address sends a browser, a code or an error anywhere but to the registered address."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.identity.world import REDIRECT, World, authorize_query
from wallet_api.identity.clients import Clients
from wallet_api.identity.errors import BadClient
from wallet_api.identity.memory_oauth import MemoryClients
from wallet_api.identity.oauth.server import RegisteredClient

HOST, PATH = "app.example.vn", "/signed-in"

VARIANTS: tuple[str, ...] = (
    # path
    f"{REDIRECT}/",
    f"{REDIRECT}//",
    f"{REDIRECT}/more",
    f"{REDIRECT}.html",
    f"{REDIRECT}x",
    f"https://{HOST}",
    f"https://{HOST}/",
    f"https://{HOST}//signed-in",
    f"https://{HOST}/./signed-in",
    f"https://{HOST}/x/../signed-in",
    f"https://{HOST}/x/..%2fsigned-in",
    f"https://{HOST}/%2e%2e/signed-in",
    f"https://{HOST}/Signed-In",
    f"https://{HOST}/signed%2Din",
    f"https://{HOST}/%73igned-in",
    f"{REDIRECT};x=1",
    # port, scheme, case
    f"https://{HOST}:443{PATH}",
    f"https://{HOST}:8443{PATH}",
    f"https://{HOST}:{PATH}",
    f"http://{HOST}{PATH}",
    f"HTTPS://{HOST}{PATH}",
    f"https:{HOST}{PATH}",
    f"https:/{HOST}{PATH}",
    f"https:///{HOST}{PATH}",
    f"//{HOST}{PATH}",
    PATH,
    f"https://APP.example.vn{PATH}",
    # host
    f"https://{HOST}.{PATH}",
    f"https://{HOST}.evil.example{PATH}",
    f"https://evil-{HOST}{PATH}",
    f"https://www.{HOST}{PATH}",
    f"https://example.vn{PATH}",
    f"https://evil.example{PATH}",
    f"https://evil.example/{HOST}{PATH}",
    f"https://evil.example?{REDIRECT}",
    f"https://evil.example#{REDIRECT}",
    f"https://{HOST}@evil.example{PATH}",
    f"https://user@{HOST}{PATH}",
    f"https://user:pass@{HOST}{PATH}",
    f"https://{HOST}%2eevil.example{PATH}",
    f"https://{HOST}%00.evil.example{PATH}",
    f"https://evil.example\\@{HOST}{PATH}",
    f"https://{HOST}\\.evil.example{PATH}",
    f"https:\\\\{HOST}{PATH}",
    f"https://аpp.example.vn{PATH}",  # a Cyrillic letter that looks like the Latin one
    f"https://app。example.vn{PATH}",
    f"https://xn--pp-7kc.example.vn{PATH}",
    f"https://[::1]{PATH}",
    f"https://127.0.0.1{PATH}",
    # more behind
    f"{REDIRECT}?",
    f"{REDIRECT}?next=https://evil.example",
    f"{REDIRECT}#",
    f"{REDIRECT}#access_token=x",
    f"{REDIRECT}&x=1",
    f"{REDIRECT},https://evil.example",
    f"{REDIRECT} https://evil.example",
    # blanks, control characters, other schemes
    f" {REDIRECT}",
    f"{REDIRECT} ",
    f"{REDIRECT}\t",
    f"{REDIRECT}\r\nSet-Cookie: a=b",
    f"{REDIRECT}\x00",
    f'{REDIRECT}"><script>',
    "javascript:alert(1)",
    f"javascript://{HOST}/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "vn.example.app:/signed-in",
    "urn:ietf:wg:oauth:2.0:oob",
    "about:blank",
    "*",
    "https://*.example.vn/signed-in",
    "x" * 9000,
    "",
)


def shown_not_sent(answer: Any) -> bool:
    """Whether the browser stays here and reads a page that repeats nothing."""
    page = answer.get_data(as_text=True)
    return (
        answer.status_code == 400
        and "Location" not in answer.headers
        and "Refresh" not in answer.headers
        and "Set-Cookie" not in answer.headers
        and not any(word in page for word in ("evil", "script>alert", "http-equiv", "javascript:"))
        and answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    )


def ask(world: World, redirect: str, **over: str | None) -> Any:
    query = authorize_query("v" * 43, redirect_uri=redirect, **over)
    return world.browser().get("/oauth/authorize", query_string=query)


def test_no_variant_is_followed_for_a_code_or_for_an_error(world: World) -> None:
    tried, sent = 0, []
    for redirect in VARIANTS:
        for over in ({}, {"response_type": "token"}, {"code_challenge": None}, {"prompt": "none"}):
            tried += 1
            if not shown_not_sent(ask(world, redirect, **over)):
                sent.append((redirect, over))
    print(f"\n{len(VARIANTS)} redirect addresses in {tried} requests, {len(sent)} followed")
    assert sent == []
    assert ask(world, REDIRECT).status_code == 302


def test_an_address_given_twice_is_not_followed(world: World) -> None:
    plain = {name: one for name, one in authorize_query("v" * 43).items() if name != "redirect_uri"}
    for pair in (
        (REDIRECT, "https://evil.example/"),
        ("https://evil.example/", REDIRECT),
        (REDIRECT, REDIRECT),
    ):
        query = urlencode([*plain.items(), *(("redirect_uri", one) for one in pair)])
        assert shown_not_sent(world.browser().get(f"/oauth/authorize?{query}"))
    twice = urlencode(plain | {"redirect_uri": quote(REDIRECT)})
    assert shown_not_sent(world.browser().get(f"/oauth/authorize?{twice}"))


def test_no_variant_exchanges_a_code(world: World) -> None:
    code, verifier = world.code()
    for redirect in VARIANTS:
        status, body = world.exchange(code, verifier, uri=redirect)
        assert (status, body["error"]) in ((400, "invalid_grant"), (400, "invalid_request")), redirect
    assert world.exchange(code, verifier)[0] == 200


def test_another_clients_address_is_not_followed(world: World) -> None:
    world.identity.clients.register("third", "app", "Third", redirect_uris=("https://third.example/x",))
    assert shown_not_sent(ask(world, "https://third.example/x"))
    assert shown_not_sent(ask(world, REDIRECT, client_id="third"))


def test_what_the_callback_brings_never_chooses_where_the_browser_goes(world: World) -> None:
    browser = world.browser()
    _, asked = world.begin(browser)
    answer = world.back(browser, asked, redirect_uri="https://evil.example/", next="https://evil.example/")
    assert answer.headers["Location"].startswith(f"{REDIRECT}?code=")
    assert shown_not_sent(world.back(world.browser(), asked, redirect_uri="https://evil.example/"))


def test_no_dangerous_address_can_be_registered_in_production() -> None:
    clients = Clients(MemoryClients(), dev=False)
    for place, redirect in enumerate(
        (
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example.vn/x",
            "http://127.0.0.1/x",
            "https://user@app.example.vn/x",
            "https://app.example.vn/x#y",
            "https://app.example.vn\\@evil.example/",
            "https://аpp.example.vn/x",
            "https:///x",
            "vn.example.app:/x",
            "",
        )
    ):
        with pytest.raises(BadClient):
            clients.register(f"app-{place}", "app", "App", redirect_uris=(redirect,))


def test_a_looser_comparison_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        RegisteredClient,
        "check_redirect_uri",
        lambda self, uri: any(uri.startswith(one) for one in self.registered.redirect_uris),
    )
    followed = [one for one in VARIANTS if ask(world, one).status_code == 302]
    print(f"\nwith a comparison of beginnings {len(followed)} would be followed")
    assert followed
