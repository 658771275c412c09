"""F11: the access log now and then cannot be written. Whoever is shown something stands in it."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from tests.faults.figures import note
from tests.faults.plant import patiently
from tests.logged import logged
from tests.world import World, bundle, condition
from wallet_api.audit.chain import AuditRow
from wallet_api.audit.verify import verify_all
from wallet_api.stores.audit_log import MongoAuditLog

THREADS = 8


def failing(share: float, seed: int) -> tuple[Callable[..., None], Counter[str]]:
    """An `append` that fails for a share of the rows: before, after, or in the midst of storing them."""
    genuine, chance, guard = MongoAuditLog.append, random.Random(seed), threading.Lock()
    failures: Counter[str] = Counter()

    def append(self: MongoAuditLog, rows: Sequence[AuditRow]) -> None:
        with guard:
            hit = chance.random() < 1 - (1 - share) ** len(rows)
            how = chance.choice(("nothing stored", "all stored", "half stored")) if hit else ""
        if not hit:
            return genuine(self, rows)
        failures[how] += 1
        stored = {"nothing stored": 0, "all stored": len(rows), "half stored": len(rows) // 2}[how]
        if stored:
            genuine(self, rows[:stored])
        raise AutoReconnect("planted")

    return append, failures


def read_while_the_log_fails(
    world: World, reads: int, share: float, *, careful: bool = True
) -> tuple[int, int]:
    """So many reads by citizen and doctor; (disclosures, those of them without a durable row).

    `careful` False: the writer was made careless on purpose, and nobody expects its chain to hold.
    """
    doctor, person = world.doctor(), world.person()
    world.send(doctor, bundle(person, *[condition(f"c{n}") for n in range(3)]))
    made = world.grant(doctor, person)
    session, turns = made.session(), itertools.count()
    append, failures = failing(share, 2026)

    def read(_: int) -> tuple[int, bool, str]:
        own = next(turns) % 2
        answer = world.get("/citizens/me/records", tokens[0]) if own else made_read()
        return answer.status_code, b'"resource"' in answer.get_data(), answer.headers["Request-Id"]

    def made_read() -> Any:
        path = f"/provider/citizens/{made.citizen_ref}/records"
        return world.get(path, tokens[1], headers={"Access-Session": session})

    told: list[tuple[int, bool, str]] = []
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(THREADS) as pool:
        patch.setattr(MongoAuditLog, "append", append)
        for start in range(0, reads, 500):
            tokens = (person.token, doctor.token)
            told += pool.map(read, range(start, min(start + 500, reads)))
    with patiently(world.db):
        rows = {each["request_id"] for each in logged(world.db)}
        verified = verify_all(MongoAuditLog(world.db))
    disclosed = [request_id for _, data, request_id in told if data]
    unlogged = sum(each not in rows for each in disclosed)
    statuses = dict(Counter(status for status, _, _ in told))
    note(
        "F11 log insert fails",
        reads,
        lost=len(verified.faults),
        unlogged=unlogged,
        more=f"{len(disclosed)} disclosures, answers {statuses}, failures {dict(failures)}",
    )
    assert failures and (verified.ok or not careful)
    return len(disclosed), unlogged
