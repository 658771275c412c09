"""The message a check-up is pushed in (Decision 1551/QD-BYT, 2026, its annexes replaced by 2062/QD-BYT):
header, data and signature, as third parties read it; no signed annex was read.

Signed is the text `A.B`: the SHA-256 of the header and of the data, in upper-case hexadecimal, each over the
bytes that were sent, so that order and blanks count. RSA with PKCS #1 v1.5 and SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from wallet_api.infra.strict_json import strict_json
from wallet_api.records.errors import BundleRefused

_MEMBERS: Final = frozenset({"header", "data", "signature"})
_BLANKS = re.compile(r"[ \t\r\n]*")


def document_of(raw: bytes, keys: Sequence[RSAPublicKey]) -> bytes:
    """The check-up file in a message, if one of these keys signed header and data as they were sent.

    Raises:
        MalformedBody: it is no JSON. BundleRefused: it is no such message, or its signature is not good.
    """
    said = strict_json(raw)
    if not isinstance(said, dict) or set(said) != _MEMBERS:
        raise BundleRefused("", "not_a_push_message")
    _check_header(said["header"])
    parts = _members(raw.decode())
    signed = [f"{_digest(parts['header'])}.{_digest(data)}".encode() for data in _spellings(parts["data"])]
    if not _is_signed(said["signature"], signed, keys):
        raise BundleRefused("/signature", "signature_invalid")
    return _unpacked(said["data"])


def _check_header(header: object) -> None:
    if not isinstance(header, dict):
        raise BundleRefused("/header", "part_missing")
    for name, wanted in (("txn_type", "sync_checkup"), ("data_type", "xml/base64")):
        if header.get(name) != wanted:
            raise BundleRefused(f"/header/{name}", "push_kind_unknown")


def _members(text: str) -> dict[str, str]:
    """The members of a JSON object as they are written. It is known to be one, and to repeat no name."""
    decode = json.JSONDecoder().raw_decode
    found, at = {}, _past(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = decode(text, at)
        begins = _past(text, _past(text, at) + 1)  # past the colon
        _, ends = decode(text, begins)
        found[name] = text[begins:ends]
        at = _past(text, ends)
        if text[at] == ",":
            at = _past(text, at + 1)
    return found


def _past(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks is not None else at


def _spellings(data: str) -> Iterator[str]:
    """What may have been signed as the data: an object as it is, a text with its quotation marks or not."""
    yield data
    if data.startswith('"'):
        yield json.loads(data)


def _digest(part: str) -> str:
    return hashlib.sha256(part.encode()).hexdigest().upper()


def _is_signed(signature: object, texts: Sequence[bytes], keys: Sequence[RSAPublicKey]) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True) if isinstance(signature, str) else b""
    except (binascii.Error, ValueError):
        return False
    return any(_verifies(key, raw, text) for key in keys for text in texts)


def _verifies(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _unpacked(data: object) -> bytes:
    """The file: Base64 as Decision 1551 has it, or in `file_content` as 2062 has it."""
    packed: Any = data.get("file_content") if isinstance(data, Mapping) else data
    if not isinstance(packed, str):
        raise BundleRefused("/data", "base64_invalid")
    try:
        return base64.b64decode("".join(packed.split()), validate=True)
    except (binascii.Error, ValueError) as why:
        raise BundleRefused("/data", "base64_invalid") from why
