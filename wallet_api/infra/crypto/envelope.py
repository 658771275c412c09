"""Sealed values: AES-256-GCM under the citizen's own key, bound to the one place they belong to.

A blob is `0x01 | algorithm u8 | key version u16 | nonce 12 | ciphertext and tag`, 32 bytes longer than
the plaintext. A blob moved to another citizen, class, collection, document, field or revision does not open.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidTag

from wallet_api.infra.crypto.citizen_keys import CitizenKeys, OpenKey
from wallet_api.infra.crypto.errors import SealBroken
from wallet_api.infra.crypto.framing import framed
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.crypto.wrapped_keys import WrappedKeys

_FORMAT_AND_ALGORITHM: Final = b"\x01\x01"  # format 1, AES-256-GCM
_NONCE: Final = slice(4, 16)
_BODY: Final = slice(16, None)
OVERHEAD_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs.

    `revision` is the document's own version, so that an old value put back does not open.
    """

    citizen_id: str
    retention_class: str
    collection: str
    document_id: str
    field: str
    revision: int


class CitizenCipher:
    """Seals and opens what belongs to citizens. Thread-safe.

    Raises KeyUnavailable when a key-encryption key cannot be had, and lets the errors of the database
    through: both mean "not now", while SealBroken means "not this".
    """

    def __init__(self, keys: WrappedKeys, keystore: KeyStore, now: Callable[[], datetime]) -> None:
        self.keys = CitizenKeys(keys, keystore, now)

    def seal(self, place: Place, plaintext: bytes) -> bytes:
        """Encrypt for one place. Makes the citizen's key, durably and outside any transaction, if absent."""
        key = self.keys.for_sealing(place.citizen_id, place.retention_class)
        nonce = os.urandom(12)
        body = key.cipher(place.collection).encrypt(nonce, plaintext, _aad(place, key))
        return _FORMAT_AND_ALGORITHM + key.version.to_bytes(2, "big") + nonce + body

    def open(self, place: Place, blob: bytes) -> bytes:
        """Decrypt what was sealed for this place, or raise SealBroken; never a part of it."""
        if len(blob) < OVERHEAD_BYTES or blob[:2] != _FORMAT_AND_ALGORITHM:
            raise SealBroken("This is not a sealed value.")
        key = self.keys.existing(place.citizen_id, place.retention_class)
        if int.from_bytes(blob[2:4], "big") != key.version:
            raise SealBroken("A value was sealed with another version of the key.")
        try:
            return key.cipher(place.collection).decrypt(blob[_NONCE], blob[_BODY], _aad(place, key))
        except InvalidTag as error:
            raise SealBroken("A sealed value does not open at this place.") from error

    def seal_json(self, place: Place, value: Mapping[str, Any]) -> bytes:
        """Seal a JSON object. Raises ValueError or TypeError when it is not one (NaN is not JSON)."""
        text = json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return self.seal(place, text.encode())

    def open_json(self, place: Place, blob: bytes) -> dict[str, Any]:
        """Open a JSON object, or raise SealBroken."""
        plain = self.open(place, blob)
        try:
            value = json.loads(plain)
        except ValueError as error:
            raise SealBroken("A sealed value is not JSON.") from error
        if not isinstance(value, dict):
            raise SealBroken("A sealed value is not a JSON object.")
        return value


def _aad(place: Place, key: OpenKey) -> bytes:
    return framed(
        "v1",
        place.citizen_id,
        place.retention_class,
        place.collection,
        place.document_id,
        place.field,
        key.version,
        place.revision,
    )
