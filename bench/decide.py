"""decide(): decisions a second in one process, and how long the slowest in a hundred take; no database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from bench import Options
from bench.figure import Figure, at_least, at_most, rate
from consent.decision import Ask, decide
from consent.model import Licence, LiveGrant, Period, Scope, Standing

_NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
_CATEGORIES = frozenset({"immunization", "visit", "condition", "lab_result"})


def figures(_: Options) -> Iterator[Figure]:
    """With one live grant that covers the ask, and with six of which one does."""
    licence = Licence(frozenset({"TREAT", "HPAYMT"}), _CATEGORIES)
    ask = Ask("org", "dr", "TREAT", _NOW)
    one = Standing(1, (_grant("g", "TREAT"),), known=True)
    others = tuple(_grant(f"g{number}", "HPAYMT") for number in range(5))
    six = Standing(1, (*others, *one.live), known=True)
    yield at_least("decide", rate(lambda: decide(ask, one, licence)), "decisions/s", 200_000)
    yield Figure("decide_six_grants", rate(lambda: decide(ask, six, licence)), "decisions/s")
    yield at_most("decide_p99", _slowest_in_a_hundred(lambda: decide(ask, six, licence)), "ms", 1.0)


def _slowest_in_a_hundred(call: Callable[[], object], times: int = 50_000) -> float:
    """The 99th percentile of single calls, in milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - began)
    return sorted(taken)[times * 99 // 100] / 1e6


def _grant(grant_id: str, purpose: str) -> LiveGrant:
    period = Period(date(2020, 1, 1), date(2026, 12, 31))
    scope = Scope("org", None, purpose, _CATEGORIES, period, _NOW + timedelta(days=30))
    return LiveGrant(grant_id, scope, None)
