"""Transactions that a killed process left behind: noted while they run, ended by whoever starts next.

A database keeps locked what an unfinished transaction touched until it gives up on it, after 60 s as a rule,
and the embedded one can be told nothing else. Each process therefore keeps the ids of its sessions that are
within a transaction in a file that it holds a lock on; a file whose lock is free is a dead process's, and
the process that finds it has the database end those sessions.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

_ID = 16  # bytes of a session id
_MOST = 128  # transactions at a time; one more is simply not noted
_NOBODY = bytes(_ID)


class OpenTransactions:
    """This process's own. Noting never fails: where it cannot, the database's own patience is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = Lock()
        self._free = list(range(_MOST))
        self._handle: int | None = None
        self._noted: mmap.mmap | None = None

    @contextmanager
    def noted(self, session_id: bytes) -> Iterator[None]:
        """Keep the id of a session while its transaction runs."""
        place = self._take(session_id)
        try:
            yield
        finally:
            if place is not None:
                self._give_back(place)

    def close(self) -> None:
        """Let go of the file; it stays for whoever comes next. A forked child leaves its parent's so."""
        # without the guard: in a child it may be held by a thread that is not there
        handle, self._handle, self._noted = self._handle, None, None
        if handle is not None:
            os.close(handle)

    def _take(self, session_id: bytes) -> int | None:
        with self._guard:
            if self._noted is None:
                with suppress(OSError):
                    self._open()
            if self._noted is None or not self._free or len(session_id) != _ID:
                return None
            place = self._free.pop()
            self._noted[place * _ID : (place + 1) * _ID] = session_id
            return place

    def _give_back(self, place: int) -> None:
        with self._guard:
            if self._noted is not None:
                self._noted[place * _ID : (place + 1) * _ID] = _NOBODY
            self._free.append(place)

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        hidden = self.folder / f".{name}"
        self._handle = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        os.write(self._handle, bytes(_ID * _MOST))
        self._noted = mmap.mmap(self._handle, _ID * _MOST)
        hidden.rename(self.folder / name)  # only now: nobody may find it without its lock


def left_in(folder: Path) -> Iterator[Sequence[bytes]]:
    """For each process that was killed, the sessions it left; what was given out is forgotten afterwards.

    It stays for the next to try if whoever asked fails meanwhile.
    """
    for path in sorted(folder.glob("[0-9]*")):
        with suppress(OSError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            told = file.read()
            found = [told[at : at + _ID] for at in range(0, len(told), _ID)]
            yield [each for each in found if each != _NOBODY]
            path.unlink()
