"""Grants of people: the authorization code with PKCE S256, and the refresh token."""

from __future__ import annotations

import re
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from wallet_api.identity.errors import TokenRefused
from wallet_api.identity.oauth.desk import CODE_LIFE, Desk
from wallet_api.identity.oauth.model import AuthorizationCode, SignedIn, digest
from wallet_api.identity.oauth.requests import FormRequest
from wallet_api.identity.sessions import OpenSession

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE = 512


class _IssuedCode:
    """One of our codes as Authlib asks about it."""

    def __init__(self, code: AuthorizationCode) -> None:
        self.code = code
        self.code_challenge = code.code_challenge
        self.code_challenge_method = "S256"

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return ""


class LoginRequired(OAuth2Error):
    """prompt=none: there is no silent sign-in here (OpenID Connect Core 3.1.2.6)."""

    error = "login_required"


class CodeGrant(AuthorizationCodeGrant):
    """Our authorization code: 60 seconds, once, bound to client, redirect address and challenge."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)
    server: Any
    request: FormRequest

    @property
    def _desk(self) -> Desk:
        desk: Desk = self.server.desk
        return desk

    @staticmethod
    def validate_authorization_redirect_uri(request: FormRequest, client: Any) -> str:
        """The redirect address, which must be named and registered, character by character."""
        named = request.parameters.get("redirect_uri")
        if named is None or not client.check_redirect_uri(named):
            raise InvalidRequestError("The redirect address is not registered.")
        return named

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Keep the code's digest with all it is bound to."""
        person: SignedIn = request.user
        self._desk.codes.add(
            AuthorizationCode(
                digest=digest(code),
                client_id=request.client.client_id,
                redirect_uri=request.parameters["redirect_uri"],
                code_challenge=request.parameters["code_challenge"],
                person=person,
                session_id=self._desk.new_id(),
                issued_at=self._desk.now(),
                scope=request.parameters.get("scope", ""),
            )
        )

    def query_authorization_code(self, code: str, client: Any) -> _IssuedCode | None:
        """The code if it is this client's, in time and unused; a used one ends what it gave."""
        found = self._desk.codes.get(digest(code))
        if found is None or found.client_id != client.client_id:
            return None
        if found.used:
            self._revoke(found)
            return None
        return _IssuedCode(found) if self._desk.now() < found.issued_at + CODE_LIFE else None

    def create_token_response(self) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        """Exchange the code, once, for a session."""
        found: AuthorizationCode = self.request.authorization_code.code
        if not self._desk.codes.use(found.digest):
            self._revoke(found)
            raise InvalidGrantError()
        try:
            client = self.request.client.registered
            opened = self._desk.sessions.open(found.session_id, found.person, client, found.scope)
        except TokenRefused as why:
            raise InvalidGrantError() from why
        self._refuse_if_replayed(found, opened)
        return 200, self._desk.session_answer(opened), []

    def _refuse_if_replayed(self, found: AuthorizationCode, opened: OpenSession) -> None:
        # A second use that came between ours and the session's birth had no session to end yet.
        again = self._desk.codes.get(found.digest)
        if again is None or again.replayed:
            self._desk.sessions.revoke(opened.session.id)
            raise InvalidGrantError()

    def _revoke(self, found: AuthorizationCode) -> None:
        self._desk.codes.mark_replayed(found.digest)
        self._desk.sessions.revoke(found.session_id)


class ChallengeS256(CodeChallenge):
    """PKCE (RFC 7636), S256 alone, for every client."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse a request without a challenge, with another method, or asking for a silent sign-in."""
        told = grant.request.parameters
        if told.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
            told.get("code_challenge", "")
        ):
            raise InvalidRequestError("PKCE with S256 is required.", redirect_uri=redirect_uri)
        if not told.get("state") or len(told["state"]) > _LONGEST_STATE:
            raise InvalidRequestError("A state is required.", redirect_uri=redirect_uri)
        if "none" in told.get("prompt", "").split():
            raise LoginRequired(redirect_uri=redirect_uri)


class _PresentedRefresh:
    """A refresh token as Authlib asks about it; judged and exchanged in one step later."""

    def __init__(self, token: str) -> None:
        self.token = token

    def check_client(self, _client: object) -> bool:
        return True  # Sessions.refresh compares the client in the same step that exchanges the token

    def get_scope(self) -> str:
        return ""


class RefreshGrant(RefreshTokenGrant):
    """The refresh token, exchanged by `Sessions.refresh`."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)
    server: Any
    request: FormRequest

    def authenticate_refresh_token(self, refresh_token: str) -> _PresentedRefresh:
        """The token as presented."""
        return _PresentedRefresh(refresh_token)

    def _validate_token_scope(self, _token: object) -> None:
        """A session keeps the scope it was opened with."""

    def create_token_response(self) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        """Exchange it, or refuse with invalid_grant."""
        desk: Desk = self.server.desk
        try:
            opened = desk.sessions.refresh(self.request.refresh_token.token, self.request.client.client_id)
        except TokenRefused as why:
            raise InvalidGrantError() from why
        return 200, desk.session_answer(opened), []
