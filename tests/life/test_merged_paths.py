"""What follows a merge elsewhere: signing in, copies, files, restrictions, erasure, what is told after."""

from __future__ import annotations

import pytest

from tests.life.merging import decide, merge, part, propose
from tests.rights.steps import asked, completed
from tests.sync.test_changes import Phone
from tests.world import Person, World, bundle, condition, found_in
from wallet_api.identity.errors import AccountLocked, StaleVersion, TokenRefused
from wallet_api.identity.model import Account
from wallet_api.identity.people import PersonClaims
from wallet_api.infra.ids import new_id
from wallet_api.rights.erasure import SETTLES_AFTER

ISSUER = "https://v.example"


def filled(world: World, person: Person, *names: str) -> None:
    doctor = world.doctor()
    for name in names:
        assert world.send(doctor, bundle(person, condition(name)))["accepted"] == 1


def signs_in(world: World, person: Person, account: str = "") -> str:
    people = world.services.identity.people
    claims = PersonClaims(people.profile(person.id), person.number)
    return people.sign_in(Account(ISSUER, account or person.id), claims)


def test_either_identity_signs_in_to_the_surviving_book(world: World) -> None:
    an, old, fresh = world.person(), world.person(), world.person()
    assert (signs_in(world, an), signs_in(world, old)) == (an.id, old.id)
    made = merge(world, an, old)
    assert (signs_in(world, an), signs_in(world, old)) == (an.id, an.id)
    both = PersonClaims(world.services.identity.people.profile(an.id), old.number)
    assert world.services.identity.people.sign_in(Account(ISSUER, an.id), both) == an.id
    merge(world, an, fresh)
    assert signs_in(world, fresh, "first sign-in") == an.id
    world.services.identity.people.lock(an.id)
    with pytest.raises(AccountLocked):
        signs_in(world, old)
    world.services.identity.people.unlock(an.id)
    part(world, made)
    assert (signs_in(world, an), signs_in(world, old)) == (an.id, old.id)


def test_an_account_is_locked_by_the_number_of_either_book(world: World) -> None:
    an, old = world.person(), world.person()
    merge(world, an, old)
    an = world.signed_in(an)
    body = {"national_id": old.number, "change": "lock", "evidence_kind": "call"}
    answer = world.post("/ops/account-changes", world.ops("registrar"), body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    assert world.get("/citizens/me", an).status_code == 401


def test_nobody_is_signed_in_across_a_merge(world: World) -> None:
    an, old = world.person(), world.person()
    world.services.identity.people.join(an.id, old.id)
    with pytest.raises(TokenRefused):
        world.signed_in(old)
    assert world.services.identity.sessions.of(an.id) == []
    now = world.signed_in(an)
    assert world.get("/citizens/me", now).status_code == 200
    world.services.identity.people.part(an.id, old.id)
    assert world.get("/citizens/me", now).status_code == 401
    assert world.signed_in(old)


def test_pages_files_copies_and_resources_are_of_both_books(world: World) -> None:
    an, old = world.person(), world.person()
    filled(world, an, "a1", "a2")
    filled(world, old, "b1")
    merge(world, an, old)
    an = world.signed_in(an)
    first = found_in(world.get("/citizens/me/records?limit=2", an))
    second = found_in(world.get(f"/citizens/me/records?limit=2&cursor={first['next_cursor']}", an))
    ids = [each["id"] for each in (*first["items"], *second["items"])]
    assert len(ids) == len(set(ids)) == 3
    for each in ids:
        assert world.get(f"/citizens/me/records/{each}", an).status_code == 200
        assert world.get(f"/fhir/Condition/{each}", an).status_code == 200
        assert world.get(f"/citizens/me/records/{each}/versions", an).status_code == 200
    everything = found_in(world.get(f"/fhir/Patient/{an.id}/$everything?_count=100", an))
    found = [each["resource"] for each in everything["entry"]]
    assert len([each for each in found if each["resourceType"] == "Condition"]) == 3
    summary = world.get("/citizens/me/summary", an)
    assert summary.status_code == 200 and any(each in summary.get_data(as_text=True) for each in ids)
    assert world.get(f"/fhir/Patient/{an.id}/$summary", an).status_code == 200
    request = asked(world, an, "copy")
    completed(world, request)
    copy = found_in(world.get(f"/citizens/me/rights-requests/{request['id']}/copy", an))
    assert len(copy["records"]["entry"]) == 3 and len(copy["citizen"]["identifiers"]) == 2


def test_a_phones_copy_begins_anew_and_follows_both_books(world: World) -> None:
    an, old, doctor = world.person(), world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("a1")))
    world.send(doctor, bundle(old, condition("b1")))
    before = Phone(world, an)
    before.sync()
    merge(world, an, old)
    an = world.signed_in(an)
    phone = Phone(world, an)
    phone.sync(limit=1)
    phone.check()
    assert len(phone.copy) == 2
    world.send(doctor, bundle(old, condition("b2")))
    world.send(doctor, bundle(an, condition("a2")))
    phone.sync(limit=1)
    phone.check()
    assert len(phone.copy) == 4


def test_a_restriction_of_either_book_holds_for_both_until_they_part(world: World) -> None:
    doctor, an, old = world.doctor(), world.person(), world.person()
    filled(world, an, "a1")
    given = world.grant(doctor, an)
    restrictions = world.services.merging._effects.restrictions  # type: ignore[attr-defined]  # no other way
    restrictions.set(old.id, "request", on=True)
    assert given.open().status_code == 201
    made = merge(world, an, old)
    assert given.open().status_code == 403
    restrictions.set(old.id, "request", on=False)
    assert given.open().status_code == 201
    restrictions.set(an.id, "another", on=True)
    assert restrictions.holds(old.id)
    restrictions.set(an.id, "another", on=False)
    restrictions.set(old.id, "third", on=True)
    assert restrictions.holds(an.id)
    part(world, made)
    assert not restrictions.holds(an.id) and restrictions.held(old.id) == {"third"}


def test_an_erasure_reaches_both_books(world: World) -> None:
    an, old = world.person(), world.person()
    made = merge(world, an, old)
    an = world.signed_in(an)
    request = asked(world, an, "erase")
    completed(world, request)
    for each in (an.id, old.id):
        assert world.db["citizens"].count_documents({"_id": each}) == 0
        assert world.db["identifiers"].count_documents({"citizen_id": each}) == 0
        assert world.db["tombstones"].count_documents({"citizen_id": each}) == 1
    assert world.db["merges"].count_documents({"_id": made, "content": {"$exists": True}}) == 0
    world.forward(seconds=SETTLES_AFTER.total_seconds() + 1)
    assert world.services.rights.settle()
    case = found_in(world.get(f"/ops/merges/{made}", world.ops("reviewer")))
    assert (case["surviving"], case["absorbed"], case["paper_number"]) == (None, None, "")


def test_each_books_log_tells_of_its_own_records_and_parting_lists_who_looked(world: World) -> None:
    an, old = world.person(), world.person()
    filled(world, an, "a1")
    filled(world, old, "b1", "b2")
    made = merge(world, an, old)
    an = world.signed_in(an)
    assert world.get("/citizens/me/records", an).status_code == 200
    own = {"kind": "body_weight", "occurred_on": "2026", "value": 60}
    assert world.post("/citizens/me/records", an, own).status_code == 201
    assert world.get(f"/citizens/{old.id}/access-log", an).status_code == 200
    looks = [each.event for each in world.services.log.entries(old.id)]
    mine = [each for each in looks if each.actor_id == an.id and each.record_count]
    assert [each.record_count for each in mine] == [2]
    case = part(world, made)
    seen = [(each["side"], each["record_count"]) for each in case["looks"] if each["actor_kind"] == "citizen"]
    assert sorted(seen) == [("absorbed", 2), ("surviving", 1)]
    assert [each["side"] for each in case["writings"]] == ["surviving"] and case["whole"] is True


def test_hiding_in_either_book_stops_a_reader_of_that_book(world: World) -> None:
    doctor, an, old = world.doctor(), world.person(), world.person()
    filled(world, old, "b1")
    given = world.grant(doctor, old)
    session = given.session()
    assert len(given.seen()) == 1
    merge(world, an, old)
    an = world.signed_in(an)
    (record,) = found_in(world.get("/citizens/me/records", an))["items"]
    assert record["id"] in world.get("/citizens/me/summary", an).get_data(as_text=True)
    body = {"audience": "providers", "hidden": True}
    path = f"/citizens/me/records/{record['id']}/visibility"
    assert world.call("PUT", path, an, body).status_code == 204
    assert session and given.seen() == []


def test_two_decisions_at_once_make_one_merge(world: World) -> None:
    an, old = world.person(), world.person()
    made = found_in(propose(world, an, old))["id"]
    world.forward(days=7)
    desk = world.services.merging
    before = desk.get(made)
    assert decide(world, made, "confirm").status_code == 200
    with pytest.raises(StaleVersion):
        desk._merges.save(before, expected=before.version)
    assert decide(world, made, "confirm").status_code == 200, "the same again changes nothing"
    assert world.services.identity.people.citizen(an.id).joined == (old.id,)
    answer = world.post(f"/ops/merges/{new_id()}/decision", world.ops("reviewer"), {"decision": "confirm"})
    assert answer.status_code == 404
