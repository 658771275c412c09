"""audit: rows of the access log a second, acknowledged only when durable, with 32 threads waiting at once.

The floor is the driver alone: `insert_many` of the same documents in groups of the same size, journaled, into
a collection with the same index on the same embedded database. The two are measured in turn, A B A B.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymongo
from pymongo import WriteConcern

from bench import Options
from bench.figure import Figure, at_least
from wallet_api.audit.chain import AuditRow, link, seal_event
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.infra.clock import system_now
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db, Index, ensure_indexes, open_database
from wallet_api.stores.audit_log import INDEXES, MongoAuditLog, document_of

WAITERS = 32
SECONDS = 3.0
ROUNDS = 5
GOAL = 3000


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
    """Rows a second of the log, of the bare driver, the ratio of the pairs, and the size of the groups."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        server = server_at(Path(folder) / "db")
        try:
            yield from _measured(open_database(server.uri, "bench"))
        finally:
            server.stop(grace=0)


def _measured(db: Db) -> Iterator[Figure]:
    ensure_indexes(db, [*INDEXES, *(Index("floor", index.keys) for index in INDEXES)])
    store = CountingLog(db)
    log = AccessLog(store, system_now)
    _logged(log, 0.5)
    mine: list[float] = []
    floor: list[float] = []
    for _ in range(ROUNDS):
        store.groups.clear()
        mine.append(_logged(log, SECONDS))
        floor.append(_bare(db, round(statistics.fmean(store.groups))))
    log.close()
    ratio = statistics.median(one / other for one, other in zip(mine, floor, strict=True))
    yield at_least("audit", statistics.median(mine), "rows/s", GOAL)
    yield Figure("audit_floor", statistics.median(floor), "rows/s")
    yield Figure("audit_ratio", ratio, "of the bare driver's rows/s")
    yield Figure("audit_group", statistics.fmean(store.groups), "rows in one write")


def _event() -> AuditEvent:
    return AuditEvent(
        at=system_now(),
        request_id=new_id(),
        action=Action.RECORD_SEARCHED,
        actor_kind=ActorKind.PRACTITIONER,
        actor_id="dr",
        decision="permit",
        reason="granted",
        citizen_id=new_id(),
        organisation_id=new_id(),
        practitioner_id="dr",
        purpose="TREAT",
        grant_id=new_id(),
        record_count=20,
        categories=("condition", "visit"),
    )


def _logged(log: AccessLog, seconds: float) -> float:
    counts = [0] * WAITERS
    until = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < until:
            log.append(_event())
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
    pattern: dict[str, Any] = document_of(link(new_id(), 0, bytes(32), seal_event(_event().to_json())))
    count, until = 0, time.perf_counter() + SECONDS
    began = time.perf_counter()
    while time.perf_counter() < until:
        rows = [pattern | {"_id": new_id(), "citizen_id": new_id(), "at": system_now()} for _ in range(group)]
        with pymongo.timeout(30):
            collection.insert_many(rows)
        count += group
    return count / (time.perf_counter() - began)
