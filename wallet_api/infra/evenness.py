"""How evenly the connections of one server lie on its workers.

A kept-open connection stays with the worker that took it, so six of eight may end on one of two: that one is
behind while the other idles, and after a worker was replaced its successor has none.
"""

from __future__ import annotations

from multiprocessing.sharedctypes import RawArray
from typing import Final

PLACES: Final = 64
"""More workers than one server has; any beyond them take connections as they come."""
_NOBODY: Final = -1  # a free place, or a worker that takes no connections now


class Evenness:
    """What each worker holds, in memory that a server shares with the workers forked from it.

    Each count has one writer, and one that is a moment old does no harm: nothing is locked.
    """

    def __init__(self, places: int = PLACES) -> None:
        self.held = RawArray("q", [_NOBODY] * places)
        self._free = set(range(places))

    def place(self) -> Place:
        """A place for a worker that is about to be forked. Only the server calls this."""
        return Place(self, self._free.pop() if self._free else None)

    def give_back(self, number: int) -> None:
        """Its worker is gone. Only the server calls this."""
        self._free.add(number)


class Place:
    """Where one worker says what it holds, and sees what the others do."""

    def __init__(self, evenness: Evenness, number: int | None) -> None:
        self._evenness = evenness
        self._number = number

    def tell(self, held: int | None) -> None:
        """The worker holds so many connections; None: it takes no more."""
        if self._number is not None:
            self._evenness.held[self._number] = _NOBODY if held is None else held

    def ahead(self) -> int:
        """How many connections more this worker holds than the one with the fewest; 0 if it is that one."""
        if self._number is None:
            return 0
        counts: list[int] = self._evenness.held[:]
        return max(counts[self._number] - min((each for each in counts if each != _NOBODY), default=0), 0)

    def free(self) -> None:
        """The worker is gone: its place is another's. Only the server calls this."""
        self.tell(None)
        if self._number is not None:
            self._evenness.give_back(self._number)
        self._number = None
