"""Where acts are counted: one number a key, in this process, or in a storage that all workers share."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol

from limits.errors import StorageError
from limits.storage import Storage, storage_from_string

from wallet_api.infra.logs import say

_PAUSE = 0.5
"""Seconds for which a storage that failed is not asked again: its recovery is noticed within them."""
_REDIS_TIMEOUT = 0.25
_MANY_KEYS = 50_000


class CountersUnavailable(Exception):
    """Nobody knows how often: the counters do not answer."""


class Counters(Protocol):
    """Counts by key. A key's count is forgotten some time after `seconds`."""

    def add(self, key: str, amount: int, seconds: int) -> int:
        """Add to a count, and the count after that. Of several at once, no two get a count that is lower
        than what both added together.

        Raises:
            CountersUnavailable: it could not be counted.
        """


class MemoryCounters:
    """`Counters` of this process alone."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._swept_at = _MANY_KEYS

    def add(self, key: str, amount: int, seconds: int) -> int:
        """Count under a lock."""
        with self._lock:
            return self._put(key, seconds, lambda count: count + amount)

    def reach(self, key: str, count: int, seconds: int) -> None:
        """Raise a count to what others know of it; what was counted here is never lowered."""
        with self._lock:
            self._put(key, seconds, lambda known: max(known, count))

    def _put(self, key: str, seconds: int, change: Callable[[int], int]) -> int:
        now = self._clock()
        if len(self._counts) > self._swept_at:
            self._counts = {each: kept for each, kept in self._counts.items() if kept[1] > now}
            self._swept_at = max(_MANY_KEYS, 2 * len(self._counts))  # so that a sweep is paid by its keys
        count, ends = self._counts.get(key, (0, 0.0))
        fresh = ends <= now
        counted = change(0 if fresh else count)
        self._counts[key] = counted, now + seconds if fresh else ends
        return counted


class SharedCounters:
    """`Counters` in a storage of the `limits` library: Redis, or our own over the database.

    A storage that failed is left alone for half a second, so that its absence costs a request nothing.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._clock = clock
        self._away_until = 0.0

    def add(self, key: str, amount: int, seconds: int) -> int:
        """Count in the storage."""
        if self._clock() < self._away_until:
            raise CountersUnavailable(key)
        try:
            return self._storage.incr(key, seconds, amount=amount)
        except StorageError as why:
            self._away_until = self._clock() + _PAUSE
            say("counters_unavailable", error_type=type(why.__cause__).__name__)
            raise CountersUnavailable(key) from why


def redis_counters(url: str) -> SharedCounters:
    """Counters in Redis. Connects at the first count; a Redis that is away is noticed in a quarter second.

    Raises:
        ConfigurationError: the address has another scheme than redis or rediss.
    """
    # Only here: a worker that counts in the database starts a tenth sooner without the client.
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    storage = storage_from_string(
        url,
        wrap_exceptions=True,
        key_prefix="wallet-limits",
        socket_timeout=_REDIS_TIMEOUT,
        socket_connect_timeout=_REDIS_TIMEOUT,
        # The client's own default waits for seconds between its attempts. One more, at once, is for a
        # connection that died while it lay idle.
        retry=Retry(NoBackoff(), 1),  # type: ignore[arg-type]  # handed on to the client as it is
    )
    if not isinstance(storage, Storage):
        raise TypeError(url.partition(":")[0])
    return SharedCounters(storage)
