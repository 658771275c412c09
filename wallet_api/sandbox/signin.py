"""The sandbox provider's rules: what a sign-in request must carry, one-time codes, ID tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from joserfc.jwk import ECKey

from wallet_api.infra.clock import Now
from wallet_api.sandbox.clients import Client, TokenRefused, seconds
from wallet_api.sandbox.conditions import SANDBOX_CLAIM
from wallet_api.sandbox.folder import keep_once
from wallet_api.sandbox.people import SignIn, subject_of

CODE_LIFE = timedelta(seconds=60)
TOKEN_SECONDS = 300
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class SignInRefused(Exception):
    """A sign-in request that is answered at the relying party; `code` is an error of RFC 6749 or OpenID."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True)
class SignInRequest:
    """A checked authorization request; client and redirect address were matched before."""

    client: Client
    redirect_uri: str
    state: str
    nonce: str
    challenge: str


@dataclass(frozen=True)
class Approval:
    """What a one-time code stands for."""

    request: SignInRequest
    person: SignIn
    at: datetime


def checked_request(client: Client, redirect_uri: str, params: Mapping[str, str]) -> SignInRequest:
    """The sign-in request these parameters make.

    Raises:
        SignInRefused: a parameter is missing or weaker than code with PKCE S256, state and nonce.
    """
    if params.get("response_type") != "code":
        raise SignInRefused("unsupported_response_type", "response_type must be code")
    if "openid" not in params.get("scope", "").split():
        raise SignInRefused("invalid_scope", "scope must contain openid")
    if params.get("prompt") == "none":
        raise SignInRefused("login_required", "every sign-in here is a fresh one")
    for name in ("state", "nonce"):
        if not params.get(name):
            raise SignInRefused("invalid_request", f"{name} is required")
    if params.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
        params.get("code_challenge", "")
    ):
        raise SignInRefused("invalid_request", "PKCE with code_challenge_method S256 is required")
    return SignInRequest(client, redirect_uri, params["state"], params["nonce"], params["code_challenge"])


class CodeBook:
    """One-time codes: each opens once, within 60 seconds, for the client that asked."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._open: dict[bytes, Approval] = {}
        self._lock = threading.Lock()

    def issue(self, request: SignInRequest, person: SignIn) -> str:
        """A new code for a person who has just signed in."""
        code = secrets.token_urlsafe(32)
        now = self._now()
        with self._lock:
            self._open = {key: one for key, one in self._open.items() if now < one.at + CODE_LIFE}
            self._open[_digest(code)] = Approval(request, person, now)
        return code

    def redeem(self, client: Client, form: Mapping[str, str]) -> Approval:
        """What the code in a token request stands for; the code is spent whether or not the rest fits.

        Raises:
            TokenRefused: invalid_grant.
        """
        with self._lock:
            approval = self._open.pop(_digest(form.get("code", "")), None)
        if approval is None or approval.request.client != client or self._now() >= approval.at + CODE_LIFE:
            raise TokenRefused("invalid_grant", "the code is unknown, used, expired or another client's")
        if form.get("redirect_uri") != approval.request.redirect_uri:
            raise TokenRefused("invalid_grant", "redirect_uri differs from the one in the request")
        if not _verifies(form.get("code_verifier", ""), approval.request.challenge):
            raise TokenRefused("invalid_grant", "code_verifier does not match the challenge")
        return approval


class IdTokens:
    """Signs ID tokens with the sandbox's own ES256 key, kept in the sandbox folder."""

    def __init__(self, issuer: str, key_file: Path, now: Now) -> None:
        raw = keep_once(
            key_file, lambda: json.dumps(ECKey.generate_key("P-256").as_dict(private=True)).encode()
        )
        self._key = ECKey.import_key(json.loads(raw))
        self._issuer = issuer
        self._now = now

    @property
    def jwks(self) -> dict[str, Any]:
        """The published key set."""
        public = self._key.as_dict(private=False)
        return {"keys": [public | {"kid": self._key.thumbprint(), "use": "sig", "alg": "ES256"}]}

    def sign(self, approval: Approval, access_token: str) -> str:
        """The ID token for one approval, bound to the access token by at_hash."""
        person, client, now = approval.person, approval.request.client, seconds(self._now())
        claims = {
            "iss": self._issuer,
            "sub": subject_of(person.audience, person.id),
            "aud": client.client_id,
            "azp": client.client_id,
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "auth_time": seconds(approval.at),
            "nonce": approval.request.nonce,
            "at_hash": _half_hash(access_token),
            "acr": person.level,
            "amr": ["pwd", "otp"] if person.level > "1" else ["pwd"],
            SANDBOX_CLAIM: True,
        }
        pem = self._key.as_pem(private=True)
        return jwt.encode(claims | person.claims, pem, "ES256", {"kid": self._key.thumbprint()})


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _verifies(verifier: str, challenge: str) -> bool:
    if not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(_b64(hashlib.sha256(verifier.encode("ascii")).digest()), challenge)


def _half_hash(token: str) -> str:
    return _b64(hashlib.sha256(token.encode("ascii")).digest()[:16])


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
