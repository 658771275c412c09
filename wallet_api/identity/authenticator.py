"""From a bearer token to a caller: our own token, then the one document that says it still counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wallet_api.identity.clients import Clients
from wallet_api.identity.errors import OffRoster, TokenRefused
from wallet_api.identity.model import Caller
from wallet_api.identity.organisations import Organisations
from wallet_api.identity.sessions import Sessions
from wallet_api.identity.tokens import AccessClaims, AccessTokens


class Authenticator:
    """Tells who is calling. One database operation: the session, or for a provider its client; for a
    practitioner one more, the roster, so that a dismissal works at once."""

    def __init__(
        self,
        tokens: AccessTokens,
        sessions: Sessions,
        clients: Clients,
        organisations: Organisations,
        now: Callable[[], datetime],
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._clients = clients
        self._organisations = organisations
        self._now = now

    def caller(self, bearer: str) -> Caller:
        """The caller behind an access token.

        Raises:
            TokenRefused: forged, expired, not ours, or its session (or client) has ended or changed.
        """
        claims = self._tokens.verify(bearer)
        return self._provider(claims) if claims.kind == "provider" else self._person(claims)

    def _person(self, claims: AccessClaims) -> Caller:
        session = self._sessions.get(claims.session_id)
        if session is None or not self._sessions.live(session) or session.version != claims.session_version:
            raise TokenRefused("the session has ended")
        told = (claims.kind, claims.subject_id, claims.client_id)
        if (
            told != (session.kind, session.subject_id, session.client_id)
            or claims.practitioner_id is not None
        ):
            raise TokenRefused("the token does not fit its session")
        return Caller(
            kind=session.kind,
            subject_id=session.subject_id,
            session_id=session.id,
            client_id=session.client_id,
            roles=session.roles,
            auth_time=session.auth_time,
            acr=session.acr,
            scope=session.scope,
            books=session.books,
        )

    def _provider(self, claims: AccessClaims) -> Caller:
        client = self._clients.live(claims.client_id)
        if client is None or client.kind != "provider" or client.version != claims.session_version:
            raise TokenRefused("the client was suspended or changed")
        if client.organisation_id is None or client.organisation_id != claims.subject_id:
            raise TokenRefused("the token does not fit its client")
        if claims.practitioner_id is not None:
            self._check_roster(client.organisation_id, claims.practitioner_id)
        return Caller(
            kind="provider",
            subject_id=client.organisation_id,
            session_id=claims.session_id,
            client_id=client.id,
            organisation_id=client.organisation_id,
            practitioner_id=claims.practitioner_id,
        )

    def _check_roster(self, organisation_id: str, practitioner_id: str) -> None:
        try:
            self._organisations.practitioner(organisation_id, practitioner_id, self._now())
        except OffRoster as why:
            raise TokenRefused("the practitioner has left the roster") from why
