"""Two books of one person are read as one, widen nobody's view, and come apart whole."""

from __future__ import annotations

from datetime import date

import pytest

from notifications.model import Status
from tests.life.merging import decide, merge, part, propose
from tests.world import Json, Person, World, bundle, condition, found_in, immunization
from wallet_api.identity.errors import SecondPersonNeeded
from wallet_api.identity.merging import Grounds
from wallet_api.infra.ids import new_id


def texts(world: World, who: Person, book: str = "me") -> list[str]:
    """What somebody sees of a book, the newest first."""
    answer = world.get(f"/citizens/{book}/records?limit=100", who)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [each["id"] for each in found_in(answer)["items"]]


def filled(world: World, person: Person, *names: str) -> None:
    doctor = world.doctor()
    for name in names:
        assert world.send(doctor, bundle(person, condition(name)))["accepted"] == 1


def test_two_books_are_read_as_one_and_come_apart_whole(world: World) -> None:
    an, old = world.person(), world.person()
    filled(world, an, "a1", "a2")
    filled(world, old, "b1", "b2", "b3")
    before = texts(world, an), texts(world, old)
    assert (len(before[0]), len(before[1])) == (2, 3)
    made = merge(world, an, old)
    assert world.get("/citizens/me", an).status_code == 401
    assert world.get("/citizens/me", old).status_code == 401
    an = world.signed_in(an)
    assert set(texts(world, an)) == {*before[0], *before[1]}
    profile = found_in(world.get("/citizens/me", an))
    assert profile["books"] == [old.id] and len(profile["identifiers"]) == 2
    assert texts(world, an, old.id) == before[1]
    part(world, made)
    assert world.get("/citizens/me", an).status_code == 401
    an, old = world.signed_in(an), world.signed_in(old)
    assert (texts(world, an), texts(world, old)) == before
    assert found_in(world.get("/citizens/me", an))["books"] == []
    assert world.get(f"/citizens/{old.id}/records", an).status_code == 404


def test_what_comes_in_goes_by_the_number_it_comes_under(world: World) -> None:
    an, old = world.person(), world.person()
    made = merge(world, an, old)
    an = world.signed_in(an)
    filled(world, an, "new")
    filled(world, old, "late", "later")
    assert len(texts(world, an)) == 3
    part(world, made)
    assert len(texts(world, world.signed_in(an))) == 1
    assert len(texts(world, world.signed_in(old))) == 2


def test_a_consent_stays_with_the_book_it_was_given_for(world: World) -> None:
    doctor, an, old = world.doctor(), world.person(), world.person()
    filled(world, an, "a1")
    filled(world, old, "b1", "b2")
    for_an = world.grant(doctor, an)
    for_old = world.grant(world.doctor(), old)
    assert (len(for_an.seen()), len(for_old.seen())) == (1, 2)
    merge(world, an, old)
    an = world.signed_in(an)
    assert (len(for_an.seen()), len(for_old.seen())) == (1, 2), "neither is widened, both still work"
    ended = world.post(f"/citizens/{old.id}/grants/{for_old.grant['id']}/withdrawal", an, {})
    assert ended.status_code == 200, ended.get_data(as_text=True)
    assert for_old.open().status_code == 403 and for_an.open().status_code == 201


def test_what_is_closed_for_one_book_is_closed_for_both_and_opened_again(world: World) -> None:
    doctor, an, old = world.doctor(), world.person(), world.person()
    filled(world, an, "a1")
    given = world.grant(doctor, an)
    session = given.session()
    assert (
        world.call("PUT", f"/citizens/me/blocked-organisations/{doctor.organisation_id}", old).status_code
        == 204
    )
    made = merge(world, an, old)
    assert given.read(session).status_code == 403 and given.open().status_code == 403
    part(world, made)
    assert given.open().status_code == 201
    blocked = found_in(world.get("/citizens/me/blocked-organisations", world.signed_in(old)))["items"]
    assert [each["id"] for each in blocked] == [doctor.organisation_id]


def test_two_people_agree_after_a_week_and_nobody_objects(world: World) -> None:
    an, old, registrar = world.person(), world.person(), world.ops("registrar", "reviewer")
    made = found_in(propose(world, an, old, registrar))["id"]
    early = decide(world, made, "confirm")
    assert (early.status_code, found_in(early)["code"]) == (409, "merge_step_refused")
    for who in (an, old):
        inbox = found_in(world.get("/citizens/me/inbox", who))["items"]
        assert "hợp nhất" in str(inbox)
    again = propose(world, an, old)
    assert (again.status_code, found_in(again)["code"]) == (409, "merge_step_refused")
    world.forward(days=7)
    registrar = world.ops("registrar", "reviewer")
    assert decide(world, made, "confirm").status_code == 200
    assert registrar is not None


def test_who_proposed_does_not_confirm(world: World) -> None:
    an, old = world.person(), world.person()
    desk = world.services.merging
    by = "one-of-ops"

    grounds = Grounds("number_reissued", "reissue_decision", "QD", frozenset({"two_numbers"}))
    made = desk.propose(new_id(), an.id, old.id, grounds, by).id
    world.forward(days=7)
    with pytest.raises(SecondPersonNeeded):
        desk.decide(made, "confirm", by, None)
    desk.decide(made, "confirm", "another", None)
    desk.decide(made, "part", by, "two_people")
    with pytest.raises(SecondPersonNeeded):
        desk.decide(made, "confirm_parting", by, None)
    assert desk.decide(made, "confirm_parting", "another", None).state == "parted"


def test_an_objection_stops_it_for_good(world: World) -> None:
    an, old = world.person(), world.person()
    made = found_in(propose(world, an, old))["id"]
    stranger = world.person()
    assert world.call("PUT", f"/citizens/me/merges/{made}/objection", stranger).status_code == 404
    stopped = world.call("PUT", f"/citizens/me/merges/{made}/objection", old)
    assert (stopped.status_code, found_in(stopped)["state"]) == (200, "objected")
    world.forward(days=8)
    late = decide(world, made, "confirm")
    assert (late.status_code, found_in(late)["code"]) == (409, "merge_step_refused")
    listed: Json = found_in(world.get("/citizens/me/merges", world.signed_in(an)))
    assert [(each["state"], each["side"]) for each in listed["items"]] == [("objected", "surviving")]


def test_identities_that_conflict_are_refused(world: World) -> None:
    an, old = world.person(), world.person()
    for over in (
        {"accepts": []},
        {"evidence_kind": "number_confirmation"},
    ):
        answer = propose(world, an, old, **over)
        assert (answer.status_code, found_in(answer)["code"]) == (409, "merge_conflict"), over
    other = world.person(born=date(1991, 5, 4))
    answer = propose(world, an, other)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "merge_conflict")
    assert propose(world, an, other, accepts=["two_numbers", "birth_date"]).status_code == 201
    child = world.child_of(an)
    answer = propose(world, an, child, accepts=["two_numbers", "birth_date"])
    assert (answer.status_code, found_in(answer)["code"]) == (409, "merge_conflict")


def test_a_guardian_of_one_book_sees_no_more_and_of_both_sees_one(world: World) -> None:
    mother, aunt = world.person(), world.person()
    child = world.child_of(mother)
    twin_book = world.child_of(mother)
    world.guard(aunt, child)
    filled(world, child, "c1")
    filled(world, twin_book, "d1", "d2")
    made = merge(world, child, twin_book)
    mother, aunt = world.signed_in(mother), world.signed_in(aunt)
    assert len(texts(world, mother, child.id)) == 3
    assert len(texts(world, aunt, child.id)) == 1
    part(world, made)
    assert len(texts(world, world.signed_in(mother), child.id)) == 1


def test_a_dose_in_either_book_is_asked_for_once(world: World) -> None:
    mother = world.person()
    child, other = world.child_of(mother, date(2026, 9, 1)), world.child_of(mother, date(2026, 9, 1))
    doctor = world.doctor()
    planning = world.services.reminding.planning

    def due(whose: Person) -> set[tuple[str, int]]:
        found = planning.forecast(whose.id)
        return {(each.series_id, each.dose) for each in found if each.status is not Status.GIVEN}

    before = due(child), due(other)
    sent = bundle(other, immunization(on="2026-09-01"))
    assert world.send(doctor, sent)["accepted"] == 1
    given = before[0] - due(other)
    assert given, "a dose of the other book"
    made = merge(world, child, other)
    assert due(child) & given == set() and due(other) == set()
    part(world, made)
    assert due(child) & given == given


def test_nobody_is_written_to_by_a_campaign_or_counted_twice(world: World) -> None:
    mother = world.person()
    child, other = world.child_of(mother, date(2026, 9, 1)), world.child_of(mother, date(2026, 9, 1))
    kit = world.services.reminding

    def absent() -> dict[str, bool]:
        while kit.follow():
            pass
        return {name: row.deceased for name, row in kit.people.of({child.id, other.id}).items()}

    assert absent() == {child.id: False, other.id: False}
    made = merge(world, child, other)
    assert absent() == {child.id: False, other.id: True}
    part(world, made)
    assert absent() == {child.id: False, other.id: False}
