"""How a sandbox process lives: check, bind, say one line, serve, end cleanly."""

from __future__ import annotations

import errno
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from flask import Flask, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from wallet_api.infra.embedded import EmbeddedError
from wallet_api.infra.mongo import DATABASE_ERRORS, connect
from wallet_api.sandbox.conditions import SANDBOX_HEADER, carries_demo_marker, refusal
from wallet_api.settings import Settings

HOST = "127.0.0.1"
CANNOT_START = 2
_BACKLOG = 512
_BODY_LIMIT = 1024 * 1024
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

MarkerCheck = Callable[[Settings], bool]


class _Quiet(WSGIRequestHandler):
    """Keeps no access log: addresses and sign-in hints have no place in one."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


def database_is_marked(settings: Settings) -> bool:
    """Whether the database these settings name carries the demo marker."""
    database = connect(settings)
    with database.client:
        return carries_demo_marker(database)


def sandbox_app(name: str) -> Flask:
    """A Flask application whose every answer says that it is the sandbox."""
    app = Flask(name, root_path=__file__.rsplit("/", 1)[0])
    app.config["MAX_CONTENT_LENGTH"] = _BODY_LIMIT
    app.after_request(_label)
    return app


def require_sandbox(settings: Settings, has_marker: MarkerCheck) -> None:
    """End the process with one sentence where the sandbox must not run."""
    try:
        reason = refusal(settings, host=HOST, has_demo_marker=lambda: has_marker(settings))
    except EmbeddedError as why:
        give_up(str(why))
    except DATABASE_ERRORS:
        give_up("the database does not answer, so nothing says that it is a demo database")
    if reason is not None:
        give_up(reason)


def serve(app: Flask, port: int, label: str) -> None:
    """Serve until SIGTERM or Ctrl-C; tell in one sentence when the port is taken and exit with 2."""
    listener = _bound(port)
    server = make_server(HOST, port, app, threaded=True, request_handler=_Quiet, fd=listener.fileno())
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    sys.stdout.write(f"{label} on http://{HOST}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    finally:
        server.server_close()
        listener.close()


def give_up(reason: str) -> NoReturn:
    """Say why on standard error and end with exit code 2."""
    sys.stderr.write(f"{reason}\n")
    sys.exit(CANNOT_START)


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as why:
        listener.close()
        taken = why.errno == errno.EADDRINUSE
        give_up(f"port {port} is taken" if taken else f"port {port} cannot be used: {why.strerror}")
    listener.listen(_BACKLOG)
    return listener


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _label(response: Response) -> Response:
    response.headers[SANDBOX_HEADER] = "true"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    return response
