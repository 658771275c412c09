"""What reminder runs and sending did, counted by day as it happens, so that ops read counters, never rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import date, datetime

from notifications.delivery import Delivered, Delivery
from notifications.dispatch import DayReport, Dispatch
from notifications.reminders import SHARDS
from wallet_api.context import Figures, Reminding
from wallet_api.infra.clock import vn_day


def counted(reminding: Reminding, now: Callable[[], datetime]) -> Reminding:
    """The same services, with every run and every settled batch added to the day's figures."""
    make, figures = reminding.delivery, reminding.figures
    return replace(
        reminding,
        dispatch=_CountedDispatch(reminding.dispatch, figures),
        delivery=lambda: _CountedDelivery(make(), figures, now),
    )


class _CountedDispatch(Dispatch):
    def __init__(self, inner: Dispatch, figures: Figures) -> None:
        self._inner, self._figures = inner, figures

    def plan_day(self, day: date, shards: Iterable[int] = range(SHARDS)) -> DayReport:
        report = self._inner.plan_day(day, shards)
        self._figures.add(day, "run", asdict(report))
        return report

    def queue_shard(self, shard: int, day: date, limit: int = 2000) -> DayReport:
        return self._inner.queue_shard(shard, day, limit)


class _CountedDelivery(Delivery):
    def __init__(self, inner: Delivery, figures: Figures, now: Callable[[], datetime]) -> None:
        self._inner, self._figures, self._clock = inner, figures, now

    def deliver(self, shard: int) -> Delivered | None:
        done = self._inner.deliver(shard)
        if done is not None and not done.lost:
            self._figures.add(vn_day(self._clock()), "push", done.answers)
        return done

    def sweep(self) -> int:
        return self._inner.sweep()
