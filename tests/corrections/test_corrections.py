"""Requests to correct a record: put to its author alone, answered once, in legal time, by a version."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.corrections.steps import PDF, answer, ask, asked, filed, items
from tests.rights.steps import asked as asked_right
from tests.rights.steps import completed
from tests.words import says
from tests.world import World, bundle, condition, found_in, without_request_id
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id
from wallet_api.rights.rules import RULES as RIGHTS


def test_it_is_put_to_the_author_alone_with_the_laws_last_day(world: World) -> None:
    author, person = world.doctor(), world.person(name="Nguyễn Thị Riêng Tư")
    made = asked(world, person, filed(world, author, person), kind="wrong_date", details="Không phải hôm đó")
    assert (made["state"], made["overdue"], made["answer"]) == ("requested", False, None)
    days = (date.fromisoformat(made["answer_by"]) - vn_day(world.now())).days
    assert days == RIGHTS.kinds["correct"].days == 10
    (seen,) = items(world.get("/provider/correction-requests", author))
    (own,) = items(world.get("/provider/own-records", author))
    assert (seen["id"], seen["record_id"], seen["details"]) == (made["id"], own["id"], "Không phải hôm đó")
    text = str(seen)
    for secret in (person.id, person.number, "Riêng Tư", made["record_id"]):
        assert secret not in text, "nothing more of the person than what it wrote"
    assert items(world.get("/provider/correction-requests", world.doctor())) == []


def test_an_answer_names_a_newer_version_by_the_same_author(world: World) -> None:
    author, person = world.doctor(), world.person()
    made = asked(world, person, filed(world, author, person))
    wrong = answer(world, author, made, outcome="corrected", refusal=None, corrected_version=2)
    assert (wrong.status_code, found_in(wrong)["code"]) == (422, "record_version_unknown"), "not there yet"
    same = answer(world, author, made, outcome="corrected", refusal=None, corrected_version=1)
    assert same.status_code == 422, "that is the one complained of"
    world.send(author, bundle(person, condition("c1", "J02")))
    done = answer(world, author, made, outcome="corrected", refusal=None, corrected_version=2, note="Đã sửa")
    assert done.status_code == 200, done.get_data(as_text=True)
    seen = found_in(world.get(f"/citizens/me/correction-requests/{made['id']}", person))
    assert (seen["state"], seen["version"]) == ("corrected", 2)
    assert seen["answer"] == {
        "corrected_version": 2,
        "refusal": None,
        "refusal_text": None,
        "note": "Đã sửa",
    }
    assert [(each["event"], each["party"], each["name"]) for each in seen["history"]] == [
        ("requested", "self", None),
        ("corrected", "organisation", "BS. Khánh"),
    ]


def test_a_refusal_names_its_reason_and_the_person_is_told_without_a_word_about_it(world: World) -> None:
    author, person = world.doctor(), world.person()
    made = asked(world, person, filed(world, author, person))
    assert answer(world, author, made, note="Mạch đúng").status_code == 200
    seen = found_in(world.get(f"/citizens/me/correction-requests/{made['id']}", person))
    assert (seen["state"], seen["answer"]["refusal"]) == ("refused", "record_is_right")
    assert seen["answer"]["refusal_text"]
    told = [each for each in items(world.get("/citizens/me/inbox", person)) if each["topic"] == "correction"]
    assert len(told) == 1
    for word in ("J02", "Mạch", "Bệnh viện", "Sai"):
        assert not says(str(told), word)


def test_it_is_answered_once_from_the_version_that_was_read(world: World) -> None:
    author, person = world.doctor(), world.person()
    made = asked(world, person, filed(world, author, person))
    path = f"/provider/correction-requests/{made['id']}"
    assert world.get(path, author).headers["ETag"] == '"1"'
    body = {"outcome": "refused", "refusal": "not_shown"}
    assert world.post(f"{path}/answer", author, body).status_code == 428
    assert answer(world, author, made, '"3"').status_code == 412
    assert answer(world, author, made).status_code == 200
    again = answer(world, author, made, '"2"')
    assert (again.status_code, found_in(again)["code"]) == (409, "correction_closed")
    assert items(world.get("/provider/correction-requests", author)) == []
    assert len(items(world.get("/provider/correction-requests?state=answered", author))) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"outcome": "corrected"},
        {"outcome": "corrected", "corrected_version": 2},
        {"outcome": "refused", "refusal": None},
        {"outcome": "refused", "corrected_version": 2},
        {"outcome": "forwarded"},
        {"refusal": "because"},
        {"by": "me"},
    ],
)
def test_an_answer_says_what_its_outcome_calls_for(world: World, said: dict[str, Any]) -> None:
    author, person = world.doctor(), world.person()
    made = asked(world, person, filed(world, author, person))
    assert answer(world, author, made, **said).status_code == 422
    assert len(items(world.get("/provider/correction-requests", author))) == 1


def test_another_organisation_cannot_tell_it_from_what_is_not_there(world: World) -> None:
    author, stranger, person = world.doctor(), world.doctor(), world.person()
    made = asked(world, person, filed(world, author, person))
    sent = sent_file(world, person, made["id"])
    for path in (made["id"], f"{made['id']}/evidence/{sent['id']}"):
        nothing = path.replace(made["id"], new_id())
        found, absent = (
            without_request_id(world.get(f"/provider/correction-requests/{each}", stranger))
            for each in (path, nothing)
        )
        assert found == absent
        assert found[0] == 404
    assert answer(world, stranger, made).status_code == 404
    for call in (
        world.get("/provider/correction-requests", author.system),
        answer(world, author.system, made),
    ):
        assert (call.status_code, found_in(call)["code"]) == (403, "practitioner_needed")


def test_nobody_asks_about_what_they_cannot_see(world: World) -> None:
    person, other, mother = world.person(), world.person(), world.person()
    girl = world.child_of(mother, date(2011, 2, 1))
    theirs, hers = filed(world, world.doctor(), other), filed(world, world.doctor(), girl)
    absent = without_request_id(ask(world, person, new_id()))
    assert absent[0] == 404
    assert without_request_id(ask(world, person, theirs)) == absent
    assert without_request_id(ask(world, person, "../x")) == absent
    hide = {"audience": "guardians", "hidden": True}
    assert world.call("PUT", f"/citizens/me/records/{hers}/visibility", girl, hide).status_code == 204
    assert without_request_id(ask(world, mother, hers, girl.id)) == absent
    unknown = ask(world, other, theirs, record_version=2)
    assert (unknown.status_code, found_in(unknown)["code"]) == (422, "record_version_unknown")


def test_a_guardian_sees_what_guardians_asked_until_it_is_hidden_from_them(world: World) -> None:
    mother = world.person()
    girl = world.child_of(mother, date(2011, 2, 1))
    author = world.doctor()
    record_id = filed(world, author, girl)
    own = asked(world, girl, record_id)
    made = asked(world, mother, record_id, girl.id)
    path = f"/citizens/{girl.id}/correction-requests"
    for seen in items(world.get("/provider/correction-requests", author)):
        assert "relation" not in seen
        assert [each["party"] for each in seen["history"]] == ["person"], "who of a family asked is not told"
    assert [each["id"] for each in items(world.get(path, mother))] == [made["id"]]
    assert world.get(f"{path}/{own['id']}", mother).status_code == 404
    assert len(items(world.get("/citizens/me/correction-requests", girl))) == 2
    hide = {"audience": "guardians", "hidden": True}
    assert world.call("PUT", f"/citizens/me/records/{record_id}/visibility", girl, hide).status_code == 204
    assert items(world.get(path, mother)) == []
    assert world.get(f"{path}/{made['id']}", mother).status_code == 404


def test_the_answer_to_a_guardian_is_not_told_where_a_flag_covers_it(world: World) -> None:
    mother = world.person()
    girl = world.child_of(mother, date(2011, 2, 1))
    author = world.doctor()
    made = asked(world, mother, filed(world, author, girl), girl.id)
    flag = {"kind": "child_abuse", "since": "2026-01-01T00:00:00Z"}
    about = {"citizen_id": girl.id, "organisation_id": author.organisation_id}
    assert world.post("/ops/safety-flags", world.ops("reviewer"), flag | about).status_code == 201
    assert answer(world, author, made).status_code == 200
    assert not [
        each for each in items(world.get("/citizens/me/inbox", mother)) if each["topic"] == "correction"
    ]


def sent_file(world: World, person: Any, request_id: str, raw: bytes = PDF) -> dict[str, Any]:
    path = f"/citizens/me/correction-requests/{request_id}/evidence"
    sent = world.call("POST", path, person, raw=raw, kind="application/octet-stream")
    assert sent.status_code == 201, sent.get_data(as_text=True)
    return found_in(sent)


def test_evidence_is_known_by_its_content_and_opened_by_the_author(world: World) -> None:
    author, person = world.doctor(), world.person()
    made = asked(world, person, filed(world, author, person))
    sent = sent_file(world, person, made["id"])
    assert (sent["media_type"], sent["size"]) == ("application/pdf", len(PDF))
    path = f"/provider/correction-requests/{made['id']}"
    (listed,) = found_in(world.get(path, author))["files"]
    assert listed["id"] == sent["id"]
    opened = world.get(f"{path}/evidence/{sent['id']}", author)
    assert (opened.status_code, opened.get_data()) == (200, PDF)
    assert opened.mimetype == "application/octet-stream"
    assert "attachment" in opened.headers["Content-Disposition"]
    assert opened.headers["Cache-Control"] == "no-store"
    stored = world.db["correction_files"].find_one({"_id": sent["id"]})
    assert stored is not None
    assert PDF not in bytes(stored["sealed"])
    another = asked(world, person, filed(world, author, person, condition("c2")))
    mixed = f"/provider/correction-requests/{another['id']}/evidence/{sent['id']}"
    assert world.get(mixed, author).status_code == 404, "a file of another request"
    upload = f"/citizens/me/correction-requests/{made['id']}/evidence"
    for bad in (b"GIF89a", b"", b"<html>"):
        refused = world.call("POST", upload, person, raw=bad, kind="application/pdf")
        assert (refused.status_code, found_in(refused)["code"]) == (422, "evidence_refused")
    for _ in range(4):
        sent_file(world, person, made["id"])
    full = world.call("POST", upload, person, raw=PDF, kind="application/pdf")
    assert (full.status_code, found_in(full)["code"]) == (409, "too_many_files")
    assert answer(world, author, another).status_code == 200
    late = f"/citizens/me/correction-requests/{another['id']}/evidence"
    closed = world.call("POST", late, person, raw=PDF, kind="application/pdf")
    assert (closed.status_code, found_in(closed)["code"]) == (409, "correction_closed")


def test_one_key_makes_one_request(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id, key = filed(world, author, person), {"Idempotency-Key": new_id()}
    body = {"record_id": record_id, "record_version": 1, "kind": "duplicate", "details": "x"}
    path = "/citizens/me/correction-requests"
    first, second = (found_in(world.post(path, person, body, headers=key)) for _ in range(2))
    assert first == second
    assert len(items(world.get(path, person))) == 1


def test_there_is_an_end_to_open_requests(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_api.corrections.desk.MOST_OPEN", 1)
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    made = asked(world, person, record_id)
    more = ask(world, person, record_id)
    assert (more.status_code, found_in(more)["code"]) == (409, "too_many_corrections")
    assert answer(world, author, made).status_code == 200
    asked(world, person, record_id)


def test_what_is_overdue_is_seen_by_both_and_counted(world: World) -> None:
    author, person = world.doctor(), world.person()
    made = asked(world, person, filed(world, author, person))
    before = world.services.correcting.desk.overdue(date(2026, 1, 1))
    assert before == 0
    last = date.fromisoformat(made["answer_by"])
    start = world.now()
    try:
        world.forward(days=(last - vn_day(start)).days)
        assert not items(world.get("/provider/correction-requests", author))[0]["overdue"], "the last day"
        counted = world.services.correcting.desk.overdue(vn_day(world.now()))
        world.forward(days=1)
        world.forget_tokens()
        assert items(world.get("/provider/correction-requests", author))[0]["overdue"]
        fresh = world.signed_in(person)
        assert found_in(world.get(f"/citizens/me/correction-requests/{made['id']}", fresh))["overdue"]
        assert world.services.correcting.desk.overdue(vn_day(world.now())) >= counted + 1
        line = 'wallet_overdue{state="correction_request"}'
        assert line in world.app.test_client().get("/metrics").get_data(as_text=True)
    finally:
        world.clock.set_to(start)


def test_a_successor_answers_for_what_the_merged_one_was_asked(world: World) -> None:
    old, new, person = world.doctor(), world.doctor(), world.person()
    made = asked(world, person, filed(world, old, person))
    merger = {"into": new.organisation_id, "reason": "x"}
    path = f"/ops/organisations/{old.organisation_id}/merger"
    assert world.post(path, world.ops("registrar"), merger).status_code == 200
    (seen,) = items(world.get("/provider/correction-requests", new))
    assert seen["id"] == made["id"]
    assert answer(world, new, made).status_code == 200
    lines = items(world.get("/citizens/me/access-log?limit=100", person))
    (line,) = [each for each in lines if each["action"] == "correction:answered"]
    assert (line["organisation"]["id"], line["actor"]["name"]) == (new.organisation_id, "BS. Khánh")


def test_both_sides_are_logged_and_lists_are_paged(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    made = [asked(world, person, record_id)["id"] for _ in range(3)]
    first = found_in(world.get("/provider/correction-requests?limit=2", author))
    cursor = first["next_cursor"]
    second = found_in(world.get(f"/provider/correction-requests?limit=2&cursor={cursor}", author))
    assert sorted(each["id"] for each in first["items"] + second["items"]) == sorted(made)
    foreign = world.get(f"/provider/correction-requests?limit=2&cursor={cursor}", world.doctor())
    assert foreign.status_code == 400
    world.get(f"/provider/correction-requests/{made[0]}", author)
    lines = [each["action"] for each in items(world.get("/citizens/me/access-log?limit=100", person))]
    assert lines.count("correction:requested") == 3
    assert lines.count("correction:read") == 3


def test_an_erasure_takes_words_and_files_and_leaves_dates_and_codes(world: World) -> None:
    author, person = world.doctor(), world.person()
    record_id = filed(world, author, person)
    done = asked(world, person, record_id)
    assert answer(world, author, done, note="Lời của bác sĩ").status_code == 200
    open_still = asked(world, person, record_id)
    sent = sent_file(world, person, open_still["id"])
    completed(world, asked_right(world, person, "erase"))
    assert world.db["correction_files"].find_one({"_id": sent["id"]}) is None
    assert (
        world.db["correction_requests"].count_documents(
            {"content": {"$exists": True}, "citizen_id": person.id}
        )
        == 0
    )
    (seen,) = items(world.get("/provider/correction-requests", author))
    assert (seen["id"], seen["details"], seen["files"]) == (open_still["id"], None, [])
    assert answer(world, author, open_still, note="Lời mới").status_code == 200
    back = world.signed_in(person)
    told = items(world.get("/citizens/me/correction-requests", back))
    assert [(each["state"], each["details"], each["answer"]["note"]) for each in told] == [
        ("refused", None, None)
    ] * 2


def test_what_guards_it_is_in_the_queries_of_both_lists(world: World) -> None:
    """Somebody's cursor is no key to another list: each is bound to its reader and its question."""
    author, person, other = world.doctor(), world.person(), world.person()
    record_id = filed(world, author, person)
    for _ in range(2):
        asked(world, person, record_id)
    path = "/citizens/me/correction-requests?limit=1"
    cursor = found_in(world.get(path, person))["next_cursor"]
    assert len(items(world.get(f"{path}&cursor={cursor}", person))) == 1
    assert world.get(f"{path}&cursor={cursor}", other).status_code == 400
    assert world.get(f"/citizens/me/disputes?limit=1&cursor={cursor}", person).status_code == 400
