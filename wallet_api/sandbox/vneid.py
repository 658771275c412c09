"""The sandbox identity provider: `python -m wallet_api.sandbox.vneid --port P --issuer http://127.0.0.1:P`.

OpenID Connect with code, PKCE S256 and private_key_jwt. It imitates no known interface of VNeID, whose
protocol is not public: it is a correct OpenID provider under demo names.
"""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Flask, Response, jsonify, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from wallet_api.infra.clock import Now, clock_from
from wallet_api.sandbox.clients import ALGORITHMS, Client, ClientDesk, TokenRefused, client_jwks_path
from wallet_api.sandbox.conditions import SANDBOX_CLAIM
from wallet_api.sandbox.folder import sandbox_folder, seed_day
from wallet_api.sandbox.people import People, load_people
from wallet_api.sandbox.server import (
    HOST,
    MarkerCheck,
    database_is_marked,
    give_up,
    require_sandbox,
    sandbox_app,
    serve,
)
from wallet_api.sandbox.signin import (
    TOKEN_SECONDS,
    CodeBook,
    IdTokens,
    SignInRefused,
    SignInRequest,
    checked_request,
)
from wallet_api.settings import Settings, SettingsError, on_loopback

AUTHORIZE, TOKEN, JWKS = "/oauth2/authorize", "/oauth2/token", "/jwks"
_REQUEST_FIELDS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
)


class BadDoor(Exception):
    """A sign-in request that names no known client or address: nobody to send an answer to."""


@dataclass(frozen=True)
class Provider:
    """Everything the pages need."""

    issuer: str
    desk: ClientDesk
    codes: CodeBook
    tokens: IdTokens
    people: People

    def asked(self, params: MultiDict[str, str]) -> tuple[Client, str]:
        """The client and redirect address of a request, matched exactly.

        Raises:
            BadDoor: either is unknown, or a parameter came twice.
        """
        client = self.desk.find(params.get("client_id", ""))
        redirect_uri = params.get("redirect_uri", "")
        if client is None:
            raise BadDoor("client_id is not registered here")
        if redirect_uri not in client.redirect_uris:
            raise BadDoor("redirect_uri is not registered for this client")
        if any(len(values) > 1 for _, values in params.lists()):
            raise BadDoor("a parameter is repeated")
        return client, redirect_uri

    def approved(self, ask: SignInRequest, person_id: str) -> str | None:
        """The address that carries the code back, or None when the person is not one of this client's."""
        person = self.people.find(ask.client.audience, person_id)
        if person is None:
            return None
        code = self.codes.issue(ask, person)
        return _with_query(ask.redirect_uri, {"code": code, "state": ask.state, "iss": self.issuer})

    def refused(self, redirect_uri: str, state: str, why: SignInRefused) -> str:
        """The address that carries a refusal back."""
        answer = {"error": why.code, "error_description": why.description, "iss": self.issuer}
        return _with_query(redirect_uri, answer | ({"state": state} if state else {}))


def vneid_app(provider: Provider) -> Flask:
    """The provider's pages over its rules."""
    app = sandbox_app("sandbox_vneid")
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
    app.add_url_rule(
        "/", view_func=lambda: render_template("vneid_home.html", provider=provider), endpoint="home"
    )
    app.add_url_rule(
        "/.well-known/openid-configuration", "metadata", lambda: jsonify(metadata(provider.issuer))
    )
    app.add_url_rule(JWKS, "jwks", lambda: jsonify(provider.tokens.jwks))
    app.add_url_rule(AUTHORIZE, "ask", lambda: _ask(provider), methods=["GET"])
    app.add_url_rule(AUTHORIZE, "choose", lambda: _choose(provider), methods=["POST"])
    app.add_url_rule(TOKEN, "token", lambda: _token(provider), methods=["POST"])
    app.register_error_handler(BadDoor, _bad_door)
    app.register_error_handler(TokenRefused, _token_refused)
    return app


def metadata(issuer: str) -> dict[str, Any]:
    """The discovery document (OpenID Connect Discovery 1.0)."""
    return {
        SANDBOX_CLAIM: True,
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE,
        "token_endpoint": issuer + TOKEN,
        "jwks_uri": issuer + JWKS,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": ["1", "2"],
        "claims_supported": ["number", "name", "birthdate", "gender", "phone_number", "roles", "acr", "amr"],
        "authorization_response_iss_parameter_supported": True,
    }


def provider_for(settings: Settings, issuer: str, clients: tuple[Client, ...], now: Now) -> Provider:
    """A provider with its key and seed day from the sandbox folder."""
    return Provider(
        issuer=issuer,
        desk=ClientDesk(clients, (issuer, issuer + TOKEN), now),
        codes=CodeBook(now),
        tokens=IdTokens(issuer, sandbox_folder(settings) / "vneid-key.json", now),
        people=load_people(seed_day(settings, now)),
    )


def _ask(provider: Provider) -> AnyResponse | tuple[str, int]:
    client, redirect_uri = provider.asked(request.args)
    try:
        ask = checked_request(client, redirect_uri, request.args)
    except SignInRefused as why:
        return redirect(provider.refused(redirect_uri, request.args.get("state", ""), why))
    hint = request.args.get("login_hint")
    back = provider.approved(ask, hint) if hint else None
    return redirect(back) if back else _page(provider, client, unknown_hint=bool(hint))


def _choose(provider: Provider) -> AnyResponse | tuple[str, int]:
    client, redirect_uri = provider.asked(request.form)
    try:
        ask = checked_request(client, redirect_uri, request.form)
        person_id = request.form.get("person", "")
        if not person_id:
            raise SignInRefused("access_denied", "the person declined to sign in")
    except SignInRefused as why:
        return redirect(provider.refused(redirect_uri, request.form.get("state", ""), why), 303)
    back = provider.approved(ask, person_id)
    return redirect(back, 303) if back else _page(provider, client, unknown_hint=True)


def _page(provider: Provider, client: Client, *, unknown_hint: bool) -> tuple[str, int]:
    carried = {name: request.values[name] for name in _REQUEST_FIELDS if name in request.values}
    page = render_template(
        "vneid_sign_in.html",
        carried=carried,
        people=provider.people.who_sign_in(client.audience),
        client=client,
        unknown_hint=unknown_hint,
    )
    return page, 400 if unknown_hint else 200


def _token(provider: Provider) -> Response:
    form = request.form
    if any(len(values) > 1 for _, values in form.lists()):
        raise TokenRefused("invalid_request", "a parameter is repeated")
    client = provider.desk.authenticate(form)
    if form.get("grant_type") != "authorization_code":
        raise TokenRefused("unsupported_grant_type", "only authorization_code is served")
    approval = provider.codes.redeem(client, form)
    access_token = secrets.token_urlsafe(32)
    answer = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "scope": "openid",
    }
    return jsonify(answer | {"id_token": provider.tokens.sign(approval, access_token)})


def _bad_door(why: BadDoor) -> tuple[str, int]:
    return render_template("vneid_refused.html", reason=str(why)), 400


def _token_refused(why: TokenRefused) -> tuple[Response, int]:
    status = 401 if why.code == "invalid_client" else 400
    return jsonify(error=why.code, error_description=why.description), status


def _with_query(address: str, more: dict[str, str]) -> str:
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, urlencode(more))))
    return urlunsplit(parts._replace(query=query))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m wallet_api.sandbox.vneid", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--issuer", help="default: http://127.0.0.1:PORT")
    for prefix, who in (("", "wallet"), ("ops-", "ops console")):
        parser.add_argument(f"--{prefix}client-jwks", type=Path, help=f"public keys of the {who}")
        parser.add_argument(
            f"--{prefix}redirect-uri", action="append", help=f"callback of the {who}; repeatable"
        )
    return parser.parse_args(argv)


def _clients(settings: Settings, options: argparse.Namespace) -> tuple[Client, ...]:
    wallet = options.redirect_uri or [f"{settings.public_url}/oauth/vneid/callback"]
    ops = options.ops_redirect_uri or [f"{settings.public_url}/oauth/ops/callback"]
    wallet_keys = options.client_jwks or client_jwks_path(settings, "citizen")
    ops_keys = options.ops_client_jwks or client_jwks_path(settings, "ops")
    return (
        Client(settings.vneid_client_id, "citizen", tuple(wallet), wallet_keys),
        Client(settings.ops_client_id, "ops", tuple(ops), ops_keys),
    )


def main(argv: Sequence[str] | None = None, *, has_marker: MarkerCheck = database_is_marked) -> None:
    """Run the provider until it is told to end."""
    options = _arguments(argv)
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as why:
        give_up(str(why))
    issuer = (options.issuer or f"http://{HOST}:{options.port}").rstrip("/")
    if not on_loopback(issuer):
        give_up("the sandbox issuer must be on this machine (127.0.0.1)")
    require_sandbox(settings, has_marker)
    provider = provider_for(settings, issuer, _clients(settings, options), clock_from(settings))
    serve(vneid_app(provider), options.port, "sandbox VNeID")


if __name__ == "__main__":
    main()
