"""Authlib's authorization server over our registry, without a web framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin

from wallet_api.identity.model import ClientKind
from wallet_api.identity.oauth.assertions import METHOD, ClientAssertion
from wallet_api.identity.oauth.desk import SCOPES, TOKEN_EXCHANGE, Desk
from wallet_api.identity.oauth.model import Answer, Client
from wallet_api.identity.oauth.requests import FormRequest

NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_PERSON_GRANTS = frozenset({"authorization_code", "refresh_token"})
_GRANTS: Mapping[ClientKind, frozenset[str]] = {
    "app": _PERSON_GRANTS,
    "ops": _PERSON_GRANTS,
    "provider": frozenset({"client_credentials", TOKEN_EXCHANGE}),
}
# Our own words: Authlib's texts may repeat what was sent.
_TEXTS: Mapping[str, str] = {
    "invalid_request": "A parameter is missing, repeated or malformed.",
    "invalid_client": "Client authentication failed.",
    "invalid_grant": "The code, token or actor is invalid, expired, used or another client's.",
    "unauthorized_client": "This client may not use this grant.",
    "unsupported_grant_type": "This grant type is not served.",
    "unsupported_response_type": "Only response_type=code is served.",
    "unsupported_token_type": "This token type is not served.",
    "invalid_scope": "The scope is not served.",
    "invalid_target": "The target is not served.",
    "access_denied": "The sign-in was refused.",
    "login_required": "Every sign-in is a new one.",
    "temporarily_unavailable": "The sign-in provider does not answer; try again later.",
    "server_error": "The sign-in could not be completed.",
}


class RegisteredClient(ClientMixin):
    """A client of ours as Authlib asks about it."""

    def __init__(self, registered: Client) -> None:
        self.registered = registered
        self.client_id = registered.id

    def get_client_id(self) -> str:
        """Its id."""
        return self.registered.id

    def get_default_redirect_uri(self) -> None:
        """None: a redirect address is always named in the request."""

    def get_allowed_scope(self, _scope: str | None) -> str:
        """The one scope of its kind; a person's session may be narrowed (`scopes.py`)."""
        return SCOPES[self.registered.kind]

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exact, character by character."""
        return redirect_uri in self.registered.redirect_uris

    def check_client_secret(self, _client_secret: str) -> bool:
        """Never: there are no shared secrets."""
        return False

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Providers sign, apps and the ops console are public."""
        return method == (METHOD if self.registered.kind == "provider" else "none")

    def check_response_type(self, response_type: str) -> bool:
        """People sign in by code."""
        return response_type == "code" and self.registered.kind != "provider"

    def check_grant_type(self, grant_type: str) -> bool:
        """What its kind may do."""
        return grant_type in _GRANTS[self.registered.kind]


class WalletServer(AuthorizationServer):
    """Our authorization server; answers are `Answer` values, errors in our own words."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.register_client_auth_method(METHOD, ClientAssertion(desk))

    def query_client(self, client_id: str) -> RegisteredClient | None:
        """The client, unless unknown or suspended."""
        found = self.desk.clients.live(client_id)
        return RegisteredClient(found) if found is not None else None

    def save_token(self, _token: object, _request: object) -> None:
        """Nothing: the grants keep what must be kept, digested, before they answer."""

    def send_signal(self, _name: str, *_args: object, **_kwargs: object) -> None:
        """Nothing listens."""

    def create_oauth2_request(self, request: FormRequest) -> FormRequest:
        """The request, which already is one."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        """Authlib's answer as ours, never to be stored."""
        location = tuple((name, value) for name, value in headers if name == "Location")
        return Answer(status, body or "", (*location, *NO_STORE))

    def handle_error_response(self, request: FormRequest, error: OAuth2Error) -> Answer:
        """An error of RFC 6749: at the redirect address where that is trusted, else as JSON."""
        if error.redirect_uri:
            return self.refusal_at(error.redirect_uri, request.parameters.get("state"), error.error)
        return error_answer(error.error)

    def refusal_at(self, redirect_uri: str, state: str | None, error: str, reason: str = "") -> Answer:
        """Send an error to a redirect address that was checked; `reason` is one of our codes."""
        found = [("error", error), ("error_description", reason or _TEXTS.get(error, "Refused."))]
        found += [("state", state)] if state else []
        location = add_params_to_uri(redirect_uri, [*found, ("iss", self.desk.issuer)])
        return Answer(302, "", (("Location", location), *NO_STORE))


def error_answer(error: str) -> Answer:
    """The JSON error body of RFC 6749 section 5.2; 401 where the client did not prove who it is."""
    body = {"error": error, "error_description": _TEXTS.get(error, "Refused.")}
    if error != "invalid_client":
        return Answer(400, body, NO_STORE)
    return Answer(401, body, (*NO_STORE, ("WWW-Authenticate", 'Bearer realm="token"')))
