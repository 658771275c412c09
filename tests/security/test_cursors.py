"""A cursor is good for the reader, the citizen and the question it was given for, and for an hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tests.world import START, Doctor, Json, Person, World, bundle, condition, found_in, immunization
from wallet_api.identity.model import Practitioner
from wallet_api.records import pages

Told = Callable[[str, object], None]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True)
class Scene:
    """A child, both guardians, and two hospitals that know its book and call a doctor by the same name."""

    mother: Person
    child: Person
    paths: dict[str, tuple[Any, str, dict[str, str]]]
    """Reader's name: caller, path of the list, headers."""

    def read(self, world: World, who: str, query: str) -> Any:
        """One page."""
        caller, path, headers = self.paths[who]
        return world.get(f"{path}?limit=1{query}", caller, headers=headers)


@pytest.fixture(scope="module")
def scene(shared_world: World) -> Scene:
    world = shared_world
    world.clock.set_to(START)
    mother, father = world.person(), world.person()
    child = world.child_of(mother)
    world.guard(father, child)
    first, second = world.doctor(), world.doctor()
    namesake = first.practitioner_id or ""
    world.services.identity.organisations.enroll(
        Practitioner(namesake, second.organisation_id, "BS. Khánh", "physician", date(2020, 1, 1))
    )
    second = Doctor(world, second.organisation_id, second.client_id, namesake)
    for person in (child, mother, father):
        sent = [condition(source_id=f"c{index}") for index in range(3)]
        world.send(first, bundle(person, *sent, immunization(source_id="i1")))
    paths: dict[str, tuple[Any, str, dict[str, str]]] = {
        "mother of the child": (mother, f"/citizens/{child.id}/records", {}),
        "father of the child": (father, f"/citizens/{child.id}/records", {}),
        "mother of herself": (mother, "/citizens/me/records", {}),
        "father of himself": (father, "/citizens/me/records", {}),
    }
    for name, doctor in (("first", first), ("second", second), ("colleague", world.colleague(first))):
        made = world.grant(doctor, mother)
        headers = {"Access-Session": made.session()}
        paths[f"{name} doctor"] = (doctor, f"/provider/citizens/{made.citizen_ref}/records", headers)
    return Scene(mother, child, paths)


def refused(answer: Any) -> bool:
    """Whether it is 400 bad_cursor and nothing else."""
    body: Json = found_in(answer)
    return answer.status_code == 400 and body["code"] == "bad_cursor" and "items" not in body


def cursor_of(scene: Scene, world: World, who: str, query: str = "") -> str:
    answer = scene.read(world, who, query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return str(found_in(answer)["next_cursor"])


def test_a_cursor_serves_another_reader_or_book(world: World, scene: Scene, record_property: Told) -> None:
    tried = 0
    for owner in scene.paths:
        cursor = cursor_of(scene, world, owner)
        for reader in scene.paths:
            answer = scene.read(world, reader, f"&cursor={cursor}")
            tried += 1
            if reader == owner:
                assert answer.status_code == 200 and len(found_in(answer)["items"]) == 1
            else:
                assert refused(answer), (owner, reader, answer.status_code)
    record_property("cursors_swapped", tried)
    print(f"cursors swapped: {tried}")


def test_the_organisation_is_what_tells_namesakes_apart(
    world: World, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard can fail: with the practitioner's name alone the other hospital's cursor is taken."""

    def nameless(listed: str, reader: Any, citizen_id: str, *asked: str) -> tuple[str, ...]:
        return (listed, reader.kind, reader.id, citizen_id, *asked)

    monkeypatch.setattr("wallet_api.records.reader.bound", nameless)
    assert pages.bound is not nameless
    cursor = cursor_of(scene, world, "first doctor")
    assert scene.read(world, "second doctor", f"&cursor={cursor}").status_code == 200


def test_a_cursor_serves_another_question(world: World, scene: Scene) -> None:
    questions = ("", "&category=condition", "&category=condition&category=immunization")
    questions += ("&from=2001-01-01", "&to=2100-01-01", "&from=2001-01-01&to=2100-01-01")
    given = {question: cursor_of(scene, world, "mother of herself", question) for question in questions}
    for asked, cursor in given.items():
        for question in questions:
            answer = scene.read(world, "mother of herself", f"{question}&cursor={cursor}")
            assert (answer.status_code == 200) if question == asked else refused(answer), (asked, question)


def test_a_cursor_serves_another_list(world: World, scene: Scene) -> None:
    cursor = cursor_of(scene, world, "mother of herself")
    for path in ("access-log", "inbox"):
        assert refused(world.get(f"/citizens/me/{path}?cursor={cursor}", scene.mother)), path
    log = found_in(world.get("/citizens/me/access-log?limit=1", scene.mother))["next_cursor"]
    assert refused(scene.read(world, "mother of herself", f"&cursor={log}"))
    assert refused(world.get(f"/citizens/{scene.child.id}/access-log?cursor={log}", scene.mother))
    assert refused(world.get(f"/citizens/me/inbox?cursor={log}", scene.mother))


def test_a_changed_cursor_is_taken(world: World, scene: Scene, record_property: Told) -> None:
    cursor = cursor_of(scene, world, "mother of herself")
    forged = [
        cursor[:at] + LETTERS[(LETTERS.index(letter) + 1) % 64] + cursor[at + 1 :]
        for at, letter in enumerate(cursor)
    ]
    forged += [cursor[:length] for length in range(1, len(cursor), 7)]
    forged += [cursor + "A", cursor + "=", cursor * 2, cursor[::-1], "A" * len(cursor), cursor.swapcase()]
    for text in forged:
        assert refused(scene.read(world, "mother of herself", f"&cursor={text}")), text
    record_property("cursors_forged", len(forged))
    print(f"cursors forged: {len(forged)}")


def test_a_cursor_is_good_for_more_than_an_hour(world: World, scene: Scene) -> None:
    cursor = cursor_of(scene, world, "mother of herself")
    world.forward(minutes=59)
    assert scene.read(world, "mother of herself", f"&cursor={cursor}").status_code == 200
    world.forward(minutes=1)
    assert refused(scene.read(world, "mother of herself", f"&cursor={cursor}"))
