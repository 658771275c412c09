"""The relying parties of the sandbox provider and how they prove who they are (private_key_jwt only)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, RSAKey

from wallet_api.infra.clock import Now
from wallet_api.sandbox.folder import replace_file, sandbox_folder
from wallet_api.sandbox.people import Audience
from wallet_api.settings import Settings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "RS256")
_LONGEST_LIFE = 600
_LEEWAY = 30


class TokenRefused(Exception):
    """The token endpoint says no; `code` is an error of RFC 6749 section 5.2."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True)
class Client:
    """One relying party: whom it may sign in, where answers may go, where its public keys are read."""

    client_id: str
    audience: Audience
    redirect_uris: tuple[str, ...]
    jwks_path: Path


def client_jwks_path(settings: Settings, audience: Audience) -> Path:
    """Where a relying party's public keys are looked for unless a start option says otherwise."""
    return sandbox_folder(settings) / f"{audience}-client.jwks.json"


def publish_client_key(private_pem: Path, target: Path) -> None:
    """Write the public half of a relying party's PEM key (P-256 or RSA) as the JWKS the sandbox reads."""
    pem = private_pem.read_bytes()
    is_curve = isinstance(load_pem_private_key(pem, password=None), EllipticCurvePrivateKey)
    key = ECKey.import_key(pem) if is_curve else RSAKey.import_key(pem)
    public = key.as_dict(private=False) | {"kid": key.thumbprint(), "use": "sig"}
    replace_file(target, json.dumps({"keys": [public]}, indent=1).encode("ascii"))


class ClientDesk:
    """Tells relying parties apart and accepts each signed assertion once."""

    def __init__(self, clients: tuple[Client, ...], audiences: tuple[str, ...], now: Now) -> None:
        self._clients = {client.client_id: client for client in clients}
        self._audiences = audiences
        self._now = now
        self._spent: dict[str, float] = {}
        self._lock = threading.Lock()

    def find(self, client_id: str) -> Client | None:
        """The relying party with this id."""
        return self._clients.get(client_id)

    def authenticate(self, form: Mapping[str, str]) -> Client:
        """The relying party behind a token request.

        Raises:
            TokenRefused: invalid_client, whatever is wrong with the assertion.
        """
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            raise TokenRefused("invalid_client", "a private_key_jwt client assertion is required")
        assertion = form["client_assertion"]
        try:
            client = self._clients[_issuer_named_in(assertion)]
            claims = jwt.decode(
                assertion,
                _key_for(client, assertion),
                algorithms=list(ALGORITHMS),
                audience=self._audiences,
                options=_OWN_CLOCK,
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, OSError) as why:
            raise TokenRefused("invalid_client", "the client assertion does not verify") from why
        self._check_once(client, claims, form.get("client_id"))
        return client

    def _check_once(self, client: Client, claims: Mapping[str, object], named: str | None) -> None:
        if claims["sub"] != client.client_id or named not in (None, client.client_id):
            raise TokenRefused("invalid_client", "iss, sub and client_id must be the same client")
        now = self._now().timestamp()
        expires, jti = claims["exp"], claims["jti"]
        if (
            not isinstance(expires, int | float)
            or not now - _LEEWAY < expires <= now + _LONGEST_LIFE + _LEEWAY
        ):
            raise TokenRefused("invalid_client", "the client assertion is expired or lives too long")
        key = f"{client.client_id}\x1f{jti}"
        with self._lock:
            self._spent = {name: end for name, end in self._spent.items() if end + _LEEWAY > now}
            if key in self._spent:
                raise TokenRefused("invalid_client", "the client assertion was used before")
            self._spent[key] = expires


# Times are judged by the injected clock, which a story may move; PyJWT knows only the machine's.
_OWN_CLOCK: jwt.types.Options = {
    "require": ["iss", "sub", "aud", "exp", "jti"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def seconds(instant: datetime) -> int:
    """An instant as the whole seconds that tokens are written in."""
    return int(instant.timestamp())


def _issuer_named_in(assertion: str) -> str:
    unverified = jwt.decode(assertion, options={"verify_signature": False})
    return str(unverified["iss"])


def _key_for(client: Client, assertion: str) -> jwt.PyJWK:
    keys = jwt.PyJWKSet.from_json(client.jwks_path.read_text(encoding="utf-8")).keys
    wanted = jwt.get_unverified_header(assertion).get("kid")
    fitting = [key for key in keys if wanted is None or key.key_id == wanted]
    if len(fitting) != 1:
        raise KeyError("no registered key fits")
    return fitting[0]
