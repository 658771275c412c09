"""Entity tags that say "the same for you" and nothing else."""

from __future__ import annotations

import hashlib
import hmac

from wallet_api.infra.crypto.framing import framed, to_base64url
from wallet_api.infra.crypto.keystore import KeyStore


class EntityTags:
    """Keyed digests. Without the key nobody can test a guess of what lies behind a tag."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore

    def etag(self, *parts: str | bytes | int) -> str:
        """Digest the reader and everything this reader may see, in order (22 characters, no quotes)."""
        digest = hmac.digest(self._keystore.secret("etag"), framed("etag v1", *parts), hashlib.sha256)
        return to_base64url(digest[:16])
