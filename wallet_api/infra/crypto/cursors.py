"""Sealed page cursors: the client carries them and can neither read, change nor lend them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet_api.infra.crypto.derive import derive_key
from wallet_api.infra.crypto.errors import BadCursor
from wallet_api.infra.crypto.framing import framed, from_base64url, to_base64url
from wallet_api.infra.crypto.keystore import KeyStore

_MAX_TEXT: Final = 4096
_NONCE_BYTES: Final = 12


class CursorSealer:
    """Seals the state of a paged answer for one reader and one question."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore

    def seal(self, state: Mapping[str, Any], *, bound_to: tuple[str, ...], expires: datetime) -> str:
        """Seal a JSON-able state. `bound_to` names reader, citizen, filter and epoch.

        Raises ValueError when the state is not JSON or the cursor would pass 4,096 characters.
        """
        # Always as many characters: how long a cursor is must tell nothing.
        inner = {"until": f"{expires.timestamp():.3f}", "state": dict(state)}
        plain = json.dumps(inner, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        nonce = os.urandom(_NONCE_BYTES)
        text = to_base64url(nonce + self._cipher(bound_to).encrypt(nonce, plain, _aad(bound_to)))
        if len(text) > _MAX_TEXT:
            raise ValueError("the state is too large for a cursor")
        return text

    def open(self, text: str, bound_to: tuple[str, ...], now: datetime) -> dict[str, Any]:
        """Return the state, or raise BadCursor: forged, bound to something else, or expired."""
        try:
            if len(text) > _MAX_TEXT:
                raise ValueError("too long")
            blob = from_base64url(text)
            cipher, nonce = self._cipher(bound_to), blob[:_NONCE_BYTES]
            inner = json.loads(cipher.decrypt(nonce, blob[_NONCE_BYTES:], _aad(bound_to)))
        except (InvalidTag, ValueError):
            raise BadCursor("This cursor does not fit this question.") from None
        if now.timestamp() >= float(inner["until"]):
            raise BadCursor("This cursor has expired.")
        state: dict[str, Any] = inner["state"]
        return state

    def _cipher(self, bound_to: tuple[str, ...]) -> AESGCM:
        # One key per binding: random 96-bit nonces under one key for every cursor would run out.
        return AESGCM(derive_key(self._keystore.secret("cursor"), 32, "cursor", *bound_to))


def _aad(bound_to: tuple[str, ...]) -> bytes:
    return framed("cursor v1", *bound_to)
