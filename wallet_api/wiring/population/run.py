"""Fills a database with a made-up population: in two processes, and on from where it stopped."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from multiprocessing import get_context
from typing import Final

from wallet_api.context import Services
from wallet_api.identity.errors import OrganisationUnknown
from wallet_api.infra.clock import clock_from, vn_day
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.mongo import Db, connect
from wallet_api.infra.tether import tether
from wallet_api.settings import Settings
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.organisations import MongoRosters
from wallet_api.stores.population import MongoPopulation
from wallet_api.wiring import open_keys
from wallet_api.wiring.population.filling import Filler
from wallet_api.wiring.population.people import MOST, SHARD
from wallet_api.wiring.population.providers import providers

WORKERS: Final = 2
"""One makes and seals while the other waits for the database: more would only wait."""


class OtherPopulation(Exception):
    """The database holds people of another seed, or there are not numbers for as many as were asked for."""

    code = "other_population"


@dataclass(frozen=True)
class Progress:
    """How far it is. `fresh` counts citizens made by this run; seconds are of this run."""

    citizens: int
    wanted: int
    fresh: int
    seconds: float

    @property
    def rate(self) -> float:
        """Citizens a second."""
        return self.fresh / self.seconds if self.seconds else 0.0

    @property
    def left(self) -> float:
        """Seconds still to go, at this rate."""
        return (self.wanted - self.citizens) / self.rate if self.rate else 0.0


@dataclass(frozen=True)
class Outcome:
    """What the database holds now, and what this run did."""

    holds: Counter[str] = field(default_factory=Counter)
    fresh: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def populate(
    settings: Settings,
    services: Services,
    db: Db,
    citizens: int,
    seed: int,
    show: Callable[[Progress], object],
    workers: int = WORKERS,
) -> Outcome:
    """See that the database holds that many made-up citizens; `show` hears of every shard.

    Broken off at any point, even by a kill, and run again, it goes on and doubles nothing.

    Raises:
        OtherPopulation: it holds people of another seed, or there are not numbers for so many.
    """
    if citizens > MOST:
        raise OtherPopulation(f"There are numbers for {MOST:,} made-up people at most.")
    progress = MongoPopulation(db)
    known, day = progress.begin(seed, vn_day(services.now()))
    if known != seed:
        raise OtherPopulation(f"The database holds a population of seed {known}: go on with --seed {known}.")
    _add_providers(services, db)
    outcome, began = Outcome(), time.monotonic()
    done = progress.done()
    for holds in done.values():
        outcome.holds.update(holds)
    for holds in _filled(settings, seed, day, _pending(done, citizens), workers):
        outcome.holds.update(holds)
        outcome.fresh.update(holds)
        took = time.monotonic() - began
        show(Progress(outcome.holds["citizens"], citizens, outcome.fresh["citizens"], took))
    return Outcome(outcome.holds, outcome.fresh, time.monotonic() - began)


def _pending(done: dict[int, dict[str, int]], citizens: int) -> list[tuple[int, int]]:
    """The shards to make, with how many people of each. A whole one stays as it is."""
    pending, left, shard = [], citizens, 0
    while left > 0:
        size = done[shard]["citizens"] if shard in done else min(SHARD, left)
        if shard not in done:
            pending.append((shard, size))
        left -= size
        shard += 1
    return pending


def _add_providers(services: Services, db: Db) -> None:
    registry = services.identity.organisations
    cipher = CitizenCipher(MongoCitizenKeys(db), services.keys, services.now)
    for each in providers():
        try:
            registry.get(each.id)
        except OrganisationUnknown:
            registry.add(each.organisation)
        cipher.keys.for_sealing(each.id, "organisation")  # made here once, before many processes need it
    # Each time, so that a run broken off before this leaves nobody without a roster.
    MongoRosters(db).load([practitioner for each in providers() for practitioner in each.roster])


def _filled(
    settings: Settings, seed: int, day: date, pending: list[tuple[int, int]], workers: int
) -> Iterator[dict[str, int]]:
    if not pending:
        return
    if len(pending) == 1:
        filler = _filler(settings, seed, day)
        yield _filled_shard(*filler, *pending[0])
        return
    context = get_context("spawn")  # a forked child would share the driver's connections
    count = min(workers, len(pending))
    with context.Pool(count, _begin, (os.getpid(), settings, seed, day)) as pool:
        yield from pool.imap_unordered(_fill, pending)


_mine: list[tuple[Filler, MongoPopulation]] = []


def _begin(parent: int, settings: Settings, seed: int, day: date) -> None:
    """In a child: what was made must not go on being made when its parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells what to do on Ctrl-C
    if not tether(parent, signal.SIGKILL):
        os._exit(128 + signal.SIGKILL)
    _mine[:] = [_filler(settings, seed, day)]


def _fill(task: tuple[int, int]) -> dict[str, int]:
    return _filled_shard(*_mine[0], *task)


def _filler(settings: Settings, seed: int, day: date) -> tuple[Filler, MongoPopulation]:
    db = connect(settings)
    now: Callable[[], datetime] = clock_from(settings)
    return Filler(db, open_keys(settings), now, seed, day), MongoPopulation(db)


def _filled_shard(filler: Filler, progress: MongoPopulation, shard: int, size: int) -> dict[str, int]:
    holds = filler.fill(shard, size, again=progress.start(shard))
    progress.finish(shard, holds)
    return holds
