"""A backup on disk: a folder of BSON files, as `mongodump` writes them, and a signed manifest.

The manifest is written last and names every file with its size and SHA-256: a folder without one is no
backup, and a byte that was changed, cut off or lost is noticed before anything is restored.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from bson.raw_bson import RawBSONDocument

from wallet_api.infra.crypto.framing import from_base64url, to_base64url

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_DOMAIN: Final = b"health-wallet/backup\n"
_LENGTH_BYTES: Final = 4
_LARGEST: Final = 17 * 1024 * 1024  # what a server takes, and a little

Sign = Callable[[bytes], tuple[str, bytes]]
Verify = Callable[[str, bytes, bytes], bool]


class ArchiveError(Exception):
    """A backup is not whole, or cannot be written; the message is one sentence for whoever restores it."""

    code: ClassVar[str] = "archive_error"


@dataclass(frozen=True)
class FileEntry:
    """One file of a backup: a collection."""

    name: str
    documents: int
    bytes: int
    sha256: str


def write_file(
    folder: Path, name: str, blocks: Iterable[bytes], seen: Callable[[bytes, int], None]
) -> FileEntry:
    """Write a collection from blocks of BSON documents; synced. `seen` gets each block and its count."""
    digest, documents, size = hashlib.sha256(), 0, 0
    with _created(folder / f"{name}.bson") as file:
        for block in blocks:
            count = sum(1 for _ in _lengths(block))
            file.write(block)
            digest.update(block)
            documents, size = documents + count, size + len(block)
            seen(block, count)
        file.flush()
        os.fsync(file.fileno())
    return FileEntry(name, documents, size, digest.hexdigest())


def write_manifest(folder: Path, body: Mapping[str, Any], files: Iterable[FileEntry], sign: Sign) -> None:
    """Sign and write the manifest: from here on the folder is a backup."""
    told = {**body, "format": FORMAT, "files": [asdict(each) for each in files]}
    kid, signature = sign(_signed_bytes(told))
    told["signature"] = {"kid": kid, "value": to_base64url(signature)}
    aside = folder / f"{MANIFEST}.unfinished"
    with _created(aside) as file:
        file.write(json.dumps(told, indent=1, sort_keys=True).encode())
        file.flush()
        os.fsync(file.fileno())
    aside.rename(folder / MANIFEST)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


def read_manifest(folder: Path, kind: str, verify: Verify) -> dict[str, Any]:
    """Read a manifest that one of our keys signed. Raises ArchiveError."""
    try:
        told: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        signature = told.pop("signature")
        genuine = verify(signature["kid"], _signed_bytes(told), from_base64url(signature["value"]))
    except FileNotFoundError as why:
        raise ArchiveError(f"{folder} is no finished backup: it has no {MANIFEST}.") from why
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as why:
        raise ArchiveError(f"The {MANIFEST} of {folder} cannot be read.") from why
    if not genuine:
        raise ArchiveError(f"The {MANIFEST} of {folder} is not as one of this wallet's keys signed it.")
    if told.get("format") != FORMAT:
        raise ArchiveError(f"{folder} was written by another release, in a form this one does not know.")
    if told.get("kind") != kind:
        raise ArchiveError(f"{folder} is a backup of {told.get('kind')}, not of {kind}.")
    return told


def check_files(folder: Path, manifest: Mapping[str, Any], seen: Callable[[int], None]) -> None:
    """Compare every file with the manifest, to the byte. ArchiveError names the first that differs."""
    for entry in entries(manifest):
        digest, size = hashlib.sha256(), 0
        try:
            with (folder / f"{entry.name}.bson").open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
                    size += len(block)
        except OSError as why:
            raise ArchiveError(f"{entry.name}.bson of the backup cannot be read ({why.strerror}).") from why
        if size != entry.bytes:
            raise ArchiveError(f"{entry.name}.bson of the backup has {size} bytes, not {entry.bytes}.")
        if digest.hexdigest() != entry.sha256:
            raise ArchiveError(f"{entry.name}.bson of the backup is not as it was written.")
        seen(entry.documents)


def entries(manifest: Mapping[str, Any]) -> list[FileEntry]:
    """The files a manifest names."""
    return [FileEntry(**each) for each in manifest["files"]]


def documents(folder: Path, name: str) -> Iterator[RawBSONDocument]:
    """The documents of one file, byte for byte. Raises ArchiveError where it ends in the middle of one."""
    with (folder / f"{name}.bson").open("rb") as file:
        while head := file.read(_LENGTH_BYTES):
            length = int.from_bytes(head, "little")
            body = file.read(length - _LENGTH_BYTES) if _LENGTH_BYTES < length <= _LARGEST else b""
            if len(head) + len(body) != length:
                raise ArchiveError(f"{name}.bson of the backup ends in the middle of a document.")
            yield RawBSONDocument(head + body)


def _lengths(block: bytes) -> Iterator[int]:
    at = 0
    while at < len(block):
        length = int.from_bytes(block[at : at + _LENGTH_BYTES], "little")
        if length <= _LENGTH_BYTES:
            raise ArchiveError("The database answered something that is no document.")
        yield length
        at += length


def _created(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _signed_bytes(told: Mapping[str, Any]) -> bytes:
    return _DOMAIN + json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
