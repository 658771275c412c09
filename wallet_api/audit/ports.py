"""What the access log asks of its storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wallet_api.audit.chain import AuditRow


@dataclass(frozen=True, slots=True)
class LogExtent:
    """How many rows a log has and its highest seq. A whole log has one row more than its highest seq."""

    rows: int = 0
    last: int = -1

    def with_row(self, seq: object) -> LogExtent:
        """Count one more row; a seq that is no whole number counts as a row without a place."""
        return LogExtent(self.rows + 1, max(self.last, seq) if isinstance(seq, int) else self.last)


class AuditStore(Protocol):
    """Rows of many logs; (log_id, seq) is unique and a row is never changed or deleted."""

    def append(self, rows: Sequence[AuditRow]) -> None:
        """Store rows of one log, in order, durably (journaled, majority) before returning.

        Any exception means "not known": a prefix of the rows, or all of them, may be stored or still
        become stored; never a later row without the earlier ones.
        """

    def present(self, log_id: str, first: int, last: int) -> int:
        """Count the rows of a log with first <= seq <= last."""

    def entries(self, citizen_id: str, before: str | None, limit: int) -> tuple[AuditRow, ...]:
        """Return up to `limit` entries about a citizen, newest first, older than entry `before`."""

    def window(
        self, first: str, past: str, after: str | None, limit: int
    ) -> tuple[tuple[AuditRow, ...], str | None]:
        """Return a part of everybody's entries with first <= id < past, and what to name as `after` for the
        next part; None after the last. A part is about `limit` writes of the log; an entry is in one part.
        """

    def logs(self) -> Mapping[str, LogExtent]:
        """Return every log and how far it reaches (reads everything: for verification only)."""

    def run_up_to(self, log_id: str, last: int) -> Sequence[AuditRow]:
        """Return rows up to `last`, from the latest one whose writer noted the peaks before it.

        From the first row where none was noted; nothing where there is no such row.
        """

    def rows(self, log_id: str, last: int) -> Iterator[AuditRow]:
        """Yield the rows of a log in the order of seq, up to `last`."""
