"""The access log's storage in memory: the same promises, as long as the process lives."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from wallet_api.audit.chain import AuditRow
from wallet_api.audit.ports import LogExtent


class DuplicateRow(Exception):
    """A row with this log and seq is stored already."""


class MemoryAuditStore:
    """An AuditStore in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, int], AuditRow] = {}

    def append(self, rows: Sequence[AuditRow]) -> None:
        """Store rows in order; DuplicateRow at the first that is there already."""
        with self._lock:
            for row in rows:
                if (row.log_id, row.seq) in self._rows:
                    raise DuplicateRow
                self._rows[row.log_id, row.seq] = row

    def present(self, log_id: str, first: int, last: int) -> int:
        """Count the rows of a log with first <= seq <= last."""
        with self._lock:
            return sum((log_id, seq) in self._rows for seq in range(first, last + 1))

    def entries(self, citizen_id: str, before: str | None, limit: int) -> tuple[AuditRow, ...]:
        """Return up to `limit` entries about a citizen, newest first, older than entry `before`."""
        with self._lock:
            mine = [row for row in self._rows.values() if row.event.get("citizen_id") == citizen_id]
        older = (row for row in mine if before is None or row.entry_id < before)
        return tuple(sorted(older, key=lambda row: row.entry_id, reverse=True)[:limit])

    def window(
        self, first: str, past: str, after: str | None, limit: int
    ) -> tuple[tuple[AuditRow, ...], str | None]:
        """Return a part of everybody's entries with first <= id < past, and where the next begins."""
        with self._lock:
            within = [row for row in self._rows.values() if first <= row.entry_id < past]
        left = sorted(
            (row for row in within if after is None or row.entry_id > after), key=lambda r: r.entry_id
        )
        shown = tuple(left[:limit])
        return shown, shown[-1].entry_id if len(left) > limit else None

    def logs(self) -> Mapping[str, LogExtent]:
        """Return every log and how far it reaches."""
        found: dict[str, LogExtent] = {}
        with self._lock:
            for log_id, seq in self._rows:
                found[log_id] = found.get(log_id, LogExtent()).with_row(seq)
        return found

    def run_up_to(self, log_id: str, last: int) -> Sequence[AuditRow]:
        """Return rows up to `last`, from the latest one whose writer noted the peaks before it."""
        rows = list(self.rows(log_id, last))
        noted = (index for index, row in enumerate(reversed(rows), 1) if row.peaks is not None)
        return rows[-next(noted, len(rows)) :]

    def rows(self, log_id: str, last: int) -> Iterator[AuditRow]:
        """Yield the rows of a log in the order of seq, up to `last`."""
        with self._lock:
            found = [row for (log, seq), row in self._rows.items() if log == log_id and seq <= last]
        return iter(sorted(found, key=lambda row: row.seq))
