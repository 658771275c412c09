"""Locked, unlocked: who signs in no more does so at once, and each change leaves its row."""

from __future__ import annotations

from typing import Any

import pytest

from tests.logged import logged
from tests.world import Json, Person, World, found_in
from wallet_api.audit.errors import LogUnavailable
from wallet_api.identity.errors import AccountLocked
from wallet_api.identity.model import Account
from wallet_api.identity.people import People, PersonClaims

PATH = "/ops/account-changes"


def change(person: Person, what: str, **more: Any) -> Json:
    return {"national_id": person.number, "change": what, "evidence_kind": "call"} | more


def signs_in(world: World, person: Person) -> None:
    people = world.services.identity.people
    account = Account("https://vneid.example", person.id)
    people.sign_in(account, PersonClaims(people.profile(person.id), person.number))


def test_a_lock_ends_every_session_at_once_and_unlocking_lets_in_again(world: World) -> None:
    registrar, person = world.ops("registrar"), world.person()
    token = person.token
    assert world.get("/citizens/me", token).status_code == 200
    locked = world.post(PATH, registrar, change(person, "lock"))
    assert (locked.status_code, found_in(locked)) == (201, {"change": "lock"})
    assert world.get("/citizens/me", token).status_code == 401
    assert world.post(PATH, registrar, change(person, "lock")).status_code == 201
    with pytest.raises(AccountLocked):
        signs_in(world, person)
    assert world.post(PATH, registrar, change(person, "unlock")).status_code == 201
    assert world.get("/citizens/me", token).status_code == 401, "what was ended stays ended"
    assert world.get("/citizens/me", world.signed_in(person)).status_code == 200


def test_a_death_is_no_change_one_person_makes(world: World) -> None:
    registrar, person = world.ops("registrar"), world.person()
    answer = world.post(PATH, registrar, change(person, "death"))
    assert (answer.status_code, found_in(answer)["code"]) == (422, "invalid_fields")
    assert world.get("/citizens/me", person).status_code == 200


def test_each_change_and_each_vain_try_leaves_a_row(world: World) -> None:
    registrar, person = world.ops("registrar"), world.person()
    for what in ("lock", "unlock"):
        assert world.post(PATH, registrar, change(person, what)).status_code == 201
    nobody = change(person, "lock") | {"national_id": "001188998877"}
    assert world.post(PATH, registrar, nobody).status_code == 404
    told = [(row["action"], row["reason"]) for row in logged(world.db, person.id)]
    assert told[-2:] == [("account:changed", "lock_call"), ("account:changed", "unlock_call")]
    vain = logged(world.db, reason="unknown_number")
    assert [(row["decision"], row.get("citizen_id")) for row in vain] == [("refuse", None)]
    seen = found_in(world.get("/citizens/me/access-log", world.signed_in(person)))
    assert nobody["national_id"] not in str(seen) and person.number not in str(logged(world.db))


def test_a_log_that_fails_holds_up_no_lock_and_lets_nobody_in_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    registrar, person = world.ops("registrar"), world.person()
    token = person.token

    def fails(*_: object) -> str:
        raise LogUnavailable("planted")

    with monkeypatch.context() as patch:
        patch.setattr(world.services.log.__class__, "append", fails)
        assert world.post(PATH, registrar, change(person, "lock")).status_code == 503
    assert world.get("/citizens/me", token).status_code == 401
    with monkeypatch.context() as patch:
        patch.setattr(world.services.log.__class__, "append", fails)
        patch.setattr(People, "unlock", lambda *_: pytest.fail("let in without a row"))
        assert world.post(PATH, registrar, change(person, "unlock")).status_code == 503
