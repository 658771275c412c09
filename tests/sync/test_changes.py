"""A phone's copy of a book over HTTP: first in pages, then what changed, and when it begins anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.test_companions import hide
from tests.listening import Operations, named
from tests.logged import logged
from tests.world import Doctor, Json, Person, World, bundle, condition, found_in
from wallet_api.audit.errors import LogUnavailable
from wallet_api.infra.ids import new_id


@dataclass
class Phone:
    """An app that keeps a copy, as docs/offline-copies.md has it."""

    world: World
    who: Person
    whose: str = "me"
    since: str | None = None
    copy: dict[str, Json] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)

    def path(self, limit: int = 100) -> str:
        since = f"&since={self.since}" if self.since else ""
        return f"/citizens/{self.whose}/changes?limit={limit}{since}"

    def page(self, limit: int = 100) -> bool:
        answer = self.world.get(self.path(limit), self.who)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        body = found_in(answer)
        assert len(body["items"]) <= limit
        for each in body["items"]:
            if not each.get("deleted"):
                self.copy[each["id"]] = each
            elif self.copy.pop(each["id"], None) is None:
                self.unseen.append(each["id"])
        self.since = body["next_since"]
        return bool(body["has_more"])

    def sync(self, limit: int = 100) -> None:
        while self.page(limit):
            pass

    def listed(self) -> dict[str, Json]:
        answer = self.world.get(f"/citizens/{self.whose}/records?limit=100", self.who)
        return {each["id"]: each for each in found_in(answer)["items"]}

    def check(self) -> None:
        assert self.copy == self.listed() and self.unseen == []


@pytest.fixture(scope="module")
def doctor(shared_world: World) -> Doctor:
    return shared_world.doctor()


@pytest.fixture
def mother(world: World) -> Person:
    return world.person()


@pytest.fixture
def girl(world: World, mother: Person) -> Person:
    """Somebody of fifteen with a session of her own."""
    return world.signed_in(world.child_of(mother, world.now().date().replace(year=2011)))


def show(world: World, who: Person, record: str, audience: str = "guardians") -> None:
    path, body = f"/citizens/me/records/{record}/visibility", {"audience": audience, "hidden": False}
    assert world.call("PUT", path, who, body).status_code == 204


def test_a_copy_is_fetched_in_pages_and_follows_what_changes(world: World, doctor: Doctor) -> None:
    an = world.person()
    phone = Phone(world, an)
    phone.sync()
    assert phone.copy == {}
    world.send(doctor, bundle(an, *(condition(f"c{number}") for number in range(7))))
    phone = Phone(world, an)
    phone.sync(limit=3)
    phone.check()
    assert len(phone.copy) == 7
    world.send(doctor, bundle(an, condition("c2", on="2025"), condition("new")))
    own = {"kind": "body_weight", "occurred_on": "2026", "value": 60}
    assert world.post("/citizens/me/records", an, own).status_code == 201
    before = dict(phone.copy)
    phone.sync(limit=2)
    phone.check()
    changed = {each["id"] for each in phone.copy.values() if each != before.get(each["id"])}
    assert len(changed) == 3 and sorted(phone.copy[each]["version"] for each in changed) == [1, 1, 2]


def test_what_is_hidden_is_forgotten_by_whoever_had_it(
    world: World, doctor: Doctor, mother: Person, girl: Person
) -> None:
    world.send(doctor, bundle(girl, condition("open"), condition("shame")))
    hers, theirs = Phone(world, girl), Phone(world, mother, girl.id)
    for each in (hers, theirs):
        each.sync()
    record = hide(world, girl, "shame")
    for each in (hers, theirs):
        each.sync()
        each.check()
    assert record in hers.copy and record not in theirs.copy
    world.send(doctor, bundle(girl, condition("shame", on="2025-02")))
    for each in (hers, theirs):
        each.sync()
        each.check()
    show(world, girl, record)
    theirs.sync()
    theirs.check()
    assert theirs.copy[record]["version"] == 2


def test_what_a_guardian_never_had_leaves_no_trace(
    world: World, doctor: Doctor, mother: Person, girl: Person, operations: Operations
) -> None:
    world.send(doctor, bundle(girl, condition("open")))
    theirs = Phone(world, mother, girl.id)
    theirs.sync()
    lengths = len(str(theirs.since))
    with operations.heard() as nothing:
        calm = world.get(theirs.path(), mother)
    world.send(doctor, bundle(girl, condition("shame")))
    hide(world, girl, "shame")
    world.send(doctor, bundle(girl, condition("shame", on="2025-03")))
    with operations.heard() as hidden:
        answer = world.get(theirs.path(), mother)
    assert found_in(answer)["items"] == [] and found_in(answer)["has_more"] is False
    assert answer.headers["ETag"] == calm.headers["ETag"]
    assert [named(each) for each in hidden] == [named(each) for each in nothing]
    assert [named(each) for each in nothing].count("find book_fronts") == 1
    assert not any("records" in named(each) or "audit_log" in named(each) for each in nothing)
    theirs.sync()
    assert len(str(theirs.since)) == lengths and theirs.unseen == []


@pytest.mark.parametrize("late", [False, True])
def test_a_safety_flag_is_told_only_by_what_it_takes_away(
    world: World, mother: Person, girl: Person, late: bool
) -> None:
    shelter = world.doctor(name="Phòng khám kín")
    theirs = Phone(world, mother, girl.id)
    theirs.sync()
    since = world.now().isoformat()
    world.send(shelter, bundle(girl, condition("bruise")))
    if late:
        theirs.sync()
        assert len(theirs.copy) == 1
    named_ = {"citizen_id": girl.id, "organisation_id": shelter.organisation_id}
    body = {"kind": "child_abuse", "since": since} | named_
    flag = world.post("/ops/safety-flags", world.ops("reviewer"), body)
    assert flag.status_code == 201
    world.send(shelter, bundle(girl, condition("fracture")))
    theirs.sync()
    theirs.check()
    assert theirs.copy == {}
    lifted = world.call("DELETE", f"/ops/safety-flags/{found_in(flag)['id']}", world.ops("reviewer"))
    assert lifted.status_code == 204
    theirs.sync()
    theirs.check()
    assert len(theirs.copy) == 2


def test_what_is_somebody_elses_goes_from_the_persons_own_copy(world: World, doctor: Doctor) -> None:
    an = world.person()
    world.send(doctor, bundle(an, condition("c1"), condition("c2")))
    phone = Phone(world, an)
    phone.sync()
    record = sorted(phone.copy)[0]
    assert world.post(f"/citizens/me/records/{record}/not-mine", an).status_code in (200, 201)
    phone.sync()
    phone.check()
    assert record not in phone.copy
    assert world.call("DELETE", f"/citizens/me/records/{record}/not-mine", an).status_code in (200, 204)
    phone.sync()
    phone.check()
    assert record in phone.copy


def test_a_copy_goes_on_after_weeks_and_begins_anew_after_months(world: World, doctor: Doctor) -> None:
    an = world.person()
    world.send(doctor, bundle(an, condition("c1")))
    phone = Phone(world, an)
    phone.sync()
    world.forward(days=80)
    an = phone.who = world.signed_in(an)
    world.send(doctor, bundle(an, condition("c2")))
    old = phone.since
    phone.sync()
    phone.check()
    world.forward(days=9)
    phone.who = world.signed_in(an)
    renewed, phone.since = phone.since, old
    assert world.get(phone.path(), phone.who).status_code == 200
    world.forward(days=2)
    phone.who = world.signed_in(an)
    answer = world.get(phone.path(), phone.who)
    assert (answer.status_code, found_in(answer)["code"]) == (410, "resync_required")
    phone.since = renewed
    assert world.get(phone.path(), phone.who).status_code == 200


def test_a_new_guardianship_begins_a_new_copy(
    world: World, doctor: Doctor, mother: Person, girl: Person
) -> None:
    world.send(doctor, bundle(girl, condition("c1")))
    theirs = Phone(world, mother, girl.id)
    theirs.sync()
    family = world.services.identity.family
    for each in family.guardians_of(girl.id, world.now()):
        family.end(each.id)
    assert world.get(theirs.path(), mother).status_code == 404
    world.guard(mother, girl)
    assert world.get(theirs.path(), mother).status_code == 410
    theirs = Phone(world, mother, girl.id)
    theirs.sync()
    theirs.check()


def test_a_cursor_is_good_for_its_own_reader_and_book(
    world: World, doctor: Doctor, mother: Person, girl: Person
) -> None:
    phones = [Phone(world, mother), Phone(world, mother, girl.id), Phone(world, girl)]
    for each in phones:
        each.sync()
    for one in phones:
        for other in phones:
            lent = Phone(world, one.who, one.whose, other.since)
            expected = 200 if one is other else 400
            assert world.get(lent.path(), lent.who).status_code == expected
    records = found_in(world.get("/citizens/me/records?limit=1", girl))
    assert records["next_cursor"] is None
    for since in ("x", "A" * 2048, new_id()):
        answer = world.get(f"/citizens/me/changes?since={since}", girl)
        assert (answer.status_code, found_in(answer)["code"]) == (400, "bad_cursor")
    assert world.get(f"/citizens/{new_id()}/changes", girl).status_code == 404
    assert world.get("/citizens/me/changes?limit=0", girl).status_code == 422


def test_a_tag_saves_what_is_known(world: World, doctor: Doctor) -> None:
    an = world.person()
    world.send(doctor, bundle(an, condition("c1")))
    phone = Phone(world, an)
    phone.sync()
    tag = world.get(phone.path(), an).headers["ETag"]
    same = world.get(phone.path(), an, headers={"If-None-Match": tag})
    assert (same.status_code, same.get_data(), same.headers["ETag"]) == (304, b"", tag)
    world.forward(days=1)
    renewed = world.get(phone.path(), an, headers={"If-None-Match": tag})
    assert renewed.status_code == 200, "once a day the cursor is made new"
    world.send(doctor, bundle(an, condition("c2")))
    assert world.get(phone.path(), an, headers={"If-None-Match": tag}).status_code == 200


def looks(world: World, whose: str) -> list[Any]:
    return [each["record_count"] for each in logged(world.db, whose, action="record:searched")]


def test_what_is_handed_over_is_logged_and_nothing_is_not(
    world: World, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    an = world.person()
    world.send(doctor, bundle(an, condition("c1"), condition("c2")))
    phone = Phone(world, an)
    phone.sync()
    assert looks(world, an.id) == [2]
    phone.sync()
    assert looks(world, an.id) == [2], "phones ask all day"
    world.send(doctor, bundle(an, condition("c3")))

    def fail(*_: Any) -> str:
        raise LogUnavailable("planted")

    with monkeypatch.context() as patch:
        patch.setattr(type(world.services.log), "append", fail)
        refused = world.get(phone.path(), an)
        assert refused.status_code == 503 and "resource" not in refused.get_data(as_text=True)
    phone.sync()
    assert looks(world, an.id) == [2, 1]


def test_a_guardianship_that_ends_during_a_sync_takes_the_answer_back(
    world: World, doctor: Doctor, mother: Person, girl: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send(doctor, bundle(girl, condition(code="I10")))
    family = world.services.identity.family
    records = world.services.book.readers._parts.records
    read = records.following

    def ended(*asked: Any) -> Any:
        found = read(*asked)
        for each in family.guardians_of(girl.id, world.now()):
            family.end(each.id)
        return found

    monkeypatch.setattr(records, "following", ended)
    answer = world.get(f"/citizens/{girl.id}/changes", mother)
    assert answer.status_code == 404 and "I10" not in answer.get_data(as_text=True)
