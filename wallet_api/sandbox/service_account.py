"""The sandbox's own Google service account: its file, and the token endpoint that honours it."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from wallet_api.infra.clock import Now
from wallet_api.sandbox.folder import keep_once, replace_file, sandbox_folder
from wallet_api.settings import Settings

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_LIFE = timedelta(seconds=3600)
_SCOPES = frozenset(
    {"https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"}
)
# Google's client library names Google as the audience wherever token_uri points.
_GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
_SKEW = timedelta(seconds=60)


class GrantRefused(Exception):
    """The token endpoint says no; `code` is an error of RFC 6749 section 5.2."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def service_account_path(settings: Settings) -> Path:
    """Where the service account file is kept."""
    return sandbox_folder(settings) / "service-account.json"


def keep_service_account(settings: Settings, base_url: str) -> dict[str, Any]:
    """The service account, made once; its token address follows the port the receiver has today."""
    path = service_account_path(settings)
    project = settings.fcm_project or "wallet-sandbox"
    found: dict[str, Any] = json.loads(keep_once(path, lambda: json.dumps(_new_account(project)).encode()))
    wanted = found | {
        "project_id": project,
        "client_email": f"sandbox@{project}.iam.gserviceaccount.com",
        "token_uri": f"{base_url}/token",
    }
    if wanted != found:
        replace_file(path, json.dumps(wanted, indent=1).encode("utf-8"))
    return wanted


class TokenDesk:
    """Issues bearer tokens for assertions signed by the service account, and knows its own again.

    `now` is the machine's clock: Google's client library stamps assertions with it.
    """

    def __init__(self, account: Mapping[str, Any], now: Now) -> None:
        self._account = account
        self._public = load_pem_private_key(account["private_key"].encode(), password=None).public_key()
        self._now = now
        self._issued: dict[bytes, datetime] = {}
        self._lock = threading.Lock()

    def issue(self, form: Mapping[str, str]) -> str:
        """A new bearer token, good for one hour.

        Raises:
            GrantRefused: the assertion is missing, not ours, stale or for nothing we serve.
        """
        if form.get("grant_type") != GRANT:
            raise GrantRefused("unsupported_grant_type", f"Invalid grant_type: only {GRANT}")
        try:
            claims = jwt.decode(
                form.get("assertion", ""),
                self._public,  # type: ignore[arg-type] # the file may hold any key kind; RS256 refuses all but RSA
                algorithms=["RS256"],
                audience=[self._account["token_uri"], _GOOGLE_AUDIENCE],
                issuer=self._account["client_email"],
                options={"require": ["iss", "aud", "exp", "iat"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as why:
            raise GrantRefused("invalid_grant", "Invalid JWT Signature.") from why
        self._check(claims)
        return self._new_token()

    def knows(self, authorization: str) -> bool:
        """Whether an Authorization header carries a bearer token issued here and still alive."""
        scheme, _, token = authorization.partition(" ")
        with self._lock:
            ends = self._issued.get(_digest(token))
        return scheme.lower() == "bearer" and ends is not None and self._now() < ends

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self._now().timestamp()
        skew, life = _SKEW.total_seconds(), TOKEN_LIFE.total_seconds()
        made, ends = claims["iat"], claims["exp"]
        if not (isinstance(made, int | float) and isinstance(ends, int | float)):
            raise GrantRefused("invalid_grant", "Invalid JWT: iat and exp must be numbers")
        if not (made - skew <= now < ends + skew and ends - made <= life):
            raise GrantRefused("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)")
        if not _SCOPES & set(str(claims.get("scope", "")).split()):
            raise GrantRefused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")

    def _new_token(self) -> str:
        token = f"ya29.sandbox-{secrets.token_urlsafe(32)}"
        now = self._now()
        with self._lock:
            self._issued = {key: ends for key, ends in self._issued.items() if ends > now}
            self._issued[_digest(token)] = now + TOKEN_LIFE
        return token


def _new_account(project: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return {
        "type": "service_account",
        "note": "Wallet sandbox: opens nothing but the push receiver on this machine.",
        "project_id": project,
        "private_key_id": secrets.token_hex(20),
        "private_key": pem,
        "client_id": str(10**20 + secrets.randbelow(10**20)),
        "universe_domain": "googleapis.com",
    }


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
