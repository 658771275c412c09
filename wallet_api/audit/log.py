"""The access log as the rest of the product uses it."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wallet_api.audit.chain import AuditRow, seal_event
from wallet_api.audit.checkpoint import CheckpointSigner
from wallet_api.audit.errors import BadCheckpoint, LogUnavailable, ProofPending
from wallet_api.audit.export import CheckpointExporter, CheckpointFolder, Signed
from wallet_api.audit.model import AuditEvent, event_from_json
from wallet_api.audit.ports import AuditStore
from wallet_api.audit.proofs import LogTree, Proof
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
        self,
        store: AuditStore,
        now: Callable[[], datetime],
        signer: CheckpointSigner | None = None,
        folders: Sequence[CheckpointFolder] = (),
    ) -> None:
        self._store = store
        self._now = now
        self._signer = signer
        self._folders = folders
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
        return self.append_all([event])[0]

    def append_all(self, events: Sequence[AuditEvent]) -> list[str]:
        """The same for several, handed over together: they are written as one group, or few.

        Raises LogUnavailable for any of them; each may be found in the log all the same.
        """
        writer = self._writer
        waiting = [Waiting(seal_event(each.to_json())) for each in events]
        for each in waiting:
            writer.submit(each)
        until = time.monotonic() + WAIT_SECONDS
        for each in waiting:
            if not each.done.wait(max(until - time.monotonic(), 0.0)):
                for late in waiting:
                    writer.abandon(late)
                raise LogUnavailable("The access log did not answer in time.")
        told = [each.entry_id for each in waiting if each.entry_id is not None]
        if len(told) < len(waiting):
            raise LogUnavailable("The access log could not be written.")
        return told

    def entries(self, citizen_id: str, before: str | None = None, limit: int = 50) -> tuple[LogEntry, ...]:
        """Return up to `limit` entries about a citizen, newest first, older than entry `before`."""
        return tuple(
            LogEntry(row.entry_id, row.log_id, row.seq, row.hash, event_from_json(row.event))
            for row in self._store.entries(citizen_id, before, limit)
        )

    def entry(self, log_id: str, seq: int) -> LogEntry | None:
        """Return one entry by its place."""
        row = self._row(log_id, seq)
        if row is None:
            return None
        return LogEntry(row.entry_id, row.log_id, row.seq, row.hash, event_from_json(row.event))

    def prove(self, log_id: str, seq: int, since: int | None = None) -> Proof:
        """Prove that an entry is in its log; `since`: and that the log begins with what it was at this size.

        Raises ProofPending while no kept checkpoint covers the entry, LogDamaged when the stored log does not
        lead to its checkpoint, ValueError for an older size that the checkpoint does not cover.
        """
        row, newest = self._row(log_id, seq), self._newest(log_id)
        if row is None or newest is None or newest[0].size <= seq:
            raise ProofPending("No checkpoint covers this entry yet.")
        return LogTree(self._store, log_id).prove(row, *newest, since)

    def checkpoint(self) -> str | None:
        """Sign what this process has stored so far; None without a signer or before the first event."""
        signed = self._signed(self._writer)
        return None if signed is None else signed[1]

    def close(self) -> None:
        """Write what is queued, keep its checkpoint and stop; at most 10 s. Later events: LogUnavailable."""
        self._writer.close(_CLOSE_SECONDS)
        self._exporter.close(_CLOSE_SECONDS)

    def _begin(self) -> None:
        writer = LogWriter(self._store, new_id(), self._grown)
        self._writer = writer
        self._exporter = CheckpointExporter(lambda: self._signed(writer), self._folders)

    def _grown(self, size: int) -> None:
        self._exporter.grown(size)

    def _signed(self, writer: LogWriter) -> Signed | None:
        checkpoint = writer.checkpoint()
        if self._signer is None or checkpoint.size == 0:
            return None
        return checkpoint, self._signer.sign(checkpoint, self._now())

    def _row(self, log_id: str, seq: int) -> AuditRow | None:
        run = self._store.run_up_to(log_id, seq)
        return run[-1] if run and run[-1].seq == seq else None

    def _newest(self, log_id: str) -> Signed | None:
        """The newest checkpoint of a log: of our own one of this moment, of another one that is kept."""
        if log_id == self._writer.log_id:
            return self._signed(self._writer)
        if self._signer is None:
            return None
        kept = list[Signed]()
        for text in filter(None, (each.newest(log_id) for each in self._folders)):
            with suppress(BadCheckpoint):  # somebody else's vouches for nothing
                kept.append((self._signer.open(text), text))
        fitting = [each for each in kept if each[0].log_id == log_id]
        return max(fitting, key=lambda each: each[0].size, default=None)
