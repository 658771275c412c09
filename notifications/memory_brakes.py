"""Stops and speeds in memory: brakes and token buckets."""

from __future__ import annotations

import threading
from datetime import datetime

from notifications.pacing import Bucket, Rate, Tally, take


class MemoryBrakes:
    """Brakes in dicts."""

    def __init__(self) -> None:
        self._pauses: dict[str, datetime] = {}
        self._stopped: set[str] = set()
        self._tallies: dict[str, tuple[int, Tally]] = {}
        self._lock = threading.Lock()

    def pause(self, bucket: str, until: datetime) -> None:
        """See ports.Brakes."""
        self._pauses[bucket] = max(until, self._pauses.get(bucket, until))

    def paused_until(self, bucket: str) -> datetime | None:
        """See ports.Brakes."""
        return self._pauses.get(bucket)

    def stop(self, template: str) -> None:
        """See ports.Brakes."""
        self._stopped.add(template)

    def release(self, template: str) -> None:
        """See ports.Brakes."""
        self._stopped.discard(template)

    def stopped(self, template: str) -> bool:
        """See ports.Brakes."""
        return template in self._stopped

    def holds(self, bucket: str, template: str, now: datetime) -> bool:
        """See ports.Brakes."""
        return self.stopped(template) or self._pauses.get(bucket, now) > now

    def tally(self, bucket: str, now: datetime, tried: int, refused: int) -> Tally:
        """See ports.Brakes."""
        minute = int(now.timestamp()) // 60
        with self._lock:
            known, so_far = self._tallies.get(bucket, (minute, Tally(0, 0)))
            if known != minute:
                so_far = Tally(0, 0)
            found = Tally(so_far.tried + tried, so_far.refused + refused)
            self._tallies[bucket] = minute, found
        return found


class MemoryTokens:
    """See pacing.Tokens."""

    def __init__(self) -> None:
        self._kept: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def lease(self, bucket: str, rate: Rate, want: int, now: datetime, *, critical: bool = False) -> int:
        """See pacing.Tokens."""
        with self._lock:
            self._kept[bucket], granted = take(self._kept.get(bucket), rate, want, now, critical=critical)
        return granted
