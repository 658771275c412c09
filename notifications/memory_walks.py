"""Walks and rebuilds in memory: for tests, demos and use without a database. Safe under threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from notifications.errors import StaleRebuild
from notifications.rebuilds import OPEN, Rebuild
from notifications.walks import Cursor


class MemoryWalks:
    """Walks in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Cursor] = {}
        self._lock = threading.Lock()

    def open(self, walk: str, shards: Iterable[int]) -> None:
        """See walks.Walks."""
        with self._lock:
            for shard in shards:
                self._kept.setdefault((walk, shard), Cursor(walk, shard))

    def claim(self, walk: str, shard: int, now: datetime, lease: timedelta) -> Cursor | None:
        """See walks.Walks."""
        with self._lock:
            known = self._kept.get((walk, shard))
            if known is None or known.done or (known.held_until is not None and known.held_until > now):
                return None
            held = replace(known, held_until=now + lease, version=known.version + 1)
            self._kept[walk, shard] = held
            return held

    def advance(self, cursor: Cursor, after: str, counts: Mapping[str, int], *, done: bool) -> bool:
        """See walks.Walks."""
        with self._lock:
            known = self._kept.get((cursor.walk, cursor.shard))
            if known is None or known.version != cursor.version:
                return False
            total = Counter(known.counts) + Counter(counts)
            version = known.version + 1
            self._kept[cursor.walk, cursor.shard] = Cursor(
                cursor.walk, cursor.shard, after, done, total, version
            )
            return True

    def of(self, walk: str) -> Sequence[Cursor]:
        """See walks.Walks."""
        with self._lock:
            return [self._kept[key] for key in sorted(self._kept) if key[0] == walk]


class MemoryRebuilds:
    """Rebuilds in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Rebuild] = {}
        self._lock = threading.Lock()

    def add(self, rebuild: Rebuild) -> None:
        """See rebuilds.Rebuilds."""
        with self._lock:
            self._kept.setdefault(rebuild.id, rebuild)

    def get(self, rebuild_id: str) -> Rebuild | None:
        """See rebuilds.Rebuilds."""
        return self._kept.get(rebuild_id)

    def save(self, rebuild: Rebuild, *, expected: int) -> None:
        """See rebuilds.Rebuilds."""
        with self._lock:
            known = self._kept.get(rebuild.id)
            if known is None or known.version != expected:
                raise StaleRebuild(rebuild.id)
            self._kept[rebuild.id] = rebuild

    def newest(self, limit: int) -> list[Rebuild]:
        """See rebuilds.Rebuilds."""
        rows = sorted(self._kept.values(), key=lambda each: (each.asked_at, each.id), reverse=True)
        return rows[:limit]

    def unfinished(self) -> list[Rebuild]:
        """See rebuilds.Rebuilds."""
        return [each for each in reversed(self.newest(len(self._kept))) if each.state in OPEN]
