"""due_today: finding who is to be looked at today, among 10,000 stored plans and among a million.

As many people are due in both. What the embedded database examined is what it says itself (`explain`).
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from bench import Options
from bench.figure import Figure, at_most
from notifications.reminders import SHARDS, shard_of
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys
from wallet_api.infra.embedded import server_at
from wallet_api.infra.mongo import Db, ensure_indexes, open_database
from wallet_api.stores import due_items
from wallet_api.stores.bulk import insert_new

DAY: Final = date(2026, 11, 23)
FEW: Final = 10_000
DUE: Final = 640
ROUNDS: Final = 7
_PART: Final = 20_000
_PAGE: Final = 500
"""As `review_shard` asks."""


def figures(options: Options) -> Iterator[Figure]:
    """How much slower it is among many, and how many keys were examined for each that is due."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        server = server_at(Path(folder) / "db")
        try:
            small, large = (open_database(server.uri, name) for name in ("few", "many"))
            keys = FileKeyStore(Path(folder) / "keys", create=True)
            _fill(small, FEW)
            began = time.perf_counter()
            _fill(large, options.citizens)
            filled = time.perf_counter() - began
            few, many = _Side(small, keys), _Side(large, keys)
            turns = [(many.seconds(), few.seconds()) for _ in range(ROUNDS)]
            slow, fast = (statistics.median(side) for side in zip(*turns, strict=True))
            told = f"time with {options.citizens:,} plans by time with {FEW:,}, {DUE} of them due, all shards"
            yield at_most("due_today", slow / fast, told, 1.3)
            yield Figure("due_today_p50", slow * 1000, "milliseconds for 64 shards")
            yield at_most(
                "due_today_examined", many.examined(), "index keys examined for each that is due", 1.0
            )
            yield Figure("due_today_filled_in", filled, "seconds to store the plans, apart")
            for each in (small, large):
                each.client.close()
        finally:
            server.stop(grace=0)


def _fill(db: Db, count: int) -> None:
    """Plans of nobody: as long as sealed ones are, with days a year ahead, but for those due by today."""
    ensure_indexes(db, due_items.INDEXES)
    draw = random.Random(1)  # noqa: S311 - made-up days, no secret
    for first in range(0, count, _PART):
        rows = [_row(draw, number) for number in range(first, min(first + _PART, count))]
        insert_new(db["due_items"], rows)


def _row(draw: random.Random, number: int) -> dict[str, Any]:
    citizen_id = f"citizen-{number:09d}"
    late = number < DUE
    day = DAY - timedelta(days=draw.randrange(3)) if late else DAY + timedelta(days=1 + draw.randrange(365))
    known = {"_id": citizen_id, "shard": shard_of(citizen_id), "review_on": day.isoformat(), "revision": 1}
    return known | {"rules": "0123456789abcdef", "planned_on": DAY.isoformat(), "items": "x" * 400}


class _Side:
    """The store over one of the databases."""

    def __init__(self, db: Db, keys: FileKeyStore) -> None:
        self._db = db
        self._due = due_items.MongoDueItems(db, CitizenCipher(MemoryWrappedKeys(), keys, lambda: None))  # type: ignore[arg-type, return-value]  # nothing is sealed here
        self.seconds()  # warm

    def seconds(self) -> float:
        """How long asking every shard takes."""
        began = time.perf_counter()
        found = sum(len(self._due.due_between(shard, date.min, DAY, _PAGE)) for shard in range(SHARDS))
        took = time.perf_counter() - began
        if found != DUE:
            raise ValueError(f"{found} are due, and not {DUE}")
        return took

    def examined(self) -> float:
        """Index keys examined for each row that is due; raises ValueError where no index was used."""
        keys = rows = 0
        for shard in range(SHARDS):
            days = {"$gte": date.min.isoformat(), "$lte": DAY.isoformat()}
            asked = {
                "find": "due_items",
                "filter": {"shard": shard, "review_on": days},
                "projection": {"_id": 1},
                "sort": {"review_on": 1, "_id": 1},
                "limit": _PAGE,
            }
            told = self._db.command("explain", asked, verbosity="executionStats")
            if "COLLSCAN" in str(told["queryPlanner"]["winningPlan"]):
                raise ValueError("no index was used")
            keys += told["executionStats"]["totalKeysExamined"]
            rows += told["executionStats"]["nReturned"]
        return keys / rows
