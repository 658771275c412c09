"""Unambiguous bytes: length-prefixed frames and strict base64url."""

from __future__ import annotations

import base64


def framed(*parts: str | bytes | int) -> bytes:
    """Join parts so that two different lists of parts never give the same bytes.

    Every part carries its type and length, because a plain join lets ("ab", "c") pass for ("a", "bc").
    """
    out = bytearray()
    for part in parts:
        if isinstance(part, str):
            mark, body = b"s", part.encode()
        elif isinstance(part, bytes):
            mark, body = b"b", part
        else:
            mark, body = b"i", b"%d" % part
        out += mark
        out += len(body).to_bytes(4, "big")
        out += body
    return bytes(out)


def to_base64url(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Read base64url without padding. Raises ValueError for any spelling `to_base64url` would not write.

    Strict, because spare bits in the last character would give one value several accepted spellings.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ValueError("not base64url") from error
    if to_base64url(data) != text:
        raise ValueError("not canonical base64url")
    return data
