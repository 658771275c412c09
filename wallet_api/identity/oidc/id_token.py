"""Checking an ID token (OpenID Connect Core 3.1.3.7): every check, by our own clock."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from wallet_api.identity.errors import UpstreamRefused
from wallet_api.identity.model import LEEWAY
from wallet_api.identity.oidc.discovery import Key

ALGORITHMS = ("ES256", "RS256", "PS256")
_LARGEST = 16 * 1024
_OLDEST_ISSUE = timedelta(minutes=5)


@dataclass(frozen=True)
class Expected:
    """What the token must say. `levels` None accepts any assurance level; `began` is when we asked."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str
    levels: tuple[str, ...] | None
    began: datetime
    now: datetime


def verified_claims(token: str, expected: Expected, key_of: Callable[[str], Key]) -> Mapping[str, Any]:
    """The token's claims once every check has passed. `key_of` finds the provider's key of an id.

    Raises:
        UpstreamRefused: any check failed; the text names the check, never the person.
        UpstreamUnavailable: the provider's keys cannot be read.
    """
    header, claims = _opened(token, key_of)
    failed = next((name for name, passed in _checks(header, claims, expected) if not passed), None)
    if failed is not None:
        raise UpstreamRefused(f"ID token: {failed}")
    return claims


def _opened(token: str, key_of: Callable[[str], Key]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if len(token) > _LARGEST or not token.isascii():
        raise UpstreamRefused("ID token: form")
    try:
        header = jws.extract_compact(token.encode("ascii")).headers()
        alg, kid = header.get("alg"), header.get("kid")
        if alg not in ALGORITHMS or not isinstance(kid, str) or "crit" in header:
            raise UpstreamRefused("ID token: header")
        found = jws.deserialize_compact(token, key_of(kid), algorithms=[str(alg)])
        claims = json.loads(found.payload)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as why:
        raise UpstreamRefused("ID token: signature") from why
    if not isinstance(claims, dict):
        raise UpstreamRefused("ID token: form")
    return header, claims


def _checks(
    header: Mapping[str, Any], claims: Mapping[str, Any], expected: Expected
) -> list[tuple[str, bool]]:
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    azp = claims.get("azp")
    in_aud = isinstance(audiences, list) and expected.client_id in audiences
    alone = isinstance(audiences, list) and len(audiences) == 1
    subject = claims.get("sub")
    return [
        ("iss", claims.get("iss") == expected.issuer),
        ("aud", in_aud),
        ("azp", azp == expected.client_id or (azp is None and alone)),
        ("sub", isinstance(subject, str) and 0 < len(subject) <= 255),
        ("nonce", _same(claims.get("nonce"), expected.nonce)),
        # Optional where the token comes over our own connection (3.1.3.6); what is there must be right.
        ("at_hash", "at_hash" not in claims or _same(claims["at_hash"], half_hash(expected.access_token))),
        ("acr", expected.levels is None or claims.get("acr") in expected.levels),
        ("time", _timely(claims, expected)),
        ("typ", header.get("typ") in (None, "JWT")),
    ]


def _timely(claims: Mapping[str, Any], expected: Expected) -> bool:
    """Not expired, issued just now, authenticated after we asked: no older result is used again."""
    found = [_instant(claims.get(name)) for name in ("exp", "iat", "auth_time")]
    ends, issued, authenticated = found
    if ends is None or issued is None or authenticated is None:
        return False
    begins = _instant(claims.get("nbf", 0))
    if begins is None or max(begins, issued, authenticated) > expected.now + LEEWAY:
        return False
    recent = issued >= expected.now - _OLDEST_ISSUE - LEEWAY and authenticated >= expected.began - LEEWAY
    return recent and expected.now < ends + LEEWAY


def half_hash(access_token: str) -> str:
    """The left half of an access token's SHA-256 in base64url: `at_hash` for all our algorithms."""
    half = hashlib.sha256(access_token.encode("utf-8")).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode("ascii")


def _same(told: object, expected: str) -> bool:
    return isinstance(told, str) and hmac.compare_digest(told.encode("utf-8"), expected.encode("utf-8"))


def _instant(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
