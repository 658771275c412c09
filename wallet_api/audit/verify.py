"""Verification of everything that was ever logged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wallet_api.audit.chain import verify
from wallet_api.audit.checkpoint import Checkpoint
from wallet_api.audit.ports import AuditStore, LogExtent


@dataclass(frozen=True, slots=True)
class LogFault:
    """The first entry of a log that is not as it was written; one past the end for a row without a place."""

    log_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verification saw."""

    logs: int
    rows: int
    faults: tuple[LogFault, ...]

    @property
    def ok(self) -> bool:
        """Whether every log is as it was written."""
        return not self.faults


def verify_all(store: AuditStore, checkpoints: Iterable[Checkpoint] = ()) -> VerifyReport:
    """Check every log, and every log a checkpoint speaks of. Slow: it reads all there is.

    Pass checkpoints that were kept outside the database; without them a log that vanished whole, or was
    cut short, or rewritten to its end, goes unnoticed.
    """
    by_log: dict[str, list[Checkpoint]] = {}
    for checkpoint in checkpoints:
        by_log.setdefault(checkpoint.log_id, []).append(checkpoint)
    extents = store.logs()
    faults = []
    for log_id in sorted(extents.keys() | by_log.keys()):
        extent = extents.get(log_id, LogExtent())
        bad = verify(store.rows(log_id, extent.last), by_log.get(log_id, ()))
        if bad is None and extent.rows != extent.last + 1:
            bad = extent.last + 1  # rows outside the chain, where a reader would still meet them
        if bad is not None:
            faults.append(LogFault(log_id, bad))
    return VerifyReport(len(extents), sum(one.rows for one in extents.values()), tuple(faults))
