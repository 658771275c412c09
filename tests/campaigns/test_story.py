"""A campaign as ops live it, over HTTP: draft, preview, a second person, launch, pause, resume, done."""

from __future__ import annotations

from tests.campaigns.steps import Ops, commune, families, send_everything
from tests.world import World, found_in


def test_an_outbreak_in_a_commune(world: World) -> None:
    ops, where = Ops(world), commune()
    people = families(world, 12, where)
    mine = {each.guardian.id for each in people}
    draft = ops.draft("outbreak", {"province": "01", "commune": where, "age_to": 14}, per_minute=5)
    assert (draft["state"], draft["progress"]["planned"]) == ("draft", 0)
    told = ops.preview(draft)
    assert told["people"] in (10, 20) and told["needs_approval"]
    assert {each["locale"] for each in told["sample"]} == {"vi", "en"}
    assert ops.refused("launch", draft) == (409, "campaign_needs_approval")
    assert ops.refused("approve", draft, ops.maker) == (409, "second_person_needed")
    approved = ops.act("approve", draft, ops.second)
    running = ops.act("launch", approved)
    assert running["state"] == "running"
    ops.turn(running)
    halfway = ops.read(running)
    assert halfway["state"] == "running" and halfway["progress"]["queued"] is None, "five are too few to tell"
    paused = ops.act("pause", halfway)
    world.forward(minutes=1)
    ops.turn(paused)
    send_everything(world)
    assert world.db["campaign_sends"].count_documents({"campaign_id": draft["id"]}) == 5
    resumed = ops.act("resume", paused)
    for _ in range(4):
        ops.turn(resumed)
        world.forward(minutes=1)
    pushed = [each for each in send_everything(world) if each.address.citizen_id in mine]
    assert len(pushed) == 12 == len({each.nid for each in pushed}), "each guardian once"
    ops.turn(resumed)
    done = ops.read(running)
    assert done["state"] == "done"
    progress = done["progress"]
    assert (progress["planned"], progress["accepted"], progress["queued"]) == (12, 12, 0)
    assert [each["event"] for each in done["history"]] == [
        "approved",
        "launched",
        "paused",
        "resumed",
        "done",
    ]
    inbox = found_in(world.get("/citizens/me/inbox", people[0].guardian))["items"]
    assert [each["title"] for each in inbox] == ["Thông báo phòng dịch tại địa phương"]
