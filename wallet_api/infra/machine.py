"""Facts about the machine we run on: locks on folders, free ports, disk space, other processes."""

from __future__ import annotations

import fcntl
import gc
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, ClassVar

_MIN_FREE = 200 * 1024 * 1024
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_FIRST = 32768
_LOWEST_PORT = 16384  # above what known servers listen on by default, but for a few
_TRIES = 100


class FolderLock:
    """An exclusive hold on a file, freed by the kernel when this process ends, however it ends."""

    _held: ClassVar[weakref.WeakSet[FolderLock]] = weakref.WeakSet()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Hold it if nobody else does; says whether it is held now."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file
        FolderLock._held.add(self)
        return True

    def holder(self) -> str:
        """The id of the process that holds or last held it, '?' if unknown."""
        try:
            return self._path.read_text(encoding="ascii").strip() or "?"
        except OSError:
            return "?"

    def release(self) -> None:
        """Let go; harmless when not held."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
            self._file = None

    @classmethod
    def forget_in_fork(cls) -> None:
        """Close the copies a forked child got: a child must not keep its dead parent's hold alive."""
        for lock in list(cls._held):
            if lock._file is not None:
                lock._file.close()  # without unlocking: the hold itself is shared with the parent
                lock._file = None


os.register_at_fork(after_in_child=FolderLock.forget_in_fork)


def write_private(path: Path, text: str) -> None:
    """Put ASCII `text` in place of `path` in one step, durably, readable by its owner alone."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def free_port() -> int:
    """A loopback port nobody listens on right now, and which stays free until it is listened on.

    Not one that the kernel hands out by itself: anybody's next connection could be given it meanwhile, and a
    server that restarts would find its port in use.
    """
    for _ in range(_TRIES):
        port = secrets.choice(_own_ports())
        if not port_taken(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _own_ports() -> range:
    """Ports below those that the kernel gives to outgoing connections; all, where it gives nearly all."""
    try:
        first = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):  # no Linux; others begin at 49152 (RFC 6335)
        first = _EPHEMERAL_FIRST
    return range(_LOWEST_PORT, first if first - _LOWEST_PORT >= _TRIES else _EPHEMERAL_FIRST)


def port_taken(port: int) -> bool:
    """Whether someone listens on this loopback port, or we may not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def port_fault(port: int) -> str | None:
    """None if the port can be used, else one sentence that says what to do."""
    if not port_taken(port):
        return None
    return (
        f"Port {port} on 127.0.0.1 is taken: stop what listens there, or choose another with PORT=<number>."
    )


def disk_space_fault(path: Path) -> str | None:
    """None if data can be kept in `path`, else one sentence: it is not writable, or under 200 MB are free."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
        free = shutil.disk_usage(path).free
    except OSError as fault:
        reason = fault.strerror or type(fault).__name__
        return f"The data folder {path} cannot be written ({reason}): choose another with WALLET_DATA_DIR."
    if free >= _MIN_FREE:
        return None
    return (
        f"The disk of the data folder {path} has {free // 1024**2} MB free and the wallet needs "
        f"{_MIN_FREE // 1024**2}: free some, or choose another folder with WALLET_DATA_DIR."
    )


def command_of(pid: int) -> str:
    """The command line of a living process, '' if there is none such."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        if Path("/proc/self").exists():
            return ""
    # without /proc (macOS); where ps lies differs
    asked = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def end_process(pid: int, grace: float) -> None:
    """End a process that is not our child: SIGTERM, after `grace` seconds SIGKILL; wait until it is gone."""
    for signum, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            return
        limit = time.monotonic() + patience
        while time.monotonic() < limit:
            if not command_of(pid):  # also '' for a zombie, which holds nothing any more
                return
            time.sleep(0.02)


@contextmanager
def what_is_here_stays() -> Iterator[None]:
    """For long work that makes much: what is loaded by now is not looked through for garbage meanwhile."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
