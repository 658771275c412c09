"""Consent receipts: what was agreed, signed, verifiable offline by anybody with the public key.

A receipt is a compact JWS (RFC 7515, ES256) over RFC 8785 canonical JSON with the fields of
ISO/IEC TS 27560:2023 (as published in the W3C DPV guide) and those Vietnamese law adds.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from consent.model import Grant

TYPE = "consent-receipt+jws"
SCHEMA_VERSION = "wallet-receipt-1"
_PART = re.compile(r"[A-Za-z0-9_-]+")


class ReceiptInvalid(Exception):
    """The receipt is not one that the holder of these keys signed."""

    code = "receipt_invalid"


@dataclass(frozen=True)
class Party:
    """Somebody named in a receipt."""

    id: str
    name: str
    role: str


@dataclass(frozen=True)
class Signing:
    """A key to sign with: its id and a function giving the raw 64-byte r||s of ES256."""

    kid: str
    sign: Callable[[bytes], bytes]


def content(grant: Grant, controller: Party, recipient: Party, notice_text: str) -> dict[str, object]:
    """The receipt's fields for one version of a grant; equal grants give equal bytes."""
    scope, shown = grant.scope, grant.notice
    period = scope.record_period
    return {
        "schema_version": SCHEMA_VERSION,
        "record_id": grant.id,
        "receipt_id": f"{grant.id}.{grant.version}",
        "pii_principal_id": grant.citizen_id,
        "jurisdiction": "VN",
        "legal_basis": "Law 91/2025/QH15 Art. 9; Decree 356/2025/NĐ-CP Art. 6",
        "language": shown.locale,
        "privacy_notice": {"version": shown.version, "sha256": shown.sha256, "text": _nfc(notice_text)},
        "purpose": scope.purpose,
        "pii_information": sorted(scope.categories),
        "sensitive": True,
        "restricted_labels_included": sorted(scope.labels),
        "record_period": {
            "from": period.first.isoformat() if period.first else None,
            "to": period.last.isoformat() if period.last else None,
        },
        "uses": scope.uses,
        "held_back": list(grant.held_back),
        "pii_controllers": [_party(controller)],
        "recipient_third_parties": [_party(recipient)],
        "recipient_practitioner": scope.practitioner_id,
        "storage_locations": ["VN"],
        "retention_period": "until the validity ends; this receipt as long as it may serve as proof",
        "withdrawal_method": "in the app, at any time, effective at once",
        "event": [
            {
                "event_time": _instant(grant.granted_at),
                "validity_duration": _instant(scope.expires_at),
                "entity_id": grant.evidence.person_id,
                "relation": grant.evidence.relation,
                "event_type": "explicit",
                "event_state": grant.state,
                "authenticated_at": _instant(grant.evidence.authenticated_at),
                "assurance": grant.evidence.assurance,
                "client": grant.evidence.client_id,
                "channel": grant.evidence.channel,
                "method": "electronic, in an app, after sign-in with the national identity",
            }
        ],
    }


def signed(receipt: Mapping[str, object], signing: Signing) -> str:
    """The receipt as a compact JWS."""
    header = rfc8785.dumps({"alg": "ES256", "kid": signing.kid, "typ": TYPE})
    body = rfc8785.dumps(dict(receipt))  # type: ignore[arg-type]  # its JSON type is recursive
    head = f"{_b64(header)}.{_b64(body)}"
    return f"{head}.{_b64(signing.sign(head.encode('ascii')))}"


def verified(jws: str, keys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The content of a receipt that one of these public keys (JWKs) signed.

    Raises:
        ReceiptInvalid: malformed, not canonical, another algorithm or type, unknown key, bad signature.
    """
    parts = jws.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise ReceiptInvalid("form")
    try:
        header, body = json.loads(_unb64(parts[0])), json.loads(_unb64(parts[1]))
        raw = _unb64(parts[2])
    except ValueError as why:
        raise ReceiptInvalid("form") from why
    if not isinstance(header, dict) or header.get("alg") != "ES256" or header.get("typ") != TYPE:
        raise ReceiptInvalid("header")
    if not isinstance(body, dict) or rfc8785.dumps(body) != _unb64(parts[1]) or len(raw) != 64:
        raise ReceiptInvalid("canonical form")
    _check_signature(_key(keys, header.get("kid")), raw, f"{parts[0]}.{parts[1]}".encode("ascii"))
    return body


def _check_signature(key: ec.EllipticCurvePublicKey, raw: bytes, message: bytes) -> None:
    number = int.from_bytes
    der = utils.encode_dss_signature(number(raw[:32], "big"), number(raw[32:], "big"))
    try:
        key.verify(der, message, ec.ECDSA(SHA256()))
    except InvalidSignature as why:
        raise ReceiptInvalid("signature") from why


def _key(keys: Sequence[Mapping[str, Any]], kid: object) -> ec.EllipticCurvePublicKey:
    for jwk in keys:
        if jwk.get("kid") == kid and jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            x, y = (int.from_bytes(_unb64(jwk[axis]), "big") for axis in ("x", "y"))
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    raise ReceiptInvalid("unknown key")


def _party(party: Party) -> dict[str, str]:
    return {"party_id": party.id, "party_name": _nfc(party.name), "party_role": party.role}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _unb64(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _b64(raw) != text:  # one value, one spelling: trailing bits may not be played with
        raise ValueError("not canonical base64url")
    return raw
