"""Grants of provider systems: client credentials, and token exchange to a token that names a practitioner."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidGrantError,
    InvalidRequestError,
    TokenEndpointMixin,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import BaseGrant, ClientCredentialsGrant

from wallet_api.identity.errors import OffRoster, OrganisationUnknown, TokenRefused
from wallet_api.identity.oauth.assertions import METHOD, BadAssertion, verified_assertion
from wallet_api.identity.oauth.desk import ACCESS_TOKEN_TYPE, JWT_TYPE, TOKEN_EXCHANGE, Desk
from wallet_api.identity.oauth.model import Client
from wallet_api.identity.oauth.requests import FormRequest


class CredentialsGrant(ClientCredentialsGrant):
    """A provider's system on its own behalf, for five minutes."""

    TOKEN_ENDPOINT_AUTH_METHODS = (METHOD,)
    server: Any
    request: FormRequest

    def create_token_response(self) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        """A token without a practitioner."""
        desk: Desk = self.server.desk
        client: Client = self.request.client.registered
        _check_active(desk, client)
        return 200, desk.provider_answer(client), []


def _check_active(desk: Desk, client: Client) -> None:
    """A client registered after its organisation was suspended has nothing to ask for."""
    try:
        active = desk.organisations.get(str(client.organisation_id)).status == "active"
    except OrganisationUnknown:
        active = False
    if not active:
        raise UnauthorizedClientError()


class ExchangeGrant(BaseGrant, TokenEndpointMixin):
    """RFC 8693: the organisation's own access token, and a statement it signs about who is at the keyboard.

    `subject_token` is the organisation's access token; `actor_token` a JWT signed by the organisation's key
    with `sub` = practitioner id. The organisation vouches for the person, the roster says whether it may:
    the answer names them in `act`.
    """

    GRANT_TYPE = TOKEN_EXCHANGE
    TOKEN_ENDPOINT_AUTH_METHODS = (METHOD,)
    server: Any
    request: FormRequest

    def validate_token_request(self) -> None:
        """Check client, types and parameters."""
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError()
        told = self.request.parameters
        types = (told.get("subject_token_type"), told.get("actor_token_type"))
        wanted = told.get("requested_token_type", ACCESS_TOKEN_TYPE)
        if types != (ACCESS_TOKEN_TYPE, JWT_TYPE) or wanted != ACCESS_TOKEN_TYPE:
            raise InvalidRequestError()
        if not told.get("subject_token") or not told.get("actor_token"):
            raise InvalidRequestError()
        self.request.client = client

    def create_token_response(self) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        """A token that names the practitioner, if the roster does today."""
        desk: Desk = self.server.desk
        client: Client = self.request.client.registered
        try:
            _check_active(desk, client)
            self._check_subject(desk, client)
            practitioner_id = self._practitioner(desk, client)
        except (TokenRefused, BadAssertion, OffRoster) as why:
            raise InvalidGrantError() from why
        answer = desk.provider_answer(client, practitioner_id)
        return 200, answer | {"issued_token_type": ACCESS_TOKEN_TYPE}, []

    def _check_subject(self, desk: Desk, client: Client) -> None:
        subject = desk.tokens.verify(self.request.parameters["subject_token"])
        own = (subject.kind, subject.client_id, subject.session_version) == (
            "provider",
            client.id,
            client.version,
        )
        if not own or subject.practitioner_id is not None:
            raise TokenRefused("not this client's own token")

    def _practitioner(self, desk: Desk, client: Client) -> str:
        claims = verified_assertion(self.request.parameters["actor_token"], client, desk)
        named = claims.get("sub")
        if not isinstance(named, str) or not named:
            raise BadAssertion("sub")
        return desk.organisations.practitioner(str(client.organisation_id), named, desk.now()).id
