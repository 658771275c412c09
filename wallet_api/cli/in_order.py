"""Work done at once and told in order: what touches the same thing is done one after the other.

For commands that take in much: a database answers several as fast as one, and what comes later about a person
must still come later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
WORKERS: Final = 4
AHEAD: Final = WORKERS
"""No more than are worked on: what is found already would wait behind what is still to be found."""
HEAVIEST: Final = 64 * 2**20
"""So much is held at a time, whatever its number; a single thing may be heavier. In bytes, of files."""


@dataclass(frozen=True)
class Steps(Generic[A, B, C]):
    """How one thing is done: `find` what it is, in any order; then `do` it, after all that came before it and
    touches one of the same names. `weight`: how much of memory it takes."""

    find: Callable[[A], B]
    touches: Callable[[B], Iterable[str]]
    do: Callable[[B], C]
    weight: Callable[[A], int]


def in_order(items: Iterable[A], steps: Steps[A, B, C]) -> Iterator[C]:
    """What came of each, in their order; read ahead of who asks.

    Raises whatever came of the first that failed, once all before it are told. Nothing that touches the same
    as one that failed is done after it; other things that were under way may be.
    """
    with ThreadPoolExecutor(WORKERS, "in-order") as pool:
        run = _Run(pool, steps)
        try:
            for each in items:
                while run.full(each):
                    yield run.first()
                run.begin(each)
            while run.under_way:
                yield run.first()
        finally:
            pool.shutdown(cancel_futures=True)


class _Run(Generic[A, B, C]):
    def __init__(self, pool: ThreadPoolExecutor, steps: Steps[A, B, C]) -> None:
        self._pool = pool
        self._steps = steps
        self._weights = deque[int]()
        self._finding = deque[Future[B]]()
        self._doing = deque[Future[C]]()
        self._last: dict[str, Future[C]] = {}

    @property
    def under_way(self) -> bool:
        return bool(self._weights)

    def full(self, item: A) -> bool:
        heavy = sum(self._weights) + self._steps.weight(item) > HEAVIEST
        return self.under_way and (heavy or len(self._weights) >= AHEAD)

    def begin(self, item: A) -> None:
        self._weights.append(self._steps.weight(item))
        self._finding.append(self._pool.submit(self._steps.find, item))
        while self._finding and self._finding[0].done():
            self._go_on()

    def first(self) -> C:
        while not self._doing or (self._finding and self._finding[0].done()):
            self._go_on()
        done = self._doing.popleft().result()
        self._weights.popleft()
        # One that failed ends the run before anybody could follow it.
        self._last = {name: each for name, each in self._last.items() if not each.done() or each.exception()}
        return done

    def _go_on(self) -> None:
        found = self._finding.popleft()
        if (why := found.exception()) is not None:
            self._doing.append(_failed(why))
            return
        names = frozenset(self._steps.touches(found.result()))
        # Who is waited for was begun earlier, so nobody ever waits for somebody who waits for them.
        before = [self._last[name] for name in names if name in self._last]
        made = self._pool.submit(self._after, before, found.result())
        self._last |= dict.fromkeys(names, made)
        self._doing.append(made)

    def _after(self, before: list[Future[C]], found: B) -> C:
        for each in before:
            each.result()
        return self._steps.do(found)


def _failed(why: BaseException) -> Future[C]:
    made: Future[C] = Future()
    made.set_exception(why)
    return made
