"""Our access tokens: JWT (RFC 9068, typ at+jwt), ES256, five minutes, judged by our own clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from wallet_api.identity.errors import TokenRefused
from wallet_api.identity.model import LEEWAY, CallerKind
from wallet_api.infra.crypto.framing import from_base64url
from wallet_api.infra.crypto.jws import sign_compact
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.strict_json import MalformedBody, strict_json

ACCESS_LIFE = timedelta(minutes=5)
TYP = "at+jwt"
_LARGEST = 4096
_REMEMBERED = 4096
_REQUIRED = ("iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "sid", "ver", "kind")
_HEADER = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True)
class AccessClaims:
    """What one of our access tokens says. `session_version` must be the live one."""

    kind: CallerKind
    subject_id: str
    client_id: str
    session_id: str
    session_version: int
    jti: str
    roles: frozenset[str] = frozenset()
    organisation_id: str | None = None
    practitioner_id: str | None = None
    acr: str | None = None
    auth_time: datetime | None = None


class AccessTokens:
    """Issues and verifies access tokens; their audience is this wallet's API."""

    def __init__(self, issuer: str, keys: KeyStore, now: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._audience = f"{issuer}/api"
        self._keys = keys
        self._now = now
        # What is remembered is that a key signed these bytes; whether it is still ours is asked each time.
        self._proven = lru_cache(maxsize=_REMEMBERED)(self._prove)

    def issue(self, claims: AccessClaims) -> str:
        """A signed token, good from now for five minutes."""
        now = int(self._now().timestamp())
        payload: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": claims.subject_id,
            "client_id": claims.client_id,
            "iat": now,
            "nbf": now,
            "exp": now + int(ACCESS_LIFE.total_seconds()),
            "jti": claims.jti,
            "sid": claims.session_id,
            "ver": claims.session_version,
            "kind": claims.kind,
        }
        payload |= _optional(claims)
        body = json.dumps(payload, separators=(",", ":")).encode("utf-8")
        return sign_compact(self._keys.signer("token"), body, typ=TYP)

    def verify(self, token: str) -> AccessClaims:
        """What the token says. The session it names is not looked at here.

        Raises:
            TokenRefused: it is too large, malformed, not ours, forged, expired or not yet good.
        """
        if len(token) > _LARGEST or not token.isascii():
            raise TokenRefused("not an access token of ours")
        try:
            kid, payload = self._proven(token)
            self._key(kid)
            self._check_times(payload)
            return _claims(payload)
        except (jwt.PyJWTError, MalformedBody, ValueError, TypeError, KeyError, ArithmeticError) as why:
            raise TokenRefused("not an access token of ours") from why

    def _prove(self, token: str) -> tuple[str, Mapping[str, Any]]:
        """Key id and payload of a token that this key signed for us. The same bytes stay proven."""
        head, body, signature = token.split(".")
        kid = _kid(strict_json(from_base64url(head)))
        # The library reads over padding, blanks and repeated names: one token must have one spelling.
        strict_json(from_base64url(body))
        from_base64url(signature)
        payload = jwt.decode(
            token,
            self._key(kid),
            algorithms=["ES256"],
            issuer=self._issuer,
            audience=self._audience,
            # Times are judged each time: PyJWT would read the machine's clock, not the injected one.
            options={
                "require": list(_REQUIRED),
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "strict_aud": True,
            },
        )
        return kid, payload

    def _key(self, kid: str) -> EllipticCurvePublicKey:
        found = self._keys.public_key("token", kid)
        if not isinstance(found, EllipticCurvePublicKey):
            raise ValueError("kid")
        return found

    def _check_times(self, payload: Mapping[str, Any]) -> None:
        moments = [payload[name] for name in ("iat", "nbf", "exp")]
        if not all(type(moment) is int for moment in moments):
            raise ValueError("times are whole seconds")
        issued, begins, ends = moments
        if ends - issued > ACCESS_LIFE.total_seconds():
            raise ValueError("longer-lived than any of ours")
        now, leeway = self._now().timestamp(), LEEWAY.total_seconds()
        if max(issued, begins) > now + leeway or now >= ends + leeway:
            raise ValueError("not good now")


def _optional(claims: AccessClaims) -> dict[str, object]:
    found: dict[str, object] = {}
    if claims.roles:
        found["roles"] = sorted(claims.roles)
    if claims.organisation_id is not None:
        found["org"] = claims.organisation_id
    if claims.practitioner_id is not None:
        found["act"] = {"sub": claims.practitioner_id}
    if claims.acr is not None and claims.auth_time is not None:
        found |= {"acr": claims.acr, "auth_time": int(claims.auth_time.timestamp())}
    return found


def _kid(header: object) -> str:
    if not isinstance(header, dict) or header.get("alg") != "ES256" or header.get("typ") != TYP:
        raise ValueError("header")
    kid = header.get("kid")
    if not header.keys() <= _HEADER or not isinstance(kid, str):
        raise ValueError("header")
    return kid


def _claims(payload: Mapping[str, Any]) -> AccessClaims:
    kind, act, roles = payload["kind"], payload.get("act"), payload.get("roles", [])
    if kind not in ("citizen", "provider", "ops") or type(payload["ver"]) is not int:
        raise ValueError("kind or version")
    if act is not None and (not isinstance(act, dict) or act.keys() != {"sub"}):
        raise ValueError("act")
    moment = payload.get("auth_time")
    return AccessClaims(
        kind=kind,
        subject_id=_text(payload["sub"]),
        client_id=_text(payload["client_id"]),
        session_id=_text(payload["sid"]),
        session_version=payload["ver"],
        jti=_text(payload["jti"]),
        roles=frozenset(_text(role) for role in roles),
        organisation_id=None if payload.get("org") is None else _text(payload["org"]),
        practitioner_id=None if act is None else _text(act["sub"]),
        acr=payload.get("acr"),
        auth_time=None if moment is None else datetime.fromtimestamp(moment, UTC),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    return value
