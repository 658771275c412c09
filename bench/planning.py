"""plan_compute, replan_one: what planning a nation costs in the processor, and apart from it in the store.

The people are those of `wallet_api seed --citizens`, with the doses of their books and a check-up now and
then. Making them is not counted. Time in the processor is that of the process, so that work beside it does
not count; on a machine that does nothing else it is the time that passes.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from bench import Options
from bench.figure import Figure, at_most
from notifications.memory import MemoryPreferences
from notifications.model import Care, CitizenFacts, DueItem, Exam, GivenDose
from notifications.planner import plan
from notifications.planning import Planning, PlanningPorts
from notifications.programmes import load_programmes
from notifications.reminders import Keys, next_review, offset_now
from notifications.rules import stamp_of
from notifications.vaccines import vaccine_for
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import what_is_here_stays
from wallet_api.infra.mongo import Db, ensure_indexes, open_database
from wallet_api.stores import citizen_keys, due_items, reminders
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.due_items import MongoDueItems
from wallet_api.stores.reminders import MongoReminders
from wallet_api.stores.reminding import RETENTION_CLASS, MongoUnits
from wallet_api.wiring.population.books import doses_of
from wallet_api.wiring.population.chance import chance
from wallet_api.wiring.population.filling import StagedKeys
from wallet_api.wiring.population.people import SHARD, people_of

DAY: Final = date(2026, 11, 23)
GOAL: Final = 120.0  # seconds for a million
SEED: Final = 1
STORED: Final = 10_000
SAMPLE: Final = 2_000
EVENTS: Final = 150
_YOUNG: Final = timedelta(days=6 * 365)
_EXAMINED: Final = 0.3

Citizen = tuple[CitizenFacts, list[Care]]
Planned = tuple[str, Sequence[DueItem], date | None]


def compute_figures(options: Options) -> Iterator[Figure]:
    """Planning everybody: seconds of the busier process, then sealing and storing a part of the plans."""
    count, processes = options.citizens, os.cpu_count() or 1
    shards = range(-(-count // SHARD))
    parts = [list(shards)[nth::processes] for nth in range(processes)]
    with get_context("spawn").Pool(processes) as pool:
        done = pool.map(_compute, parts)
    people, items = sum(each[0] for each in done), sum(each[1] for each in done)
    spent = max(each[2] for each in done)
    told = f"seconds of the busier of {processes} processes for {people:,} citizens, {items:,} items"
    yield at_most("plan_compute", spent, told, GOAL * people / 1_000_000)
    yield Figure("plan_compute_rate", people / sum(each[2] for each in done), "citizens/s of one process")
    yield Figure("plan_compute_made_in", max(each[3] for each in done), "seconds to make the people, apart")
    with _stores() as (db, keys):
        plans = [_planned(*each) for shard in range(-(-STORED // SHARD)) for each in citizens_of(shard)]
        began, cpu = time.perf_counter(), time.process_time()
        _store(db, keys, plans)
        took, own = time.perf_counter() - began, time.process_time() - cpu
    yield Figure("plan_store", took, f"seconds to seal and store {len(plans):,} plans with new keys")
    yield Figure("plan_store_own", own, "seconds of it in our own process: sealing, writing JSON and BSON")


def replan_figures(_: Options) -> Iterator[Figure]:
    """One citizen after an event: planning, and apart from that what reading and storing adds."""
    everybody = [each for shard in range(-(-SAMPLE // SHARD)) for each in citizens_of(shard)]
    young = [each for each in everybody if each[0].born > DAY - _YOUNG]
    yield at_most("replan_one", _median(young), "microseconds of planning one child under 6, p50", 200.0)
    yield Figure("replan_one_anybody", _median(everybody), "microseconds of planning one of all ages, p50")
    with _stores() as (db, keys):
        known = _Known(young[:EVENTS])
        planning = _planning(db, keys, known)
        for citizen_id in known.people:
            planning.replan(citizen_id)
        units = MongoUnits(db)
        whole = []
        for citizen_id in known.people:
            began = time.perf_counter()
            units(partial(planning.replan, citizen_id))
            whole.append(time.perf_counter() - began)
    yield Figure(
        "replan_one_store",
        statistics.median(whole) * 1e6 - _median(young[:EVENTS]),
        "microseconds more, p50, for reading the reminders, sealing and storing the plan in a transaction",
    )


def citizens_of(shard: int) -> list[Citizen]:
    """The people of one shard as planning sees them."""
    return [
        (
            CitizenFacts(one.id, one.born, one.sex, one.province.code, one.deceased_on is not None),
            [*_doses(shard, one), *_exams(shard, one.place)],
        )
        for one in people_of(SEED, shard, DAY)
    ]


def _doses(shard: int, one: Any) -> Iterator[Care]:
    for number, resource in enumerate(doses_of(SEED, shard, one, DAY)):
        codes = [(each["system"], each["code"]) for each in resource["vaccineCode"]["coding"]]
        vaccine = vaccine_for(codes)
        on = date.fromisoformat(resource["occurrenceDateTime"][:10])
        if vaccine is not None:
            yield GivenDose(vaccine, None, on, f"{one.id}-{number}")


def _exams(shard: int, place: int) -> Iterator[Care]:
    draw = chance(SEED, "exam", shard, place)
    if draw.random() < _EXAMINED:
        yield Exam("periodic", DAY - timedelta(days=draw.randrange(700)), f"exam-{shard}-{place}")


@cache
def _programmes() -> Any:
    found = load_programmes()
    return found, {each.id: each for each in found}


def _planned(facts: CitizenFacts, care: Sequence[Care]) -> Planned:
    """All that planning decides of a citizen: the items, and the day to look again."""
    programmes, by_id = _programmes()
    items = plan(facts, care, programmes, DAY)
    owed = any(offset_now(item, DAY, by_id[item.programme_id].offsets) is not None for item in items)
    return facts.citizen_id, items, DAY if owed else next_review(items, DAY, by_id)


def _compute(shards: list[int]) -> tuple[int, int, float, float]:
    people = items = 0
    spent = made = 0.0
    for shard in shards:
        began = time.process_time()
        found = citizens_of(shard)
        between = time.process_time()
        with what_is_here_stays():  # as in a command: a worker has a few people in hand, never a shard
            plans = [_planned(*each) for each in found]
        spent += time.process_time() - between
        made += between - began
        people += len(plans)
        items += sum(len(each[1]) for each in plans)
    return people, items, spent, made


def _median(people: Sequence[Citizen]) -> float:
    """Microseconds of the processor for one, p50; each once to warm, once to count."""
    took = []
    for each in people:
        _planned(*each)
        began = time.process_time_ns()
        _planned(*each)
        took.append(time.process_time_ns() - began)
    return statistics.median(took) / 1000


@contextmanager
def _stores() -> Iterator[tuple[Db, FileKeyStore]]:
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        server = server_at(Path(folder) / "db")
        db = open_database(server.uri, "bench")
        try:
            ensure_indexes(db, [*due_items.INDEXES, *reminders.INDEXES, *citizen_keys.INDEXES])
            yield db, FileKeyStore(Path(folder) / "keys", create=True)
        finally:
            db.client.close()
            server.stop(grace=0)


def _store(db: Db, keys: FileKeyStore, plans: Sequence[Planned]) -> None:
    """As `seed` does it, 250 people at a time: keys first, in one go."""
    stamp = stamp_of(_programmes()[0], DAY)
    for first in range(0, len(plans), SHARD):
        part, staged = plans[first : first + SHARD], StagedKeys(MongoCitizenKeys(db))
        cipher = CitizenCipher(staged, keys, _now)
        for citizen_id, _, _ in part:
            cipher.keys.for_sealing(citizen_id, RETENTION_CLASS)
        staged.keep()
        MongoDueItems(db, cipher).load(part, stamp)


def _now() -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day, 3, tzinfo=UTC)


class _Known:
    """Care and recipients of people who are known: what is measured is planning and its stores."""

    def __init__(self, people: Sequence[Citizen]) -> None:
        self.people = {facts.citizen_id: (facts, care) for facts, care in people}

    def facts(self, citizen_id: str, unit: object | None = None) -> CitizenFacts | None:
        return self.people[citizen_id][0]

    def care(self, citizen_id: str, unit: object | None = None) -> Sequence[Care]:
        return self.people[citizen_id][1]

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        return [citizen_id]


def _planning(db: Db, keys: FileKeyStore, known: _Known) -> Planning:
    now: Callable[[], datetime] = _now
    cipher = CitizenCipher(MongoCitizenKeys(db), keys, now)
    kept = MongoReminders(db, cipher, BlindIndex(keys))
    ports = PlanningPorts(known, MongoDueItems(db, cipher), kept, known, MemoryPreferences(), MongoUnits(db))
    return Planning(ports, load_programmes(), Keys(b"a secret of the bench"), now)
