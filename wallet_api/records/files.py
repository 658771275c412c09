"""Files that are taken in as they lie in a folder: what each holds, or why it cannot be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from wallet_api.infra.strict_json import MalformedBody, strict_json
from wallet_api.records.bundle import Reading, read_bundle
from wallet_api.records.errors import BundleRefused
from wallet_api.records.insurance.reading import read_visits
from wallet_api.records.vaccinations import read_events

LARGEST: Final = 64 * 2**20
_LARGEST_BUNDLE: Final = 10 * 2**20
_MOST_VISITS: Final = 10_000


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be read as a whole: a code, and where."""

    code: str
    pointer: str


FileRead = list[Reading] | Unreadable


def read_files(paths: Sequence[Path], today: date) -> list[FileRead]:
    """`read_file` of each."""
    return [read_file(path, today) for path in paths]


def read_file(path: Path, today: date) -> FileRead:
    """What a file holds, or why it cannot be read as a whole. `today` is a Vietnamese day."""
    try:
        return _readings(path, today)
    except (BundleRefused, MalformedBody) as why:
        return Unreadable(why.fault, getattr(why, "pointer", ""))


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
