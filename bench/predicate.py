"""predicate: a list of 200 records as a provider under three grants may see it, against the list unfiltered.

Both are read from the same collection of the embedded database, opened and all, in turn, A B A B; the ratio
is taken pair by pair.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench import Options
from bench.figure import Figure, at_most
from consent.model import LiveGrant, Period, Scope
from consent.predicate import Predicate, granted_eyes, own_eyes
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db, ensure_indexes, open_database
from wallet_api.records.model import Filter, PartialDate, Record, Source
from wallet_api.stores.records import INDEXES, MongoRecords

LIST = 200
PAIRS = 60
GOAL = 1.10
_CATEGORIES = ("condition", "immunization", "medication", "visit")
_FIRST = date(2020, 1, 1)


def figures(_: Options) -> Iterator[Figure]:
    """The ratio of the two, and milliseconds for the unfiltered list."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        server = server_at(Path(folder) / "db")
        try:
            yield from _measured(open_database(server.uri, "bench"))
        finally:
            server.stop(grace=0)


def _measured(db: Db) -> Iterator[Figure]:
    ensure_indexes(db, INDEXES)
    keys = MemoryKeyStore()
    records = MongoRecords(db, CitizenCipher(MemoryWrappedKeys(), keys, system_now), BlindIndex(keys))
    citizen_id = new_id()
    records.load([_record(citizen_id, number) for number in range(LIST)])
    plain, filtered = own_eyes(), _granted()
    pairs = [_pair(records, citizen_id, plain, filtered) for _ in range(PAIRS)]
    ratio = statistics.median(mine / floor for floor, mine in pairs)
    yield at_most("predicate", ratio, f"of the unfiltered list of {LIST}", GOAL)
    yield Figure("predicate_floor", 1000 * statistics.median(floor for floor, _ in pairs), "milliseconds")


def _pair(records: MongoRecords, citizen_id: str, *by: Predicate) -> tuple[float, float]:
    took = []
    for predicate in by:
        began = time.perf_counter()
        found = records.page(citizen_id, predicate, Filter(), None, LIST)
        took.append(time.perf_counter() - began)
        if len(found) != LIST:
            raise AssertionError("both lists must hold the same records")
    return took[0], took[1]


def _granted() -> Predicate:
    """Three grants that overlap and together open the whole list."""
    ends = datetime(2100, 1, 1, tzinfo=UTC)
    period = Period(_FIRST, date(2040, 1, 1))
    parts = (_CATEGORIES[:2], _CATEGORIES[1:3], _CATEGORIES[2:])
    scopes = [Scope("org", None, "TREAT", frozenset(part), period, ends) for part in parts]
    grants = tuple(LiveGrant(str(number), scope, None) for number, scope in enumerate(scopes))
    return granted_eyes("org", grants, frozenset(_CATEGORIES), system_now().date())


def _record(citizen_id: str, number: int) -> Record:
    now = system_now()
    category = _CATEGORIES[number % len(_CATEGORIES)]
    return Record(
        id=new_id(),
        citizen_id=citizen_id,
        version=1,
        category=category,
        occurred_on=PartialDate((_FIRST + timedelta(days=number)).isoformat()),
        recorded_at=now,
        source=Source("org", "dr", "fhir-bundle", now),
        fingerprint="",
        resource={"resourceType": "Condition", "code": {"text": "x" * 300}},
    )
