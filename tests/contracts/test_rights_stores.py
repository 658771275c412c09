"""Both stores of rights requests keep the same promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.contracts.ground import NOW, Ground
from tests.plans import plan_stages
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import ensure_indexes
from wallet_api.rights.desk import RightsRequests
from wallet_api.rights.errors import StaleRightsRequest
from wallet_api.rights.memory import MemoryRightsRequests
from wallet_api.rights.model import Erasure, Kind, Relation, RightsRequest, Step
from wallet_api.stores.rights import INDEXES, MongoRightsRequests


@pytest.fixture
def store(ground: Ground | None) -> RightsRequests:
    if ground is None:
        return MemoryRightsRequests()
    ground.indexed(INDEXES)
    return MongoRightsRequests(ground.db, ground.cipher)


def made(whose: str, kind: Kind = "copy", days: int = 0, relation: Relation = "self") -> RightsRequest:
    at = NOW + timedelta(days=days)
    step = Step("received", whose, at)
    return RightsRequest(new_id(), whose, kind, 1, "received", at, whose, relation, "lời của tôi", (step,))


def test_a_request_comes_back_as_it_was_and_is_added_once(store: RightsRequests) -> None:
    one = made(new_id(), "erase").acknowledged("r", NOW, with_others=True, reason="ba nơi")
    one = one.erasing("r", NOW, None, Erasure(new_id(), ("reminders",), ("clinical",)))
    store.add(one)
    store.add(replace(one, details="other"))
    assert store.get(one.id) == one and store.get(new_id()) is None
    swept = one.swept("r", NOW, NOW + timedelta(seconds=90))
    store.save(swept, expected=one.version)
    assert store.get(one.id) == swept and swept.details is None
    assert [each.id for each in store.erasing(10)] == [one.id]
    store.save(swept.completed("r", NOW, None), expected=swept.version)
    assert store.erasing(10) == []


def test_only_the_version_that_was_read_is_replaced(store: RightsRequests) -> None:
    one = made(new_id())
    store.add(one)
    store.save(one.acknowledged("r", NOW, with_others=False, reason=None), expected=1)
    with pytest.raises(StaleRightsRequest):
        store.save(one.taken_back("c", NOW), expected=1)
    with pytest.raises(StaleRightsRequest):
        store.save(made(new_id()), expected=1)
    assert [each.event for each in found(store, one.id).history] == ["received", "acknowledged"]


def found(store: RightsRequests, request_id: str) -> RightsRequest:
    one = store.get(request_id)
    assert one is not None
    return one


def test_lists_are_in_order_and_cut_where_asked(store: RightsRequests) -> None:
    me = new_id()
    mine = [made(me, days=-day, relation="guardian" if day % 2 else "self") for day in range(5)]
    others = [made(new_id(), "erase", -day) for day in range(3)]
    for each in (*mine, *others):
        store.add(each)
    assert store.of_citizen(me, None, None, 10) == mine
    assert store.of_citizen(me, None, mine[1].place, 2) == mine[2:4]
    assert store.of_citizen(me, "guardian", None, 10) == [mine[1], mine[3]]
    everybody = sorted((*mine, *others), key=lambda each: each.due_place)
    assert store.by_deadline(open=True, after=None, limit=100) == everybody
    assert store.by_deadline(open=True, after=everybody[2].due_place, limit=2) == everybody[3:5]
    assert store.by_deadline(open=False, after=None, limit=100) == []
    assert store.open_of(me) == 5
    today = date(2026, 11, 4)
    assert store.overdue(today) == sum(each.overdue(today) for each in everybody) > 0
    done = mine[0].taken_back(me, NOW)
    store.save(done, expected=1)
    assert store.open_of(me) == 4 and store.by_deadline(open=False, after=None, limit=9) == [done]


def test_every_list_reads_an_index(embedded_db: Any) -> None:
    ensure_indexes(embedded_db, INDEXES)
    rows = embedded_db["rights_requests"]
    rows.insert_one(
        {"citizen_id": "a", "relation": "self", "place": "x", "open": True, "due": "2026", "state": "y"}
    )
    for asked in (
        {"citizen_id": "a", "place": {"$lt": "z"}},
        {"citizen_id": "a", "relation": "self", "place": {"$lt": "z"}},
        {"citizen_id": "a", "open": True},
        {"open": True, "due": {"$gt": "2026"}},
        {"state": "carrying_out"},
    ):
        assert any(stage.startswith("IXSCAN") for stage in plan_stages(rows, asked)), asked
