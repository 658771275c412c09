"""Signed checkpoints leave the database: at the latest 10 seconds or 1,000 rows after what they vouch for.

Whoever can rewrite the database could rewrite the whole chain. A checkpoint kept where they cannot write
shows it. A place that fails holds up neither the log nor the other places; it is tried again.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from wallet_api.audit.checkpoint import ORIGIN, Checkpoint

EXPORT_SECONDS: Final = 10.0
EXPORT_ROWS: Final = 1000
SUFFIX: Final = ".checkpoints"
_LOG_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOTE: Final = re.compile(
    rf"^{re.escape(ORIGIN)}/[^\s/]+\n[0-9]+\n[A-Za-z0-9+/=]+\n(?:[^\n]+\n)*\n\u2014 \S+ [A-Za-z0-9+/=]+\n",
    re.MULTILINE,
)
_TAIL_BYTES: Final = 4096
_logger = logging.getLogger(__name__)

Signed = tuple[Checkpoint, str]


class CheckpointPlace(Protocol):
    """Where checkpoints are kept, out of reach of whoever can write the database."""

    def keep(self, checkpoint: Checkpoint, text: str) -> None:
        """Keep one for good before returning; any exception means "try again"."""


class CheckpointFolder:
    """A folder with one file for each log; each checkpoint is added in one durable write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, checkpoint: Checkpoint, text: str) -> None:
        """Add a checkpoint to its log's file. Raises OSError, ValueError for an id that can name no file."""
        if not _LOG_ID.fullmatch(checkpoint.log_id):
            raise ValueError("not the id of a log")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{checkpoint.log_id}{SUFFIX}"
        fresh = not path.exists()
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            # An empty line goes first: a write that was cut short before cannot run into this one.
            os.write(file, f"\n{text}".encode())
            os.fsync(file)
        finally:
            os.close(file)
        if fresh:
            _sync(self._folder)

    def newest(self, log_id: str) -> str | None:
        """The newest checkpoint of a log that is kept here, unchecked; None when there is none."""
        if not _LOG_ID.fullmatch(log_id):
            return None
        try:
            with (self._folder / f"{log_id}{SUFFIX}").open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
                notes = notes_in(file.read().decode(errors="replace"))
        except FileNotFoundError:
            return None
        return notes[-1] if notes else None

    def all(self) -> list[str]:
        """Every checkpoint that is kept here, unchecked."""
        files = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder.is_dir() else []
        return [note for path in files for note in notes_in(path.read_text(errors="replace"))]


def notes_in(text: str) -> list[str]:
    """The checkpoints in a text; what is torn or something else is passed over."""
    return _NOTE.findall(text)


class CheckpointExporter:
    """Keeps the checkpoints of one log, from one daemon thread that starts with the first row."""

    def __init__(
        self,
        signed: Callable[[], Signed | None],
        places: Sequence[CheckpointPlace],
        seconds: float = EXPORT_SECONDS,
        rows: int = EXPORT_ROWS,
    ) -> None:
        self._signed = signed
        self._places = places
        self._seconds = seconds
        self._rows = rows
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._size = self._kept = 0
        self._closing = False

    def grown(self, size: int) -> None:
        """Take note that so many rows are stored. Never waits for a place, never fails."""
        with self._wake:
            self._size = size
            if self._places and self._thread is None and not self._closing:
                with suppress(RuntimeError):  # no thread to be had: tried again with the next rows
                    thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                    thread.start()
                    self._thread = thread
            if size - self._kept >= self._rows:
                self._wake.notify()

    def close(self, timeout: float) -> None:
        """Keep what is new and stop. Waits at most `timeout` seconds."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._wake:
                self._wake.wait_for(self._is_due, self._seconds)
                closing, new = self._closing, self._size > self._kept
            if new:
                self._export(last=closing)

    def _is_due(self) -> bool:
        return self._closing or self._size - self._kept >= self._rows

    def _export(self, *, last: bool) -> None:
        try:
            found = self._signed()
            failed = [] if found is None else [place for place in self._places if not _kept(place, *found)]
        except Exception as why:  # the key may be away for a while; the log goes on
            _logger.warning("a checkpoint could not be signed: %s", type(why).__name__)
            found, failed = None, list(self._places)
        with self._wake:
            if found is not None and not failed:
                self._kept = found[0].size
            elif not last:
                # Tried again after the usual time, not at once.
                self._wake.wait_for(lambda: self._closing, self._seconds)


def _kept(place: CheckpointPlace, checkpoint: Checkpoint, text: str) -> bool:
    try:
        place.keep(checkpoint, text)
    except Exception as why:  # one place must not keep the others from theirs
        _logger.warning("a checkpoint could not be kept: %s", type(why).__name__)
        return False
    return True


def kept_in(paths: Iterable[Path]) -> list[str]:
    """Every checkpoint in these files and folders, unchecked. Raises OSError for a file that is not there."""
    found: list[str] = []
    for path in paths:
        found += CheckpointFolder(path).all() if path.is_dir() else notes_in(path.read_text(errors="replace"))
    return found


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
