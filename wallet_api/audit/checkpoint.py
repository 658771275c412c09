"""Signed checkpoints in the C2SP tlog-checkpoint form: they leave the database and vouch for it later.

The text is origin, number of rows and root (base64), one a line, then the time as an extension line; an
empty line; and a signature line in the C2SP signed-note form (Ed25519, algorithm byte 0x01).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wallet_api.audit.errors import BadCheckpoint
from wallet_api.audit.model import instant_text
from wallet_api.infra.crypto.errors import KeyUnavailable
from wallet_api.infra.crypto.keystore import KeyStore

ORIGIN: Final = "health-wallet/access-log"
_ED25519: Final = b"\x01"
_ID_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How many rows a log had and the tree root over them."""

    log_id: str
    size: int
    root: bytes


class CheckpointSigner:
    """Signs checkpoints with the newest checkpoint key and opens those signed with any that is kept."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore

    def sign(self, checkpoint: Checkpoint, at: datetime) -> str:
        """Write and sign a checkpoint."""
        signer = self._keystore.signer("checkpoint")
        origin = f"{ORIGIN}/{checkpoint.log_id}"
        root = base64.b64encode(checkpoint.root).decode()
        body = f"{origin}\n{checkpoint.size}\n{root}\nat {instant_text(at)}\n"
        signature = _key_id(origin, _ed25519(self._keystore, signer.kid)) + signer.sign(body.encode())
        return f"{body}\n\u2014 {origin} {base64.b64encode(signature).decode()}\n"

    def open(self, text: str) -> Checkpoint:
        """Check the signature and read the checkpoint, or raise BadCheckpoint."""
        kids = [jwk["kid"] for jwk in self._keystore.jwks("checkpoint")["keys"]]
        return open_checkpoint(text, [_ed25519(self._keystore, kid) for kid in kids])


def open_checkpoint(text: str, keys: Iterable[Ed25519PublicKey]) -> Checkpoint:
    """Check that one of the keys signed the text and read it, or raise BadCheckpoint. Needs no key store."""
    try:
        body, line = text.split("\n\n")
        origin, size, root, *_ = body.split("\n")
        mark, name, encoded = line.removesuffix("\n").split(" ")
        signature = base64.b64decode(encoded, validate=True)
        prefix, _, log_id = origin.rpartition("/")
        if mark != "\u2014" or name != origin or prefix != ORIGIN:
            raise ValueError("another kind of note")
        by = next((key for key in keys if _key_id(origin, key) == signature[:_ID_BYTES]), None)
        if by is None:
            raise ValueError("signed by another key")
        by.verify(signature[_ID_BYTES:], f"{body}\n".encode())
        return Checkpoint(log_id, int(size), base64.b64decode(root, validate=True))
    except (ValueError, InvalidSignature) as error:
        raise BadCheckpoint("This is not a checkpoint signed by this key.") from error


def _ed25519(keystore: KeyStore, kid: str) -> Ed25519PublicKey:
    key = keystore.public_key("checkpoint", kid)
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnavailable("The checkpoint key is not an Ed25519 key.")
    return key


def _key_id(origin: str, public_key: Ed25519PublicKey) -> bytes:
    named = origin.encode() + b"\n" + _ED25519 + public_key.public_bytes_raw()
    return hashlib.sha256(named).digest()[:_ID_BYTES]
