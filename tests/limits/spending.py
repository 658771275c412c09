"""Budgets spent by hand; apart from the tests, so that a process of theirs need not load them all."""

from __future__ import annotations

from collections.abc import Callable

from wallet_api.infra.budgets import Budget
from wallet_api.infra.counters import Counters
from wallet_api.infra.limits import LimitReached, Limits

NOON = 1_800_000_000.0


def limits(counters: Counters, *rows: Budget, clock: Callable[[], float] = lambda: NOON) -> Limits:
    return Limits({row.name: row for row in rows}, counters, lambda name: f"{name}", clock)


def allowed(spend: Callable[[], object]) -> bool:
    try:
        spend()
    except LimitReached:
        return False
    return True
