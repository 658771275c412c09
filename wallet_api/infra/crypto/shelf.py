"""Where key bytes lie: a private folder, or memory for tests. Key stores are built on a shelf."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.errors import KeyUnavailable

_OPEN_TO_OTHERS = 0o077
_UNFINISHED = ".unfinished"


class KeyShelf(Protocol):
    """Named byte strings that are written once. A name that was destroyed is never written again."""

    def get(self, name: str) -> bytes | None:
        """Return the bytes under a name, or None. Raises KeyUnavailable when they are badly kept."""

    def put(self, name: str, value: bytes) -> bytes:
        """Write once and return what now stands there: the first writer's bytes, for every caller."""

    def names(self) -> frozenset[str]:
        """Return the names that hold bytes."""

    def made_at(self, name: str) -> datetime:
        """When the bytes were put there, by the machine's clock. KeyUnavailable when there are none."""

    def destroy(self, name: str) -> None:
        """Forget the bytes for good and remember that the name is spent."""


class MemoryShelf:
    """A shelf that lives as long as the process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}
        self._made: dict[str, datetime] = {}
        self._spent: set[str] = set()

    def get(self, name: str) -> bytes | None:
        """Return the bytes under a name, or None."""
        return self._kept.get(name)

    def put(self, name: str, value: bytes) -> bytes:
        """Write once; KeyUnavailable when the name was destroyed."""
        with self._lock:
            if name in self._spent:
                raise KeyUnavailable(f"Key {name} was destroyed and is never made again.")
            self._made.setdefault(name, system_now())
            return self._kept.setdefault(name, value)

    def names(self) -> frozenset[str]:
        """Return the names that hold bytes."""
        with self._lock:
            return frozenset(self._kept)

    def made_at(self, name: str) -> datetime:
        """When the bytes were put there."""
        if name not in self._made:
            raise KeyUnavailable(f"Key {name} is absent.")
        return self._made[name]

    def destroy(self, name: str) -> None:
        """Forget the bytes for good."""
        with self._lock:
            self._spent.add(name)
            self._kept.pop(name, None)


class FileShelf:
    """A folder (0700) of key files (0600), safe for several processes that start at once.

    A file appears whole or not at all: it is written aside with O_EXCL, synced and renamed, under a lock
    on the folder that every writer takes.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, name: str) -> bytes | None:
        """Return the bytes under a name, or None. Raises KeyUnavailable when others could read the file."""
        self._check_private(self._directory)
        path = self._path(name)
        try:
            with path.open("rb") as file:
                self._check_private(path)
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyUnavailable(f"Key {name} cannot be read ({error.strerror}).") from error

    def put(self, name: str, value: bytes) -> bytes:
        """Write once and return what stands there. Raises KeyUnavailable when it cannot be written."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked() as folder:
                return self._put(name, value, folder)
        except OSError as error:
            raise KeyUnavailable(f"Key {name} cannot be written ({error.strerror}).") from error

    def names(self) -> frozenset[str]:
        """Return the names that hold bytes."""
        return frozenset(path.stem for path in self._directory.glob("*.key"))

    def made_at(self, name: str) -> datetime:
        """When the file was written."""
        try:
            return datetime.fromtimestamp(self._path(name).stat().st_mtime, UTC)
        except OSError as error:
            raise KeyUnavailable(f"Key {name} cannot be read ({error.strerror}).") from error

    def check_private(self) -> None:
        """Raise KeyUnavailable when the folder or any file in it is open to others or somebody else's."""
        for path in (self._directory, *sorted(self._directory.glob("*.key"))):
            self._check_private(path)

    def destroy(self, name: str) -> None:
        """Overwrite and remove the file; a `.destroyed` mark keeps the name from being used again."""
        path = self._path(name)
        with self._locked() as folder:
            os.close(os.open(path.with_suffix(".destroyed"), os.O_WRONLY | os.O_CREAT, 0o600))
            os.fsync(folder)
            with suppress(FileNotFoundError), path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink(missing_ok=True)
            os.fsync(folder)

    def _put(self, name: str, value: bytes, folder: int) -> bytes:
        path = self._path(name)
        if path.with_suffix(".destroyed").exists():
            raise KeyUnavailable(f"Key {name} was destroyed and is never made again.")
        standing = self.get(name)
        if standing is not None:
            return standing
        aside = self._directory / _UNFINISHED
        aside.unlink(missing_ok=True)  # left by a writer that died; the lock says nobody else is writing
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
        os.fsync(folder)
        return value

    @contextmanager
    def _locked(self) -> Iterator[int]:
        folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(folder)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.key"

    @staticmethod
    def _check_private(path: Path) -> None:
        with suppress(FileNotFoundError):
            found = path.stat()
            if found.st_mode & _OPEN_TO_OTHERS:
                raise KeyUnavailable(
                    f"{path.name} is open to other users of this machine; close it to them first."
                )
            if found.st_uid != os.geteuid():
                raise KeyUnavailable(f"{path.name} belongs to another user of this machine.")
