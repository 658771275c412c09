"""Programmes and rebuilds as ops see them: versions, previews, two people, live progress, no small count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo.database import Database

from notifications.effects import Effect, Range
from notifications.programmes import load_programmes
from notifications.rebuilds import Bounds, Preview
from notifications.reevaluation import shard_of_night
from tests.world import World, found_in
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import open_database
from wallet_api.routes.schemas.rebuilds import rebuild_view

PATH = "/ops/programmes/rebuilds"


@pytest.fixture(scope="module")
def nation(embedded_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A wallet of our own: rebuilds are everybody's business."""
    db: Database[dict[str, Any]] = open_database(embedded_uri, f"rebuilds_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    for _ in range(12):
        made.person()
    yield made
    made.services.log.close()
    db.client.close()


def finish(world: World) -> None:
    while world.services.reminding.upkeep.rebuilding.step():
        pass


def test_a_programme_has_no_version_or_state(nation: World) -> None:
    body = found_in(nation.get("/ops/programmes", nation.ops("reviewer")))
    assert body["rules"] == nation.services.reminding.planning.rules
    assert {each["id"] for each in body["items"]} == {each.id for each in load_programmes()}
    assert all(len(each["version"]) == 16 and each["state"] == "in_force" for each in body["items"])


def test_a_preview_changes_a_plan_or_tells_a_small_count(nation: World) -> None:
    operator = nation.ops("operator")
    before = list(nation.db["due_items"].find().sort("_id", 1))
    nation.db["due_items"].update_many({}, {"$set": {"rules": "0123456789abcdef"}})
    asked = nation.post(PATH, operator, {"dry_run": True})
    made = found_in(asked)
    assert (asked.status_code, made["state"], made["preview"]) == (202, "previewing", None)
    finish(nation)
    found = found_in(nation.get(f"{PATH}/{made['id']}", operator))
    assert (found["state"], found["dry_run"], found["preview"]["plans"]) == ("done", True, len(before))
    assert found["progress"] == {
        "shards_done": 64,
        "shards": 64,
        "plans": len(before),
        "anew": 0,
        "already": 0,
        "failed": 0,
    }
    assert found_in(nation.get(PATH, operator))["items"][0]["id"] == made["id"]
    after = list(nation.db["due_items"].find().sort("_id", 1))
    assert [row | {"rules": ""} for row in after] == [row | {"rules": ""} for row in before]


def test_one_person_lets_go_what_needs_two(nation: World) -> None:
    an, binh = nation.ops("operator"), nation.ops("operator")
    desk = nation.services.reminding.upkeep.rebuilding
    nation.db["due_items"].update_many({}, {"$set": {"rules": "0123456789abcdef"}})
    desk.bounds = Bounds(alone=-1)
    try:
        made = found_in(nation.post(PATH, an, {"dry_run": False}))
        finish(nation)
        decision = f"{PATH}/{made['id']}/decision"
        assert found_in(nation.get(f"{PATH}/{made['id']}", an))["state"] == "waiting"
        running = nation.post(PATH, binh, {"dry_run": False})
        assert (running.status_code, found_in(running)["code"]) == (409, "rebuild_running")
        alone = nation.post(decision, an, {"decision": "approve"})
        assert (alone.status_code, found_in(alone)["code"]) == (409, "second_person_needed")
        let_go = found_in(nation.post(decision, binh, {"decision": "approve"}))
        assert let_go["state"] == "running" and let_go["decided_by"] != let_go["asked_by"]
        finish(nation)
    finally:
        desk.bounds = Bounds()
    done = found_in(nation.get(f"{PATH}/{made['id']}", an))
    assert done["state"] == "done" and done["ended_at"] is not None
    assert done["progress"]["anew"] == nation.db["due_items"].count_documents({})
    assert nation.db["due_items"].distinct("rules") == [nation.services.reminding.planning.rules]
    late = nation.post(decision, binh, {"decision": "cancel"})
    assert (late.status_code, found_in(late)["code"]) == (409, "rebuild_step_refused")


@pytest.mark.parametrize(
    "form",
    [
        {"dry_run": "yes"},
        {"shards": [1]},
        {"sample_shards": 1},
        {"sample_shards": 65},
        {"rules": "x"},
    ],
)
def test_a_malformed_rebuild_is_begun(nation: World, form: dict[str, Any]) -> None:
    answer = nation.post(PATH, nation.ops("operator"), form)
    assert answer.status_code == 422
    assert (
        nation.post(f"{PATH}/{new_id()}/decision", nation.ops("operator"), {"decision": "cancel"}).status_code
        == 404
    )


def test_asking_twice_with_one_key_is_asking_once(nation: World) -> None:
    operator, key = nation.ops("operator"), {"Idempotency-Key": new_id()}
    first = found_in(nation.post(PATH, operator, {"dry_run": True}, headers=key))
    again = found_in(nation.post(PATH, operator, {"dry_run": True}, headers=key))
    assert first == again
    nation.post(f"{PATH}/{first['id']}/decision", operator, {"decision": "cancel"})


def test_a_total_tells_what_a_row_hides(nation: World) -> None:
    desk = nation.services.reminding.upkeep.rebuilding
    made = desk.begin(new_id(), "an", dry_run=True, shards=[0, 1], sample=2)
    parts = {("p", "many"): Effect(500, 0, 12), ("p", "few"): Effect(3, 9, 0)}
    preview = Preview(900, 0, parts, Range(503, 503, 503), Range(9, 9, 9), Range(12, 12, 12))
    shown = rebuild_view(
        replace(made, preview=preview, state="done"),
        nation.services.reminding.upkeep.rebuilding.progress(made),
    )["preview"]
    assert shown["appear"] == {"low": 500, "likely": 500, "high": 500}
    assert shown["vanish"] == {"low": 0, "likely": 0, "high": 0}
    rows = {each["series_id"]: (each["appear"], each["vanish"], each["move"]) for each in shown["series"]}
    assert rows == {"many": (500, 0, 12), "few": (None, None, 0)}


def test_a_night_is_not_counted_for_prometheus(nation: World) -> None:
    began = nation.now()
    night = began.replace(hour=18, minute=30)  # half past one in Vietnam, of the next day
    try:
        nation.clock.set_to(night)
        while nation.services.reminding.upkeep.nightly.step():
            pass
        shard = shard_of_night(vn_day(night))
        checked = nation.db["due_items"].count_documents({"shard": shard})
        text = nation.app.test_client().get("/metrics").get_data(as_text=True)
    finally:
        nation.clock.set_to(began)
    assert f'wallet_plan_check{{state="checked"}} {float(checked)}' in text
    assert 'wallet_plan_check{state="drift"} 0.0' in text
