"""The signature that a printed book carries: over every byte of the file but the place it stands in itself.

The last page has a gap of fixed length: the signed text as a comment, and a bitmap of the QR code that says
the same. The digest is that of the file with the gap blank. `verifier.py` checks it with nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wallet_api.exports.model import Export
from wallet_api.exports.verifier import MARK, ROOM, SIDE, TYPE, blank
from wallet_api.infra.crypto.framing import to_base64url
from wallet_api.infra.crypto.jws import Signer, sign_compact
from wallet_api.infra.qr import bitmap

_VERSION: Final = 22
"""The QR version of the gap: 105 modules a side, up to 1,003 bytes."""
_LONGEST_NAME: Final = 60


@dataclass(frozen=True)
class Sealed:
    """What is said of a document besides its digest."""

    issuer: str
    name: str
    born: int
    count: int
    made_at: datetime


def gap() -> str:
    """The drawing of a unit square with nothing in it yet, as part of a page's stream."""
    return _drawn("", "0" * (_row() * SIDE))


def sealed(unsealed: bytes, export: Export, told: Sealed, signer: Signer) -> bytes:
    """The file with its signature in the gap that `gap` left.

    Raises ValueError: the file has no gap of this kind, or more than one.
    """
    _, empty = blank(unsealed)
    claims = {
        "iss": told.issuer,
        "jti": export.id,
        "iat": int(told.made_at.timestamp()),
        "sha256": to_base64url(hashlib.sha256(empty).digest()),
        "scope": export.scope,
        "count": told.count,
        "holder": {"name": told.name[:_LONGEST_NAME], "born": told.born},
    }
    payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
    jws = sign_compact(signer, payload, typ=TYPE)
    _, bits = bitmap(jws, _VERSION)
    return unsealed.replace(gap().encode(), _drawn(jws, bits).encode(), 1)


def _row() -> int:
    """Hex digits of a row of modules: whole bytes."""
    return -(-SIDE // 8) * 2


def _drawn(jws: str, bits: str) -> str:
    if len(jws) > ROOM:
        raise ValueError("what is signed is longer than its place")
    image = f"BI /W {SIDE} /H {SIDE} /BPC 1 /CS /G /F /AHx ID {bits}> EI"
    return f"{MARK}{jws.ljust(ROOM)}\n{image}"
