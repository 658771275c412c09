"""The embedded database: one daemon a folder, started or joined, watched, spoken to like any MongoDB.

For development and tests (`Settings` refuses it in production). A folder holds the store, the password in a
file for its owner's eyes, where the daemon listens, and its log.
"""

from __future__ import annotations

import atexit
import json
import logging
import math
import os
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from wallet_api.infra.daemon import (
    GRACE,
    UP,
    Daemon,
    EmbeddedError,
    EmbeddedMissing,
    client_of,
    fault_of,
    listens,
)
from wallet_api.infra.logs import say
from wallet_api.infra.machine import FolderLock, command_of, end_process, free_port, port_taken, write_private

__all__ = ["EmbeddedError", "EmbeddedMissing", "EmbeddedServer", "server_at"]

_USER = "wallet"
_ROLES = ["readWriteAnyDatabase", "dbAdminAnyDatabase"]
_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # before the n-th restart in a row
_STEADY = 5.0  # seconds of service that end such a row: what keeps failing sooner is not worth hurrying for


class EmbeddedServer:
    """The daemon on one folder, started by this process or joined if another process runs it already.

    It ends with the process that started it. Whoever joined sees errors from then on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._storage = self._path / "storage"
        self._log = self._path / "daemon.log"
        self._state = self._path / "state.json"
        self._secret = self._path / "password"
        self._lock = FolderLock(self._path / "owner.lock")
        self._daemon = Daemon(self._storage, self._log)
        self._owner = 0
        self._port = 0
        self._uri = ""
        self._over = threading.Event()
        self._watchdog: threading.Thread | None = None

    @property
    def owned(self) -> bool:
        """Whether this process started the daemon, and not merely joined it or was forked from its owner."""
        return self._owner == os.getpid()

    @property
    def uri(self) -> str:
        """Where clients connect, password included: keep it out of logs. Stays as `start` found it."""
        return self._uri

    @property
    def pid(self) -> int:
        """The daemon's process id, as its owner knows or last recorded it; 0 if none runs."""
        return self._daemon.pid if self.owned and not self._daemon.ended else self._recorded()[1]

    def start(self) -> None:
        """Join the running daemon of this folder, or start one.

        Raises:
            EmbeddedMissing: SecantusDB is not installed.
            EmbeddedError: the daemon cannot start, its owner's does not answer in time, or the folder cannot
                be used.
        """
        if self._uri:
            return
        try:
            self._start()
        except OSError as why:
            raise EmbeddedError(
                f"The database folder {self._path} cannot be used ({why.strerror}): choose another "
                "data folder with WALLET_DATA_DIR."
            ) from why

    def _start(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        limit = time.monotonic() + UP
        while not self._lock.take():
            if self._join():
                return
            if time.monotonic() > limit:
                raise EmbeddedError(
                    f"The embedded database in {self._path} belongs to process {self._lock.holder()} but "
                    f"does not answer: stop that process, or see {self._log}"
                )
            time.sleep(0.1)
        try:
            self._own()
        except BaseException:  # Ctrl-C while it starts too: no daemon and no lock may be left behind
            self.stop()
            raise

    def stop(self, grace: float = GRACE) -> None:
        """End the daemon if this process started it, at once if `grace` is 0. Harmless when stopped.

        Nothing acknowledged is lost either way: every commit is synced.
        """
        if self.owned:
            self._over.set()
            if self._watchdog is not None:
                self._watchdog.join()
            self._daemon.end(grace)
            with suppress(
                OSError
            ):  # a full disk; the next start finds a pid that is nobody's, and takes over
                self._record(0)
            self._lock.release()
        self._owner, self._watchdog, self._uri = 0, None, ""
        self._over = threading.Event()

    def supervise(self, patience: float = 10.0, every: float = 0.5) -> None:
        """Restart the daemon, on the same port, when it ended, stopped answering or reports a broken store.

        It is asked for a document every `every` seconds and may stay silent for `patience`. A store that met
        a full disk answers errors until restarted: that is done with pauses of up to 5 s until it serves
        again. Only its owner can do so: on a joined daemon this does nothing.
        """
        if self.owned and self._watchdog is None:
            self._watchdog = threading.Thread(
                target=self._watch, args=(patience, every), name="embedded-watchdog", daemon=True
            )
            self._watchdog.start()

    def _join(self) -> bool:
        port, pid = self._recorded()
        if not pid or not self._secret.exists() or not listens(port):
            return False
        uri = self._uri_at(port)
        with client_of(uri) as client:
            fault = fault_of(client)
        if fault == "refused":
            raise EmbeddedError(f"The embedded database refuses the password in {self._secret}")
        self._uri = uri if fault is None else ""
        return fault is None

    def _own(self) -> None:
        self._owner = os.getpid()
        port, pid = self._recorded()
        if pid and str(self._storage) in command_of(pid):  # where the system tethers no children
            end_process(pid, GRACE)
        self._port = port if port and not port_taken(port) else free_port()
        if not self._secret.exists():
            self._bootstrap()
        self._uri = self._uri_at(self._port)
        self._launch(auth=True)
        self._daemon.await_up(self._uri, self._over)

    def _bootstrap(self) -> None:
        """Make the one user. The password file comes last, so a half-done attempt is simply done again.

        This needs a moment without password: the store is empty then and listens on loopback only.
        """
        password = secrets.token_urlsafe(32)
        self._launch(auth=False)
        open_uri = f"mongodb://127.0.0.1:{self._port}/"
        self._daemon.await_up(open_uri, self._over)
        with client_of(open_uri) as client:
            known = {user["user"] for user in client.admin.command("usersInfo")["users"]}
            command = "updateUser" if _USER in known else "createUser"
            client.admin.command(command, _USER, pwd=password, roles=_ROLES)
        self._daemon.end(0)
        write_private(self._secret, password)

    def _launch(self, *, auth: bool) -> None:
        self._daemon.launch(self._port, auth=auth)
        with suppress(OSError):  # on a full disk a stale id beats no daemon; noted later
            self._record(self._daemon.pid)

    def _watch(self, patience: float, every: float) -> None:
        silent_since: float | None = None
        in_a_row, last = 0, -math.inf
        with client_of(self._uri) as client:
            while not self._over.wait(every):
                fault = self._fault(client)
                now = time.monotonic()
                silent_since = (silent_since or now) if fault else None
                if silent_since is None:
                    self._note_anew()
                    continue
                if fault == "silent" and now - silent_since < patience:
                    continue
                in_a_row = in_a_row + 1 if now - last < _STEADY else 0
                if self._over.wait(_PAUSES[min(in_a_row, len(_PAUSES) - 1)]):
                    return
                self._restart(fault or "", in_a_row + 1)
                silent_since, last = None, time.monotonic()

    def _fault(self, client: MongoClient[dict[str, Any]]) -> str | None:
        return "ended" if self._daemon.ended else fault_of(client)

    def _restart(self, fault: str, attempt: int) -> None:
        say("embedded_restarts", logging.WARNING, state=fault, attempt=attempt)
        self._daemon.end(0)
        try:
            self._launch(auth=True)
            self._daemon.await_up(self._uri, self._over)
        except (EmbeddedError, OSError) as problem:
            say("embedded_restart_failed", logging.ERROR, error_type=type(problem).__name__, attempt=attempt)

    def _note_anew(self) -> None:
        if self._recorded()[1] != self._daemon.pid:
            with suppress(OSError):
                self._record(self._daemon.pid)

    def _uri_at(self, port: int) -> str:
        password = self._secret.read_text(encoding="ascii")
        how = "authSource=admin&authMechanism=SCRAM-SHA-256"
        # To know a write again that the driver repeats, this server keeps the last 10,000 answers in memory
        # and goes through all of them at each write: half its speed went there, and a kill forgets them.
        # What asks again is the wallet: transactions, the log, Idempotency-Keys.
        how += "&retryWrites=false"
        return f"mongodb://{_USER}:{password}@127.0.0.1:{port}/?{how}"

    def _recorded(self) -> tuple[int, int]:
        try:
            state = json.loads(self._state.read_text(encoding="ascii"))
            return int(state["port"]), int(state["pid"])
        except (OSError, ValueError, TypeError, LookupError):
            return 0, 0

    def _record(self, pid: int) -> None:
        write_private(self._state, json.dumps({"port": self._port, "pid": pid}))


_SERVERS: dict[Path, EmbeddedServer] = {}
_GUARD = threading.Lock()


def _forget_in_fork() -> None:
    """A forked child owns no daemon: it joins, with a guard that no lost thread holds."""
    global _GUARD  # noqa: PLW0603 - a lock copied by fork may be held for ever
    _SERVERS.clear()
    _GUARD = threading.Lock()


os.register_at_fork(after_in_child=_forget_in_fork)


def server_at(path: Path) -> EmbeddedServer:
    """This process's one started server for a folder, watched if it is ours, stopped at exit.

    Raises:
        EmbeddedError: as `EmbeddedServer.start`.
    """
    with _GUARD:
        place = path.resolve()
        server = _SERVERS.get(place) or EmbeddedServer(place)
        server.start()
        server.supervise()
        if place not in _SERVERS:
            _SERVERS[place] = server
            atexit.register(server.stop)
        return server
