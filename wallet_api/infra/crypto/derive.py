"""Keys derived from keys (HKDF-SHA256, RFC 5869)."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wallet_api.infra.crypto.framing import framed


def derive_key(secret: bytes, length: int, *purpose: str | int) -> bytes:
    """Derive `length` bytes for one purpose; a different purpose gives an unrelated key."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=framed("wallet v1", *purpose)).derive(
        secret
    )
