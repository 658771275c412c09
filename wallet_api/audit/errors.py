"""What the access log refuses."""

from __future__ import annotations

from typing import ClassVar


class AuditError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "audit_error"


class LogUnavailable(AuditError):
    """The event is not known to be durable, so what it would have permitted must not happen."""

    code = "log_unavailable"


class BadCheckpoint(AuditError):
    """A checkpoint is malformed or not signed by this key."""

    code = "bad_checkpoint"
