"""One batch ahead: while one is on the wire, the next is claimed and every stop condition of it asked.

Sending waits for the network, preparing for the database, so one worker does both at once. What was prepared
is sent only while its answers are fresh and nothing brakes; otherwise it goes back into the queue at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from notifications.delivery import Delivery
from notifications.reminders import SHARDS
from notifications.settling import Delivered, Run

Heard = Callable[[Delivered], object]
Over = Callable[[], bool]


def _never() -> bool:
    return False


class OneAhead:
    """Sends batch after batch of some shards, as one worker. For one thread; a second one prepares.

    Never holds more than two leases: of the batch being sent and of the next. A worker that is killed leaves
    both to the sweep, and of the next nothing was sent.
    """

    def __init__(self, delivery: Delivery, most: int) -> None:
        """`most`: so many batches of one shard, then another has its turn."""
        self._delivery, self._most = delivery, most

    def send(self, shards: Iterable[int], heard: Heard, over: Over = _never) -> int:
        """Send what is due in these shards; how many batches. Letters come last, without one ahead.

        `heard` is told of each batch as it ends, one that was put back too (not counted). Once `over` no
        batch is begun any more, and the one ahead is put back. What a store raises comes out; the batch it
        befell waits for its lease to run out, the one ahead does not if it can be put back.
        """
        asked = list(shards)
        walk = _Walk(self._delivery, deque(each for each in asked if each < SHARDS), self._most, over)
        sent = self._pushes(walk, heard, over)
        for shard in (each for each in asked if each >= SHARDS):
            for _ in range(self._most):
                done = None if over() else self._delivery.deliver(shard)
                if done is None:
                    break
                heard(done)
                sent += 1
        return sent

    def _pushes(self, walk: _Walk, heard: Heard, over: Over) -> int:
        sent, slow = 0, False
        with ThreadPoolExecutor(1, thread_name_prefix="one-ahead") as aside:
            run = walk.next()
            while run is not None:
                ahead = None if slow else aside.submit(walk.next)
                try:
                    heard(self._delivery.finish(run))
                except BaseException:
                    self._let_go(ahead)
                    raise
                sent += 1
                # Behind a slow provider what is prepared ahead only goes stale.
                slow = self._delivery.aged(run)
                run = walk.next() if ahead is None else self._still_fit(ahead.result(), walk, heard, over)
        return sent

    def _still_fit(self, run: Run | None, walk: _Walk, heard: Heard, over: Over) -> Run | None:
        """What was taken ahead, or a batch taken now in its place."""
        if run is None or (not over() and self._delivery.fit(run)):
            return run
        heard(self._delivery.put_back(run))
        return walk.next()

    def _let_go(self, ahead: Future[Run | None] | None) -> None:
        # Whatever fails here too, the first failure is the one to tell, and the lease runs out by itself.
        with suppress(Exception):
            run = None if ahead is None else ahead.result()
            if run is not None:
                self._delivery.put_back(run)


class _Walk:
    """Takes batches shard by shard. One thread at a time."""

    def __init__(self, delivery: Delivery, shards: deque[int], most: int, over: Over) -> None:
        self._delivery, self._shards, self._most, self._over = delivery, shards, most, over
        self._taken = 0

    def next(self) -> Run | None:
        """The next batch, or None when there is none or it is over."""
        while self._shards and not self._over():
            run = self._delivery.take(self._shards[0])
            self._taken += 1
            if run is None or self._taken == self._most:
                self._shards.popleft()
                self._taken = 0
            if run is not None:
                return run
        return None
