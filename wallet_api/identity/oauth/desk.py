"""What the grants work with: our own services, and the shape of a token answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_api.identity.clients import Clients
from wallet_api.identity.model import ClientKind, Session
from wallet_api.identity.oauth.model import Client
from wallet_api.identity.organisations import Organisations
from wallet_api.identity.ports import CodeStore, JtiStore
from wallet_api.identity.sessions import OpenSession, Sessions
from wallet_api.identity.tokens import ACCESS_LIFE, AccessClaims, AccessTokens

CODE_LIFE = timedelta(seconds=60)
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name of RFC 8693
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name of RFC 8693
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
SCOPES: dict[ClientKind, str] = {"app": "citizen", "provider": "provider", "ops": "ops"}


@dataclass(frozen=True)
class Desk:
    """Everything the grants may touch."""

    issuer: str
    clients: Clients
    organisations: Organisations
    sessions: Sessions
    tokens: AccessTokens
    codes: CodeStore
    jtis: JtiStore
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    @property
    def audiences(self) -> tuple[str, str]:
        """What an assertion meant for us may name: our issuer, or our token endpoint."""
        return self.issuer, f"{self.issuer}/oauth/token"

    def session_answer(self, opened: OpenSession) -> dict[str, object]:
        """The token answer of a person's session."""
        session = opened.session
        whole = SCOPES["app" if session.kind == "citizen" else "ops"]
        answer = self._answer(self._session_claims(session), session.scope or whole)
        # An app that asked for a patient in context is told whose book it is.
        told = {"patient": session.subject_id} if session.scope else {}
        return answer | told | {"refresh_token": opened.refresh_token}

    def provider_answer(self, client: Client, practitioner_id: str | None = None) -> dict[str, object]:
        """The token answer of a provider's system, alone or with a practitioner acting. Never refreshed."""
        claims = AccessClaims(
            kind="provider",
            subject_id=str(client.organisation_id),
            client_id=client.id,
            session_id=client.id,
            session_version=client.version,
            jti=self.new_id(),
            organisation_id=client.organisation_id,
            practitioner_id=practitioner_id,
        )
        return self._answer(claims, "provider")

    def _session_claims(self, session: Session) -> AccessClaims:
        return AccessClaims(
            kind=session.kind,
            subject_id=session.subject_id,
            client_id=session.client_id,
            session_id=session.id,
            session_version=session.version,
            jti=self.new_id(),
            roles=frozenset(session.roles),
            acr=session.acr,
            auth_time=session.auth_time,
        )

    def _answer(self, claims: AccessClaims, scope: str) -> dict[str, object]:
        return {
            "access_token": self.tokens.issue(claims),
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "scope": scope,
        }
