"""audit: rows of the access log a second, acknowledged only when durable, with 32 threads waiting at once.

The floor is the driver alone: one document for each group of rows of the same size, journaled, into a
collection with the same indexes on the same embedded database. The two are measured in turn, A B A B.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pymongo
from pymongo import WriteConcern

from bench import Options
from bench.figure import Figure, at_least, at_most
from wallet_api.audit.chain import AuditRow, chained
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.infra.clock import system_now
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db, Index, ensure_indexes, open_database
from wallet_api.stores.audit_log import INDEXES, MongoAuditLog, group_of

WAITERS = 32
SECONDS = 3.0
ROUNDS = 5
GOAL = 3000
PATIENCE = 25.0
"""Milliseconds that 99 of 100 events may wait until they are durable."""


class CountingLog(MongoAuditLog):
    """The log's storage, which remembers how large its groups were."""

    def __init__(self, db: Db) -> None:
        super().__init__(db)
        self.groups: list[int] = []

    def append(self, rows: Sequence[AuditRow]) -> None:
        """Store rows as ever."""
        self.groups.append(len(rows))
        super().append(rows)


def figures(_: Options) -> Iterator[Figure]:
    """Rows a second of the log and of the bare driver, their ratio, how long an event waits, group size."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        server = server_at(Path(folder) / "db")
        try:
            yield from _measured(open_database(server.uri, "bench"))
        finally:
            server.stop(grace=0)


def _measured(db: Db) -> Iterator[Figure]:
    ensure_indexes(db, [*INDEXES, *(Index("floor", index.keys) for index in INDEXES)])
    store = CountingLog(db)
    log, waits = AccessLog(store, system_now), list[float]()
    _logged(log, 0.5, [])
    mine: list[float] = []
    floor: list[float] = []
    for _ in range(ROUNDS):
        store.groups.clear()
        mine.append(_logged(log, SECONDS, waits))
        floor.append(_bare(db, round(statistics.fmean(store.groups))))
    log.close()
    ratio = statistics.median(one / other for one, other in zip(mine, floor, strict=True))
    yield at_least("audit", statistics.median(mine), "rows/s", GOAL)
    waits.sort()
    yield at_most("audit_wait", 1000 * waits[len(waits) * 99 // 100], "ms, p99", PATIENCE)
    yield Figure("audit_wait_median", 1000 * statistics.median(waits), "ms")
    yield Figure("audit_floor", statistics.median(floor), "rows/s")
    yield Figure("audit_ratio", ratio, "of the bare driver's rows/s")
    yield Figure("audit_group", statistics.fmean(store.groups), "rows in one write")


_IDS: Final = itertools.cycle([new_id() for _ in range(10_000)])
"""Ids to take: making them is no work of the log's."""


def _event() -> AuditEvent:
    citizen_id, request_id, organisation_id, grant_id = itertools.islice(_IDS, 4)
    return AuditEvent(
        at=system_now(),
        request_id=request_id,
        action=Action.RECORD_SEARCHED,
        actor_kind=ActorKind.PRACTITIONER,
        actor_id="dr",
        decision="permit",
        reason="granted",
        citizen_id=citizen_id,
        organisation_id=organisation_id,
        practitioner_id="dr",
        purpose="TREAT",
        grant_id=grant_id,
        record_count=20,
        categories=("condition", "visit"),
    )


def _logged(log: AccessLog, seconds: float, waits: list[float]) -> float:
    """Rows a second; what each append took is added to `waits`."""
    counts = [0] * WAITERS
    until = time.perf_counter() + seconds

    def work(number: int) -> None:
        while (began := time.perf_counter()) < until:
            log.append(_event())
            waits.append(time.perf_counter() - began)
            counts[number] += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(WAITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def _bare(db: Db, group: int) -> float:
    collection = db["floor"].with_options(write_concern=WriteConcern("majority", j=True))
    rows = chained(new_id(), [_event().to_json() for _ in range(group)])
    pattern: dict[str, Any] = group_of(rows)
    count, until = 0, time.perf_counter() + SECONDS
    began = time.perf_counter()
    while time.perf_counter() < until:
        fresh = {"_id": new_id(), "newest": new_id(), "citizens": list(itertools.islice(_IDS, group))}
        with pymongo.timeout(30):
            collection.insert_one(pattern | fresh)
        count += group
    return count / (time.perf_counter() - began)
