"""Reading the files of an `import`, in a process of its own where there are many: it is half of the work."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Protocol

from wallet_api.infra.strict_json import MalformedBody, strict_json
from wallet_api.records.bundle import Reading, read_bundle
from wallet_api.records.errors import BundleRefused
from wallet_api.records.insurance.reading import read_visits
from wallet_api.records.vaccinations import read_events

LARGEST: Final = 64 * 2**20
_LARGEST_BUNDLE: Final = 10 * 2**20
_MOST_VISITS: Final = 10_000
MANY: Final = 64
"""From so many files on a second process is worth its start."""


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be read as a whole: a code, and where."""

    code: str
    pointer: str


FileRead = list[Reading] | Unreadable


class Reads(Protocol):
    """Reads files; called by several threads at once."""

    def __call__(self, paths: Sequence[Path], today: date, /) -> list[FileRead]:
        """What each holds, or why it cannot be read."""


def read_files(paths: Sequence[Path], today: date) -> list[FileRead]:
    """`read_file` of each."""
    return [read_file(path, today) for path in paths]


def read_file(path: Path, today: date) -> FileRead:
    """What a file holds, or why it cannot be read as a whole. `today` is a Vietnamese day."""
    try:
        return _readings(path, today)
    except (BundleRefused, MalformedBody) as why:
        return Unreadable(why.fault, getattr(why, "pointer", ""))


@contextmanager
def reading(files: int) -> Iterator[Reads]:
    """A reader for so many files."""
    if files < MANY or (os.cpu_count() or 1) < 2:
        yield read_files
        return
    # Begun anew rather than forked: this process has threads and connections.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield lambda paths, today: pool.submit(read_files, paths, today).result()


def _readings(path: Path, today: date) -> list[Reading]:
    if path.stat().st_size > LARGEST:
        raise BundleRefused("", "file_too_large")
    raw = path.read_bytes()
    if path.suffix.lower() == ".xml":
        return read_visits(raw, _MOST_VISITS)
    said = strict_json(raw)
    if isinstance(said, dict) and "events" in said:
        return read_events(said, today)
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) > _LARGEST_BUNDLE:
        raise BundleRefused("", "file_too_large")
    return [replace(read_bundle(said), body=body)]
