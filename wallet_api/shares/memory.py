"""The desk's storage in memory: the same promises, as long as the process lives. Thread-safe."""

from __future__ import annotations

import threading
from datetime import datetime

from wallet_api.shares.errors import StaleShare
from wallet_api.shares.model import Relation, Share


class MemoryShares:
    """`desk.Shares` in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Share] = {}

    def add(self, share: Share) -> None:
        """Keep a new share."""
        with self._lock:
            self._rows.setdefault(share.id, share)

    def get(self, share_id: str) -> Share | None:
        """One share."""
        return self._rows.get(share_id)

    def save(self, share: Share, *, expected: int) -> None:
        """Put a new version in the place of `expected`."""
        with self._lock:
            found = self._rows.get(share.id)
            if found is None or found.version != expected:
                raise StaleShare(share.id)
            self._rows[share.id] = share

    def of_citizen(
        self, citizen_id: str, relation: Relation | None, before: str | None, limit: int
    ) -> list[Share]:
        """A person's shares, newest first."""
        with self._lock:
            theirs = [each for each in self._rows.values() if each.citizen_id == citizen_id]
        named = [each for each in theirs if relation in (None, each.relation)]
        older = [each for each in named if before is None or each.place < before]
        return sorted(older, key=lambda each: each.place, reverse=True)[:limit]

    def open_of(self, citizen_id: str, now: datetime) -> int:
        """How many links to a person's book are in use."""
        with self._lock:
            rows = list(self._rows.values())
        return sum(each.citizen_id == citizen_id and each.state_at(now) == "active" for each in rows)
