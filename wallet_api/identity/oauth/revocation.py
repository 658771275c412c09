"""RFC 7009: an app gives up a token, and with it the session."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint

from wallet_api.identity.errors import TokenRefused
from wallet_api.identity.oauth.desk import Desk
from wallet_api.identity.oauth.requests import FormRequest


class Revocation(RevocationEndpoint):
    """Ends the session behind a refresh or access token of the asking client; unknown tokens are no error."""

    CLIENT_AUTH_METHODS = ("none",)
    server: Any

    def authenticate_token(self, request: FormRequest, _client: object) -> str:
        """The token as presented."""
        token = request.parameters.get("token")
        if token is None:
            raise InvalidRequestError()
        return token

    def create_endpoint_request(self, request: FormRequest) -> FormRequest:
        """The request, which already is one."""
        return request

    def revoke_token(self, token: str, request: Any) -> None:
        """End the session at once."""
        desk: Desk = self.server.desk
        client_id = request.client.client_id
        desk.sessions.revoke_token(token, client_id)
        try:
            claims = desk.tokens.verify(token)
        except TokenRefused:
            return
        if claims.client_id == client_id:
            desk.sessions.revoke(claims.session_id)
