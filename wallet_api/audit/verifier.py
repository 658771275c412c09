"""A verifier of access-log proofs that needs nothing of the wallet: this file, Python and `cryptography`.

    python verifier.py proof.json --keys checkpoint-jwks.json [--old checkpoint.txt]

`proof.json` is the answer of `GET /api/v1/citizens/me/access-log/{entry}/proof`, the keys are those of
`/.well-known/checkpoint-jwks.json`. Exit code 0: the entry is in the log that the checkpoint was signed over.
With `--old`, a checkpoint kept from earlier, and a proof that was asked for with `since` = its size: and the
log of then was only added to. Anything else: exit code 1 and one line that says why.

RFC 6962 sections 2.1.1 and 2.1.2, checked as in RFC 9162 sections 2.1.3.2 and 2.1.4.2; RFC 8785; C2SP
tlog-checkpoint and signed-note.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "health-wallet-log-proof-1"
ORIGIN = "health-wallet/access-log"


class NotProven(Exception):
    """The proof does not show what it claims; the message says why."""


def check(proof: Mapping[str, Any], keys: Iterable[Ed25519PublicKey], old: str | None = None) -> str:
    """Check a proof and return what it shows, in a sentence. Raises NotProven."""
    try:
        if proof["format"] != FORMAT:
            raise NotProven("this is a proof of another format")
        keys = list(keys)
        log_id, size, root = opened(proof["checkpoint"], keys)
        index, leaf = proof["leaf_index"], leaf_of(proof["event"])
        if type(index) is not int or proof["tree_size"] != size or proof["log_id"] != log_id:
            raise NotProven("the checkpoint speaks of another log or another size")
        claimed = proof["leaf_hash"]
        if claimed != base64.b64encode(leaf).decode():
            raise NotProven("the event is not the one that the leaf was made of")
        if not included(leaf, index, size, _hashes(proof["audit_path"]), root):
            raise NotProven("the path does not lead from the event to the signed root")
        shown = f"Entry {index} is in log {log_id}, as it was signed over {size} entries."
        return shown if old is None else f"{shown} {_grown(proof, log_id, size, root, opened(old, keys))}"
    except (KeyError, TypeError, ValueError, AttributeError) as why:
        raise NotProven("this is not a proof of the access log") from why


def _grown(proof: Mapping[str, Any], log_id: str, size: int, root: bytes, old: tuple[str, int, bytes]) -> str:
    old_log, old_size, old_root = old
    if old_log != log_id:
        raise NotProven("the older checkpoint is one of another log")
    shown = proof.get("consistency") or {}
    if shown.get("old_size") != old_size:
        raise NotProven(f"the proof was not asked for with since={old_size}")
    if not continues(old_size, old_root, size, root, _hashes(shown["path"])):
        raise NotProven("the log was changed after the older checkpoint, not only added to")
    return f"Its first {old_size} entries are those of the older checkpoint."


def opened(text: str, keys: Sequence[Ed25519PublicKey]) -> tuple[str, int, bytes]:
    """Check the signature of a checkpoint; log, size and root. Raises NotProven, ValueError."""
    body, line = text.strip("\n").split("\n\n")
    origin, size, root, *_ = body.split("\n")
    mark, name, encoded = line.split(" ")
    prefix, _, log_id = origin.rpartition("/")
    if mark != "\u2014" or name != origin or prefix != ORIGIN:
        raise NotProven("this is another kind of checkpoint")
    note = base64.b64decode(encoded, validate=True)
    for key in keys:
        named = origin.encode() + b"\n\x01" + key.public_bytes_raw()
        if hashlib.sha256(named).digest()[:4] == note[:4]:
            try:
                key.verify(note[4:], f"{body}\n".encode())
            except InvalidSignature:
                break
            return log_id, int(size), base64.b64decode(root, validate=True)
    raise NotProven("none of the keys signed the checkpoint")


def leaf_of(event: object) -> bytes:
    """The leaf of an event: its RFC 8785 form, which for texts, whole numbers and booleans is this."""
    text = json.dumps(event, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    fn, sn, found = index, size - 1, leaf
    for each in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = _node(each, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = _node(found, each)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def continues(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162, 2.1.4.2."""
    if not 0 < old <= size:
        return False
    if old == size:
        return old_root == root and not path
    rest = [old_root, *path] if old & (old - 1) == 0 else list(path)
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not rest:
        return False
    before = after = rest[0]
    for each in rest[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            before, after = _node(each, before), _node(each, after)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            after = _node(after, each)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and before == old_root and after == root


def keys_of(jwks: Mapping[str, Any]) -> list[Ed25519PublicKey]:
    """The Ed25519 keys of a JWK set (RFC 8037). Raises KeyError, ValueError."""
    found = [each for each in jwks["keys"] if each.get("kty") == "OKP" and each.get("crv") == "Ed25519"]
    texts = [str(each["x"]) for each in found]
    raw = [base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True) for text in texts]
    return [Ed25519PublicKey.from_public_bytes(each) for each in raw]


def _hashes(texts: Sequence[str]) -> list[bytes]:
    found = [base64.b64decode(each, validate=True) for each in texts]
    if any(len(each) != 32 for each in found):
        raise NotProven("a hash of the path has not 32 bytes")
    return found


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def main(argv: Sequence[str]) -> int:
    """Check the files that are named; 0 when they prove what they claim."""
    parser = argparse.ArgumentParser(description="Check a proof out of the health wallet's access log.")
    parser.add_argument("proof", type=Path, help="the proof, JSON")
    parser.add_argument("--keys", type=Path, required=True, help="the checkpoint keys, a JWK set")
    parser.add_argument("--old", type=Path, help="a checkpoint kept from earlier")
    asked = parser.parse_args(argv)
    try:
        proof, jwks = (json.loads(path.read_text(encoding="utf-8")) for path in (asked.proof, asked.keys))
        old = None if asked.old is None else asked.old.read_text(encoding="utf-8")
        shown = check(proof, keys_of(jwks), old)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as why:
        sys.stderr.write(f"These files cannot be read: {type(why).__name__}.\n")
        return 1
    except NotProven as why:
        sys.stderr.write(f"Not proven: {why}.\n")
        return 1
    sys.stdout.write(f"{shown}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
