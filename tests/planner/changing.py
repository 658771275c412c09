"""A nation in memory whose rules change: the same stores under one set of programmes after another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from random import Random

from notifications.comparing import Comparing
from notifications.days import Span
from notifications.effects import Effect
from notifications.memory import run_alone
from notifications.memory_walks import MemoryRebuilds, MemoryWalks
from notifications.planning import Planning, PlanningPorts
from notifications.programmes import load_programmes
from notifications.rebuilding import Rebuilding
from notifications.rebuilds import Bounds, Rebuild
from notifications.reevaluation import Night, Reevaluation
from notifications.reminders import SHARDS, Offset
from notifications.schedule import Programme
from notifications.walks import Walker
from tests.notifications.stage import Stage

DAY = date(2026, 11, 20)
ALL = range(SHARDS)


class Nation(Stage):
    """A stage with rebuilds and nightly checks, whose programmes can be exchanged."""

    def __init__(self, day: date = DAY, bounds: Bounds | None = None) -> None:
        super().__init__(day)
        self.walks, self.rebuilds, self.bounds = MemoryWalks(), MemoryRebuilds(), bounds or Bounds()
        self.nights: list[Night] = []
        self.govern(load_programmes())

    def govern(self, programmes: Iterable[Programme]) -> None:
        """Plan by these programmes from now on, as new processes would."""
        ports = PlanningPorts(
            self.records, self.due, self.reminders, self.guardians, self.preferences, run_alone
        )
        self.planning = Planning(ports, programmes, self.keys, self.clock)
        self.dispatch._planning = self.planning
        self.delivery._planning = self.planning
        self.comparing = Comparing(self.planning, self.due, self.reminders)
        walker = Walker(self.due, self.walks, self.clock)
        parts = self.planning, self.comparing, walker, self.walks
        self.rebuilding = Rebuilding(*parts, self.rebuilds, self.bounds, self.clock)
        self.nightly = Reevaluation(*parts, self.nights.append, self.clock)

    def settle(self, people: int, seed: int = 1) -> list[str]:
        """Children of all ages up to six and some grown people, each with the doses chance gave them."""
        draw = Random(seed)
        names = [f"p{number}" for number in range(people)]
        for name in names:
            days = draw.randrange(2200) if draw.random() < 0.8 else draw.randrange(7000, 20000)
            self.person(name, DAY - timedelta(days=days))
        return names

    def finish(self) -> int:
        """Take every rebuild on until nothing is left to do; how many plans that was."""
        total = 0
        while done := self.rebuilding.step():
            total += done
        return total

    def rebuild(
        self, name: str = "r1", by: str = "an", *, dry_run: bool = False, sample: int = 64
    ) -> Rebuild:
        """Ask for a rebuild and take it on as far as it goes."""
        self.rebuilding.begin(name, by, dry_run=dry_run, shards=ALL, sample=sample)
        self.finish()
        return self.rebuilding.get(name)


def routine() -> Programme:
    """The childhood programme as shipped."""
    return next(each for each in load_programmes() if each.id == "epi_routine")


def others() -> list[Programme]:
    """All programmes but that one."""
    return [each for each in load_programmes() if each.id != "epi_routine"]


def without(series_id: str) -> list[Programme]:
    """The programmes without one series."""
    mine = routine()
    return [*others(), replace(mine, series=tuple(s for s in mine.series if s.id != series_id))]


def later(series_id: str, months: int) -> list[Programme]:
    """The programmes with the first dose of a series wanted at this age."""
    mine = routine()
    series = next(s for s in mine.series if s.id == series_id)
    first = replace(series.doses[0], recommended_age=Span(months=months), min_age=Span(months=months))
    changed = replace(series, doses=(first, *series.doses[1:]))
    return [*others(), replace(mine, series=tuple(changed if s.id == series_id else s for s in mine.series))]


def with_offset(kind: str, days: int) -> list[Programme]:
    """The programmes with one more offset in the childhood programme."""
    mine = routine()
    return [*others(), replace(mine, offsets=(*mine.offsets, Offset(kind, days)))]


def total(rebuild: Rebuild) -> Effect:
    """What its preview counted."""
    assert rebuild.preview is not None
    return rebuild.preview.total
