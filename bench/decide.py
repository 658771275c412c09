"""decide(): decisions a second in one process, without a database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from bench import Options
from bench.figure import Figure, at_least, rate
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
    yield at_least("decide", rate(lambda: decide(ask, one, licence)), "decisions/s", 100_000)
    yield Figure("decide_six_grants", rate(lambda: decide(ask, six, licence)), "decisions/s")


def _grant(grant_id: str, purpose: str) -> LiveGrant:
    period = Period(date(2020, 1, 1), date(2026, 12, 31))
    scope = Scope("org", None, purpose, _CATEGORIES, period, _NOW + timedelta(days=30))
    return LiveGrant(grant_id, scope, None)
