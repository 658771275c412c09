"""Known, unknown, blocking, dead, under age: an emergency gets the same bytes, for the same work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.emergency.glass import PATH, filled, hospital, need, read
from tests.listening import Operations, named
from tests.world import START, Doctor, World, found_in
from wallet_api.infra.ids import new_id
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.wiring import licences

REFS = ("id", "citizen_ref", "expires_at")
"""What is new each time: ids that are sealed, and the time."""


@pytest.fixture(scope="module")
def operations() -> Operations:
    return Operations()


@pytest.fixture(scope="module")
def world(
    embedded_uri: str, operations: Operations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    db = operations.open_database(embedded_uri, f"glass_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    made.clock.set_to(START)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(licences, "HELD_SECONDS", 3600.0)
        yield made
    made.services.log.close()
    db.client.close()


def work_of(operations: Operations, call: Callable[[], TestResponse]) -> tuple[TestResponse, Counter[str]]:
    """The answer and the work before it is out; telling the person comes after."""
    with operations.heard() as commands:
        answer = call()
        answer.get_data()
    return answer, Counter(named(each) for each in commands)


def shape(answer: TestResponse) -> tuple[object, ...]:
    """All that an answer tells but what is sealed in it, whose length counts."""
    body = found_in(answer)
    if "access_session" in body:
        opened = body["access_session"]
        # What is sealed holds an instant, whose fractions may be a digit longer or shorter.
        body["access_session"] = len(opened["id"]) > 200, len(opened["expires_at"])
    for name in REFS:
        if name in body:
            body[name] = len(body[name])
    body.pop("request_id", None)
    headers = sorted((name, text) for name, text in answer.headers if name not in ("Request-Id", "Date"))
    return answer.status_code, sorted(body.items(), key=str), headers


def differences(seen: dict[str, tuple[Any, ...]]) -> list[tuple[str, Any, Any]]:
    """Who is answered otherwise than somebody known, or costs other work, and how."""
    found = []
    for who, parts in seen.items():
        for mine, known in zip(parts, seen["known"], strict=True):
            if isinstance(mine, Counter) and mine != known:
                found.append((who, dict(mine - known), dict(known - mine)))
            elif mine != known:
                found.append((who, mine, known))
    return found


def kinds(world: World, doctor: Doctor) -> dict[str, str]:
    """Numbers of every kind of person, and of nobody. None of them has anything an emergency shows."""
    blocker, dead, granted, mother = (world.person() for _ in range(4))
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, blocker).status_code == 204
    world.services.identity.people.record_death(dead.id, world.now().date())
    world.grant(doctor, granted)
    restricted = world.person()
    MongoRestrictions(world.db).set(restricted.id, "request", on=True)
    return {
        "known": world.person().number,
        "blocking": blocker.number,
        "restricted": restricted.number,
        "dead": dead.number,
        "granted": granted.number,
        "under age": world.child_of(mother).number,
        "absent": "001190777771",
        "other absent": "001190777772",
    }


def test_c11_c21_opening_and_reading_is_the_same_whoever_is_meant(
    world: World, operations: Operations
) -> None:
    doctor = hospital(world)
    people = kinds(world, doctor)
    world.post(PATH, doctor, need(world.person()))
    for turn in ("first", "again"):
        seen: dict[str, Any] = {}
        for who, number in people.items():
            token, body = doctor.token, need(number)
            answer, work = work_of(operations, lambda: world.post(PATH, token, body))  # noqa: B023 - called at once
            access = found_in(answer)
            listed, looked = work_of(operations, lambda: read(world, token, access))  # type: ignore[arg-type]  # noqa: B023 - a bearer text; called at once
            again = {"citizen_ref": access["citizen_ref"], "purpose": "BTG"}
            reopened, opening = work_of(
                operations,
                lambda: world.post("/provider/access-sessions", token, again),  # noqa: B023 - called at once
            )
            assert (answer.status_code, listed.status_code, reopened.status_code) == (201, 200, 201), who
            seen[who] = shape(answer), work, listed.get_data(), looked, reopened.status_code, opening
        assert sum(seen["known"][1].values()) >= 6
        assert differences(seen) == [], turn


def test_a_reference_of_an_emergency_is_no_ones_usual_one(world: World) -> None:
    doctor, an = hospital(world), world.person()
    made = world.grant(doctor, an)
    first, second = (found_in(world.post(PATH, doctor, need(an))) for _ in range(2))
    assert len({made.citizen_ref, first["citizen_ref"], second["citizen_ref"]}) == 3
    nobody = [found_in(world.post(PATH, doctor, need("001190777773"))) for _ in range(2)]
    assert nobody[0]["citizen_ref"] != nobody[1]["citizen_ref"]


def test_who_blocks_shows_nothing_and_learns_of_the_attempt(world: World) -> None:
    doctor, an = hospital(world), filled(world)
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, an).status_code == 204
    answer = world.post(PATH, doctor, need(an))
    assert found_in(read(world, doctor, found_in(answer)))["items"] == []
    answer.close()
    line = found_in(world.get("/citizens/me/access-log?limit=1", an))["items"][0]
    assert (line["action"], line["decision"], line["reason"]) == ("emergency:opened", "refuse", "blocked")
    (message,) = found_in(world.get("/citizens/me/inbox", an))["items"]
    assert "không xem được gì" in message["body"]
    assert found_in(world.get("/citizens/me/grants", an))["items"] == []


def test_refusals_of_the_asker_are_the_same_whoever_is_meant(world: World, operations: Operations) -> None:
    doctor = world.doctor()  # not licensed for it
    people = kinds(world, doctor)
    world.post(PATH, doctor, need("001190777774"))
    seen = {}
    for who, number in people.items():
        token, body = doctor.token, need(number)
        answer, work = work_of(operations, lambda: world.post(PATH, token, body))  # noqa: B023 - called at once
        # By the licence, before anything is opened: `not_covered` would come from the reading after it.
        assert (answer.status_code, found_in(answer)["code"]) == (403, "not_licensed")
        seen[who] = shape(answer), work
    assert differences(seen) == []
