"""A re-issued number: both numbers find the person, for ever, and nobody else can have either."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from tests.life.births import link, today
from tests.world import Person, World, bundle, condition, found_in
from wallet_api.identity.errors import IdentityConflict
from wallet_api.identity.model import Account, Profile
from wallet_api.identity.people import PersonClaims

_SERIAL = itertools.count(1)


def fresh() -> str:
    return f"0013907{next(_SERIAL):05d}"


def reissued(world: World, an: Person, number: str, **more: str) -> int:
    answer = link(world, {"national_id": an.number}, an.born, number, evidence_kind="identity_card", **more)
    return int(answer.status_code)


def renamed(an: Person, number: str) -> Person:
    return Person(an.world, an.id, number, an.born, an.name, an.phone, an.session_id)


def test_both_numbers_file_into_the_same_book(world: World) -> None:
    doctor, an, number = world.doctor(), world.person(), fresh()
    world.send(doctor, bundle(an, condition("before")))
    assert reissued(world, an, number) == 201
    world.send(doctor, bundle(an, condition("by-the-old")))
    world.send(doctor, bundle(renamed(an, number), condition("by-the-new")))
    assert len(found_in(world.get("/citizens/me/records", world.signed_in(an)))["items"]) == 3


def test_the_history_is_dated_and_today_shows_one_number(world: World) -> None:
    an, number = world.person(), fresh()
    eve = today(world) - timedelta(days=1)
    assert reissued(world, an, number) == 201
    shown = found_in(world.get("/citizens/me", world.signed_in(an)))["identifiers"]
    assert [each["masked"][-4:] for each in shown] == [number[-4:]]
    history = world.services.identity.people.identifier_history(an.id)
    assert [(each.masked[-4:], each.valid_from, each.valid_to) for each in history] == [
        (an.number[-4:], None, eve),
        (number[-4:], today(world), None),
    ]


def test_the_old_number_is_never_anybody_elses(world: World) -> None:
    an, other, number = world.person(), world.person(), fresh()
    assert reissued(world, an, number) == 201
    assert reissued(world, other, an.number) == 409, "by a registrar"
    people = world.services.identity.people
    account = Account("https://vneid.example", "somebody")
    claims = PersonClaims(Profile("Khác", an.born, "female"), an.number)
    with pytest.raises(IdentityConflict):
        people.sign_in(account, claims)
    assert people.whose("national_id", an.number) == an.id == people.whose("national_id", number)


def test_a_provider_who_is_shown_the_old_card_still_asks_the_right_person(world: World) -> None:
    doctor, an, number = world.doctor(), world.person(), fresh()
    assert reissued(world, an, number) == 201
    world.ask(doctor, an)
    assert found_in(world.get("/citizens/me/consent-requests", world.signed_in(an)))["items"]


def test_nobody_is_renumbered_on_a_wrong_birth_date_or_an_unknown_number(world: World) -> None:
    an = world.person()
    wrong = link(world, {"national_id": an.number}, an.born + timedelta(days=1), fresh())
    absent = link(world, {"national_id": fresh()}, an.born, fresh())
    assert (wrong.status_code, absent.status_code) == (404, 404)
    assert found_in(wrong)["code"] == found_in(absent)["code"] == "not_found"


def test_a_day_outside_a_life_is_refused(world: World) -> None:
    an = world.person()
    for day in (an.born - timedelta(days=1), today(world) + timedelta(days=1)):
        assert reissued(world, an, fresh(), since=day.isoformat()) == 422


def test_a_person_is_named_in_one_way(world: World) -> None:
    an = world.person()
    both = {"national_id": an.number, "birth_reference": "SSABCDEFGHIJ234567"}
    assert link(world, both, an.born, fresh()).status_code == 422
    assert link(world, {}, an.born, fresh()).status_code == 422


def test_a_third_number_replaces_the_second(world: World) -> None:
    an, second, third = world.person(), fresh(), fresh()
    assert reissued(world, an, second) == 201
    world.forward(days=3)
    assert reissued(world, renamed(an, second), third) == 201
    people = world.services.identity.people
    assert {people.whose("national_id", each) for each in (an.number, second, third)} == {an.id}
    assert people.resolve("national_id", second) is None and people.resolve("national_id", third) == an.id
