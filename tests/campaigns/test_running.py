"""Running a campaign: each person once, whoever runs it and whatever dies; nobody who must not be told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from notifications.campaigns import model, running
from notifications.errors import LeaseLost
from tests.campaigns.steps import Ops, commune, families, follow, phone_of, send_everything
from tests.day_runs import run_on
from tests.world import World, bundle, found_in, immunization
from wallet_api.infra.clock import vn_day
from wallet_api.stores.restrictions import MongoRestrictions


def sends_of(world: World, campaign: dict[str, Any]) -> list[dict[str, Any]]:
    return list(world.db["campaign_sends"].find({"campaign_id": campaign["id"]}))


def inbox_of(world: World, who: Any) -> list[str]:
    items = found_in(world.get("/citizens/me/inbox", who))["items"]
    return [each["title"] for each in items]


@pytest.fixture
def ops(world: World) -> Ops:
    return Ops(world)


def test_a_guardian_of_two_is_told_once_and_a_teen_themself(world: World, ops: Ops) -> None:
    where = commune()
    (family,) = families(world, 1, where)
    world.child_of(family.guardian, date(2023, 5, 5), province="01", commune=where)
    teen = world.person("Thử Lớn", date(2010, 1, 1), province="01", commune=where)
    phone_of(world, teen)
    running_ = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}))
    ops.turn(running_)
    assert len(sends_of(world, running_)) == 2
    assert len(inbox_of(world, family.guardian)) == 1 == len(inbox_of(world, teen))


def test_a_page_that_dies_leaves_nothing_and_is_walked_again(
    world: World, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = commune()
    people = families(world, 6, where)
    campaign = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}))
    runner = world.services.reminding.runner

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt("killed")

    for _ in range(3):
        monkeypatch.setattr(type(runner.ports.outbox), "add", dies)
        with pytest.raises(KeyboardInterrupt):
            ops.turn(campaign)
        monkeypatch.undo()
        assert sends_of(world, campaign) == [], "no page is kept by half"
    ops.turn(campaign)
    mine = {each.guardian.id for each in people}
    pushed = [each.address.citizen_id for each in send_everything(world) if each.address.citizen_id in mine]
    assert sorted(pushed) == sorted(mine)


def test_workers_side_by_side_make_each_message_once(world: World, ops: Ops) -> None:
    where = commune()
    people = families(world, 15, where)
    campaign = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ops.turn(campaign), range(4)))
    ops.turn(campaign)
    assert len(sends_of(world, campaign)) == 15
    mine = {each.guardian.id for each in people}
    pushed = [each.nid for each in send_everything(world) if each.address.citizen_id in mine]
    assert len(pushed) == 15 == len(set(pushed))
    counted = world.services.reminding.campaigns.campaigns.progress(campaign["id"])
    assert (counted["in_accepted"], counted["examined"], counted["shards_done"]) == (15, 15, 64)


def test_what_has_changed_since_is_asked_again_at_the_last_moment(world: World, ops: Ops) -> None:
    where = commune()
    given, dead, moved, changed, out, told = families(world, 6, where)
    audience = {"province": "01", "commune": where, "series": "measles", "status": "overdue"}
    campaign = ops.launched(ops.draft("outbreak", audience))
    ops.turn(campaign)
    assert len(sends_of(world, campaign)) == 6
    doctor = world.doctor()
    world.send(doctor, bundle(given.child, immunization(cvx="05", on="2026-10-01")))
    people = world.services.identity.people
    people.record_death(dead.child.id, world.now().date())
    world.services.reminding.planning.replan(dead.child.id)
    world.services.reminding.people.forget(moved.child.id)
    family = world.services.identity.family
    relation = family.guardians_of(changed.child.id, world.now())[0]
    family.end(relation.id, changed.guardian.id)
    answer = world.call(
        "PUT", "/citizens/me/notification-preferences", out.guardian, {"opted_out": ["vaccination"]}
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    mine = {each.guardian.id for each in (given, dead, moved, changed, out, told)}
    pushed = [each.address.citizen_id for each in send_everything(world) if each.address.citizen_id in mine]
    assert pushed == [told.guardian.id]
    reasons = sorted(each["reason"] for each in sends_of(world, campaign) if each["state"] == "cancelled")
    assert reasons == [
        "guardian_changed",
        "no_longer_meant",
        "no_longer_meant",
        "no_longer_meant",
        "opted_out",
    ]


def test_who_opted_out_has_died_or_is_restricted_gets_nothing_in_the_first_place(
    world: World, ops: Ops
) -> None:
    where = commune()
    out, told, restricted = families(world, 3, where)
    world.call("PUT", "/citizens/me/notification-preferences", out.guardian, {"opted_out": ["vaccination"]})
    MongoRestrictions(world.db).set(restricted.child.id, "test", on=True)
    campaign = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where, "age_to": 10}))
    ops.turn(campaign)
    assert len(sends_of(world, campaign)) == 1 and inbox_of(world, out.guardian) == []
    assert len(inbox_of(world, told.guardian)) == 1


def test_an_ordinary_campaign_waits_for_the_morning_and_an_outbreak_does_not(world: World) -> None:
    world.forward(hours=14)  # midnight in Vietnam
    ops = Ops(world)
    where, other = commune(), commune()
    quiet, loud = families(world, 1, where), families(world, 1, other)
    ops.turn(ops.launched(ops.draft("information", {"province": "01", "commune": where})))
    ops.turn(ops.launched(ops.draft("outbreak", {"province": "01", "commune": other})))
    at_night = {each.address.citizen_id for each in send_everything(world)}
    assert loud[0].guardian.id in at_night and quiet[0].guardian.id not in at_night
    world.forward(hours=20)
    by_day = {each.address.citizen_id for each in send_everything(world)}
    assert quiet[0].guardian.id in by_day and loud[0].guardian.id not in by_day


def test_an_ordinary_campaign_joins_the_push_of_the_day_and_an_outbreak_does_not(
    world: World, ops: Ops
) -> None:
    where = commune()
    (family,) = families(world, 1, where)
    run_on(world, vn_day(world.now()), family.child, family.guardian)
    quiet = ops.launched(ops.draft("information", {"province": "01", "commune": where}))
    loud = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}))
    for campaign in (quiet, loud):
        ops.turn(campaign)
    ((joined,), (pushed,)) = sends_of(world, quiet), sends_of(world, loud)
    assert (joined["state"], joined["reason"]) == ("accepted", "joined_earlier_push")
    assert pushed["state"] == "queued"
    assert "Tiêm bù tại trạm y tế" in inbox_of(world, family.guardian), "the inbox has both"


def test_a_cancelled_campaign_sends_nothing_more(world: World, ops: Ops) -> None:
    where = commune()
    people = families(world, 3, where)
    campaign = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}))
    ops.turn(campaign)
    ops.act("cancel", ops.read(campaign))
    assert not {each.guardian.id for each in people} & {e.address.citizen_id for e in send_everything(world)}
    assert {each["reason"] for each in sends_of(world, campaign)} == {"campaign_cancelled"}


def test_opening_the_message_and_the_dose_that_follows_are_counted(world: World, ops: Ops) -> None:
    where = commune()
    people = families(world, 11, where)
    audience = {"province": "01", "commune": where, "series": "measles", "status": "overdue"}
    campaign = ops.launched(ops.draft("outbreak", audience))
    ops.turn(campaign)
    send_everything(world)
    doctor = world.doctor()
    for each in people:
        (item,) = found_in(world.get("/citizens/me/inbox", each.guardian))["items"]
        world.post(f"/citizens/me/inbox/{item['id']}/read", each.guardian)
        world.send(doctor, bundle(each.child, immunization(cvx="05", on="2026-10-01")))
    follow(world)
    counted = world.services.reminding.campaigns.campaigns.progress(campaign["id"])
    assert (counted["in_opened"], counted["followed"]) == (11, 11)
    assert ops.read(campaign)["progress"]["followed_by_dose"] == 11


def test_a_campaign_begins_at_its_time(world: World, ops: Ops) -> None:
    where = commune()
    families(world, 1, where)
    later = (world.now() + timedelta(hours=2)).isoformat()
    waiting = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}, starts_at=later))
    assert waiting["state"] == "scheduled"
    ops.turn(waiting)
    assert sends_of(world, waiting) == []
    world.forward(hours=2, minutes=1)
    ops.turn(waiting)
    assert len(sends_of(world, waiting)) == 1


def test_nobody_alone_reaches_more_than_the_limit(
    world: World, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = commune()
    families(world, 4, where)
    monkeypatch.setattr(model, "ALONE", 3)
    draft = ops.draft("information", {"province": "01", "commune": where})
    assert ops.refused("launch", draft) == (409, "campaign_needs_approval")
    families(world, 1, other := commune())
    grown = ops.act("launch", ops.draft("information", {"province": "01", "commune": other}))
    families(world, 5, other)
    monkeypatch.setattr(running, "PAGE", 1)
    ops.turn(grown)
    stopped = ops.read(grown)
    assert (stopped["state"], stopped["history"][-1]["reason"]) == ("paused", "needs_approval")
    assert len(sends_of(world, grown)) == 4
    assert stopped["history"][-1]["by"] == "system"
    again = ops.act("launch", ops.act("approve", stopped, ops.second))
    ops.turn(again)
    assert len(sends_of(world, grown)) == 6, "it goes on where it was"


def test_a_lost_race_for_a_page_is_no_error(world: World, ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    where = commune()
    families(world, 1, where)
    campaign = ops.launched(ops.draft("outbreak", {"province": "01", "commune": where}))
    runner = world.services.reminding.runner

    def lost(*_: Any) -> None:
        raise LeaseLost("another worker")

    monkeypatch.setattr(type(runner.ports.campaigns), "advance", lost)
    assert runner.turn(campaign["id"]).again and sends_of(world, campaign) == []
