"""Statements of erasure: a JWS that an organisation signs with a key it has registered.

The header is `{"alg": "ES256", "typ": "erasure-attestation+jwt", "kid": ...}`; the claims are `iss` (the
client's id), `aud` (this wallet's public URL), `iat` and `erased_at` (seconds since 1970), `grant_id` (the
reference the organisation knows the consent by) and `extent` (`own_copies` or `everything`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from wallet_api.events.errors import BadAttestation
from wallet_api.events.model import Extent
from wallet_api.infra.ids import id_from_bytes

TYPE: Final = "erasure-attestation+jwt"
FRESH: Final = timedelta(days=1)
"""How old a statement may be when it first arrives."""
_LEEWAY: Final = timedelta(seconds=60)
_CLAIMS: Final = frozenset({"iss", "aud", "iat", "erased_at", "grant_id", "extent"})


@dataclass(frozen=True)
class Statement:
    """What a verified statement says. `grant_ref` is still the organisation's own reference."""

    id: str
    grant_ref: str
    extent: Extent
    issued_at: datetime
    erased_at: datetime
    key: dict[str, str]


def verified_statement(
    text: str, client_id: str, keys: Mapping[str, Any], audience: str, now: datetime
) -> Statement:
    """What a statement says, if one of the client's registered keys signed it for this wallet.

    Raises:
        BadAttestation: `form`, `header`, `signature`, `claims`, `iss`, `aud`, `iat` or `erased_at`.
    """
    head = _header(text)
    try:
        # Not the RSA keys a provider may have beside: they sign messages of the national platform alone.
        known = jwk.KeySet.import_key_set({"keys": [each for each in keys["keys"] if each["kty"] == "EC"]})
        claims = jwt.decode(text, known, algorithms=["ES256"]).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as why:
        raise BadAttestation("signature") from why
    if set(claims) != _CLAIMS or claims["extent"] not in get_args(Extent):
        raise BadAttestation("claims")
    for name, expected in (("iss", client_id), ("aud", audience)):
        if claims[name] != expected:
            raise BadAttestation(name)
    if not isinstance(claims["grant_id"], str):
        raise BadAttestation("claims")
    issued, erased = _at(claims["iat"], "iat"), _at(claims["erased_at"], "erased_at")
    if not now - FRESH <= issued <= now + _LEEWAY:
        raise BadAttestation("iat")
    if erased > issued + _LEEWAY:
        raise BadAttestation("erased_at")
    key = next(each for each in keys["keys"] if each["kid"] == head["kid"])
    return Statement(statement_id(text), claims["grant_id"], claims["extent"], issued, erased, dict(key))


def statement_id(text: str) -> str:
    """The id of a statement: its digest, so that the same one is one, however often it is sent."""
    return id_from_bytes(hashlib.sha256(text.encode()).digest()[:16])


def _header(text: str) -> Mapping[str, Any]:
    if not text.isascii():
        raise BadAttestation("form")
    try:
        head = jws.extract_compact(text.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as why:
        raise BadAttestation("form") from why
    # Another kind of JWT of the same key, such as a client assertion, is no statement of erasure.
    if set(head) != {"alg", "kid", "typ"} or head["typ"] != TYPE or not isinstance(head["kid"], str):
        raise BadAttestation("header")
    return head


def _at(seconds: object, name: str) -> datetime:
    if type(seconds) is not int:
        raise BadAttestation(name)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as why:
        raise BadAttestation(name) from why
