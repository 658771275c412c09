"""Walks over all stored plans, shard by shard and page by page: begun again after a kill where they stopped.

A cursor says how far a shard has come and what was found there, in one document, so that both go on together
or not at all: a page that was read twice counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from notifications.ports import DueItems, DueRow, Now

LEASE: Final = timedelta(seconds=60)
PAGE: Final = 100
_TOO_MANY: Final = 20
FAILED: Final = "failed"
ROWS: Final = "rows"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a walk has come in one shard. `after`: the last citizen done with; `version` guards it."""

    walk: str
    shard: int
    after: str = ""
    done: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    version: int = 1
    held_until: datetime | None = None


class Walks(Protocol):
    """Cursors, moved by compare-and-set."""

    def open(self, walk: str, shards: Iterable[int]) -> None:
        """Put a cursor at the beginning of each shard; one that is there stays where it is."""
        ...

    def claim(self, walk: str, shard: int, now: datetime, lease: timedelta) -> Cursor | None:
        """Hold a shard for exactly one caller until now + lease; None if it is done, held or not there."""
        ...

    def advance(self, cursor: Cursor, after: str, counts: Mapping[str, int], *, done: bool) -> bool:
        """Let go of a claimed cursor further on, with `counts` added.

        False, and nothing changed, if somebody else has claimed it since.
        """
        ...

    def of(self, walk: str) -> Sequence[Cursor]:
        """The cursors of a walk, by shard."""
        ...


class Walker:
    """Takes walks on. Any number of workers may: each shard is with one of them at a time."""

    def __init__(self, due: DueItems, walks: Walks, now: Now) -> None:
        self._due, self._walks, self._now = due, walks, now

    def step(
        self, walk: str, shard: int, work: Callable[[DueRow], Mapping[str, int]], page: int = PAGE
    ) -> Cursor | None:
        """Do one page of a shard; the cursor as it was left, or None when there was none to take.

        `work` may be called twice for a row, by two workers even; what it returns counts once. A row that
        fails is counted and passed by.

        Raises:
            Whatever the last row raised, when so many of a page fail that no single one can be the reason.
        """
        cursor = self._walks.claim(walk, shard, self._now(), LEASE)
        if cursor is None:
            return None
        rows = self._due.rows(shard, cursor.after, page)
        counts: Counter[str] = Counter({ROWS: len(rows)} if rows else {})
        for row in rows:
            try:
                counts.update(work(row))
            except Exception:  # whatever is wrong with one book, the others' plans are looked at
                counts[FAILED] += 1
                if counts[FAILED] == _TOO_MANY:
                    raise
        done = len(rows) < page
        after = "" if done else rows[-1].citizen_id  # what is over need not name the last one any more
        if not self._walks.advance(cursor, after, counts, done=done):
            return None
        total = Counter(cursor.counts) + counts
        return Cursor(walk, shard, after, done, total, cursor.version + 1)

    def counted(self, walk: str) -> Counter[str]:
        """What was counted in all shards so far."""
        found: Counter[str] = Counter()
        for cursor in self._walks.of(walk):
            found.update(cursor.counts)
        return found
