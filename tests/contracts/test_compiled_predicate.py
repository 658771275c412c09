"""What the database is asked of a plain record: one pattern for its category and its day."""

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from consent.model import Period
from consent.predicate import Clause, Predicate
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.keystore import MemoryKeyStore
from wallet_api.stores.compiled_predicate import CompiledPredicates, bounds_of, narrowed

COMPILED = CompiledPredicates(BlindIndex(MemoryKeyStore()))
days = st.dates(date(1900, 1, 1), date(2200, 12, 31))


@given(days, days)
@example(date(2040, 1, 1), date(2040, 1, 1))
@example(date(2040, 1, 1), date(2040, 1, 2))
@example(date(2040, 10, 1), date(2040, 2, 28))
@example(date(2000, 1, 1), date(1999, 12, 31))
def test_the_pattern_admits_the_days_until_the_last(last: date, day: date) -> None:
    clause = Clause(frozenset({"visit", "lab"}), Period(last=last), frozenset())
    predicate = Predicate((clause,), frozenset({"providers"}))
    first, _ = COMPILED.query_within(predicate, bounds_of(predicate))["$or"]
    pattern = first["plain"].try_compile()
    assert bool(pattern.search(f"visit {day}")) == (day <= last)
    assert not pattern.search(f"visits {day}") and not pattern.search(f"revisit {day}")


def test_the_index_is_bounded_by_days_that_have_passed() -> None:
    bounds = Period(date(2020, 1, 1), date(2026, 1, 31))
    below = {"$gt": "2019-12-31"}
    assert narrowed({}, bounds, None) == below | {"$lte": "2026-01-31"}
    assert narrowed({}, bounds, date(2026, 2, 1)) == below | {"$lte": "2026-01-31"}
    assert narrowed({}, bounds, date(2026, 1, 31)) == below
    assert narrowed({"$lte": "2022-02-02"}, bounds, date(2026, 1, 31)) == below | {"$lte": "2022-02-02"}
