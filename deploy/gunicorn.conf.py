"""How gunicorn serves the wallet: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`.

It listens on this machine only: TLS and the outside world are the business of the proxy in front of it.
"""

from __future__ import annotations

import os
from typing import Any

from gunicorn.http import wsgi

from wallet_api.infra.logs import set_up_logs

bind = f"127.0.0.1:{os.environ.get('PORT') or '8080'}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or "2")
threads = 8
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


class PlainResponse(wsgi.Response):  # type: ignore[misc]  # the library carries no types
    """gunicorn's answer without its name in it."""

    def default_headers(self) -> list[str]:
        """The headers gunicorn adds by itself, `Server` left out."""
        return [line for line in super().default_headers() if not line.startswith("Server:")]


wsgi.Response = PlainResponse


def post_fork(server: Any, worker: Any) -> None:
    """Every worker logs JSON lines."""
    set_up_logs((os.environ.get("WALLET_LOG_LEVEL") or "INFO").upper())


def worker_exit(server: Any, worker: Any) -> None:
    """Write what the access log still holds before the worker is gone."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        application.extensions["wallet"].log.close()
