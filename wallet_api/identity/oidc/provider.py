"""One configured OpenID provider: where to send the browser, and what its answer proves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.common.urls import add_params_to_qs

from wallet_api.identity.errors import UpstreamRefused, UpstreamUnavailable
from wallet_api.identity.oidc.breaker import Breaker
from wallet_api.identity.oidc.discovery import Discovery
from wallet_api.identity.oidc.id_token import Expected, verified_claims
from wallet_api.identity.oidc.transport import Deadline, bound
from wallet_api.infra.crypto.jws import Signer, sign_compact

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PATIENCE_SECONDS = 4.5
"""What all requests of one step of a sign-in may take together."""
_ASSERTION_LIFE = timedelta(seconds=60)


@dataclass(frozen=True)
class ProviderConfig:
    """How the wallet is registered at one provider. `levels` None accepts any assurance level."""

    issuer: str
    client_id: str
    redirect_uri: str
    levels: tuple[str, ...] | None
    dev: bool


@dataclass(frozen=True)
class Ask:
    """The secrets of one sign-in attempt."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    began: datetime


class OpenIdProvider:
    """A relying party's view of one provider: code flow, PKCE S256, nonce, private_key_jwt (ES256)."""

    def __init__(
        self,
        config: ProviderConfig,
        signer: Callable[[], Signer],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._signer = signer
        self._now = now
        self._new_id = new_id
        self._tick = tick
        self._breaker = Breaker(tick)
        self._discovery = Discovery(config.issuer, self._breaker, dev=config.dev, tick=tick)

    @property
    def issuer(self) -> str:
        """Whom we ask."""
        return self._config.issuer

    def address(self, ask: Ask) -> str:
        """Where the browser is sent: a sign-in that must be a new one, with our state, nonce and challenge.

        Raises:
            UpstreamUnavailable: the provider does not answer, or failed lately: nobody is sent there in vain.
            UpstreamRefused: the metadata is not its own.
        """
        self._breaker.refuse_if_open()
        deadline = self.deadline()
        found = self._discovery.endpoints(deadline)
        with self._session(deadline) as session:
            url, _ = session.create_authorization_url(
                found.authorization,
                state=ask.state,
                code_verifier=ask.verifier,
                nonce=ask.nonce,
                prompt="login",
                max_age="0",
                acr_values=" ".join(self._config.levels or ()) or None,
            )
        return str(url)

    def deadline(self) -> Deadline:
        """When a step of a sign-in that begins now must be over."""
        return Deadline.after(PATIENCE_SECONDS, self._tick)

    def names_right_issuer(self, told: str | None, deadline: Deadline) -> bool:
        """Whether the answer's `iss` is this provider's; only a provider that never sends it may omit it."""
        if told is None:
            return not self._discovery.endpoints(deadline).names_itself
        return told == self._config.issuer

    def claims(self, code: str, ask: Ask, deadline: Deadline) -> Mapping[str, Any]:
        """The verified claims of the person who signed in. The provider's tokens end here.

        Raises:
            UpstreamRefused: the code or the ID token failed a check.
            UpstreamUnavailable: the provider does not answer.
        """
        answer = self._exchange(code, ask, deadline)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise UpstreamRefused("the provider gave no ID token")
        expected = Expected(
            issuer=self._config.issuer,
            client_id=self._config.client_id,
            nonce=ask.nonce,
            access_token=access_token,
            levels=self._config.levels,
            began=ask.began,
            now=self._now(),
        )
        return verified_claims(id_token, expected, lambda kid: self._discovery.key(kid, deadline))

    def _exchange(self, code: str, ask: Ask, deadline: Deadline) -> Mapping[str, Any]:
        token_endpoint = self._discovery.endpoints(deadline).token
        with self._breaker.exchange():
            return self._exchanged(token_endpoint, code, ask, deadline)

    def _exchanged(self, address: str, code: str, ask: Ask, deadline: Deadline) -> Mapping[str, Any]:
        try:
            with self._session(deadline) as session:
                answer = session.fetch_token(
                    address,
                    code=code,
                    code_verifier=ask.verifier,
                    grant_type="authorization_code",
                    allow_redirects=False,
                )
        except AuthlibBaseError as why:
            raise UpstreamRefused("the provider refused the code") from why
        except (OSError, ValueError, RecursionError) as why:
            raise UpstreamUnavailable("the sign-in provider does not answer") from why
        if not isinstance(answer, dict):
            raise UpstreamUnavailable("the sign-in provider answers something else")
        return answer

    def _session(self, deadline: Deadline) -> Any:
        # Loaded by the first sign-in: it takes a quarter of a second that a starting worker has not.
        from authlib.integrations.requests_client import OAuth2Session

        session = OAuth2Session(
            client_id=self._config.client_id,
            token_endpoint_auth_method="private_key_jwt",  # noqa: S106 - the name of a method
            redirect_uri=self._config.redirect_uri,
            scope="openid",
            code_challenge_method="S256",
        )
        bound(session, deadline)
        session.register_client_auth_method(("private_key_jwt", self._authenticate))
        return session

    def _authenticate(
        self, _auth: object, _method: str, uri: str, headers: object, body: str
    ) -> tuple[str, object, str]:
        """Authlib's hook for client authentication: its own signer would read the machine's clock."""
        now = self._now()
        claims = {
            "iss": self._config.client_id,
            "sub": self._config.client_id,
            "aud": uri,
            "iat": int(now.timestamp()),
            "exp": int((now + _ASSERTION_LIFE).timestamp()),
            "jti": self._new_id(),
        }
        assertion = sign_compact(self._signer(), json.dumps(claims).encode("utf-8"), typ="JWT")
        form = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)]
        return uri, headers, add_params_to_qs(body, form)
