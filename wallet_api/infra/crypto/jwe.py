"""JSON Web Encryption (RFC 7516), compact: a key known to both sides, AES-256-GCM."""

from __future__ import annotations

import json
import os
import zlib
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet_api.infra.crypto.framing import to_base64url

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


def encrypt_compact(key: bytes, plaintext: bytes, *, content_type: str) -> str:
    """Encrypt to a 32-byte key (`dir`, `A256GCM`), deflated (`zip` DEF) and named by `cty`.

    The nonce is random: one key serves a few hundred messages, not billions.
    """
    head = {"alg": "dir", "enc": "A256GCM", "zip": "DEF", "cty": content_type}
    first = to_base64url(json.dumps(head, separators=(",", ":")).encode())
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)  # RFC 1951: no head, no sum
    packed = squeezer.compress(plaintext) + squeezer.flush()
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, packed, first.encode())
    body, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
    return ".".join((first, "", to_base64url(nonce), to_base64url(body), to_base64url(tag)))
