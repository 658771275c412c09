"""The one writer of one log: collects what threads hand in and stores it in groups.

The rule that keeps the chain whole when a write fails:
1. A row gets its place (seq, prev, hash) once and never changes, and the storage keeps rows in order, so
   that what is stored of a log is always an unbroken beginning of it.
2. After any failed write nobody knows which rows are stored. Everyone waiting for them is told
   LogUnavailable, and the rows stay `unsettled`.
3. Nothing new gets a place until the unsettled rows are stored: the same rows again, less those already
   there. Until then every newcomer is told LogUnavailable too, without having got a place.
So the log has neither gap nor fork, may hold an event whose caller was refused, and never lacks one whose
caller was told it is safe. A process that dies leaves an unbroken log, and its successor begins a new one.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from wallet_api.audit.chain import FIRST_PREV, AuditRow, SealedEvent, link
from wallet_api.audit.checkpoint import Checkpoint
from wallet_api.audit.errors import LogUnavailable
from wallet_api.audit.merkle import Frontier
from wallet_api.audit.ports import AuditStore

GROUP_ROWS: Final = 200
_logger = logging.getLogger(__name__)


class Latch:
    """Set once, waited for by one thread: an Event for a fraction of its price."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Let the waiting thread go on."""
        self._lock.release()

    def wait(self, timeout: float) -> bool:
        """Wait at most so many seconds; whether it was set."""
        return self._lock.acquire(timeout=timeout)


class Waiting:
    """One event on its way into the log, and the thread that waits for it."""

    __slots__ = ("done", "entry_id", "sealed")

    def __init__(self, sealed: SealedEvent) -> None:
        self.sealed = sealed
        self.done = Latch()
        self.entry_id: str | None = None


class LogWriter:
    """Writes one log from one daemon thread, which starts with the first event. Thread-safe."""

    def __init__(
        self, store: AuditStore, log_id: str, grown: Callable[[int], None] = lambda size: None
    ) -> None:
        """`grown` is told how many rows are known to be stored, from the writing thread; it must not wait."""
        self.log_id = log_id
        self._grown = grown
        self._store = store
        self._wake = threading.Condition()
        self._queue: deque[Waiting] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._tree = Frontier()
        self._seq = 0
        self._prev = FIRST_PREV
        self._unsettled: tuple[AuditRow, ...] = ()
        self._unsettled_leaves: tuple[bytes, ...] = ()

    def submit(self, waiting: Waiting) -> None:
        """Queue an event; `waiting.done` is set when its fate is known. LogUnavailable once closed."""
        with self._wake:
            if self._closing:
                raise LogUnavailable("The access log is closed.")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
                self._thread.start()
            self._queue.append(waiting)
            self._wake.notify()

    def abandon(self, waiting: Waiting) -> None:
        """Take an event back if it has no place yet, because nobody waits for it any more."""
        with self._wake, suppress(ValueError):
            self._queue.remove(waiting)

    def checkpoint(self) -> Checkpoint:
        """Sum up the rows that are known to be stored."""
        with self._wake:
            return Checkpoint(self.log_id, self._tree.size, self._tree.root())

    def close(self, timeout: float) -> None:
        """Write what is queued, then stop taking more. Waits at most `timeout` seconds."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while group := self._next_group():
            self._write(group)
        with suppress(Exception):  # the last chance; the rows it would add were promised to nobody
            self._settle()

    def _next_group(self) -> list[Waiting]:
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._closing)
            return [self._queue.popleft() for _ in range(min(len(self._queue), GROUP_ROWS))]

    def _write(self, group: Sequence[Waiting]) -> None:
        try:
            self._settle()
            rows = self._place(group)
            self._store.append(rows)
            self._mark_settled()
        except Exception as error:  # whatever it is, nobody may be told that the event is safe
            _logger.warning("access log write failed: %s", type(error).__name__)
        else:
            for waiting, row in zip(group, rows, strict=True):
                waiting.entry_id = row.entry_id
        finally:
            for waiting in group:
                waiting.done.set()

    def _place(self, group: Sequence[Waiting]) -> tuple[AuditRow, ...]:
        rows, seq, prev = [], self._seq, self._prev
        for waiting in group:
            row = link(self.log_id, seq, prev, waiting.sealed)
            rows.append(row)
            seq, prev = seq + 1, row.hash
        # Nothing is unsettled here, so the tree is the one before the first of these rows.
        rows[0] = replace(rows[0], peaks=self._tree.peaks())
        self._unsettled, self._seq, self._prev = tuple(rows), seq, prev
        self._unsettled_leaves = tuple(waiting.sealed.leaf for waiting in group)
        return self._unsettled

    def _settle(self) -> None:
        rows = self._unsettled
        if rows:
            there = self._store.present(self.log_id, rows[0].seq, rows[-1].seq)
            if there < len(rows):
                self._store.append(rows[there:])
            self._mark_settled()

    def _mark_settled(self) -> None:
        with self._wake:
            for leaf in self._unsettled_leaves:
                self._tree.append(leaf)
            self._unsettled, self._unsettled_leaves = (), ()
            size = self._tree.size
        self._grown(size)
