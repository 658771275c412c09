"""JSON lines for the processes the command line and gunicorn start."""

from __future__ import annotations

import logging
import sys

from wallet_api.infra.logs import JsonLines


def log_json(level: str) -> None:
    """Send this process's logs to standard error as JSON lines: our own from `level` on, others' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("wallet").setLevel(level)
