"""SMART Health Cards of vaccinations: what is signed, packed into cards that fit one QR code each. Pure.

HL7 SMART Health Cards and Links IG 1.0 (health cards), and the content of its Vaccination & Testing IG: a
Patient with name and birth date, doses with their CVX code, day and lot, and nothing else. A book that does
not fit one card is told in several, each whole in itself; the standard has given up QR codes in pieces.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from wallet_api.infra.crypto.framing import to_base64url
from wallet_api.infra.crypto.jws import Signer
from wallet_api.records.errors import CardRefused
from wallet_api.records.model import Record
from wallet_api.records.types._fields import codings

MOST_DOSES: Final = 100
"""How many doses cards are made for at once: our own choice, several times what a life of vaccines holds."""
LONGEST_JWS: Final = 1195
"""Characters of a card that fit one QR code of version 22 with error correction L (the standard's table)."""
_TYPES: Final = ("https://smarthealth.cards#health-card", "https://smarthealth.cards#immunization")
_CVX: Final = "http://hl7.org/fhir/sid/cvx"
_CVX_CODE: Final = re.compile(r"[0-9]{1,3}")
_LONGEST_LOT: Final = 20
_LONGEST_NAME: Final = 100
_SIGNATURE: Final = 86
"""Characters of an ES256 signature: 64 bytes in base64url."""
_SMALLEST: Final = 45
"""The character that two digits of a QR code count from (`-`, the lowest of base64url and `.`)."""


@dataclass(frozen=True)
class Holder:
    """Whose card it is, as far as a card says."""

    name: str
    birth_date: date


@dataclass(frozen=True)
class Card:
    """One signed card, the digits of its QR code, and the records that stand on it, oldest first."""

    jws: str
    records: tuple[str, ...]

    @property
    def numeric(self) -> str:
        """What stands behind `shc:/` in the QR code."""
        return "".join(f"{ord(each) - _SMALLEST:02d}" for each in self.jws)

    @property
    def text(self) -> str:
        """What whoever scans the QR code reads."""
        return f"shc:/{self.numeric}"


def is_told(record: Record) -> bool:
    """Whether a dose can stand on a card: given, told by a facility, with a CVX code.

    What a person says of themselves is not for an issuer to sign.
    """
    given = record.resource.get("status") == "completed" and not record.self_reported
    return record.category == "immunization" and given and _cvx(record) is not None


def make_cards(
    signer: Signer, issuer: str, holder: Holder, doses: Sequence[Record], now: datetime
) -> list[Card]:
    """Sign these doses, oldest first, on as few cards as hold them.

    Raises:
        CardRefused: one dose alone does not fit a card.
    """
    ordered = sorted(doses, key=lambda each: (each.occurred_on.first_day, each.id))
    made, at = [], 0
    while at < len(ordered):
        fit = _fit(signer, issuer, holder, ordered[at:], now)
        part = ordered[at : at + fit]
        jws = _signed(signer, _payload(issuer, holder, part, now))
        made.append(Card(jws, tuple(each.id for each in part)))
        at += fit
    return made


def _fit(signer: Signer, issuer: str, holder: Holder, doses: Sequence[Record], now: datetime) -> int:
    """How many of the first of these doses fit one card; more doses never make a shorter one."""
    low, high = 0, len(doses)
    while low < high:
        middle = (low + high + 1) // 2
        body = _payload(issuer, holder, doses[:middle], now)
        if len(_unsigned(signer, body)) + 1 + _SIGNATURE <= LONGEST_JWS:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        raise CardRefused("/record_ids", "card_full")
    return low


def _signed(signer: Signer, payload: bytes) -> str:
    unsigned = _unsigned(signer, payload)
    return f"{unsigned}.{to_base64url(signer.sign(unsigned.encode()))}"


def _unsigned(signer: Signer, payload: bytes) -> str:
    # The standard's header has these three members and no `typ`.
    head = json.dumps({"alg": signer.alg, "kid": signer.kid, "zip": "DEF"}, separators=(",", ":"))
    return f"{to_base64url(head.encode())}.{to_base64url(payload)}"


def _payload(issuer: str, holder: Holder, doses: Sequence[Record], now: datetime) -> bytes:
    """The claims as minified JSON under raw DEFLATE (RFC 1951)."""
    claims = {
        "iss": issuer,
        "nbf": int(now.timestamp()),
        "vc": {
            "type": list(_TYPES),
            "credentialSubject": {"fhirVersion": "4.0.1", "fhirBundle": _bundle(holder, doses)},
        },
    }
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    text = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
    return packer.compress(text) + packer.flush()


def _bundle(holder: Holder, doses: Sequence[Record]) -> dict[str, Any]:
    resources = [_patient(holder), *map(_dose, doses)]
    entries = [{"fullUrl": f"resource:{number}", "resource": each} for number, each in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _patient(holder: Holder) -> dict[str, Any]:
    """Vietnamese names begin with the family's; of a single word nothing tells which it is."""
    family, *given = holder.name[:_LONGEST_NAME].split()
    name: dict[str, Any] = {"family": family} | ({"given": given} if given else {})
    return {"resourceType": "Patient", "name": [name], "birthDate": holder.birth_date.isoformat()}


def _dose(record: Record) -> dict[str, Any]:
    lot = record.resource.get("lotNumber")
    made = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": _CVX, "code": _cvx(record)}]},
        "patient": {"reference": "resource:0"},
        "occurrenceDateTime": record.occurred_on.text,
    }
    return made | ({"lotNumber": lot[:_LONGEST_LOT]} if isinstance(lot, str) and lot else {})


def _cvx(record: Record) -> str | None:
    for system, code in codings(record.resource.get("vaccineCode")):
        if system == _CVX and _CVX_CODE.fullmatch(str(code)):
            return str(code)
    return None
