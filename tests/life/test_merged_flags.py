"""A safety flag covers every book of the person, whichever of them it was raised on, until they part."""

from __future__ import annotations

import pytest

from tests.life.merging import merge, part
from tests.world import Doctor, Person, World, bundle, condition, found_in


@pytest.fixture
def family(world: World) -> tuple[Person, Person, Person]:
    """A mother and the two books of her one child."""
    mother = world.person()
    return mother, world.child_of(mother), world.child_of(mother)


def raised(world: World, child: Person, doctor: Doctor, since: str) -> str:
    """A flag over what a clinic does for somebody; its id."""
    named = {"citizen_id": child.id, "organisation_id": doctor.organisation_id}
    body = {"kind": "child_abuse", "since": since} | named
    answer = world.post("/ops/safety-flags", world.ops("reviewer"), body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(found_in(answer)["id"])


def lift(world: World, flag: str) -> int:
    """What ops are answered who take a flag down."""
    return world.call("DELETE", f"/ops/safety-flags/{flag}", world.ops("reviewer")).status_code


def seen(world: World, who: Person, book: str) -> int:
    """How many records somebody sees of a book."""
    answer = world.get(f"/citizens/{book}/records?limit=100", who)
    return len(found_in(answer)["items"]) if answer.status_code == 200 else -1


def visit(world: World, doctor: Doctor, child: Person, name: str) -> None:
    assert world.send(doctor, bundle(child, condition(name)))["accepted"] == 1


@pytest.mark.parametrize("flagged", [0, 1])
def test_a_flag_from_before_the_merge_covers_what_comes_into_the_other_book(
    world: World, family: tuple[Person, Person, Person], flagged: int
) -> None:
    mother, *books = family
    clinic, own, other = world.doctor(), books[flagged], books[1 - flagged]
    visit(world, clinic, other, "before")
    flag = raised(world, own, clinic, "2026-01-01T00:00:00Z")
    made = merge(world, *books)
    mother = world.signed_in(mother)
    for each in books:
        visit(world, clinic, each, f"bruise-{each.number}")
    # What she may have seen before the books were one does not vanish: that would tell.
    assert seen(world, mother, books[0].id) == 1
    assert seen(world, world.signed_in(books[0]), "me") == 3
    part(world, made)
    mother = world.signed_in(mother)
    assert (seen(world, mother, own.id), seen(world, mother, other.id)) == (0, 2)
    assert lift(world, flag) == 204
    assert seen(world, mother, own.id) == 1


@pytest.mark.parametrize("flagged", [0, 1])
def test_a_flag_raised_while_they_are_one_covers_both_until_it_is_lifted(
    world: World, family: tuple[Person, Person, Person], flagged: int
) -> None:
    mother, *books = family
    clinic, other_clinic = world.doctor(), world.doctor()
    made = merge(world, *books)
    mother = world.signed_in(mother)
    visit(world, other_clinic, books[0], "another")
    for each in books:
        visit(world, clinic, each, f"bruise-{each.number}")
    assert seen(world, mother, books[0].id) == 3
    flag = raised(world, books[flagged], clinic, "2026-01-01T00:00:00Z")
    assert seen(world, mother, books[0].id) == 1
    for name in (f"joined:{flag}:{books[1 - flagged].id}:raised", "joined::"):
        assert lift(world, name) == 404, "a flag is lifted as a whole"
    assert seen(world, mother, books[0].id) == 1
    assert lift(world, flag) == 204
    assert seen(world, mother, books[0].id) == 3
    part(world, made)
    mother = world.signed_in(mother)
    assert (seen(world, mother, books[0].id), seen(world, mother, books[1].id)) == (2, 1)


def test_books_that_part_and_are_joined_again_are_covered_again(
    world: World, family: tuple[Person, Person, Person]
) -> None:
    mother, *books = family
    clinic = world.doctor()
    raised(world, books[0], clinic, "2026-01-01T00:00:00Z")
    part(world, merge(world, *books))
    merge(world, *books)
    visit(world, clinic, books[1], "bruise")
    assert seen(world, world.signed_in(mother), books[0].id) == 0
