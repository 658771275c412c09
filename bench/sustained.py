"""sustained: minutes of reading at 70 % of the wallet's own maximum, and not one error.

The access token of the reader lives five minutes, so a fresh access is opened for every slice of the run. A
shared machine changes its own speed within minutes: how long a fixed sum takes is told beside the drift, so
that nobody looks in the wallet for what the machine did.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from bench import Options
from bench.figure import Figure, at_most
from bench.ground import laid
from bench.load import asked, percentiles

SLICE = 30.0  # seconds
SHARE = 0.7


def figures(options: Options) -> Iterator[Figure]:
    """Errors, requests a second, percentiles, and how the last slice compares with the first."""
    slices = max(round(options.minutes * 60 / SLICE), 1)
    with laid() as ground:
        asked(ground.wallet, 2.0)  # warm
        most = len(asked(ground.wallet, 5.0)) / 5.0
        floor = len(asked(ground.bare, 5.0)) / 5.0
        count, errors, medians, waits, sums = 0, 0, [], [], []
        for _ in range(slices):
            read = ground.fresh()
            sums.append(_sum_takes())
            try:
                took = asked(read, SLICE, SHARE * most)
            except (RuntimeError, OSError):
                errors += 1
                continue
            count += len(took)
            waits += took
            medians.append(statistics.median(took))
    yield at_most("sustained_errors", errors, f"slices of {SLICE:.0f} s with an error", 0)
    yield Figure("sustained_rate", count / (slices * SLICE), "requests/s")
    yield Figure("sustained_floor", floor, "requests/s of the bare route at full speed")
    yield Figure("sustained_requests", count, "requests")
    if waits:
        p50, p99 = percentiles(waits)
        yield Figure("sustained_p50", p50, "milliseconds")
        yield Figure("sustained_p99", p99, "milliseconds")
        yield Figure("sustained_drift", medians[-1] / medians[0], "last slice's p50 by the first's")
        yield Figure("sustained_drift_floor", sums[-1] / sums[0], "a fixed sum, by the first slice's")


def _sum_takes() -> float:
    begin = time.perf_counter()
    sum(number * number for number in range(300_000))
    return time.perf_counter() - begin
