"""An heir sees the summary of a dead person's book, by two people's word, for a while, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.life.deaths import die, report, revive
from tests.logged import logged
from tests.words import says
from tests.world import Person, World, bundle, condition, found_in, labelled, without_request_id
from wallet_api.identity.deaths import RULES
from wallet_api.infra.ids import new_id


def propose(world: World, death: str, heir: Person, registrar: Any = None, **over: str) -> Any:
    body = {
        "national_id": heir.number,
        "birth_date": heir.born.isoformat(),
        "relation": "child",
        "evidence_kind": "birth_certificate",
    } | over
    return world.post(f"/ops/deaths/{death}/heirs", registrar or world.ops("registrar"), body)


def decide(world: World, death: str, heir_id: str, decision: str, by: Any = None) -> Any:
    path = f"/ops/deaths/{death}/heirs/{heir_id}/decision"
    return world.post(path, by or world.ops("reviewer"), {"decision": decision})


def given(world: World, death: str, heir: Person) -> str:
    made = propose(world, death, heir)
    assert made.status_code == 201, made.get_data(as_text=True)
    heir_id = str(found_in(made)["id"])
    answer = decide(world, death, heir_id, "give")
    assert (answer.status_code, found_in(answer)["state"]) == (200, "given")
    return heir_id


def summary(world: World, heir: Person, bequest: str) -> Any:
    return world.get(f"/citizens/me/bequests/{bequest}/summary", world.signed_in(heir))


@pytest.fixture
def grandmother(world: World) -> Person:
    an = world.person("Trần Thị Bà", date(1940, 3, 1))
    world.send(
        world.doctor(), bundle(an, condition("plain", "I10"), labelled(condition("secret", "B20"), "HIV"))
    )
    return an


def test_an_heir_sees_the_summary_and_what_is_restricted_is_not_in_it(
    world: World, grandmother: Person
) -> None:
    heir = world.person()
    death = die(world, grandmother)
    bequest = given(world, death, heir)
    listed = found_in(world.get("/citizens/me/bequests", world.signed_in(heir)))["items"]
    assert [(each["id"], each["name"], each["relation"]) for each in listed] == [
        (bequest, grandmother.name, "child")
    ]
    answer = summary(world, heir, bequest)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    text = answer.get_data(as_text=True)
    assert says(text, "I10") and not says(text, "B20") and grandmother.number not in text
    assert grandmother.id not in text
    looks = [row for row in logged(world.db, grandmother.id) if row["reason"] == "heir"]
    assert [(row["actor_id"], row["action"]) for row in looks] == [(heir.id, "record:searched")]
    for path in ("", "/records", "/access-log", "/summary"):
        assert world.get(f"/citizens/{grandmother.id}{path}", world.signed_in(heir)).status_code == 404


def test_what_was_hidden_from_family_or_providers_is_not_shown(world: World, grandmother: Person) -> None:
    heir = world.person()
    who = world.signed_in(grandmother)
    items = found_in(world.get("/citizens/me/records?category=condition", who))["items"]
    assert len(items) == 2
    for audience, each in zip(("guardians", "providers"), items, strict=True):
        path = f"/citizens/me/records/{each['id']}/visibility"
        assert world.call("PUT", path, who, {"audience": audience, "hidden": True}).status_code == 204
    bequest = given(world, die(world, grandmother), heir)
    answer = summary(world, heir, bequest)
    assert answer.status_code == 200 and "I10" not in answer.get_data(as_text=True)


def test_nothing_is_shown_before_a_second_person_has_given_it(world: World, grandmother: Person) -> None:
    heir, both = world.person(), world.ops("registrar", "reviewer")
    death = die(world, grandmother)
    heir_id = found_in(propose(world, death, heir, both))["id"]
    assert summary(world, heir, heir_id).status_code == 404
    own = decide(world, death, heir_id, "give", both)
    assert (own.status_code, found_in(own)["code"]) == (409, "second_person_needed")
    assert "heir:decided" not in [row["action"] for row in logged(world.db, grandmother.id)]
    assert found_in(decide(world, death, heir_id, "refuse"))["state"] == "refused"
    late = decide(world, death, heir_id, "give")
    assert (late.status_code, found_in(late)["code"]) == (409, "heir_step_refused")
    assert summary(world, heir, heir_id).status_code == 404


def test_it_ends_by_time_by_decision_and_when_the_death_was_a_mistake(
    world: World, grandmother: Person
) -> None:
    heirs = [world.person() for _ in range(3)]
    death = die(world, grandmother)
    ended, timed, undone = (given(world, death, each) for each in heirs)
    assert decide(world, death, ended, "end").status_code == 200
    assert summary(world, heirs[0], ended).status_code == 404
    assert summary(world, heirs[1], timed).status_code == 200
    world.forward(days=RULES.heir_days)
    assert summary(world, heirs[1], timed).status_code == 404
    again = given(world, death, heirs[2])
    assert summary(world, heirs[2], again).status_code == 200
    revive(world, death)
    for each in (again, undone):
        assert summary(world, heirs[2], each).status_code == 404
    assert found_in(world.get("/citizens/me/bequests", world.signed_in(heirs[2])))["items"] == []
    assert propose(world, death, heirs[2]).status_code == 409


def test_what_a_mistake_gave_stays_closed_after_the_real_death(world: World, grandmother: Person) -> None:
    heir = world.person()
    mistake = die(world, grandmother)
    bequest = given(world, mistake, heir)
    revive(world, mistake)
    real = die(world, grandmother)
    assert summary(world, heir, bequest).status_code == 404
    assert summary(world, heir, given(world, real, heir)).status_code == 200


def test_anothers_bequest_is_answered_as_one_that_never_was(world: World, grandmother: Person) -> None:
    bequest = given(world, die(world, grandmother), world.person())
    stranger = world.person()
    theirs, absent = (summary(world, stranger, each) for each in (bequest, new_id()))
    assert theirs.status_code == 404
    assert without_request_id(theirs) == without_request_id(absent)


def test_a_look_needs_a_sign_in_of_the_last_minutes(world: World, grandmother: Person) -> None:
    heir = world.person()
    bequest = given(world, die(world, grandmother), heir)
    stale = world.signed_in(heir, ago=timedelta(minutes=10))
    assert world.get(f"/citizens/me/bequests/{bequest}/summary", stale).status_code == 401


def test_who_is_no_heir_is_refused(world: World, grandmother: Person) -> None:
    heir, dead = world.person(), world.person()
    reported = found_in(report(world, grandmother))["id"]
    assert propose(world, reported, heir).status_code == 409, "the death is not confirmed"
    death, _ = die(world, world.person()), die(world, dead)
    assert propose(world, death, dead).status_code == 409, "the dead inherit nothing"
    assert propose(world, death, heir, birth_date="1990-05-05").status_code == 404
    assert propose(world, new_id(), heir).status_code == 404


def test_an_heir_that_is_ended_while_reading_gets_nothing(
    world: World, grandmother: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    heir = world.person()
    death = die(world, grandmother)
    bequest = given(world, death, heir)
    readers = type(world.services.book.readers)
    inner = readers.of_heir

    def ends_meanwhile(*args: Any) -> Any:
        found = inner(*args)
        kit = world.services
        kit.heirs.decide(kit.deaths.get(death), bequest, "end", "somebody-else")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(readers, "of_heir", ends_meanwhile)
        assert summary(world, heir, bequest).status_code == 404
