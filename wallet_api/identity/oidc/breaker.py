"""A circuit breaker with a bulkhead: a provider that fails is left alone, and never holds up everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wallet_api.identity.errors import UpstreamRefused, UpstreamUnavailable
from wallet_api.infra.logs import say

FAILURES = 5
PAUSE_SECONDS = 10.0
AT_ONCE = 4
"""Exchanges of one process under way at a time: with eight threads, four are left for those signed in."""
WAIT_SECONDS = 0.2
"""How long one more waits for its turn: enough for a burst, too little to use up the threads."""


class Breaker:
    """Five failures in a row open it: for ten seconds nobody is sent on, then one may try. Thread-safe.

    Only silence and nonsense are failures. A refusal is an answer: whoever sends forged codes to our callback
    must not be able to shut the others out. Counted in each process, since each finds out for itself.
    """

    def __init__(self, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._failures = 0
        self._closed_again = float("-inf")

    def refuse_if_open(self) -> None:
        """Raise UpstreamUnavailable while the provider is being left alone."""
        with self._lock:
            self._check()

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Around one exchange with the provider.

        Raises:
            UpstreamUnavailable: it is being left alone, or enough are waiting for it already.
        """
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise UpstreamUnavailable("enough are waiting for the sign-in provider")
        try:
            self._admit()
            try:
                yield
            except UpstreamUnavailable:
                self._failed()
                raise
            except UpstreamRefused:
                self._answered()
                raise
            self._answered()
        finally:
            self._slots.release()

    def _check(self) -> None:
        if self._tick() < self._closed_again:
            raise UpstreamUnavailable("the sign-in provider is being left alone for a moment")

    def _admit(self) -> None:
        with self._lock:
            self._check()
            if self._failures >= FAILURES:
                # This one tries; until it is known how that went, nobody else does.
                self._closed_again = self._tick() + PAUSE_SECONDS

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            opened = self._failures == FAILURES
            if self._failures >= FAILURES:
                self._closed_again = self._tick() + PAUSE_SECONDS
        if opened:
            say("sign_in_provider_left_alone", count=FAILURES)

    def _answered(self) -> None:
        with self._lock:
            closed = self._failures >= FAILURES
            self._failures, self._closed_again = 0, float("-inf")
        if closed:
            say("sign_in_provider_answers_again")
