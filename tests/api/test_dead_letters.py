"""Ops see what was given up in counts, and have it sent again; letters by e-mail are one's own choice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications.outgoing import Attempt, Batch, BatchState, Push
from tests.logged import logged
from tests.world import World, found_in
from wallet_api.infra.ids import new_id

LIST = "/ops/dead-letters"


def given_up(world: World, minutes: int = 0) -> tuple[str, str]:
    """A push to somebody that was given up so many minutes ago: the letter's id, the person's."""
    whose, now = world.person(), world.now() - timedelta(minutes=minutes)
    push = Push(whose.id, new_id(), (), alert=True)
    attempts = (Attempt(now, {"unavailable": 1}),)
    made = Batch(new_id(), 5, "push.v1", (push,), now, now, state=BatchState.DEAD, tries=7, attempts=attempts)
    world.services.reminding.outbox.add(made)
    return made.id, whose.id


def test_an_operator_cannot_list_and_replay(world: World) -> None:
    operator = world.ops("operator")
    wanted, whose = given_up(world)
    given_up(world, minutes=5)
    first = found_in(world.get(f"{LIST}?limit=1", operator))
    [told] = first["items"]
    assert (told["id"], told["pushes"], told["answers"]) == (wanted, 1, {"unavailable": 1})
    assert whose not in str(first)
    rest = found_in(world.get(f"{LIST}?limit=1&cursor={first['next_cursor']}", operator))
    assert len(rest["items"]) == 1 and rest["items"][0]["id"] != wanted and rest["next_cursor"] is None

    for key in ({"Idempotency-Key": "replay-1"}, {"Idempotency-Key": "replay-1"}, {}):
        answer = world.post(f"{LIST}/{wanted}/replay", operator, headers=key)
        assert (answer.status_code, found_in(answer)["state"]) == (202, "queued")
    kept = world.services.reminding.outbox.get(wanted)
    assert kept is not None and kept.replays == 1 and kept.until > world.now() + timedelta(days=1)
    assert [each["reason"] for each in logged(world.db, action="reminder:sent")][:1] == [
        "dead_letter_replayed"
    ]
    assert wanted not in {each["id"] for each in found_in(world.get(LIST, operator))["items"]}


@pytest.mark.parametrize("letter", ["a" * 26, "never-was", "x" * 80])
def test_what_never_died_is_found(letter: str, world: World) -> None:
    answer = world.post(f"{LIST}/{letter}/replay", world.ops("operator"))
    assert (answer.status_code, found_in(answer)["code"]) == (404, "not_found")


def test_an_address_for_letters_is_seen_by_a_thief_or_malformed(world: World) -> None:
    an, path = world.person(), "/citizens/me/notification-preferences"
    chosen = {"opted_out": [], "from_hour": 8, "to_hour": 20, "locale": "vi", "email": "an@example.vn"}
    assert found_in(world.call("PUT", path, an, chosen)).items() >= chosen.items()
    assert found_in(world.get(path, an))["email"] == "an@example.vn"
    assert b"an@example.vn" not in repr(list(world.db["reminder_preferences"].find())).encode()
    for bad in (
        "an",
        "an@",
        "a@b",
        "a@b.vn\n",
        "a b@c.vn",
        "x" * 250 + "@c.vn",
        "<a@b.vn>",
        7,
        ["a@b.vn"],
        "",
    ):
        assert world.call("PUT", path, an, chosen | {"email": bad}).status_code == 422, bad
    assert found_in(world.call("PUT", path, an, chosen | {"email": None}))["email"] is None


def test_many_are_answered_for_as_one(world: World) -> None:
    """The sender asks for hundreds together; each answer is the one it would get alone."""
    guardian = world.person()
    child = world.child_of(guardian, born=world.now().date().replace(month=8, day=1))
    grown, absent = world.person(), new_id()
    read = world.services.reminding.dispatch._read
    ids = [guardian.id, child.id, grown.id, absent]
    facts, care = read.care.facts_of_many(ids), read.care.care_of_many(ids)  # type: ignore[attr-defined]
    told = read.recipients.reminded_of_many(ids)  # type: ignore[attr-defined]
    for each in ids:
        assert facts.get(each) == read.care.facts(each)
        assert list(care.get(each, ())) == list(read.care.care(each))
        assert list(told.get(each, ())) == list(read.recipients.who_is_reminded(each))
    assert told[child.id] == [guardian.id] and absent not in told
