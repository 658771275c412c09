"""How gunicorn serves the wallet: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`.

It listens on this machine only, unless WALLET_BIND says otherwise (in a container, whose network is closed):
TLS and the outside world are the business of the proxy in front of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import threading
import time
from typing import Any

from gunicorn.http import wsgi
from gunicorn.workers.gthread import ThreadWorker
from prometheus_client import multiprocess

from wallet_api.infra.crypto.errors import CryptoError
from wallet_api.infra.database_faults import meaning_of
from wallet_api.infra.embedded import EmbeddedError, EmbeddedMissing
from wallet_api.infra.evenness import Evenness, Place
from wallet_api.infra.logs import say, set_up_logs
from wallet_api.infra.migrations import MigrationError
from wallet_api.infra.mongo import DATABASE_ERRORS, IndexConflict
from wallet_api.settings import SettingsError

# The workers add up their numbers in this folder; before any of them counts, so at the very start.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="wallet-metrics-"))

bind = f"{os.environ.get('WALLET_BIND') or '127.0.0.1'}:{os.environ.get('PORT') or '8080'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or "2")
threads = 40
"""More than WALLET_CONCURRENT, so that who is one too many is told so at once, and never waits unseen."""
timeout = 30
"""Seconds a worker may be silent before it is replaced; no answer of ours takes that long."""
graceful_timeout = 8
keepalive = 5
backlog = 512
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 8190
loglevel = "warning"
accesslog = None
"""The application writes its own lines, with routes and never addresses or queries."""
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112,S108 - beats, not data

EVENNESS = Evenness()
HEAD_START = 0.002
"""Seconds in which a worker with fewer connections may take a new one before a worker with more does."""
UNEVEN = 2
"""So many connections more than another worker are too many; one more is what an odd number comes to."""


class PlainResponse(wsgi.Response):  # type: ignore[misc]  # the library carries no types
    """gunicorn's answer without its name in it."""

    def default_headers(self) -> list[str]:
        """The headers gunicorn adds by itself, `Server` left out."""
        return [line for line in super().default_headers() if not line.startswith("Server:")]


wsgi.Response = PlainResponse


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # as above
    """gunicorn's threaded worker, which outlives what passes, says in one sentence what does not, and shares.

    gunicorn ends the whole server when one worker cannot load its application. A database that is away just
    then would end it too, so loading is tried again until the database answers.
    """

    place: Place
    """Set by `pre_fork`."""

    def load_wsgi(self) -> None:
        """Load the application; wait for its database. Exit code 3 ends the server: it can never load."""
        loaded = threading.Event()
        threading.Thread(target=self._beat, args=(loaded,), daemon=True).start()
        try:
            while self.alive and not self._loads():
                time.sleep(1)
        finally:
            loaded.set()
        if not self.alive:
            sys.exit(0)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Take one turn of the loop. A worker that is too far ahead of another closes after its answers.

        The answer says so (`Connection: close`), so that no request is lost on its way, and whoever asks
        again comes to the other.
        """
        self.place.tell(self.nr_conns if self.alive else None)
        kept = self.cfg.worker_connections - self.cfg.threads
        self.max_keepalived = kept if self.place.ahead() < UNEVEN else 0
        super().wait_for_and_dispatch_events(timeout)

    def accept(self, listener: Any) -> None:
        """Take a connection, after a worker with fewer had its chance.

        Where no file descriptor is left for it, the requests in hand end first.
        """
        if self.place.ahead():
            time.sleep(HEAD_START)
        try:
            super().accept(listener)
        except OSError as fault:
            if fault.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            time.sleep(0.02)

    def _loads(self) -> bool:
        try:
            super().load_wsgi()
        except (SettingsError, CryptoError, EmbeddedMissing, MigrationError, IndexConflict) as why:
            sys.stderr.write(f"The wallet does not start: {why}\n")
            sys.exit(3)
        except (EmbeddedError, *DATABASE_ERRORS) as why:
            if not isinstance(why, EmbeddedError) and meaning_of(why) == "ours":
                raise
            say("database_awaited", error_type=type(why).__name__)
            return False
        return True

    def _beat(self, loaded: threading.Event) -> None:
        while not loaded.wait(1):
            self.notify()  # waiting is no hanging


worker_class = PatientWorker


def on_starting(server: Any) -> None:
    """Of two workers that refuse to load at once the first ends the server with its code, the second nothing.

    gunicorn gives up on such a worker wherever it meets one, also while it is giving up on another.
    """
    stop = server.stop

    def stop_for_good(graceful: bool = True) -> None:
        server.WORKER_BOOT_ERROR = server.APP_LOAD_ERROR = -1  # no process ends with that
        stop(graceful)

    server.stop = stop_for_good


def pre_fork(server: Any, worker: Any) -> None:
    """Every worker has a place to say how many connections it holds."""
    worker.place = EVENNESS.place()


def post_fork(server: Any, worker: Any) -> None:
    """Every worker logs JSON lines."""
    set_up_logs((os.environ.get("WALLET_LOG_LEVEL") or "INFO").upper())


def child_exit(server: Any, worker: Any) -> None:
    """What a worker that is gone was doing is not being done any more."""
    multiprocess.mark_process_dead(worker.pid)
    worker.place.free()


def on_exit(server: Any) -> None:
    """Numbers go with the server that counted them."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def worker_exit(server: Any, worker: Any) -> None:
    """Write what the access log still holds before the worker is gone."""
    application = getattr(worker, "wsgi", None)
    wallet = getattr(application, "extensions", {}).get("wallet")
    if wallet is not None:
        wallet.log.close()
