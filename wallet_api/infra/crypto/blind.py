"""Keyed tokens for looking up what is sealed: blind indexes over identifiers, tokens over labels."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from functools import lru_cache

from wallet_api.infra.crypto.derive import derive_key
from wallet_api.infra.crypto.framing import framed, to_base64url
from wallet_api.infra.crypto.keystore import KeyStore, SecretName


class BlindIndex:
    """HMAC-SHA256 tokens. Equal values give equal tokens within one field only; a dump tells nothing.

    A citizen number has few enough values to try them all, so only the secrecy of the key protects it.
    """

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._key = lru_cache(maxsize=256)(self._derive)

    def of(self, field: str, value: str) -> str:
        """Return the token to store for a value of a field, made with the newest key ('1.…')."""
        return self._token(field, value, self._keystore.newest("index"))

    def candidates(self, field: str, value: str) -> tuple[str, ...]:
        """Return the tokens a stored value may have, newest key first: what a look-up asks for."""
        newest = self._keystore.newest("index")
        return tuple(self._token(field, value, version) for version in range(newest, max(newest - 2, 0), -1))

    def label_token(self, label: str) -> str:
        """Return the token of a label or code (22 characters), the same for every citizen.

        Its key does not rotate: stored rows are found by it for as long as they live.
        """
        return to_base64url(hmac.digest(self._key("label", "", 1), _normal(label), hashlib.sha256)[:16])

    def _token(self, field: str, value: str, version: int) -> str:
        digest = hmac.digest(self._key("index", field, version), _normal(value), hashlib.sha256)
        return f"{version}.{to_base64url(digest)}"

    def _derive(self, name: SecretName, field: str, version: int) -> bytes:
        return derive_key(self._keystore.secret(name, version), 32, name, field, version)


def _normal(value: str) -> bytes:
    return framed(unicodedata.normalize("NFC", value))
