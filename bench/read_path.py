"""read_path: a provider reads 20 records under a grant, every control on, against the bare route.

All are measured in turn, A B A B, from the same client, and ratios are taken round by round. A round also
asks the wallet at 70 % of what it just managed, each request at its own time, and so the bare route that
writes a row as durably as the wallet does: a machine that stands still for a tenth of a second holds both up.
So a round tells of the machine as much as of the wallet; the median of many is the figure.
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
ROUNDS = 11
PACED_SECONDS = 12.0
SHARE = 0.7


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


def _measured(ground: Ground) -> Iterator[Figure]:
    for read in (ground.wallet, ground.bare, ground.written):
        asked(read, 1.0)  # warm
    bare, wallet, written = [], [], []
    for _ in range(ROUNDS):
        bare.append(_most(ground.bare))
        wallet.append(_paced(ground.fresh()))
        written.append(_paced(ground.written))
    ratio = median(mine.rate / floor for mine, floor in zip(wallet, bare, strict=True))
    yield at_least("read_path", ratio, "of the bare route's requests/s", 0.4)
    yield Figure("read_path_rate", median(each.rate for each in wallet), "requests/s")
    yield Figure("read_path_floor", median(bare), "requests/s")
    tails = sorted(each.tail for each in wallet)
    yield at_most("read_path_tail", median(tails), f"p99 by p50 at 70 % load, of {ROUNDS} rounds", 5)
    yield Figure("read_path_tail_best", tails[0], "p99 by p50, one round")
    yield Figure("read_path_tail_worst", tails[-1], "p99 by p50, one round")
    yield Figure("read_path_p50", median(each.p50 for each in wallet), "milliseconds")
    yield Figure("read_path_p99", median(each.p99 for each in wallet), "milliseconds")
    floors = sorted(each.tail for each in written)
    yield Figure("read_path_tail_floor", median(floors), "p99 by p50 of the bare route that writes a row")
    yield Figure("read_path_tail_floor_best", floors[0], "p99 by p50, one round")
    yield Figure("read_path_tail_floor_worst", floors[-1], "p99 by p50, one round")
    yield Figure("read_path_p99_floor", median(each.p99 for each in written), "milliseconds")


def _most(read: Read) -> float:
    """Requests a second, as fast as they go."""
    return len(asked(read, SECONDS)) / SECONDS


def _paced(read: Read) -> _Paced:
    most = _most(read)
    return _Paced(most, *percentiles(asked(read, PACED_SECONDS, SHARE * most)))
