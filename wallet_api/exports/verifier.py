"""A verifier of printed health books that needs nothing of the wallet: this file, Python and `cryptography`.

    python verifier.py book.pdf --keys card-jwks.json
    python verifier.py --code "$(cat scanned.txt)" --keys card-jwks.json

The keys are those of `/.well-known/card-jwks.json`, kept for times without a network. Exit code 0: every
byte of the file is as the wallet signed it. With `--code`, the text of the QR code on paper: whoever looks
compares what it says with the paper. Anything else: exit code 1 and one line that says why.

The file has one gap: a comment of fixed length that holds the signed text (a compact JWS, RFC 7515, ES256)
and the bits of the QR code. What is signed names the SHA-256 of the file with the gap blank: a comment of
spaces, and an image of zeros. The form of the gap is checked to the byte, so nothing else fits into it.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

TYPE = "health-book-pdf+jws"
MARK = "%health-wallet-signature "
ROOM = 1003
"""Characters of the comment: as many as the QR code can hold."""
SIDE = 105
"""Modules of a side of the QR code (version 22)."""
_BITS = -(-SIDE // 8) * 2 * SIDE
_GAP = re.compile(
    rb"%health-wallet-signature (?P<jws>[A-Za-z0-9_.-]{0,1003})(?P<rest> *)\n"
    rb"BI /W 105 /H 105 /BPC 1 /CS /G /F /AHx ID (?P<bits>[0-9A-F]+)> EI\n"
)


class NotProven(Exception):
    """The document does not show what it claims; the message says why."""


def check(document: bytes, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Check a file; what the wallet says of it. Raises NotProven."""
    try:
        jws, empty = blank(document)
    except ValueError as why:
        raise NotProven(str(why)) from why
    said = check_code(jws, keys)
    digest = base64.urlsafe_b64encode(hashlib.sha256(empty).digest()).rstrip(b"=").decode()
    if said.get("sha256") != digest:
        raise NotProven("the file is not the one that was signed")
    return said


def check_code(jws: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Check the signed text alone, as it is scanned from paper. Raises NotProven."""
    try:
        first, second, third = jws.split(".")
        head = json.loads(_bytes(first))
        if (head["alg"], head["typ"]) != ("ES256", TYPE):
            raise NotProven("this is not the signature of a printed health book")
        signature = _bytes(third)
        if len(signature) != 64:
            raise NotProven("the signature has another length")
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
        _key(keys, head["kid"]).verify(
            encode_dss_signature(r, s), f"{first}.{second}".encode(), ECDSA(SHA256())
        )
        said: dict[str, Any] = json.loads(_bytes(second))
        return said
    except InvalidSignature as why:
        raise NotProven("the signature is not one of these keys") from why
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise NotProven("this is not a signed text of the wallet") from why


def blank(document: bytes) -> tuple[str, bytes]:
    """The signed text in a file, and the file with the gap blank.

    Raises ValueError: there is no gap of the right form, or more than one.
    """
    found = list(_GAP.finditer(document))
    if len(found) != 1 or document.count(MARK.encode()) != 1:
        raise ValueError("this is not a printed health book, or its signature was taken away")
    (gap,) = found
    if len(gap["jws"]) + len(gap["rest"]) != ROOM or len(gap["bits"]) != _BITS:
        raise ValueError("the place of the signature has another form")
    empty = bytearray(document)
    empty[gap.start("jws") : gap.end("rest")] = b" " * ROOM
    empty[gap.start("bits") : gap.end("bits")] = b"0" * _BITS
    return gap["jws"].decode(), bytes(empty)


def _key(keys: Mapping[str, Any], kid: str) -> Any:
    for each in _listed(keys):
        if each["kid"] == kid and (each["kty"], each["crv"]) == ("EC", "P-256"):
            x, y = (int.from_bytes(_bytes(each[name]), "big") for name in ("x", "y"))
            return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    raise NotProven("the key it was signed with is not among these keys")


def _listed(keys: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    found: Iterable[Mapping[str, Any]] = keys["keys"]
    return found


def _bytes(text: str) -> bytes:
    """Base64url in its one right form: Python takes others, and then two texts would mean one signature."""
    found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != text:
        raise NotProven("the signed text is not written as it must be")
    return found


def _sentence(said: Mapping[str, Any], *, paper: bool) -> str:
    at = datetime.fromtimestamp(said["iat"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    holder = said["holder"]
    told = f"{said['iss']} signed document {said['jti']} ({said['scope']}, {said['count']} entries) of "
    told += f"{holder['name']}, born {holder['born']}, made at {at}."
    return f"{told} Compare this with the paper." if paper else f"{told} The file is as it was signed."


def main(arguments: list[str] | None = None) -> int:
    """Check what the command line names; 0 if it holds."""
    parser = argparse.ArgumentParser(description="Check a printed health book.")
    parser.add_argument("document", nargs="?", type=Path, help="the PDF file")
    parser.add_argument("--code", help="the text of the QR code, for a document on paper")
    parser.add_argument("--keys", required=True, type=Path, help="card-jwks.json of the wallet")
    options = parser.parse_args(arguments)
    if (options.document is None) == (options.code is None):
        parser.error("name either a PDF file or, with --code, the text of the QR code")
    try:
        keys = json.loads(options.keys.read_text(encoding="utf-8"))
        paper = options.document is None
        said = check_code(options.code.strip(), keys) if paper else check(options.document.read_bytes(), keys)
        told = _sentence(said, paper=paper)
    except (NotProven, OSError, KeyError, TypeError, ValueError) as why:
        sys.stderr.write(f"Not proven: {why}.\n")
        return 1
    sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
