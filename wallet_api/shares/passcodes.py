"""Passcodes of share links as slow hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from wallet_api.infra.crypto.framing import from_base64url, to_base64url

_COST, _BLOCK, _LANES = 2**14, 8, 5  # OWASP Password Storage Cheat Sheet 2025: scrypt with 16 MiB
_MEMORY: Final = 64 * 2**20
_SALT_BYTES: Final = 16


def hash_passcode(passcode: str) -> str:
    """What is kept of a passcode: the way it was made, a salt and the hash."""
    salt = os.urandom(_SALT_BYTES)
    made = _derived(passcode, salt, _COST, _BLOCK, _LANES)
    return f"scrypt.{_COST}.{_BLOCK}.{_LANES}.{to_base64url(salt)}.{to_base64url(made)}"


def fits(passcode: str, kept: str) -> bool:
    """Whether this is the passcode. Takes as long for a wrong one as for the right one."""
    _, cost, block, lanes, salt, made = kept.split(".")
    found = _derived(passcode, from_base64url(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, from_base64url(made))


def _derived(passcode: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(passcode.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=_MEMORY, dklen=32)
