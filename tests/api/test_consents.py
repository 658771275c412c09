"""The life of a consent over HTTP: code, request, answer, narrowing, end."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from consent.receipt import ReceiptInvalid, verified
from tests.listening import named
from tests.world import World, bundle, condition, found_in, immunization, without_request_id

APPROVAL = "/citizens/me/consent-requests/{}/approval"


def code_of(world: World, person: Any) -> str:
    answer = world.post("/citizens/me/visit-codes", person)
    assert answer.status_code == 201
    return str(found_in(answer)["visit_code"])


def test_a_visit_code_works_twice(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    code = code_of(world, an)
    world.ask(doctor, an, citizen={"visit_code": code.lower().replace("-", " ")})
    assert world.newest_request(an)["in_visit"] is True
    again = world.post("/provider/consent-requests", doctor, world.proposal(an, citizen={"visit_code": code}))
    assert again.status_code == 422 and found_in(again)["code"] == "visit_code_invalid"


def test_many_at_once_use_one_visit_code(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    sent = world.proposal(an, citizen={"visit_code": code_of(world, an)})
    with ThreadPoolExecutor(10) as pool:
        tried = [pool.submit(world.post, "/provider/consent-requests", doctor, sent) for _ in range(10)]
    assert Counter(each.result().status_code for each in tried) == {202: 1, 422: 9}


def test_an_old_visit_code_works(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    sent = world.proposal(an, citizen={"visit_code": code_of(world, an)})
    world.forward(minutes=5)
    assert world.post("/provider/consent-requests", doctor, sent).status_code == 422


def test_an_unknown_visit_code_is_told_from_a_used_one(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    used = code_of(world, an)
    world.ask(doctor, an, citizen={"visit_code": used})
    seen = set()
    for code in (used, "ABCDE-FGHJK", "nonsense"):
        sent = world.proposal(an, citizen={"visit_code": code})
        seen.add(without_request_id(world.post("/provider/consent-requests", doctor, sent)))
    assert len(seen) == 1


def test_a_request_about_nobody_is_answered_otherwise(world: World, operations: Any) -> None:
    doctor, known, blocking = world.doctor(), world.person(), world.person()
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, blocking).status_code == 204
    nobody = "001190" + "999000"
    # The sender's key is made once; asking for the same person again would be the same request.
    world.post("/provider/consent-requests", doctor, world.proposal(world.person()))
    seen = []
    for number in (known.number, blocking.number, nobody):
        sent = world.proposal(known, citizen={"national_id": number})
        with operations.heard() as done:
            answer = world.post("/provider/consent-requests", doctor, sent)
        body = found_in(answer)
        shape = {name: len(text) for name, text in body.items()}
        sizes = {name for name in ("Content-Length",) if name in answer.headers}
        seen.append(
            (answer.status_code, shape, sorted(sizes), len(answer.get_data()), Counter(map(named, done)))
        )
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == 202 and seen[0][4]["insert audit_log"] == 1 and seen[0][4].total() >= 4, seen[0]


def test_a_request_about_nobody_looks_different_when_asked_about(world: World) -> None:
    doctor, known = world.doctor(), world.person()
    refs = [
        world.ask(doctor, known, citizen={"national_id": number})
        for number in (known.number, "001190" + "999000")
    ]
    bodies = [found_in(world.get(f"/provider/consent-requests/{ref}", doctor)) for ref in refs]
    assert [body.pop("id") for body in bodies] == refs
    assert bodies[0] == bodies[1] == {"state": "requested"}
    world.forward(days=7)
    bodies = [found_in(world.get(f"/provider/consent-requests/{ref}", doctor)) for ref in refs]
    assert [body["state"] for body in bodies] == ["closed", "closed"]


def test_another_organisation_can_follow_a_request(world: World) -> None:
    doctor, other, an = world.doctor(), world.doctor(), world.person()
    reference = world.ask(doctor, an)
    theirs = world.get(f"/provider/consent-requests/{reference}", other)
    nobodys = world.get("/provider/consent-requests/nothing", other)
    assert theirs.status_code == 404 and without_request_id(theirs) == without_request_id(nobodys)


@pytest.mark.parametrize(
    ("over", "status", "code"),
    [
        ({"purpose": "HRESCH"}, 403, "not_licensed"),
        ({"categories": ["imaging"]}, 403, "not_licensed"),
        ({"purpose": "BTG"}, 422, "unknown_code"),
        ({"purpose": "treat"}, 422, "invalid_fields"),
        ({"purpose": ["TREAT"]}, 422, "invalid_fields"),
        ({"purpose": None}, 422, "invalid_fields"),
        ({"categories": []}, 422, "invalid_fields"),
        ({"categories": ["everything"]}, 422, "invalid_fields"),
        ({"expires_at": "2026-11-03T03:00:00Z"}, 422, "unknown_code"),
        ({"expires_at": "2030-01-01T00:00:00Z"}, 422, "unknown_code"),
        ({"expires_at": "2026-12-01T00:00:00"}, 422, "invalid_fields"),
        ({"record_period": {"from": "2026-02-02", "to": "2026-02-01"}}, 422, "unknown_code"),
        ({"citizen": {}}, 422, "invalid_fields"),
        ({"citizen": {"national_id": "1", "visit_code": "ABCDEFGHJK"}}, 422, "invalid_fields"),
        ({"citizen": {"national_id": "12"}}, 422, "bad_identifier"),
        ({"organisation_id": "a" * 26}, 422, "invalid_fields"),
        ({"practitioner_id": "x"}, 422, "invalid_fields"),
        ({"only_me": "yes"}, 422, "invalid_fields"),
        ({"reason": ""}, 422, "invalid_fields"),
    ],
)
def test_a_bad_request_is_taken(world: World, over: dict[str, Any], status: int, code: str) -> None:
    doctor, an = world.doctor(), world.person()
    answer = world.post("/provider/consent-requests", doctor, world.proposal(an, **over))
    assert (answer.status_code, found_in(answer)["code"]) == (status, code)
    assert found_in(world.get("/citizens/me/consent-requests", an))["items"] == []


def test_a_system_asks_without_naming_its_practitioner(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    answer = world.post("/provider/consent-requests", doctor.system, world.proposal(an))
    assert (answer.status_code, found_in(answer)["code"]) == (403, "practitioner_needed")


def test_a_narrower_yes_gives_what_was_asked(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization("i1"), immunization("old", on="2020-01-01")))
    narrower = {
        "categories": ["immunization"],
        "record_period": {"from": "2026-01-01", "to": None},
        "frequency": "up_to_5",
    }
    made = world.grant(doctor, an, narrower)
    assert made.grant["categories"] == ["immunization"] and made.grant["uses"] == 5
    assert made.grant["held_back"] == ["categories", "frequency", "record_period"]
    assert [each["resource"]["id"] for each in made.seen()] == ["i1"]


@pytest.mark.parametrize(
    ("wider", "dimension"),
    [
        ({"categories": ["condition", "immunization", "visit"]}, "categories"),
        ({"record_period": {"from": "2020-12-31", "to": None}}, "record_period"),
        ({"record_period": {"from": None, "to": None}}, "record_period"),
        ({"expires_at": "2027-01-01T00:00:00Z"}, "expires_at"),
        ({"frequency": "unlimited"}, "frequency"),
        ({"frequency": "up_to_20"}, "frequency"),
        ({"labels": ["PSY"]}, "labels"),
    ],
)
def test_a_wider_yes_is_taken(world: World, wider: dict[str, Any], dimension: str) -> None:
    an, doctor = world.person(), world.doctor()
    reference = world.ask(doctor, an, frequency="up_to_5", record_period={"from": "2021-01-01", "to": None})
    request = world.newest_request(an)
    before = written(world, an.id, doctor.organisation_id)
    answer = world.post(APPROVAL.format(request["id"]), an, world.answer_to(request, **wider))
    body = found_in(answer)
    assert (answer.status_code, body["code"]) == (422, "scope_widened")
    assert [each["pointer"] for each in body["errors"]] == [f"/{dimension}"]
    assert written(world, an.id, doctor.organisation_id) == before
    assert found_in(world.get(f"/provider/consent-requests/{reference}", doctor))["state"] == "requested"


def written(world: World, citizen_id: str, organisation_id: str) -> tuple[Any, ...]:
    """What the database holds of consents between two."""
    return (
        list(world.db["consent_requests"].find({"citizen_id": citizen_id})),
        list(world.db["grants"].find({"citizen_id": citizen_id})),
        world.db["standings"].find_one({"_id": f"{citizen_id}:{organisation_id}"}),
    )


def test_an_old_sign_in_is_enough_to_approve(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.ask(doctor, an)
    request = world.newest_request(an)
    before = written(world, an.id, doctor.organisation_id)
    stale = world.signed_in(an, ago=timedelta(minutes=5, seconds=1))
    answer = world.post(APPROVAL.format(request["id"]), stale, world.answer_to(request))
    assert (answer.status_code, found_in(answer)["code"]) == (401, "insufficient_user_authentication")
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]
    assert 'max_age="300"' in answer.headers["WWW-Authenticate"]
    assert written(world, an.id, doctor.organisation_id) == before
    for path in (f"/citizens/me/consent-requests/{request['id']}/refusal",):
        assert world.post(path, stale).status_code == 200, "refusing never needs a new sign-in"


def test_an_outdated_text_is_enough_to_approve(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.ask(doctor, an)
    request = world.newest_request(an)
    said = world.answer_to(request, notice={"version": "0", "locale": "vi"})
    answer = world.post(APPROVAL.format(request["id"]), an, said)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "notice_outdated")


def test_fifty_yeses_make_more_than_one_grant(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.ask(doctor, an)
    request = world.newest_request(an)
    said, token = world.answer_to(request), an.token
    with ThreadPoolExecutor(50) as pool:
        tried = [pool.submit(world.post, APPROVAL.format(request["id"]), token, said) for _ in range(50)]
    seen = Counter(each.result().status_code for each in tried)
    assert seen[201] == 1 and set(seen) <= {201, 409, 412}, seen
    grants = found_in(world.get("/citizens/me/grants", an))["items"]
    assert len(grants) == 1
    standing = world.db["standings"].find_one({"_id": f"{an.id}:{doctor.organisation_id}"})
    assert standing is not None and len(standing["live"]) == 1 and standing["epoch"] == 1


def test_yes_and_no_at_once_are_both_taken(world: World) -> None:
    an = world.person()
    for _ in range(4):
        world.ask(world.doctor(), an)  # another each time: who was refused has to wait
        request = world.newest_request(an)
        base, token = f"/citizens/me/consent-requests/{request['id']}", an.token
        with ThreadPoolExecutor(2) as pool:
            yes = pool.submit(world.post, f"{base}/approval", token, world.answer_to(request))
            no = pool.submit(world.post, f"{base}/refusal", token)
        statuses = (yes.result().status_code, no.result().status_code)
        state = found_in(world.get(base, an))["state"]
        assert (statuses[0] == 201) != (statuses[1] == 200)
        assert state == ("granted" if statuses[0] == 201 else "refused")


def test_a_refusal_is_told_from_an_expiry(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    refused, expired = world.ask(doctor, an), None
    request = world.newest_request(an)
    path = f"/citizens/me/consent-requests/{request['id']}/refusal"
    assert found_in(world.post(path, an, {"reason": "do_not_trust"}))["state"] == "refused"
    assert world.post(path, an).status_code == 409
    nobody = world.ask(doctor, an, citizen={"national_id": "001190999777"})
    answers = [found_in(world.get(f"/provider/consent-requests/{ref}", doctor)) for ref in (refused, nobody)]
    assert [answer["state"] for answer in answers] == ["requested", "requested"], "who exists refuses sooner"
    expired = world.ask(doctor, an)
    world.forward(days=7)
    bodies = [found_in(world.get(f"/provider/consent-requests/{ref}", doctor)) for ref in (refused, expired)]
    assert [set(body) for body in bodies] == [{"id", "state"}, {"id", "state"}]
    assert {body["state"] for body in bodies} == {"closed"}


def test_an_expired_request_can_be_approved(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.ask(doctor, an)
    request = world.newest_request(an)
    world.forward(days=7)
    an = world.signed_in(an)
    answer = world.post(APPROVAL.format(request["id"]), an, world.answer_to(request))
    assert (answer.status_code, found_in(answer)["code"]) == (409, "request_closed")


def test_narrowing_needs_no_version_or_widens(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an)
    path = f"/citizens/me/grants/{made.grant['id']}"
    change = {"categories": ["immunization"]}

    def narrow(version: str | None, body: dict[str, Any] = change) -> Any:
        headers = {"If-Match": version} if version else {}
        return world.call("PATCH", path, an, body, headers=headers, kind="application/merge-patch+json")

    for none in (None, "*"):
        assert (narrow(none).status_code, found_in(narrow(none))["code"]) == (428, "precondition_required")
    for stale in ('"2"', '"0"', '"x"', '"99999999999999999999"', '"1.0"', '"-1"'):
        assert narrow(stale).status_code == 412, stale
    assert narrow('"1"', {"categories": ["condition", "visit"]}).status_code == 422
    etag = world.get(path, an).headers["ETag"]
    answer = narrow(etag)
    assert answer.status_code == 200 and found_in(answer)["categories"] == ["immunization"]
    assert narrow(etag).status_code in (404, 412)
    assert found_in(world.get(path, an))["state"] == "superseded"


def test_a_narrowed_grant_gives_what_it_gave(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition(), immunization()))
    made = world.grant(doctor, an, {"frequency": "up_to_5"})
    session = made.session()
    assert len(found_in(made.read(session))["items"]) == 2
    path = f"/citizens/me/grants/{made.grant['id']}"
    body = {"categories": ["immunization"]}
    assert world.call("PATCH", path, an, body, headers={"If-Match": '"1"'}).status_code == 200
    assert made.read(session).status_code == 403, "a session paid from the wider grant is over"
    assert [each["resource"]["id"] for each in made.seen()] == ["i1"]
    live = world.db["standings"].find_one({"_id": f"{an.id}:{doctor.organisation_id}"})
    assert live is not None and [each["uses_left"] for each in live["live"]] == [3], "uses start anew"


def test_withdrawing_twice_fails_or_the_next_read_works(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    session = made.session()
    assert made.read(session).status_code == 200
    first, second = made.withdraw(), made.withdraw()
    assert (first.status_code, second.status_code) == (200, 200)
    assert found_in(first) == found_in(second)
    for refused in (made.read(session), made.open()):
        assert (refused.status_code, found_in(refused)["code"]) == (403, "consent_ended")
        assert b"I10" not in refused.get_data()


def test_c04_an_edit_narrows_or_is_refused_and_the_old_receipt_still_verifies(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an, {"categories": ["condition", "immunization"]})
    path = f"/citizens/me/grants/{made.grant['id']}"
    receipt = found_in(world.get(f"{path}/receipt", an))["receipt"]
    keys = found_in(world.get("/.well-known/receipt-jwks.json"))["keys"]
    matching = {"If-Match": '"1"'}
    wider = world.call(
        "PATCH", path, an, {"categories": ["condition", "immunization", "visit"]}, headers=matching
    )
    assert (wider.status_code, found_in(wider)["code"]) == (422, "scope_widened")
    assert found_in(world.get(path, an))["state"] == "granted", "and nothing has changed"
    narrower = world.call("PATCH", path, an, {"categories": ["condition"]}, headers=matching)
    assert narrower.status_code == 200 and found_in(narrower)["categories"] == ["condition"]
    assert verified(receipt, keys)["pii_information"] == ["condition", "immunization"]
    now = verified(found_in(world.get(f"{path}/receipt", an))["receipt"], keys)
    assert now["event"][0]["event_state"] == "superseded"
    again = world.call("PATCH", path, an, {"categories": ["condition"]}, headers=matching)
    assert again.status_code in (404, 409, 412), "what was superseded is edited no more"


def another_letter(text: str) -> str:
    """One letter in the midst is another. The last ones need not matter: not all of their bits are read."""
    return f"{text[:40]}{'A' if text[40] != 'A' else 'B'}{text[41:]}"


def test_a_receipt_needs_the_wallet_to_be_verified(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an, {"categories": ["immunization"]})
    answer = world.get(f"/citizens/me/grants/{made.grant['id']}/receipt", an)
    assert answer.headers["Cache-Control"] == "no-store"
    keys = found_in(world.get("/.well-known/receipt-jwks.json"))["keys"]
    receipt = found_in(answer)["receipt"]
    told = verified(receipt, keys)
    assert told["pii_information"] == ["immunization"] and told["held_back"] == ["categories"]
    notice = world.services.consent.notice("TREAT", "vi")
    assert told["privacy_notice"]["sha256"] == notice.sha256
    head, body, signature = receipt.split(".")
    for forged in (
        f"{head}.{body}.{another_letter(signature)}",
        f"{head}.{another_letter(body)}.{signature}",
    ):
        with pytest.raises(ReceiptInvalid):
            verified(forged, keys)


def test_a_guardian_alone_gives_no_yes_of_a_child_of_seven(world: World) -> None:
    guardian, doctor = world.person(), world.doctor()
    today = world.now().date()
    small = world.child_of(guardian, born=today.replace(year=today.year - 7, day=4))
    grown = world.child_of(guardian, born=today.replace(year=today.year - 7))
    seen = []
    for child in (small, grown):
        world.ask(doctor, child)
        request = world.newest_request(child)
        path = f"/citizens/{child.id}/consent-requests/{request['id']}/approval"
        answer = world.post(path, guardian, world.answer_to(request))
        seen.append((answer.status_code, found_in(answer).get("code")))
    assert seen == [(201, None), (202, None)], "the first of two"


def test_a_blocked_organisation_is_shown_or_reads(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    session = made.session()
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, an).status_code == 204
    for answer in (made.read(session), made.open()):
        assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended"), "as if withdrawn"
    world.ask(doctor, an)
    assert found_in(world.get("/citizens/me/consent-requests", an))["items"] == []
    listed = found_in(world.get("/citizens/me/blocked-organisations", an))["items"]
    assert [each["id"] for each in listed] == [doctor.organisation_id]
    assert world.call("DELETE", path, an).status_code == 204
    assert made.read(session).status_code == 200
