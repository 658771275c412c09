"""Both stores of exports keep the same promises, and the desk makes one file once over either."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.contracts.ground import NOW, Ground
from tests.plans import plan_stages
from wallet_api.exports.desk import PART, ExportDesk, Exports, Out
from wallet_api.exports.errors import ExportNotFound, StaleExport
from wallet_api.exports.memory import MemoryExports
from wallet_api.exports.model import LEASE, Export
from wallet_api.infra.ids import new_id
from wallet_api.stores.exports import COLLECTION, INDEXES, PARTS, MongoExports


@pytest.fixture
def store(ground: Ground | None) -> Exports:
    if ground is None:
        return MemoryExports()
    ground.indexed(INDEXES)
    return MongoExports(ground.db, ground.cipher)


def wished(whose: str, minutes: int = 0, **over: Any) -> Export:
    at = NOW + timedelta(minutes=minutes)
    values: dict[str, Any] = {"format": "pdf", "scope": "book", "encounter_id": None, "locale": "vi"}
    base = Export(
        new_id(),
        whose,
        whose,
        "self",
        "app",
        asked_at=at,
        expires_at=at + timedelta(days=1),
        due_at=at,
        **values,
    )
    return replace(base, **over)


def test_an_export_comes_back_as_it_was_and_is_added_once(store: Exports) -> None:
    one = wished(new_id(), scope="encounter", encounter_id=new_id()).taken(NOW).moved(40, NOW).failed("ended")
    store.add(one)
    store.add(replace(one, locale="en"))
    assert store.get(one.id) == one and store.get(new_id()) is None


def test_only_the_version_that_was_read_is_replaced(store: Exports) -> None:
    one = wished(new_id())
    store.add(one)
    store.save(one.taken(NOW), expected=1)
    for stale in (one.failed("tries"), wished(new_id())):
        with pytest.raises(StaleExport):
            store.save(stale, expected=1)


def test_the_one_that_waited_longest_is_due_and_those_in_hand_or_done_are_not(store: Exports) -> None:
    whose = new_id()
    late, early, far = wished(whose, 5), wished(whose, 2), wished(whose, 60)
    for each in (late, early, far):
        store.add(each)
    now = NOW + timedelta(minutes=10)
    assert store.due(NOW) is None and store.due(now) == early
    store.save(early.taken(now), expected=1)
    assert store.due(now) == late
    store.save(late.taken(now).done(1, 1), expected=1)
    assert store.due(now) is None
    assert store.due(now + LEASE) == early.taken(now)


def test_what_is_kept_is_counted_for_one_maker_of_one_book(store: Exports) -> None:
    whose, by = new_id(), new_id()
    mine = [wished(whose, made_by=by), wished(whose, made_by=by), wished(whose), wished(by, made_by=by)]
    for each in mine:
        store.add(each)
    assert store.kept_by(whose, by, NOW) == 2
    store.save(mine[0].taken(NOW).failed("tries"), expected=1)
    assert store.kept_by(whose, by, NOW) == 1
    assert store.kept_by(whose, by, NOW + timedelta(days=2)) == 0


def test_parts_of_one_try_are_not_those_of_another(store: Exports) -> None:
    first = wished(new_id()).taken(NOW)
    second = first.taken(NOW)
    store.put_part(first, 1, b"old")
    store.put_part(second, 1, b"new")
    store.put_part(second, 1, b"newer")
    assert (store.part(first, 1), store.part(second, 1)) == (b"old", b"newer")
    store.drop_parts(second, first.tries)
    assert store.part(second, 1) == b"newer"
    with pytest.raises(ExportNotFound):
        store.part(first, 1)
    store.add(second)
    store.remove(second)
    assert store.get(second.id) is None
    with pytest.raises(ExportNotFound):
        store.part(second, 1)


class Content:
    """A maker of one long file."""

    def __init__(self) -> None:
        self.made = 0

    def make(self, export: Export, out: Out) -> tuple[str, ...]:
        self.made += 1
        for number in range(5):
            out.write(bytes([number]) * (PART // 2 + 1))
            out.step(20 * number)
        return ("a", "b")

    def still_shown(self, export: Export, record_ids: frozenset[str]) -> bool:
        return record_ids == {"a", "b"}


class Free:
    """Nothing stands in the way."""

    def may_have(self, citizen_id: str, by: str, relation: str) -> bool:
        return True

    def restricted(self, citizen_id: str) -> bool:
        return False


def test_many_workers_make_each_file_once_and_whole(store: Exports) -> None:
    maker = Content()
    desk = ExportDesk(store, maker, Free(), lambda: NOW)
    whose = new_id()
    wishes = [desk.ask(wished(whose)) for _ in range(4)]

    def works(_: int) -> int:
        return sum(desk.make_next() is not None for _ in range(6))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(works, range(4)))
    assert maker.made == 4
    for wish in wishes:
        done = desk.of_person(whose, wish.id, whose)
        content = desk.file(done)
        assert content == b"".join(bytes([number]) * (PART // 2 + 1) for number in range(5))
        assert (done.parts, done.size) == (3, len(content))
        assert desk.still_handed(done)


def test_a_worker_that_was_too_slow_takes_nothing_from_the_one_that_took_over(store: Exports) -> None:
    clock = [NOW]
    desk = ExportDesk(store, Content(), Free(), lambda: clock[0])
    whose = new_id()
    wish = desk.ask(wished(whose))

    class Slow(Content):
        def make(self, export: Export, out: Out) -> tuple[str, ...]:
            out.write(b"half" * PART)
            clock[0] = NOW + 2 * LEASE
            assert desk.make_next() is not None, "another worker takes it over"
            return super().make(export, out)

    assert ExportDesk(store, Slow(), Free(), lambda: clock[0]).make_next() is None
    done = desk.of_person(whose, wish.id, whose)
    assert (done.state, done.tries) == ("ready", 2)
    assert desk.file(done).startswith(bytes(10))
    assert desk.still_handed(done)
    with pytest.raises(ExportNotFound):
        store.part(replace(done, tries=1), 1)


def test_hot_queries_use_their_indexes(store: Exports) -> None:
    if not isinstance(store, MongoExports):
        pytest.skip("memory has no indexes")
    whose = new_id()
    for minutes in range(3):
        store.add(wished(whose, minutes))
        store.put_part(wished(whose), 1, b"x")
    exports, parts = store._exports, store._parts
    for found, query in (
        (exports, store.due_query(NOW)),
        (exports, store.kept_query(whose, whose, NOW)),
        (parts, {"export_id": new_id(), "try": {"$lte": 2}}),
        (parts, {"citizen_id": whose}),
    ):
        assert any(each.startswith("IXSCAN") for each in plan_stages(found, query)), query
    assert (exports.name, parts.name) == (COLLECTION, PARTS)


def test_of_somebody_whose_key_is_gone_nothing_is_due(store: Exports) -> None:
    if not isinstance(store, MongoExports):
        pytest.skip("memory has no keys")
    whose = new_id()
    one = wished(whose).taken(NOW)
    store.add(one)
    store.put_part(one, 1, b"x")
    store._cipher.keys.destroy(whose, "exports")
    assert store.due(NOW + LEASE) is None and store.get(one.id) is None
    with pytest.raises(ExportNotFound):
        store.part(one, 1)
