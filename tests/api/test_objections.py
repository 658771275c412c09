"""Speaking against a guardianship in the time that is left for it."""

from __future__ import annotations

from datetime import date

import pytest

from tests.api.test_family import CHILD, claimed, decide, inbox, reads
from tests.world import Json, Person, World, code_in, found_in
from wallet_api.identity.guardianship import RULES


@pytest.fixture
def mother(world: World) -> Person:
    return world.person("Nguyễn Thị Mẹ")


def coming(world: World, who: Person, child: Person) -> list[Json]:
    return list(found_in(world.get(f"/citizens/{child.id}/coming-guardianships", who))["items"])


def object_to(world: World, who: Person, child: Person, claim: str) -> Json:
    answer = world.post(f"/citizens/{child.id}/coming-guardianships/{claim}/objection", who)
    return found_in(answer) | {"status": answer.status_code}


def test_who_acts_for_a_child_stops_what_does_not_stand_yet(world: World, mother: Person) -> None:
    child, stranger = world.child_of(mother, CHILD), world.person("Người Lạ")
    asked = claimed(world, stranger, child)
    (line,) = coming(world, mother, child)
    assert (line["id"], line["guardian_name"], line["begins_on"]) == (asked, None, None)
    decide(world, asked, "confirmation")
    (line,) = coming(world, mother, child)
    assert line["guardian_name"] == "Người Lạ" and line["begins_on"] is not None
    first = object_to(world, mother, child, asked)
    assert (first["status"], first["objected"], first["begins_on"]) == (200, True, None)
    assert object_to(world, mother, child, asked) == first, "once more changes nothing"
    assert "Có người phản đối một đề nghị giám hộ" in inbox(world, stranger)
    world.forward(days=RULES.waiting_days + 1)
    assert reads(world, world.signed_in(stranger), child) == 404
    assert reads(world, world.signed_in(mother), child) == 200


def test_after_an_objection_another_registrar_decides(world: World, mother: Person) -> None:
    child, father = world.child_of(mother, CHILD), world.person("Nguyễn Văn Bố")
    asked = claimed(world, father, child)
    first, second = world.ops("registrar"), world.ops("registrar")
    confirmation = f"/ops/guardianships/{asked}/confirmation"
    assert world.post(confirmation, first).status_code == 200
    object_to(world, mother, child, asked)
    case = found_in(world.get(f"/ops/guardianships/{asked}", first))
    assert (case["state"], case["objected"]) == ("proposed", True)
    same = world.post(confirmation, first)
    assert (same.status_code, code_in(same)) == (409, "second_person_needed")
    assert world.post(confirmation, second).status_code == 200
    assert reads(world, father, child) == 200, "it was looked at twice: nothing is left to wait for"
    assert coming(world, mother, child) == []
    late = object_to(world, mother, child, asked)
    assert (late["status"], late["code"]) == (409, "guardianship_refused")


def test_a_child_old_enough_to_sign_in_objects_itself(world: World, mother: Person) -> None:
    girl, stranger = world.child_of(mother, date(2011, 2, 1)), world.person()
    asked = claimed(world, stranger, girl)
    answer = world.post(f"/citizens/me/coming-guardianships/{asked}/objection", girl)
    assert (answer.status_code, found_in(answer)["objected"]) == (200, True)
    decide(world, asked, "refusal", reason="objection")
    assert coming(world, girl, girl) == []


def test_nobody_else_objects_or_hears_of_it(world: World, mother: Person) -> None:
    child, stranger, neighbour = world.child_of(mother, CHILD), world.person(), world.person()
    asked = claimed(world, stranger, child)
    for who in (neighbour, stranger):
        assert object_to(world, who, child, asked)["status"] == 404
        assert world.get(f"/citizens/{child.id}/coming-guardianships", who).status_code == 404
    own = world.child_of(neighbour, CHILD)
    assert object_to(world, neighbour, own, asked)["status"] == 404, "about another child"


def test_what_a_registrar_put_down_or_what_stands_is_not_objected_to(world: World, mother: Person) -> None:
    child, father = world.child_of(mother, CHILD), world.person()
    relation = world.guard(father, child)
    assert coming(world, mother, child) == []
    late = object_to(world, mother, child, relation)
    assert (late["status"], late["code"]) == (409, "guardianship_refused")
