"""What the access log refuses."""

from __future__ import annotations

from typing import ClassVar


class AuditError(Exception):
    """Root of what this package refuses. `code` is public and never reworded."""

    code: ClassVar[str] = "audit_error"


class LogUnavailable(AuditError):
    """The event is not known to be durable, so what it would have permitted must not happen."""

    code = "log_unavailable"


class LogDamaged(AuditError):
    """What is stored does not lead to what was signed: nothing can be proven from it."""

    code = "log_damaged"


class ProofPending(AuditError):
    """No kept checkpoint covers the entry yet; within 10 seconds one will."""

    code = "proof_pending"


class BadCheckpoint(AuditError):
    """A checkpoint is malformed or not signed by this key."""

    code = "bad_checkpoint"
