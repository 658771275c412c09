"""A guardian's forecast and reminders tell nothing of what is hidden from guardians."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from notifications.reminders import State
from tests.world import Person, World, bundle, found_in, immunization, sources

DAY = date(2026, 11, 3)
IPV = "10"


def hide(world: World, child: Person, source_id: str) -> str:
    """Hide the record with this id of its sender from guardians; its own id."""
    items = found_in(world.get("/citizens/me/records", child))["items"]
    record = items[sources(items).index(source_id)]["id"]
    path = f"/citizens/me/records/{record}/visibility"
    assert world.call("PUT", path, child, {"audience": "guardians", "hidden": True}).status_code == 204
    return str(record)


def forecast(world: World, child: Person, who: Person) -> list[dict[str, Any]]:
    return list(found_in(world.get(f"/citizens/{child.id}/forecast", who))["items"])


def told(world: World, child: Person, who: Person) -> list[tuple[str, int, str]]:
    items = found_in(world.get(f"/citizens/{child.id}/reminders", who))["items"]
    return sorted((each["title"], each["dose"], each["state"]) for each in items)


def ipv(lines: list[tuple[str, int, str]]) -> list[tuple[int, str]]:
    return [(dose, state) for title, dose, state in lines if "IPV" in title]


@pytest.fixture
def guardian(world: World) -> Person:
    return world.person()


def test_a_hidden_dose_shows_in_the_guardians_forecast(world: World, guardian: Person) -> None:
    child, twin = world.child_of(guardian), world.child_of(guardian)
    world.send(world.doctor(), bundle(child, immunization("secret", IPV, on="2026-01-10")))
    assert forecast(world, child, guardian) != forecast(world, twin, guardian)
    record = hide(world, child, "secret")
    theirs = world.get(f"/citizens/{child.id}/forecast", guardian)
    assert found_in(theirs)["items"] == forecast(world, twin, guardian), "as if it had never been given"
    assert record not in theirs.get_data(as_text=True) and "2026-01-10" not in theirs.get_data(as_text=True)
    assert record in str(forecast(world, child, child)), "the child's own stays whole"
    plan = {each.identity: each.status for each in world.services.reminding.planning.forecast(child.id)}
    assert plan["epi_routine", "ipv", 1].value == "given", "and so does the plan of reminders"


def test_a_guardian_is_shown_what_another_was_sent(world: World, guardian: Person) -> None:
    other, child = world.person(), world.child_of(guardian)
    world.guard(other, child)
    world.services.reminding.planning.review(child.id, DAY)
    both = world.services.reminding.reminders.of_citizen(child.id)
    assert {each.recipient_id for each in both} == {guardian.id, other.id}
    assert len(told(world, child, guardian)) == len(told(world, child, other)) == len(both) // 2
    found = found_in(world.get(f"/citizens/{child.id}/reminders", guardian))["items"]
    assert {each["id"] for each in found} == {each.id for each in both if each.recipient_id == guardian.id}


def test_a_cancelled_reminder_tells_of_a_hidden_dose(world: World, guardian: Person) -> None:
    child, doctor = world.child_of(guardian), world.doctor()
    world.services.reminding.planning.review(child.id, DAY)
    world.send(doctor, bundle(child, immunization("open", "05", on="2026-11-02")))
    world.send(doctor, bundle(child, immunization("secret", IPV, on="2026-11-02")))
    before = told(world, child, guardian)
    assert ipv(before) == [(1, State.CANCELLED)]
    hide(world, child, "secret")
    after = told(world, child, guardian)
    assert ipv(after) == []
    assert after == [each for each in before if "IPV" not in each[0]]
    assert [each for each in after if each[2] == State.CANCELLED], "what cancels openly is told"
    kept = world.services.reminding.reminders.of_citizen(child.id)
    assert len(told(world, child, child)) == len(kept)


def test_a_reminder_of_the_next_dose_tells_of_a_hidden_one(world: World, guardian: Person) -> None:
    child = world.child_of(guardian)
    world.send(world.doctor(), bundle(child, immunization("secret", IPV, on="2026-01-10")))
    world.services.reminding.planning.review(child.id, DAY)
    assert ipv(told(world, child, guardian)) == [(2, State.PLANNED)]
    hide(world, child, "secret")
    assert ipv(told(world, child, guardian)) == []


@pytest.mark.parametrize(("path", "action"), [("forecast", "forecast:read"), ("reminders", "reminder:read")])
def test_looking_at_what_is_due_is_logged_as_reading_a_record(
    world: World, guardian: Person, path: str, action: str
) -> None:
    child = world.child_of(guardian)
    for who, reason in ((guardian, "guardian"), (child, "own_record")):
        world.get(f"/citizens/{child.id}/{path}", who)
        newest = found_in(world.get(f"/citizens/{child.id}/access-log", child))["items"][0]
        assert (newest["action"], newest["reason"]) == (action, reason)
