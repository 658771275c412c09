"""The funnel of a programme: planned, sent, opened, and the dose that follows within thirty days."""

from __future__ import annotations

from notifications.campaigns.ports import FUNNEL
from notifications.reminders import State
from tests.campaigns.steps import commune, families, follow, send_everything
from tests.day_runs import run_on
from tests.world import World, bundle, found_in, immunization
from wallet_api.infra.clock import vn_day


def figures(world: World) -> dict[str, int]:
    found = world.services.reminding.funnel().get("epi_routine", {})
    return {what: found.get(what, 0) for what in FUNNEL}


def test_a_reminder_goes_through_the_funnel_step_by_step(world: World) -> None:
    family = families(world, 1, commune())[0]
    before = figures(world)
    run_on(world, vn_day(world.now()), family.child, family.guardian)
    planned = figures(world)
    theirs = world.services.reminding.reminders.of_citizen(family.child.id)
    states = {each.state for each in theirs}
    assert State.QUEUED in states and State.ACCEPTED not in states
    assert planned["planned"] > before["planned"]
    world.forward(hours=10)
    send_everything(world)
    sent = figures(world)
    assert sent["sent"] > planned["sent"]
    guardian = world.signed_in(family.guardian)
    about = [
        each
        for each in found_in(world.get("/citizens/me/inbox", guardian))["items"]
        if each["about"] == family.child.id
    ]
    for each in about:
        world.post(f"/citizens/me/inbox/{each['id']}/read", guardian)
    opened = figures(world)
    assert 0 < opened["opened"] - sent["opened"] <= len(about)
    world.get(f"/citizens/{family.child.id}/forecast", guardian)
    world.send(world.doctor(), bundle(family.child, immunization(cvx="05", on="2026-11-01")))
    follow(world)
    assert figures(world)["followed"] == opened["followed"] + 1
    answer = found_in(world.get("/ops/delivery", world.ops("operator")))["funnel"]
    shown = next(each for each in answer if each["programme"] == "epi_routine")
    assert shown["followed_by_dose"] is None, "one dose is too few to tell"


def test_a_dose_long_after_its_reminder_is_not_its_doing(world: World) -> None:
    family = families(world, 1, commune())[0]
    run_on(world, vn_day(world.now()), family.child, family.guardian)
    world.forward(hours=10)
    send_everything(world)
    world.forward(days=40)
    before = figures(world)["followed"]
    on = vn_day(world.now()).isoformat()
    world.send(world.doctor(), bundle(family.child, immunization(cvx="05", on=on)))
    follow(world)
    assert figures(world)["followed"] == before
