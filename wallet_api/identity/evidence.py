"""Proof of a guardianship: picture or PDF, known by its first bytes, kept sealed, never shown in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Final, Protocol

from wallet_api.identity.errors import EvidenceRefused

MOST_BYTES: Final = 5 * 2**20
_BEGINNINGS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)


def kind_of(raw: bytes) -> str:
    """The media type of a file by its first bytes, whatever it was called.

    Raises:
        EvidenceRefused: it is no JPEG, PNG or PDF, is empty, or is larger than 5 MiB.
    """
    if len(raw) > MOST_BYTES:
        raise EvidenceRefused("size")
    for beginning, kind in _BEGINNINGS:
        if raw.startswith(beginning):
            return kind
    raise EvidenceRefused("kind")


@dataclass(frozen=True)
class EvidenceFile:
    """A file somebody sent to prove a relation. `owner_id` is who sent it: it is sealed with their key."""

    id: str
    guardianship_id: str
    owner_id: str
    media_type: str
    size: int
    received_at: datetime
    content: bytes = field(repr=False, default=b"")


class EvidenceStore(Protocol):
    """Files by guardianship."""

    def add(self, file: EvidenceFile, most: int) -> EvidenceFile:
        """Keep a file, unless there are `most` of this guardianship; one whose id is there stays as it is.

        Raises:
            EvidenceRefused: there are as many as there may be.
        """

    def of(self, guardianship_id: str) -> Sequence[EvidenceFile]:
        """The files of a guardianship without their content, oldest first."""

    def get(self, guardianship_id: str, file_id: str) -> EvidenceFile | None:
        """One of them with its content."""


class MemoryEvidence:
    """`EvidenceStore` in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._files: dict[str, EvidenceFile] = {}

    def add(self, file: EvidenceFile, most: int) -> EvidenceFile:
        """Keep a file."""
        with self._lock:
            known = self._files.get(file.id)
            if known is not None:
                return known
            if sum(each.guardianship_id == file.guardianship_id for each in self._files.values()) >= most:
                raise EvidenceRefused("count")
            self._files[file.id] = file
            return file

    def of(self, guardianship_id: str) -> list[EvidenceFile]:
        """The files of a guardianship, oldest first."""
        found = [each for each in self._files.values() if each.guardianship_id == guardianship_id]
        return sorted(found, key=lambda each: (each.received_at, each.id))

    def get(self, guardianship_id: str, file_id: str) -> EvidenceFile | None:
        """One of them."""
        found = self._files.get(file_id)
        return found if found is not None and found.guardianship_id == guardianship_id else None
