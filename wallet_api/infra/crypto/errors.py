"""What this package refuses. No message ever carries key bytes, plaintext or a person's id."""

from __future__ import annotations

from typing import ClassVar


class CryptoError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "crypto_error"


class KeyUnavailable(CryptoError):
    """A key is absent, unreadable, badly kept or destroyed. Nothing was sealed or opened."""

    code = "key_unavailable"


class KekInUse(CryptoError):
    """The key-encryption key still wraps keys, or its month is not over, so it is not destroyed."""

    code = "kek_in_use"


class SealBroken(CryptoError):
    """A sealed value is not what was sealed for this place. No part of it is returned."""

    code = "seal_broken"


class BadReference(CryptoError):
    """A reference is not one that was given to this audience for this kind; one error for every reason."""

    code = "bad_reference"


class BadCursor(CryptoError):
    """A cursor is not ours, is bound to another reader or question, or is past its end."""

    code = "bad_cursor"
