"""Asking for files, following and fetching them: who may, within which bounds, and what ends it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.exports.steps import ask, asked, fetch, file_of, state, work
from tests.pages.resources import visit
from tests.rights.steps import asked as rights_asked
from tests.rights.steps import completed
from tests.world import Json, Person, World, bundle, condition, found_in, immunization, without_request_id
from wallet_api.audit.errors import LogUnavailable
from wallet_api.exports.desk import MOST_KEPT
from wallet_api.exports.model import LEASE, MOST_TRIES
from wallet_api.infra.ids import new_id


def filled(world: World) -> Person:
    an = world.person()
    world.send(world.doctor(), bundle(an, immunization(), condition(), visit()))
    return an


def exported(world: World, who: Person, whose: str = "me") -> list[Json]:
    items = found_in(world.get(f"/citizens/{whose}/access-log?limit=100", who))["items"]
    return [each for each in items if each["action"] == "record:exported"]


def kept(world: World, who: Person) -> tuple[int, int]:
    """How many orders and parts of files of a book are in the database."""
    whose = {"citizen_id": who.id}
    return world.db["exports"].count_documents(whose), world.db["export_parts"].count_documents(whose)


def ready(world: World, who: Person, whose: str = "me", **over: Any) -> str:
    export_id = asked(world, who, whose, **over)
    work(world)
    assert state(world, who, export_id, whose)["state"] == "ready"
    return export_id


def test_an_order_is_followed_until_it_is_ready(world: World) -> None:
    an = filled(world)
    export_id = asked(world, an)
    waiting = state(world, an, export_id)
    assert (waiting["state"], waiting["progress"], waiting["size"]) == ("queued", 0, None)
    answer = fetch(world, an, export_id)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "export_not_ready")
    work(world)
    done = state(world, an, export_id)
    assert (done["state"], done["progress"], done["reason"]) == ("ready", 100, None)
    assert fetch(world, an, export_id).status_code == 200


def test_making_and_fetching_are_written_down_each_time(world: World) -> None:
    an = filled(world)
    export_id = asked(world, an)
    assert exported(world, an) == []
    work(world)
    (line,) = exported(world, an)
    assert line["record_count"] == 3 and line["categories"] == ["condition", "immunization", "visit"]
    assert line["text"] == "Bạn xuất hồ sơ ra khỏi sổ"
    for number in (2, 3):
        assert fetch(world, an, export_id).status_code == 200
        assert len(exported(world, an)) == number


def test_asking_and_fetching_need_a_fresh_sign_in(world: World) -> None:
    an = filled(world)
    export_id = ready(world, an)
    old = world.signed_in(an, ago=timedelta(minutes=6))
    for answer in (ask(world, old), fetch(world, old, export_id)):
        assert (answer.status_code, found_in(answer)["code"]) == (401, "insufficient_user_authentication")
    assert state(world, old, export_id)["state"] == "ready"
    assert kept(world, an)[0] == 1


@pytest.mark.parametrize(
    ("over", "pointer"),
    [
        ({"format": "docx"}, "/format"),
        ({"format": None}, "/format"),
        ({"scope": "everything"}, "/scope"),
        ({"scope": "encounter"}, "/encounter_id"),
        ({"encounter_id": "a" * 26}, "/encounter_id"),
        ({"scope": "encounter", "encounter_id": "x"}, "/encounter_id"),
        ({"made_by": "somebody"}, "/made_by"),
    ],
)
def test_what_no_file_can_be_is_named(world: World, over: Any, pointer: str) -> None:
    answer = ask(world, world.person(), **over)
    assert answer.status_code == 422
    assert any(each["pointer"].startswith(pointer) for each in found_in(answer)["errors"])


def test_only_a_visit_of_ones_own_book_is_printed(world: World) -> None:
    an, other = filled(world), filled(world)
    items = found_in(world.get("/citizens/me/records", other))["items"]
    theirs = next(each["id"] for each in items if each["category"] == "visit")
    mine = found_in(world.get("/citizens/me/records?category=condition", an))["items"][0]["id"]
    answers = [ask(world, an, scope="encounter", encounter_id=each) for each in (theirs, mine, new_id())]
    assert {each.status_code for each in answers} == {404}
    assert len({without_request_id(each) for each in answers}) == 1
    assert kept(world, an) == (0, 0)


def test_a_file_is_for_whoever_asked_alone(world: World) -> None:
    mother, father, stranger = world.person(), world.person(), world.person()
    child = world.child_of(mother)
    world.guard(father, child)
    world.send(world.doctor(), bundle(child, condition()))
    export_id = ready(world, mother, child.id)
    assert fetch(world, mother, export_id, child.id).status_code == 200
    path = f"/exports/{export_id}"
    tried = [
        world.get(f"/citizens/{whose}{path}{more}", who)
        for who, whose in (
            (father, child.id),
            (child, "me"),
            (stranger, child.id),
            (stranger, "me"),
            (mother, "me"),
        )
        for more in ("", "/file")
    ]
    tried += [world.call("DELETE", f"/citizens/{child.id}{path}", father)]
    tried += [world.get(f"/citizens/{child.id}/exports/{each}", mother) for each in (new_id(), "x")]
    assert {each.status_code for each in tried} == {404}
    assert len({without_request_id(each) for each in tried}) == 1
    assert state(world, mother, export_id, child.id)["state"] == "ready"


def test_the_same_order_sent_twice_is_one(world: World) -> None:
    an = filled(world)
    key = {"Idempotency-Key": new_id()}
    answers = [world.post("/citizens/me/exports", an, {"format": "pdf"}, headers=key) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    assert len({found_in(each)["id"] for each in answers}) == 1 and kept(world, an)[0] == 1
    other = world.post("/citizens/me/exports", an, {"format": "fhir"}, headers=key)
    assert other.status_code == 422


def test_only_so_many_files_lie_ready(world: World) -> None:
    an = filled(world)
    ids = [asked(world, an) for _ in range(MOST_KEPT)]
    answer = ask(world, an)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "too_many_exports")
    assert world.call("DELETE", f"/citizens/me/exports/{ids[0]}", an).status_code == 204
    asked(world, an)


def test_a_deleted_file_is_gone_and_one_being_made_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an = filled(world)
    export_id = ready(world, an)
    assert kept(world, an) == (1, 2)
    assert world.call("DELETE", f"/citizens/me/exports/{export_id}", an).status_code == 204
    assert kept(world, an) == (0, 0)
    assert world.call("DELETE", f"/citizens/me/exports/{export_id}", an).status_code == 404
    other = asked(world, an)
    meanwhile(world, monkeypatch, lambda: world.call("DELETE", f"/citizens/me/exports/{other}", an))
    work(world)
    assert kept(world, an) == (0, 0)


def meanwhile(world: World, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Have something happen once, when a file has been read and is not kept yet."""
    maker = world.services.exports._maker
    make = maker.make

    def made(*args: Any) -> Any:
        found = make(*args)
        monkeypatch.undo()
        act()
        return found

    monkeypatch.setattr(maker, "make", made)


def test_a_file_goes_when_its_time_is_over(world: World) -> None:
    an = filled(world)
    export_id, waiting = ready(world, an), asked(world, an)
    world.forward(hours=world.settings.export_hours)
    an = world.signed_in(an)
    for answer in (fetch(world, an, export_id), world.get(f"/citizens/me/exports/{export_id}", an)):
        assert answer.status_code == 404
    work(world)
    assert world.db["exports"].find_one({"_id": waiting})["state"] == "failed"
    assert world.db["export_parts"].count_documents({"export_id": waiting}) == 0


def test_the_file_is_sealed_where_it_lies(world: World) -> None:
    an = world.person("Nguyễn Thị Hường")
    world.send(world.doctor(), bundle(an, condition() | {"code": {"text": "Viêm họng"}}))
    export_id = ready(world, an, format="fhir")
    stored = str(list(world.db["export_parts"].find({"export_id": export_id})))
    stored += str(world.db["exports"].find_one({"_id": export_id}))
    assert "Viêm" not in stored and "Hường" not in stored and "resourceType" not in stored


def test_a_guardianship_that_ends_before_making_while_making_or_before_fetching_gives_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = world.services.identity.family
    for when in ("before", "while", "after"):
        mother, child = world.person(), world.person("Bé Thử", date(2024, 2, 1))
        relation = world.guard(mother, child)
        world.send(world.doctor(), bundle(child, condition()))
        export_id = asked(world, mother, child.id)
        if when == "while":
            meanwhile(world, monkeypatch, lambda relation=relation: family.end(relation))
        if when == "before":
            family.end(relation)
        work(world)
        if when == "after":
            family.end(relation)
        assert fetch(world, mother, export_id, child.id).status_code == 404
        found = world.db["exports"].find_one({"_id": export_id})
        assert found["state"] == ("ready" if when == "after" else "failed")
        assert (kept(world, child)[1] == 0) is (when != "after")


def test_a_guardianship_that_ends_while_a_file_is_fetched_gives_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mother, child = world.person(), world.person("Bé Thử", date(2024, 2, 1))
    relation = world.guard(mother, child)
    world.send(world.doctor(), bundle(child, condition()))
    export_id = ready(world, mother, child.id)
    desk = world.services.exports
    file = desk.file

    def ends(export: Any) -> bytes:
        content = file(export)
        world.services.identity.family.end(relation)
        return content

    monkeypatch.setattr(desk, "file", ends)
    answer = fetch(world, mother, export_id, child.id)
    assert answer.status_code == 404 and b"%PDF" not in answer.data


def test_a_restriction_stops_asking_making_and_fetching(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an = filled(world)
    first, second = ready(world, an), asked(world, an)
    restrict = lambda: world.services.rights._eraser._erasing.restrict(an.id, "r1", on=True)  # noqa: E731
    meanwhile(world, monkeypatch, restrict)
    work(world)
    assert state(world, an, second)["reason"] == "restricted"
    for answer in (ask(world, an), fetch(world, an, first)):
        assert (answer.status_code, found_in(answer)["code"]) == (409, "export_restricted")
    world.services.rights._eraser._erasing.restrict(an.id, "r1", on=False)
    assert fetch(world, an, first).status_code == 200


def test_what_was_hidden_from_guardians_since_is_not_handed_to_them_in_a_file(world: World) -> None:
    mother = world.person()
    girl = world.child_of(mother, date(2011, 2, 1))
    world.send(world.doctor(), bundle(girl, condition(), immunization()))
    theirs, own = ready(world, mother, girl.id), ready(world, girl)
    record_id = found_in(world.get("/citizens/me/records?category=condition", girl))["items"][0]["id"]
    path, hide = f"/citizens/me/records/{record_id}/visibility", {"audience": "guardians", "hidden": True}
    assert world.call("PUT", path, girl, hide).status_code == 204
    assert fetch(world, mother, theirs, girl.id).status_code == 404
    assert world.get(f"/citizens/{girl.id}/exports/{theirs}", mother).status_code == 404, "it is deleted"
    assert fetch(world, girl, own).status_code == 200
    assert b"%PDF" in file_of(world, mother, girl.id)


def test_a_disputed_record_goes_out_in_no_file_made_before(world: World) -> None:
    an = filled(world)
    export_id = ready(world, an)
    record_id = found_in(world.get("/citizens/me/records?category=condition", an))["items"][0]["id"]
    assert world.post(f"/citizens/me/records/{record_id}/not-mine", an).status_code == 200
    assert fetch(world, an, export_id).status_code == 404
    refused = exported(world, an)[0]
    assert (refused["decision"], refused["reason"]) == ("refuse", "ended")


def test_an_erasure_takes_the_files_along(world: World) -> None:
    an = world.person()
    ready(world, an), asked(world, an)
    assert kept(world, an) == (2, 2)
    completed(world, rights_asked(world, an, "erase"))
    assert kept(world, an) == (0, 0)
    work(world)
    assert kept(world, an) == (0, 0)


def test_a_worker_that_dies_leaves_the_file_to_the_next_three_times(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(world)
    an = filled(world)
    export_id = asked(world, an)
    maker = world.services.exports._maker

    def dies(*args: Any) -> Any:
        args[1].write(b"x" * (2**20 + 1))
        raise RuntimeError("killed")

    monkeypatch.setattr(maker, "make", dies)
    for _ in range(MOST_TRIES - 1):
        with pytest.raises(RuntimeError):
            world.services.exports.make_next()
        assert world.services.exports.make_next() is None, "nobody takes it up while it is in hand"
        world.forward(seconds=LEASE.total_seconds() + 1)
    monkeypatch.undo()
    work(world)
    assert state(world, an, export_id)["state"] == "ready"
    assert kept(world, an) == (1, 2), "what the dead left is gone"
    failing = asked(world, an)
    monkeypatch.setattr(maker, "make", dies)
    for _ in range(MOST_TRIES):
        with pytest.raises(RuntimeError):
            world.services.exports.make_next()
        world.forward(seconds=LEASE.total_seconds() + 1)
    work(world)
    given_up = state(world, an, failing)
    assert (given_up["state"], given_up["reason"]) == ("failed", "tries")


def test_a_file_that_grows_too_large_is_not_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_api.exports.desk.LARGEST", 100)
    an = filled(world)
    export_id = asked(world, an, format="fhir")
    work(world)
    assert state(world, an, export_id)["reason"] == "too_large"
    assert kept(world, an) == (1, 0)


def test_a_log_that_cannot_be_written_makes_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    work(world)
    an = filled(world)
    export_id = asked(world, an)

    def away(event: Any) -> None:
        raise LogUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(world.services.log, "append", away)
        with pytest.raises(LogUnavailable):
            world.services.exports.make_next()
    assert state(world, an, export_id)["state"] == "making"
    world.forward(seconds=LEASE.total_seconds() + 1)
    work(world)
    assert state(world, an, export_id)["state"] == "ready"
    with monkeypatch.context() as patch:
        patch.setattr(world.services.log, "append", away)
        assert fetch(world, an, export_id).status_code == 503
