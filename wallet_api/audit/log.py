"""The access log as the rest of the product uses it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wallet_api.audit.chain import seal_event
from wallet_api.audit.checkpoint import CheckpointSigner
from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.model import AuditEvent, event_from_json
from wallet_api.audit.ports import AuditStore
from wallet_api.audit.writer import LogWriter, Waiting
from wallet_api.infra.ids import new_id

WAIT_SECONDS: Final = 3.0
_CLOSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event as it stands in the log. Entry ids sort by time and tell log and place: seal them outside."""

    entry_id: str
    log_id: str
    seq: int
    hash: bytes
    event: AuditEvent


class AccessLog:
    """One log of its own for each process; a forked child begins another. Thread-safe."""

    def __init__(
        self, store: AuditStore, now: Callable[[], datetime], signer: CheckpointSigner | None = None
    ) -> None:
        self._store = store
        self._now = now
        self._signer = signer
        self._begin()
        itself = weakref.ref(self)

        def begin_in_child() -> None:
            # The parent's thread, lock and place in its log do not exist in a forked child.
            log = itself()
            if log is not None:
                log._begin()

        os.register_at_fork(after_in_child=begin_in_child)

    def append(self, event: AuditEvent) -> str:
        """Store an event and return its entry id; it is durable when this returns.

        Raises LogUnavailable on failure or after 3 s: then nothing it would permit may be released. The
        event may still be found in the log.
        """
        waiting, writer = Waiting(seal_event(event.to_json())), self._writer
        writer.submit(waiting)
        if not waiting.done.wait(WAIT_SECONDS):
            writer.abandon(waiting)
            raise LogUnavailable("The access log did not answer in time.")
        if waiting.entry_id is None:
            raise LogUnavailable("The access log could not be written.")
        return waiting.entry_id

    def entries(self, citizen_id: str, before: str | None = None, limit: int = 50) -> tuple[LogEntry, ...]:
        """Return up to `limit` entries about a citizen, newest first, older than entry `before`."""
        return tuple(
            LogEntry(row.entry_id, row.log_id, row.seq, row.hash, event_from_json(row.event))
            for row in self._store.entries(citizen_id, before, limit)
        )

    def checkpoint(self) -> str | None:
        """Sign what this process has stored so far; None without a signer or before the first event."""
        checkpoint = self._writer.checkpoint()
        if self._signer is None or checkpoint.size == 0:
            return None
        return self._signer.sign(checkpoint, self._now())

    def close(self) -> None:
        """Write what is queued and stop; at most 5 s. Later events raise LogUnavailable."""
        self._writer.close(_CLOSE_SECONDS)

    def _begin(self) -> None:
        self._writer = LogWriter(self._store, new_id())
