"""Key-encryption keys: one a month, and more in a month when one had to be replaced early.

The first of a month is named 'YYYY-MM', a replacement 'YYYY-MM.2', then '.3': the newest wraps.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet_api.infra.crypto.errors import KeyUnavailable, SealBroken

_NONCE_BYTES: Final = 12
_NAME: Final = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))(?:\.([2-9]|[1-9]\d))?")


class Kek(Protocol):
    """A key-encryption key: it wraps other keys and stays where it is."""

    @property
    def id(self) -> str:
        """The UTC month it was made for, 'YYYY-MM', with '.2' and on for replacements."""

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Encrypt a key, bound to `aad`."""

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Decrypt a wrapped key. Raises SealBroken when key, bytes or `aad` differ."""


class GcmKek:
    """A key-encryption key in this process: AES-256-GCM, nonce first."""

    def __init__(self, kek_id: str, key: bytes) -> None:
        self.id = kek_id
        self._aead = AESGCM(key)

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Encrypt a key, bound to `aad`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, key, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Decrypt a wrapped key, or raise SealBroken."""
        try:
            return self._aead.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], aad)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("A wrapped key does not open.") from error


def kek_month(now: datetime) -> str:
    """The UTC month of an instant, 'YYYY-MM': the name of its first key-encryption key."""
    return now.astimezone(UTC).strftime("%Y-%m")


def kek_place(kek_id: str) -> tuple[str, int]:
    """Month and number of a key-encryption key, in the order they come. Raises KeyUnavailable."""
    match = _NAME.fullmatch(kek_id)
    if match is None:
        raise KeyUnavailable("A key-encryption key is named by its month, YYYY-MM or YYYY-MM.2 and on.")
    return match[1], int(match[2] or 1)


def newest_kek(kek_ids: Iterable[str], month: str) -> str:
    """The newest key-encryption key of a month; the name of its first when there is none."""
    own = [each for each in kek_ids if kek_place(each)[0] == month]
    return max(own, key=kek_place, default=month)


def next_kek(kek_ids: Iterable[str], month: str) -> str:
    """The name of the key-encryption key that is to follow the newest of a month."""
    known = set(kek_ids)
    newest = newest_kek(known, month)
    return f"{month}.{kek_place(newest)[1] + 1}" if newest in known else month
