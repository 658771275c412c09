"""References that mean something to one audience only (AES-SIV, RFC 5297).

The same ids under the same audience and kind always give the same text, so a reference is stable; under
another audience the text is unrelated, so two organisations cannot compare what they hold.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from wallet_api.infra.crypto.derive import derive_key
from wallet_api.infra.crypto.errors import BadReference
from wallet_api.infra.crypto.framing import framed, from_base64url, to_base64url
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.ids import id_bytes, id_from_bytes

_ID_BYTES: Final = 16
_TAG_BYTES: Final = 16
_MAX_IDS: Final = 8
_MAX_TEXT: Final = 4 * (_TAG_BYTES + _MAX_IDS * _ID_BYTES) // 3 + 1


class References:
    """Seals internal ids into references, and opens them again."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._cipher = lru_cache(maxsize=4096)(self._derive)

    def seal(self, audience: str, kind: str, *ids: str) -> str:
        """Return the reference of 1 to 8 internal ids for one audience and kind (base64url, 43+ characters).

        Raises ValueError for no ids, too many, or a text that is not an id.
        """
        if not 1 <= len(ids) <= _MAX_IDS:
            raise ValueError("a reference holds 1 to 8 ids")
        packed = b"".join(id_bytes(one) for one in ids)
        return to_base64url(self._cipher(audience).encrypt(packed, [framed("ref v1", kind)]))

    def open(self, audience: str, kind: str, text: str) -> tuple[str, ...]:
        """Return the ids, or raise BadReference: the same error for every reason."""
        try:
            if len(text) > _MAX_TEXT:
                raise ValueError("too long")
            packed = self._cipher(audience).decrypt(from_base64url(text), [framed("ref v1", kind)])
            return tuple(
                id_from_bytes(packed[start : start + _ID_BYTES]) for start in range(0, len(packed), _ID_BYTES)
            )
        except (InvalidTag, ValueError):
            raise BadReference("This reference is not known here.") from None

    def _derive(self, audience: str) -> AESSIV:
        return AESSIV(derive_key(self._keystore.secret("reference", 1), 64, "reference", audience))
