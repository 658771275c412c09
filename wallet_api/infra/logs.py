"""JSON logs that can hold only what is on the list: ids, codes and counts, never people's data."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

_ALLOWED = frozenset(
    {
        "request_id",
        "method",
        "route",
        "status",
        "code",
        "milliseconds",
        "count",
        "batch_id",
        "campaign_id",
        "error_type",
        "attempt",
        "state",
        "log_id",
        "template",
    }
)


class JsonLines(logging.Formatter):
    """One JSON object a line. Only the wallet's own messages keep their text; a traceback keeps
    types and places but never values."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.msg if record.name.startswith("wallet") else record.name,
        }
        line |= {name: record.__dict__[name] for name in sorted(_ALLOWED) if name in record.__dict__}
        if record.exc_info and record.exc_info[0]:
            line["error_type"] = record.exc_info[0].__name__
            line["where"] = _places(record)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up_logs(level: str) -> None:
    """Send this process's logs to standard error as JSON lines: our own from `level` on, others' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("wallet").setLevel(level)


def say(event: str, level: int = logging.INFO, **fields: object) -> None:
    """Log one event of ours with fields from the allowed list.

    Raises:
        ValueError: a field is not on the list: a new one is a decision, made in this file.
    """
    _check(fields)
    logging.getLogger("wallet").log(level, event, extra=dict(fields))


def say_error(event: str, error: BaseException, **fields: object) -> None:
    """Log an unexpected error: its type and where it happened, never its text."""
    _check(fields)
    logging.getLogger("wallet").error(event, exc_info=error, extra=dict(fields))


def _check(fields: Mapping[str, object]) -> None:
    stray = fields.keys() - _ALLOWED
    if stray:
        raise ValueError(f"log fields not on the allowed list: {sorted(stray)}")


def _places(record: logging.LogRecord) -> list[str]:
    places = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-8:]
