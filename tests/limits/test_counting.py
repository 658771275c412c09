"""Counting: exact where it can be, never above the limit anywhere, by many threads and many processes."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database

from tests.limits.conftest import OwnRedis
from tests.limits.spending import NOON, allowed, limits
from wallet_api.infra.budgets import BUDGETS, BadRate, Budget, budgets, rate
from wallet_api.infra.counters import Counters, CountersUnavailable, MemoryCounters
from wallet_api.infra.ids import new_id
from wallet_api.infra.limits import LimitReached, LimitsUnavailable
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.stores.limits import INDEXES, DatabaseStorage


def test_counts_go_up_one_by_one_and_down(counters: Counters) -> None:
    key = new_id()
    assert [counters.add(key, 1, 60) for _ in range(3)] == [1, 2, 3]
    assert counters.add(key, 10, 60) == 13 and counters.add(key, -1, 60) == 12
    assert counters.add(new_id(), 1, 60) == 1


@pytest.mark.parametrize("amount", [50, 1200])
def test_sixteen_threads_never_get_more_than_there_is(
    counters: Counters, amount: int, record_property: Any
) -> None:
    budget = Budget("x", amount, 3600)
    ours, who = limits(counters, budget), new_id()
    with ThreadPoolExecutor(16) as pool:
        tried = [pool.submit(allowed, lambda: ours.spend("x", who)) for _ in range(amount + 150)]
    got = sum(each.result() for each in tried)
    # What one thread had in hand while another was refused is spent after all.
    while allowed(lambda: ours.spend("x", who)):
        got += 1
    record_property("allowed", got)
    # In the database two who count at the very same time may both see the later count, and so may lose what
    # they took at once.
    assert amount - 16 * budget.share <= got <= amount
    if isinstance(counters, MemoryCounters):
        assert got == amount
    assert allowed(lambda: ours.spend("x", new_id())), "another's budget is untouched"


CHILD = """
import sys
from tests.limits.spending import allowed, limits
from wallet_api.infra.budgets import Budget
from wallet_api.infra.counters import SharedCounters, redis_counters
from wallet_api.infra.mongo import open_database
from wallet_api.stores.limits import DatabaseStorage
kind, uri, name, who = sys.argv[1:]
database = lambda: SharedCounters(DatabaseStorage(open_database(uri, name)))
counters = redis_counters(uri) if kind == "redis" else database()
ours = limits(counters, Budget("x", 100, 3600, closed=True))
print(sum(allowed(lambda: ours.spend("x", who)) for _ in range(60)))
"""


@pytest.mark.parametrize("kind", ["database", "redis"])
def test_several_processes_share_one_budget(kind: str, request: pytest.FixtureRequest) -> None:
    if kind == "redis":
        own: OwnRedis = request.getfixturevalue("own_redis")
        uri, name = own.url, ""
    else:
        db: Database[Any] = request.getfixturevalue("embedded_db")
        uri, name = request.getfixturevalue("embedded_uri"), db.name
    command = [sys.executable, "-c", CHILD, kind, uri, name, new_id()]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    got = sum(int(child.communicate(timeout=100)[0]) for child in children)
    assert 98 <= got <= 100


def test_a_handful_is_taken_at_once_so_a_hot_path_asks_rarely() -> None:
    asked: list[int] = []

    class Heard(MemoryCounters):
        def add(self, key: str, amount: int, seconds: int) -> int:
            asked.append(amount)
            return super().add(key, amount, seconds)

    ours = limits(Heard(lambda: NOON), Budget("x", 600, 60), Budget("tight", 600, 60, closed=True))
    assert sum(allowed(lambda: ours.spend("x", "org")) for _ in range(700)) == 600
    assert asked == [10] * 60, "and who has spent it all costs no further look"
    asked.clear()
    assert sum(allowed(lambda: ours.spend("tight", "org")) for _ in range(20)) == 20
    assert asked == [1] * 20


def test_a_budget_is_renewed_with_its_window_and_says_when() -> None:
    now = [NOON]
    ours = limits(MemoryCounters(lambda: now[0]), Budget("x", 2, 60), clock=lambda: now[0])
    first = ours.spend("x", "who")
    assert first is not None and (first.limit, first.remaining, first.resets_in) == (2, 1, 60)
    ours.spend("x", "who")
    now[0] += 45
    with pytest.raises(LimitReached) as refused:
        ours.spend("x", "who")
    assert refused.value.retry_after == 15 and refused.value.allowance.remaining == 0
    now[0] += 15
    assert allowed(lambda: ours.spend("x", "who"))


def test_refused_attempts_count_and_what_turned_out_well_is_given_back(counters: Counters) -> None:
    ours, who = limits(counters, Budget("guess", 3, 3600, refunded=True)), new_id()
    for _ in range(10):
        ours.spend("guess", who)
        ours.refund("guess", who)
    assert [allowed(lambda: ours.spend("guess", who)) for _ in range(5)] == [True] * 3 + [False] * 2
    ours.refund("guess", who)
    assert not allowed(lambda: ours.spend("guess", who)), "the refused two count as well"


def test_the_first_time_is_told_from_the_second(counters: Counters) -> None:
    ours, who = limits(counters, Budget("x", 3, 3600)), new_id()
    assert [ours.first("x", who, one) for one in ("a", "a", "b", "a")] == [True, False, True, False]


class Away:
    """Counters that are gone."""

    def add(self, key: str, amount: int, seconds: int) -> int:
        raise CountersUnavailable(key)


def test_without_counters_what_guards_is_closed_and_the_rest_is_counted_alone() -> None:
    ours = limits(
        Away(), Budget("guard", 5, 60, closed=True), Budget("open", 5, 60), Budget("l", 2, 60, local=True)
    )
    with pytest.raises(LimitsUnavailable):
        ours.spend("guard", "who")
    assert [allowed(lambda: ours.spend("open", "who")) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [allowed(lambda: ours.spend("l", "who")) for _ in range(3)] == [True, True, False]
    ours.refund("guard", "who")


class Flaky(MemoryCounters):
    """Counters that fail at every third act, some of them after they counted."""

    def __init__(self) -> None:
        super().__init__(lambda: NOON)
        self.asked = itertools.count()

    def add(self, key: str, amount: int, seconds: int) -> int:
        turn = next(self.asked)
        if turn % 6 == 1:
            raise CountersUnavailable(key)
        counted = super().add(key, amount, seconds)
        if turn % 6 == 4:
            raise CountersUnavailable(key)
        return counted


def test_counters_that_come_and_go_open_no_second_budget() -> None:
    ours = limits(Flaky(), Budget("x", 1200, 3600))
    with ThreadPoolExecutor(16) as pool:
        got = sum(pool.map(lambda _: allowed(lambda: ours.spend("x", "who")), range(3000)))
    while allowed(lambda: ours.spend("x", "who")):
        got += 1
    # What was counted and then not acknowledged may be lost to the caller, and is never given twice.
    assert 1200 - 1200 // 4 <= got <= 1200


def test_a_worker_left_alone_goes_on_from_where_all_were() -> None:
    shared = MemoryCounters(lambda: NOON)
    ours, theirs = (limits(shared, Budget("x", 100, 3600)) for _ in range(2))
    for _ in range(60):
        theirs.spend("x", "who")
    assert allowed(lambda: ours.spend("x", "who"))
    ours._counters = Away()
    assert sum(allowed(lambda: ours.spend("x", "who")) for _ in range(100)) == 39


def test_counts_are_cleared_away_by_the_database(embedded_db: Database[Any]) -> None:
    ensure_indexes(embedded_db, INDEXES)
    storage = DatabaseStorage(embedded_db)
    storage.incr("key", 60)
    (row,) = embedded_db["limits"].find()
    assert 50 < row["purge_at"].timestamp() - time.time() < 61
    assert any(one.get("expireAfterSeconds") == 0 for one in embedded_db["limits"].list_indexes())
    assert storage.get("key") == 1 and storage.check() and 50 < storage.get_expiry("key") - time.time() < 61
    storage.clear("key")
    assert storage.get("key") == 0 and storage.get_expiry("key") == 0.0 and storage.reset() == 0


@pytest.mark.parametrize(
    "text",
    ["", "5", "5/", "/minute", "0/minute", "-1/minute", "5/fortnight", "5/8 days", "1e3/minute", "٣/minute"],
)
def test_a_rate_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadRate):
        rate(text)


def test_rates_and_overrides() -> None:
    assert (rate("600/minute"), rate("5/15 minutes"), rate("1/day")) == ((600, 60), (5, 900), (1, 86400))
    changed = budgets({"lookup": "7/hour"})
    assert (changed["lookup"].amount, changed["lookup"].seconds, changed["lookup"].closed) == (7, 3600, True)
    assert {name for name in BUDGETS if changed[name] != BUDGETS[name]} == {"lookup"}
    with pytest.raises(BadRate, match="typo"):
        budgets({"typo": "1/day"})
