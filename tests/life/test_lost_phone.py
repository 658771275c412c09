"""A phone that was lost is signed out and told of nothing; what is due goes to the new one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.life.births import today
from tests.world import Person, World, found_in
from wallet_api.infra.ids import new_id


def has_app(world: World, person: Person) -> str:
    """An app of the person registers; its installation id."""
    app = new_id()
    body = {"platform": "android", "address_kind": "fcm_token", "address": f"t-{app}" * 4, "locale": None}
    body |= {"address_kind": "fid", "address": app[:22]}
    answer = world.call("PUT", f"/citizens/me/devices/{app}", person, body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return app


def pushed_to(world: World, person: Person) -> set[str]:
    """The apps that a push of this moment would reach."""
    since = world.now() - timedelta(days=30)
    found = world.services.reminding.devices.addresses_of([person.id], since)
    return {each.installation_id for each in found.get(person.id, ())}


def calls_the_help_line(world: World, person: Person) -> None:
    for change in ("lock", "unlock"):
        body = {"national_id": person.number, "change": change, "evidence_kind": "call"}
        assert world.post("/ops/account-changes", world.ops("registrar"), body).status_code == 201


def signs_out_everywhere(world: World, person: Person) -> None:
    other = world.signed_in(person)
    assert world.call("DELETE", "/citizens/me/sessions", other).status_code == 204


@pytest.mark.parametrize("ends", [calls_the_help_line, signs_out_everywhere])
def test_a_lost_phone_is_signed_out_and_the_new_one_is_reminded(world: World, ends: Any) -> None:
    mother = world.person()
    child = world.child_of(mother, world.now().date() - timedelta(days=55))
    lost = has_app(world, mother)
    token = mother.token
    assert world.services.reminding.planning.review(child.id, today(world))
    assert pushed_to(world, mother) == {lost}
    ends(world, mother)
    assert world.get("/citizens/me", token).status_code == 401
    assert pushed_to(world, mother) == set()
    again = world.signed_in(mother)
    new = has_app(world, again)
    assert pushed_to(world, again) == {new}
    seen = found_in(world.get(f"/citizens/{child.id}/reminders", again))["items"]
    assert seen, "what was planned is still planned"
    assert world.get(f"/citizens/{child.id}/records", again).status_code == 200
