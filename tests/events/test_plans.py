"""What is asked of the database about feeds, duties, webhooks goes through an index, however much it is."""

from __future__ import annotations

from typing import Any

from tests.events.holding import whole_feed
from tests.listening import Operations
from tests.plans import plan_stages
from tests.rules.test_queries import by_id, reads_of
from tests.world import World, found_in

OURS = {"events", "holdings", "erasure_duties", "erasure_attestations", "webhooks", "webhook_dead_letters"}


def test_nothing_asked_about_events_reads_a_whole_collection(world: World, operations: Operations) -> None:
    doctor, an = world.doctor(), world.person()
    made = world.grant(doctor, an, mode="STORE")
    hooks = f"/ops/organisations/{doctor.organisation_id}/webhooks"
    with operations.heard() as commands:
        world.ask(doctor, an)
        made.withdraw()
        world.forward(days=20)
        whole_feed(world, doctor)
        whole_feed(world, doctor, 1)
        whose = world.signed_in(an)
        reviewer = world.ops("reviewer")  # one person: a cursor is good for whoever it was given to
        answers = [
            world.get("/provider/erasure-duties?limit=1", doctor),
            world.get("/citizens/me/erasure-duties", whose),
            world.get("/ops/erasure-duties?overdue=true&limit=1", reviewer),
            world.get("/ops/erasure-duties?limit=1", reviewer),
            world.post(hooks, world.ops("registrar"), {"url": "http://localhost:9/"}),
            world.get(hooks, world.ops("registrar")),
        ]
        cursor = found_in(answers[3])["next_cursor"]
        if cursor is not None:
            answers.append(world.get(f"/ops/erasure-duties?limit=1&cursor={cursor}", reviewer))
        world.services.telling.feed.sweep()
        world.services.telling.sender.due(1)
    assert {each.status_code for each in answers} <= {200, 201}
    scans, looked = list[Any](), set[str]()
    for command in commands:
        for collection, query in reads_of(command):
            if collection not in OURS or by_id(query):
                continue
            looked.add(collection)
            stages = plan_stages(world.db[collection], query)
            if not any(stage.startswith(("IXSCAN", "IDHACK", "EXPRESS", "EOF")) for stage in stages):
                scans.append((collection, query, stages))
    assert scans == []
    assert looked >= OURS - {"erasure_attestations"}
