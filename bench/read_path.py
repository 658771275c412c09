"""read_path: a provider reads 20 records under a grant, every control on, against the bare route.

All are measured in turn, A B A B, from the same client, and ratios are taken round by round. A round also
asks the wallet at 70 % of what it just managed, each request at its own time, and before and after it the
bare route that writes a row as durably. Where the tail of that one is beyond the goal, the machine stood
still and the round says nothing about the wallet: it is counted, shown, and followed by another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench import Options
from bench.figure import Figure, at_least, at_most
from bench.ground import Ground, Read, laid
from bench.load import asked, percentiles

SECONDS = 3.0
CALM_ROUNDS = 5
"""So many are wanted; the median of fewer than three is no figure, and then all rounds are taken."""
FEWEST = 3
ROUNDS = 12
"""And so many at most."""
PACED_SECONDS = 15.0
SHARE = 0.7
TAIL = 5


@dataclass(frozen=True)
class _Paced:
    """One run at 70 % of what was managed just before: its rate, and two percentiles in milliseconds."""

    rate: float
    p50: float
    p99: float

    @property
    def tail(self) -> float:
        return self.p99 / self.p50


def figures(_: Options) -> Iterator[Figure]:
    """Requests a second of both, their ratio, and the percentiles of the wallet's answer at 70 % load."""
    with laid() as ground:
        yield from _measured(ground)


@dataclass(frozen=True)
class _Round:
    """What was managed without control, what the wallet did, and the floor before and after it."""

    bare: float
    wallet: _Paced
    before: _Paced
    after: _Paced

    @property
    def calm(self) -> bool:
        return max(self.before.tail, self.after.tail) <= TAIL


def _measured(ground: Ground) -> Iterator[Figure]:
    for read in (ground.wallet, ground.bare, ground.written):
        asked(read, 1.0)  # warm
    rounds = list(_rounds(ground))
    calm = [each for each in rounds if each.calm]
    judged = calm if len(calm) >= FEWEST else rounds
    yield at_least(
        "read_path",
        median(each.wallet.rate / each.bare for each in rounds),
        "of the bare route's requests/s",
        0.4,
    )
    yield Figure("read_path_rate", median(each.wallet.rate for each in rounds), "requests/s")
    yield Figure("read_path_floor", median(each.bare for each in rounds), "requests/s")
    yield at_most(
        "read_path_tail", median(each.wallet.tail for each in judged), "p99 by p50 at 70 % load", TAIL
    )
    yield Figure(
        "read_path_calm_rounds", len(calm), f"of {len(rounds)} rounds; below {FEWEST} all are judged"
    )
    yield Figure("read_path_tail_all", median(each.wallet.tail for each in rounds), "p99 by p50, all rounds")
    yield Figure("read_path_tail_worst", max(each.wallet.tail for each in rounds), "p99 by p50, all rounds")
    yield Figure("read_path_p50", median(each.wallet.p50 for each in judged), "milliseconds")
    yield Figure("read_path_p99", median(each.wallet.p99 for each in judged), "milliseconds")
    what = "of the bare route that writes a row, all rounds"
    floors = [each.after for each in rounds]
    yield Figure("read_path_tail_floor", median(each.tail for each in floors), f"p99 by p50 {what}")
    yield Figure("read_path_tail_floor_worst", max(each.tail for each in floors), f"p99 by p50 {what}")
    yield Figure("read_path_p99_floor", median(each.p99 for each in floors), f"milliseconds {what}")


def _rounds(ground: Ground) -> Iterator[_Round]:
    before, calm = _paced(ground.written), 0
    for _ in range(ROUNDS):
        made = _Round(_most(ground.bare), _paced(ground.fresh()), before, _paced(ground.written))
        yield made
        before, calm = made.after, calm + made.calm
        if calm == CALM_ROUNDS:
            return


def _most(read: Read) -> float:
    """Requests a second, as fast as they go."""
    return len(asked(read, SECONDS)) / SECONDS


def _paced(read: Read) -> _Paced:
    most = _most(read)
    return _Paced(most, *percentiles(asked(read, PACED_SECONDS, SHARE * most)))
