"""read_path: a provider reads 20 records under a grant, every control on, against the bare route.

The two are measured in turn, A B A B, from the same client; the ratio is taken pair by pair. Then the wallet
is asked at 70 % of what it managed, each request at its own time.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from bench import Options
from bench.figure import Figure, at_least, at_most
from bench.ground import Ground, laid
from bench.load import asked, percentiles

SECONDS = 3.0
PAIRS = 5
PACED_SECONDS = 20.0
SHARE = 0.7


def figures(_: Options) -> Iterator[Figure]:
    """Requests a second of both, their ratio, and the percentiles of the wallet's answer at 70 % load."""
    with laid() as ground:
        yield from _measured(ground)


def _measured(ground: Ground) -> Iterator[Figure]:
    for read in (ground.wallet, ground.bare):
        asked(read, 1.0)  # warm
    wallet, bare = [], []
    for _ in range(PAIRS):
        wallet.append(len(asked(ground.wallet, SECONDS)) / SECONDS)
        bare.append(len(asked(ground.bare, SECONDS)) / SECONDS)
    ratio = statistics.median(mine / floor for mine, floor in zip(wallet, bare, strict=True))
    most, floor = statistics.median(wallet), statistics.median(bare)
    yield at_least("read_path", ratio, "of the bare route's requests/s", 0.4)
    yield Figure("read_path_rate", most, "requests/s")
    yield Figure("read_path_floor", floor, "requests/s")
    p50, p99 = percentiles(asked(ground.wallet, PACED_SECONDS, SHARE * most))
    yield at_most("read_path_tail", p99 / p50, "p99 by p50 at 70 % load", 5)
    yield Figure("read_path_p50", p50, "milliseconds")
    yield Figure("read_path_p99", p99, "milliseconds")
    low, high = percentiles(asked(ground.bare, PACED_SECONDS, SHARE * floor))
    yield Figure("read_path_tail_floor", high / low, "p99 by p50 of the bare route at 70 % load")
