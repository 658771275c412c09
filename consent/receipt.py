"""Consent receipts: what was agreed, signed, verifiable offline by anybody with the public key.

A receipt is a compact JWS (RFC 7515, ES256) over RFC 8785 canonical JSON with the fields of
ISO/IEC TS 27560:2023 (as published in the W3C DPV guide) and those Vietnamese law adds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from consent.model import Grant, GrantKind, Scope
from consent.receipt_fields import lacking

TYPE = "consent-receipt+jws"
SCHEMA_VERSION = "wallet-receipt-1"
METHODS: Mapping[GrantKind, str] = {
    "consent": "electronic, in an app, after sign-in with the national identity",
    "standing": "electronic, in an app, after sign-in with the national identity",
    "assisted": "by word of mouth, attested by a named practitioner",
    "emergency": "none: opened in an emergency without consent, to be reviewed",
}
"""How the person's will was expressed."""
_PART = re.compile(r"[A-Za-z0-9_-]+")


class ReceiptInvalid(Exception):
    """The receipt is not one that the holder of these keys signed."""

    code = "receipt_invalid"


@dataclass(frozen=True)
class Party:
    """Somebody named in a receipt: who it is, of what type, where they are found and how they are reached."""

    id: str
    name: str
    type: str
    address: str
    contact: str


@dataclass(frozen=True)
class Signing:
    """A key to sign with: its id and a function giving the raw 64-byte r||s of ES256."""

    kid: str
    sign: Callable[[bytes], bytes]


def content(
    grant: Grant, controller: Party, recipient: Party, notice_text: str, asked: Scope | None = None
) -> dict[str, object]:
    """The receipt's fields for one version of a grant; equal grants give equal bytes.

    `asked` is the scope of the request that was answered, so that the receipt can say what was held back;
    None where nobody had asked.
    """
    scope, shown = grant.scope, grant.notice
    return {
        "schema_version": SCHEMA_VERSION,
        "record_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:wallet:grant:{grant.id}")),
        "receipt_id": f"{grant.id}.{grant.version}",
        "grant_id": grant.id,
        "grant_kind": grant.kind,
        "pii_principal_id": grant.citizen_id,
        "jurisdiction": "VN",
        "legal_basis": "Law 91/2025/QH15 Art. 9; Decree 356/2025/NĐ-CP Art. 6",
        "language": shown.locale,
        "privacy_notice": {"version": shown.version, "sha256": shown.sha256, "text": _nfc(notice_text)},
        "purpose": scope.purpose,
        "pii_information": sorted(scope.categories),
        "sensitive": True,
        **_limits(scope),
        "asked": None if asked is None else _terms(asked),
        "held_back": list(grant.held_back),
        "difference": difference(asked, scope),
        "pii_controllers": [_party(controller)],
        "recipient_third_parties": [_party(recipient)],
        "recipient_practitioner": scope.practitioner_id,
        "storage_locations": ["VN"],
        "retention_period": "until the validity ends; this receipt as long as it may serve as proof",
        "withdrawal_method": "in the app, at any time, effective at once",
        "event": _events(grant),
    }


def difference(asked: Scope | None, granted: Scope) -> list[dict[str, object]]:
    """What was asked and not given, dimension by dimension; empty when all was given or nobody had asked."""
    if asked is None:
        return []
    before, after = _terms(asked), _terms(granted)
    names = granted.narrowed_from(asked)
    return [{"dimension": name, "asked": before[name], "granted": after[name]} for name in names]


def signed(receipt: Mapping[str, object], signing: Signing) -> str:
    """The receipt as a compact JWS."""
    header = rfc8785.dumps({"alg": "ES256", "kid": signing.kid, "typ": TYPE})
    body = rfc8785.dumps(dict(receipt))  # type: ignore[arg-type]  # its JSON type is recursive
    head = f"{_b64(header)}.{_b64(body)}"
    return f"{head}.{_b64(signing.sign(head.encode('ascii')))}"


def verified(jws: str, keys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The content of a receipt that one of these public keys (JWKs) signed.

    Raises:
        ReceiptInvalid: malformed, not canonical, another algorithm or type, unknown key, bad signature,
            or one that lacks what a receipt must say.
    """
    parts = jws.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise ReceiptInvalid("form")
    try:
        header, body = json.loads(_unb64(parts[0])), json.loads(_unb64(parts[1]))
        raw = _unb64(parts[2])
        canonical = rfc8785.dumps(body) == _unb64(parts[1])
    except (ValueError, RecursionError) as why:
        raise ReceiptInvalid("form") from why
    if not isinstance(header, dict) or header.get("alg") != "ES256" or header.get("typ") != TYPE:
        raise ReceiptInvalid("header")
    # RFC 8785 leaves Unicode as it is; a receipt has one spelling, so that equal ones are equal bytes.
    composed = unicodedata.is_normalized("NFC", _unb64(parts[1]).decode())
    if not isinstance(body, dict) or not canonical or not composed or len(raw) != 64:
        raise ReceiptInvalid("canonical form")
    _check_signature(_key(keys, header.get("kid")), raw, f"{parts[0]}.{parts[1]}".encode("ascii"))
    _check_content(body)
    return body


def _check_content(body: Mapping[str, Any]) -> None:
    """A signature proves who wrote it, not that it says what a receipt must say."""
    if missing := lacking(body):
        raise ReceiptInvalid(f"lacks {', '.join(missing)}")
    shown = body["privacy_notice"]
    text = str(shown["text"])
    # A text that was withdrawn since is told by its digest alone.
    if text and hashlib.sha256(_nfc(text).encode()).hexdigest() != shown["sha256"]:
        raise ReceiptInvalid("text and digest")


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
            try:
                x, y = (int.from_bytes(_unb64(jwk[axis]), "big") for axis in ("x", "y"))
                return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            except (KeyError, TypeError, ValueError) as why:
                raise ReceiptInvalid("unusable key") from why
    raise ReceiptInvalid("unknown key")


def _terms(scope: Scope) -> dict[str, object]:
    """A scope as its dimensions are named in `Scope.exceeds`."""
    limits = _limits(scope)
    return {
        "organisation": scope.organisation_id,
        "practitioner": scope.practitioner_id,
        "purpose": scope.purpose,
        "categories": sorted(scope.categories),
        "record_period": limits["record_period"],
        "expires_at": _instant(scope.expires_at),
        "frequency": scope.uses,
        "labels": sorted(scope.labels),
        "record_ids": limits["record_ids"],
        "mode": scope.mode,
    }


def _limits(scope: Scope) -> dict[str, object]:
    period = scope.record_period
    return {
        "restricted_labels_included": sorted(scope.labels),
        "record_period": {
            "from": period.first.isoformat() if period.first else None,
            "to": period.last.isoformat() if period.last else None,
        },
        "record_ids": None if scope.record_ids is None else sorted(scope.record_ids),
        "uses": scope.uses,
        "access_mode": scope.mode,
    }


def _events(grant: Grant) -> list[dict[str, object]]:
    """The yes, or every yes where one was not enough; each is valid as long as the grant is."""
    given = [(each.at, each.evidence) for each in grant.signatures] or [(grant.granted_at, grant.evidence)]
    return [
        {
            "event_time": _instant(at),
            "validity_duration": _instant(grant.scope.expires_at),
            "suspended_from": None if grant.holds_until is None else _instant(grant.holds_until),
            "entity_id": evidence.person_id,
            "relation": evidence.relation,
            "event_type": "explicit",
            "event_state": grant.state,
            "authenticated_at": _instant(evidence.authenticated_at),
            "assurance": evidence.assurance,
            "client": evidence.client_id,
            "channel": evidence.channel,
            "attested_by": evidence.attested_by,
            "method": METHODS[grant.kind],
        }
        for at, evidence in given
    ]


def _party(party: Party) -> dict[str, str]:
    return {
        "party_id": party.id,
        "party_name": _nfc(party.name),
        "party_type": party.type,
        "party_address": _nfc(party.address),
        "party_contact": _nfc(party.contact),
    }


def _instant(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second. Raises ValueError for an instant without an offset."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs an offset")
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
