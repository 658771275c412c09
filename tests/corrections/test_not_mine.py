"""'Not mine': hidden at once from everybody, undone by who said so, decided by a reviewer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from tests.corrections.steps import decide, disputed, filed, items, not_mine
from tests.events.holding import whole_feed
from tests.rights.steps import asked as asked_right
from tests.rights.steps import completed
from tests.words import says
from tests.world import Person, World, bundle, condition, found_in, immunization, without_request_id
from wallet_api.audit.errors import LogUnavailable
from wallet_api.infra.ids import new_id


def book(world: World, who: Person, citizen: str = "me") -> list[str]:
    return [each["id"] for each in items(world.get(f"/citizens/{citizen}/records?limit=100", who))]


def test_it_is_gone_for_everybody_but_its_author_when_this_answers(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    reader = world.grant(world.doctor(), person)
    session = reader.session()
    assert len(found_in(reader.read(session))["items"]) == 1
    made = disputed(world, person, record_id)
    assert (made["state"], made["record_id"], made["relation"]) == ("open", record_id, "self")
    assert book(world, person) == []
    for path in ("", "/versions"):
        assert world.get(f"/citizens/me/records/{record_id}{path}", person).status_code == 404
    assert found_in(reader.read(reader.session()))["items"] == []
    assert found_in(reader.read(session))["items"] == [], "in a session that was open before as well"
    (own,) = items(world.get("/provider/own-records", author))
    assert own["dispute"] == "open", "its author is told"


def test_what_is_hidden_is_not_found_under_a_grant_to_its_own_author_either(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    granted = world.grant(author, person)
    disputed(world, person, record_id)
    assert granted.seen() == []


def test_a_read_under_way_is_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It found the record before and would hand it over after: the last look begins it anew."""
    person = world.person()
    record_id = filed(world, world.doctor(), person)
    reader = world.grant(world.doctor(), person)
    session = reader.session()
    look, done = world.services.access.still_holds, list[int]()

    def meanwhile(fence: Any) -> bool:
        if not done:
            done.append(not_mine(world, person, record_id).status_code)
        return look(fence)

    monkeypatch.setattr(type(world.services.access), "still_holds", lambda self, fence: meanwhile(fence))
    answer = reader.read(session)
    assert (done, answer.status_code) == ([200], 503)
    assert record_id.encode() not in answer.get_data()


def test_a_disputed_dose_was_never_given(world: World) -> None:
    person = world.person(born=date(2026, 4, 1))
    mother = world.guardian_of(person)
    world.send(world.doctor(), bundle(person, immunization("v1", "19", on="2026-04-02")))
    path = f"/citizens/{person.id}"
    (dose,) = items(world.get(f"{path}/records", mother))
    given = bcg(world, person.id, mother)
    planned = world.db["due_items"].find_one({"_id": person.id})
    disputed(world, mother, dose["id"], person.id)
    assert world.db["due_items"].find_one({"_id": person.id}) != planned, "reminders follow at once"
    missing = bcg(world, person.id, mother)
    assert (given, missing) == (["given"], ["overdue"])
    taken = world.call("DELETE", f"{path}/records/{dose['id']}/not-mine", mother)
    assert taken.status_code == 200
    assert bcg(world, person.id, mother) == given


def bcg(world: World, citizen: str, by: Person) -> list[str]:
    """How the dose stands in the forecast."""
    told = [each for each in items(world.get(f"/citizens/{citizen}/forecast", by)) if each["series"] == "bcg"]
    return [each["status"] for each in told]


def test_taken_back_it_is_shown_again_and_can_be_said_again(world: World) -> None:
    person = world.person()
    record_id = filed(world, world.doctor(), person)
    path = f"/citizens/me/records/{record_id}/not-mine"
    for turn in (1, 3):
        assert disputed(world, person, record_id)["version"] == turn
        assert disputed(world, person, record_id)["version"] == turn, "saying it again changes nothing"
        taken = world.call("DELETE", path, person)
        assert (taken.status_code, found_in(taken)["state"]) == (200, "taken_back")
        assert book(world, person) == [record_id]
    again = world.call("DELETE", path, person)
    assert (again.status_code, found_in(again)["code"]) == (409, "dispute_closed")
    (listed,) = items(world.get("/citizens/me/disputes", person))
    assert [each["event"] for each in listed["history"]] == ["open", "taken_back"] * 2


def test_kept_it_is_shown_again_with_the_reason_and_the_person_is_told(world: World) -> None:
    person = world.person()
    record_id = filed(world, world.doctor(), person)
    made = disputed(world, person, record_id)
    answer = decide(world, made, "keep", "identity_matches")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.headers["ETag"] == '"2"'
    assert book(world, person) == [record_id]
    (seen,) = items(world.get("/citizens/me/disputes", person))
    assert (seen["state"], seen["reason"]) == ("kept", "identity_matches")
    assert seen["reason_text"]
    told = [each for each in items(world.get("/citizens/me/inbox", person)) if each["topic"] == "dispute"]
    assert len(told) == 1
    assert not says(str(told), "J02"), "not a word about the record"


def test_removed_it_never_comes_back_whatever_is_sent_again(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    made = disputed(world, person, record_id)
    assert decide(world, made, "remove", "identity_differs").status_code == 200
    assert book(world, person) == []
    (own,) = items(world.get("/provider/own-records", author))
    assert (own["dispute"], own["version"]) == ("removed", 1)
    world.send(author, bundle(person, condition("c1", "J02")))
    assert book(world, person) == [], "its author sent another version of it"
    (own,) = items(world.get("/provider/own-records", author))
    assert (own["dispute"], own["version"]) == ("removed", 2)
    assert not_mine(world, person, record_id).status_code == 404
    assert world.call("DELETE", f"/citizens/me/records/{record_id}/not-mine", person).status_code == 409


def test_a_new_version_of_what_is_disputed_stays_hidden(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    disputed(world, person, record_id)
    world.send(author, bundle(person, condition("c1", "J02")))
    assert book(world, person) == []


def test_a_decision_needs_the_version_that_was_read_and_is_made_once(world: World) -> None:
    person = world.person()
    made = disputed(world, person, filed(world, world.doctor(), person))
    path, reviewer = f"/ops/mismatches/{made['id']}/decision", world.ops("reviewer")
    body = {"decision": "remove", "reason": "identity_differs"}
    assert world.post(path, reviewer, body).status_code == 428
    assert decide(world, made, "remove", "identity_differs", '"7"').status_code == 412
    assert decide(world, made, "remove", "identity_matches").status_code == 422, "a reason to keep"
    assert decide(world, made, "keep", "identity_differs").status_code == 422, "a reason to remove"
    assert decide(world, made, "remove", "identity_differs").status_code == 200
    late = decide(world, made, "keep", "identity_matches", '"2"')
    assert (late.status_code, found_in(late)["code"]) == (409, "dispute_closed")
    gone = world.call("DELETE", f"/citizens/me/records/{made['record_id']}/not-mine", person)
    assert (gone.status_code, found_in(gone)["code"]) == (409, "dispute_closed")


def test_reviewers_see_no_word_of_the_record_and_whose_it_is_not(world: World) -> None:
    person = world.person(name="Nguyễn Thị Riêng Tư")
    made = disputed(world, person, filed(world, world.doctor(), person))
    reviewer = world.ops("reviewer")
    answer = world.get(f"/ops/mismatches/{made['id']}", reviewer)
    assert answer.status_code == 200
    queued = world.get("/ops/mismatches?limit=100", reviewer).get_data(as_text=True)
    for text in (answer.get_data(as_text=True), queued):
        for secret in (person.id, person.number, "Riêng", made["record_id"], "J02", "resource"):
            assert secret not in text
    for role in ("registrar", "operator"):
        assert world.get("/ops/mismatches", world.ops(role)).status_code == 403


def test_the_queue_is_paged_the_oldest_first(world: World) -> None:
    person, author, made = world.person(), world.doctor(), []
    for number in range(3):
        world.send(author, bundle(person, condition(f"q{number}")))
        made.append(disputed(world, person, book(world, person)[0])["id"])
        world.forward(minutes=1)
    reviewer, seen, cursor = world.ops("reviewer"), list[str](), ""
    while True:
        page = found_in(world.get(f"/ops/mismatches?limit=2{cursor}", reviewer))
        seen += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [each for each in seen if each in made] == made
    mine = found_in(world.get("/citizens/me/disputes?limit=2", person))
    rest = found_in(world.get(f"/citizens/me/disputes?limit=2&cursor={mine['next_cursor']}", person))
    assert [each["id"] for each in mine["items"] + rest["items"]] == made[::-1]


def test_a_guardian_knows_of_what_guardians_said_and_of_nothing_else(world: World) -> None:
    mother = world.person()
    girl = world.child_of(mother, date(2011, 2, 1))
    hers = filed(world, world.doctor(), girl)
    disputed(world, girl, hers)
    absent = without_request_id(not_mine(world, mother, new_id(), girl.id))
    assert without_request_id(not_mine(world, mother, hers, girl.id)) == absent
    path = f"/citizens/{girl.id}/records/{hers}/not-mine"
    assert world.call("DELETE", path, mother).status_code == 404
    assert items(world.get(f"/citizens/{girl.id}/disputes", mother)) == []
    lines = items(world.get(f"/citizens/{girl.id}/access-log?limit=100", mother))
    assert not [each for each in lines if each["action"].startswith("dispute:")]
    other = filed(world, world.doctor(), girl, condition("c2"))
    made = disputed(world, mother, other, girl.id)
    assert made["relation"] == "guardian"
    assert len(items(world.get("/citizens/me/disputes", girl))) == 2, "she sees both"
    assert world.call("DELETE", f"/citizens/me/records/{other}/not-mine", girl).status_code == 200


def test_what_a_guardian_may_not_see_they_cannot_dispute(world: World) -> None:
    mother = world.person()
    girl = world.child_of(mother, date(2011, 2, 1))
    hers = filed(world, world.doctor(), girl)
    hide = {"audience": "guardians", "hidden": True}
    assert world.call("PUT", f"/citizens/me/records/{hers}/visibility", girl, hide).status_code == 204
    assert not_mine(world, mother, hers, girl.id).status_code == 404
    assert book(world, girl) == [hers]


def test_nobody_elses_record_can_be_hidden(world: World) -> None:
    person, other = world.person(), world.person()
    theirs = filed(world, world.doctor(), other)
    absent = without_request_id(not_mine(world, person, new_id()))
    assert without_request_id(not_mine(world, person, theirs)) == absent
    assert not_mine(world, person, theirs, other.id).status_code == 404
    assert book(world, other) == [theirs]


def test_it_is_hidden_even_if_the_log_is_away_and_never_shown_without_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.person()
    record_id = filed(world, world.doctor(), person)

    def away(*_: object) -> None:
        raise LogUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(type(world.services.log), "append", away)
        assert not_mine(world, person, record_id).status_code == 503
    assert book(world, person) == []
    with monkeypatch.context() as broken:
        broken.setattr(type(world.services.log), "append", away)
        path = f"/citizens/me/records/{record_id}/not-mine"
        assert world.call("DELETE", path, person).status_code == 503
    assert book(world, person) == []
    disputed(world, person, record_id)
    lines = items(world.get("/citizens/me/access-log?limit=100", person))
    assert [each["action"] for each in lines].count("dispute:opened") == 1, "said again, it is logged"


def test_the_copy_of_ones_data_has_the_dispute_and_not_the_record(world: World) -> None:
    person = world.person()
    made = disputed(world, person, filed(world, world.doctor(), person))
    request = completed(world, asked_right(world, person, "copy"))
    told = found_in(world.get(f"/citizens/me/rights-requests/{request['id']}/copy", person))
    assert told["records"]["entry"] == []
    assert [each["id"] for each in told["disputes"]] == [made["id"]]


def test_its_author_is_told_in_its_feed_and_nobody_else(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    (own,) = items(world.get("/provider/own-records", author))
    disputed(world, person, record_id)
    disputed(world, person, record_id)
    assert world.call("DELETE", f"/citizens/me/records/{record_id}/not-mine", person).status_code == 200
    made = disputed(world, person, record_id)
    assert decide(world, made, "remove", "identity_differs").status_code == 200
    told = whole_feed(world, author)
    assert [(each["type"], each["version"]) for each in told] == [
        ("record_disputed", 1),
        ("record_restored", 2),
        ("record_disputed", 3),
        ("record_removed", 4),
    ]
    for each in told:
        assert each["record_id"] == own["id"]
        assert (each["grant_id"], each["citizen_ref"], each["state"]) == (None, None, None)
    assert whole_feed(world, world.doctor()) == []


def test_the_successor_of_its_author_is_told(world: World) -> None:
    old, new, person = world.doctor(), world.doctor(), world.person()
    record_id = filed(world, old, person)
    path = f"/ops/organisations/{old.organisation_id}/merger"
    merger = {"into": new.organisation_id, "reason": "x"}
    assert world.post(path, world.ops("registrar"), merger).status_code == 200
    disputed(world, person, record_id)
    (own,) = items(world.get("/provider/own-records", new))
    assert own["dispute"] == "open"
    assert [(each["type"], each["record_id"]) for each in whole_feed(world, new)] == [
        ("record_disputed", own["id"])
    ]


def test_of_two_decisions_at_once_one_stands_and_the_record_agrees_with_it(world: World) -> None:
    person = world.person()
    for turn in range(4):
        record_id = filed(world, world.doctor(), person, condition(f"race{turn}"))
        made, reviewers = disputed(world, person, record_id), [world.ops("reviewer"), world.ops("reviewer")]
        calls = [
            lambda one=made, by=reviewers[0]: decide(world, one, "keep", "identity_matches", by=by),
            lambda one=made, by=reviewers[1]: decide(world, one, "remove", "identity_differs", by=by),
            lambda one=record_id: world.call("DELETE", f"/citizens/me/records/{one}/not-mine", person),
        ]
        assert person.token
        assert all(each.token for each in reviewers)
        with ThreadPoolExecutor(3) as at_once:
            answers = [each.result().status_code for each in [at_once.submit(call) for call in calls]]
        assert answers.count(200) == 1, answers
        assert set(answers) <= {200, 409, 412, 503}
        state = found_in(world.get(f"/ops/mismatches/{made['id']}", reviewers[0]))["state"]
        assert (record_id in book(world, person)) is (state != "removed")
