"""The same fence for those who act for others: a guardianship that ends while its read is under way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import Person, World, bundle, condition, found_in
from wallet_api.identity.family import Family

SECRET = "I10"


@pytest.fixture
def child(world: World, mother: Person) -> Person:
    found = world.child_of(mother)
    world.send(world.doctor(), bundle(found, condition(code=SECRET)))
    return found


@pytest.fixture
def mother(world: World) -> Person:
    return world.person()


def ending_after(world: World, child: Person, call: Any) -> Any:
    """The call, after which the child's guardianships are over."""

    def ended(*args: Any, **more: Any) -> Any:
        found = call(*args, **more)
        for each in world.services.identity.family.guardians_of(child.id, world.now()):
            world.services.identity.family.end(each.id)
        return found

    return ended


def read_while_it_ends(
    world: World, mother: Person, child: Person, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    records = world.services.book.readers._parts.records
    monkeypatch.setattr(records, "page", ending_after(world, child, records.page))
    answer = world.get(f"/citizens/{child.id}/records", mother)
    return answer.status_code, answer.get_data(as_text=True)


def test_c01_a_guardianship_that_ends_during_a_read_takes_the_answer_back(
    world: World, mother: Person, child: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/citizens/{child.id}/records"
    assert SECRET in world.get(path, mother).get_data(as_text=True)
    status, text = read_while_it_ends(world, mother, child, monkeypatch)
    assert status == 404 and SECRET not in text
    assert found_in(world.get(path, mother))["code"] == "not_found"


def test_without_the_last_look_such_a_read_leaks(
    world: World, mother: Person, child: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = iter([True])
    before = Family.acts_for
    monkeypatch.setattr(Family, "acts_for", lambda *args: next(there, None) or before(*args) or True)
    status, text = read_while_it_ends(world, mother, child, monkeypatch)
    assert status == 200 and SECRET in text


def test_what_a_guardian_did_before_it_ended_stays_done(
    world: World, mother: Person, child: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask(world.doctor(), child)
    request, consent = world.newest_request(child), world.services.consent
    monkeypatch.setattr(consent, "refuse", ending_after(world, child, consent.refuse))
    answer = world.post(f"/citizens/{child.id}/consent-requests/{request['id']}/refusal", mother, {})
    assert answer.status_code == 200, "it is done, and is told so"
