"""A process died between a person's keys and what they sealed: nobody else waits until that is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from notifications.model import Preferences
from tests.campaigns.steps import FamilyOf, Ops, commune, families, follow, send_everything
from tests.day_runs import run_on
from tests.world import World, found_in
from wallet_api.infra.clock import vn_day
from wallet_api.rights.rules import RULES
from wallet_api.stores.preferences import LEFT_ALONE

ERASED = RULES.erased(has_records=False)


@contextmanager
def half_erased(world: World, citizen_id: str, classes: tuple[str, ...] = ERASED) -> Iterator[None]:
    """The keys are gone and what they sealed is there; at the end the erasure is carried through."""
    carrying = world.services.rights._carrying
    carrying.destroy_keys(citizen_id, classes)
    yield
    carrying.delete(citizen_id, ERASED)


def marked(world: World, *people: FamilyOf) -> set[str]:
    ids = [each.child.id for each in people]
    found = world.db["due_items"].find({"_id": {"$in": ids}, "changed": {"$gte": 0}}, {"_id": 1})
    return {each["_id"] for each in found}


@pytest.mark.parametrize("who", ["child", "guardian"])
@pytest.mark.parametrize("queued", [False, True])
def test_others_are_planned_followed_and_reminded(world: World, queued: bool, who: str) -> None:
    gone, stays = families(world, 2, commune())
    today = vn_day(world.now())
    everybody = [one for each in (gone, stays) for one in (each.child, each.guardian)]
    if queued:
        run_on(world, today, *everybody)
    with half_erased(world, getattr(gone, who).id):
        ids = [gone.child.id, stays.child.id]
        world.db["due_items"].update_many({"_id": {"$in": ids}}, {"$set": {"changed": 1}})
        follow(world)
        assert stays.child.id not in marked(world, gone, stays)
        run_on(world, today, *everybody)
        world.forward(hours=10)
        sent = [each.address.citizen_id for each in send_everything(world)]
        assert sent.count(stays.guardian.id) == 1
        assert who == "child" or gone.guardian.id not in sent
    follow(world)


def test_a_plan_whose_person_has_no_name_any_more_is_passed_over(world: World) -> None:
    gone, stays = families(world, 2, commune())
    with half_erased(world, gone.child.id, ("profile",)):
        ids = [gone.child.id, stays.child.id]
        world.db["due_items"].update_many({"_id": {"$in": ids}}, {"$set": {"changed": 1}})
        follow(world)
        assert marked(world, gone, stays) == set()


def test_a_campaign_reaches_the_others(world: World) -> None:
    ops, place = Ops(world), commune()
    lost_child, lost_guardian, stays = families(world, 3, place)
    campaign = ops.launched(ops.draft("outbreak", {"province": "01", "commune": place}))
    with half_erased(world, lost_child.child.id), half_erased(world, lost_guardian.guardian.id):
        ops.turn(campaign)
        sent = {each.address.citizen_id for each in send_everything(world)}
        assert stays.guardian.id in sent and lost_guardian.guardian.id not in sent


def test_a_guardian_sees_the_other_child(world: World) -> None:
    gone, other = families(world, 2, commune())
    world.guard(gone.guardian, other.child)
    with half_erased(world, gone.child.id):
        answer = world.get("/citizens/me/family", world.signed_in(gone.guardian))
        assert [each["dependent_id"] for each in found_in(answer)["items"]] == [other.child.id]


def test_a_choice_that_does_not_open_is_no_leave_to_push(world: World) -> None:
    family = families(world, 1, commune())[0]
    store = world.services.reminding.planning._ports.preferences
    store.save(family.guardian.id, Preferences(locale="en"))
    assert store.of(family.guardian.id) == Preferences(locale="en")
    with half_erased(world, family.guardian.id):
        assert store.of(family.guardian.id) == LEFT_ALONE
        assert store.of_many([family.guardian.id]) == {family.guardian.id: LEFT_ALONE}
