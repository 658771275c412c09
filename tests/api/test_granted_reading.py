"""What a provider reads under consent, and every way of reading more than that."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from consent.access import AccessService, Fence
from consent.codes import LABELS
from tests.world import (
    Granted,
    World,
    bundle,
    condition,
    found_in,
    immunization,
    labelled,
    observation,
    sources,
    without_request_id,
)
from wallet_api.infra.ids import new_id


def granted(world: World, *resources: Any, answer: Any = None, **asked: Any) -> Granted:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, *(resources or (condition(), immunization()))))
    return world.grant(doctor, an, answer, **asked)


@pytest.fixture(scope="module")
def standing(shared_world: World) -> Granted:
    """A grant for the tests that find it as it is and leave it so."""
    return granted(shared_world)


def test_what_was_not_granted_is_read(world: World) -> None:
    made = granted(world, condition(), immunization(), observation())
    assert sources(made.seen()) == ["c1", "i1"]
    narrowed = found_in(made.read(made.session(), query="?category=lab_result"))
    assert narrowed == {"items": [], "next_cursor": None}


def test_a_record_outside_the_grant_is_told_from_an_absent_one(world: World, standing: Granted) -> None:
    made = granted(world, condition(), observation())
    ids = {
        each["resource"]["id"]: each["id"]
        for each in found_in(world.get("/citizens/me/records", made.person))["items"]
    }
    seal = world.services.references.seal
    org, whose = made.doctor.organisation_id, made.person.id
    session = made.session()
    shown = made.read(session, path=f"/{seal(org, 'record', whose, ids['c1'])}")
    assert shown.status_code == 200 and found_in(shown)["resource"]["id"] == "c1"
    other = standing
    theirs = found_in(world.get("/citizens/me/records", other.person))["items"][0]["id"]
    absent = {
        without_request_id(made.read(session, path=f"/{reference}"))
        for reference in (
            seal(org, "record", whose, ids["o1"]),
            seal(org, "record", whose, new_id()),
            seal(org, "record", other.person.id, theirs),
            seal(other.doctor.organisation_id, "record", whose, ids["c1"]),
            seal(org, "citizen", whose),
            ids["c1"],
            "x",
        )
    }
    assert len(absent) == 1 and next(iter(absent))[0] == 404


def test_a_partly_outside_date_is_inside(world: World) -> None:
    resources = (condition("y", on="2026"), condition("m", on="2026-03"), condition("d", on="2026-03-31"))
    made = granted(world, *resources, record_period={"from": "2026-03-01", "to": "2026-03-31"})
    assert sorted(sources(made.seen())) == ["d", "m"]


def test_restricted_records_are_read_without_their_label(world: World) -> None:
    resources = (condition("plain"), condition("mind", "F32.1"), condition("blood", "B20"))
    assert sources(granted(world, *resources, labels=["PSY"], answer={"labels": []}).seen()) == ["plain"]
    assert sorted(sources(granted(world, *resources, labels=["PSY"]).seen())) == ["mind", "plain"]


def test_a_record_with_two_labels_is_read_under_one(world: World) -> None:
    both = labelled(condition("both", "F32.1"), "HIV")
    assert sources(granted(world, both, labels=["PSY"]).seen()) == []
    assert sources(granted(world, both, labels=["PSY", "HIV"]).seen()) == ["both"]


def test_a_sensitivity_nobody_knows_is_read(world: World) -> None:
    strange = [
        labelled(condition(f"s{index}"), code) for index, code in enumerate(("CEL", "R", "V", "x", "psy"))
    ]
    made = granted(world, condition("plain"), *strange, labels=list(LABELS.codes))
    assert sources(made.seen()) == ["plain"]
    own = found_in(world.get("/citizens/me/records", made.person))["items"]
    assert len(own) == 6, "they stay with the citizen"
    ordinary = granted(world, labelled(condition("n"), "N"))
    assert sources(ordinary.seen()) == ["n"]


def test_a_hidden_record_is_read(world: World) -> None:
    made = granted(world)
    items = found_in(world.get("/citizens/me/records?category=condition", made.person))["items"]
    record, session = items[0]["id"], made.session()
    reference = world.services.references.seal(made.doctor.organisation_id, "record", made.person.id, record)
    assert made.read(session, path=f"/{reference}").status_code == 200
    path = f"/citizens/me/records/{record}/visibility"
    assert world.call("PUT", path, made.person, {"audience": "providers", "hidden": True}).status_code == 204
    assert sources(found_in(made.read(session))["items"]) == ["i1"]
    absent = world.services.references.seal(made.doctor.organisation_id, "record", made.person.id, new_id())
    hidden, none = made.read(session, path=f"/{reference}"), made.read(session, path=f"/{absent}")
    assert hidden.status_code == 404 and without_request_id(hidden) == without_request_id(none)
    world.call("PUT", path, made.person, {"audience": "providers", "hidden": False})
    assert made.read(session, path=f"/{reference}").status_code == 200


def test_another_organisation_uses_the_reference(world: World, standing: Granted) -> None:
    made, other = standing, world.doctor()
    session = made.session()
    nobody = world.post("/provider/access-sessions", other, {"citizen_ref": "x", "purpose": "TREAT"})
    opened = made.open(other)
    assert opened.status_code == 404 and without_request_id(opened) == without_request_id(nobody)
    assert made.read(session, other).status_code == 404
    own_ref = world.services.references.seal(other.organisation_id, "citizen", made.person.id)
    headers = {"Access-Session": session}
    stolen = world.get(f"/provider/citizens/{own_ref}/records", other, headers=headers)
    assert (stolen.status_code, found_in(stolen)["code"]) == (403, "access_session_invalid")


def test_an_organisation_that_was_given_nothing_learns_that_somebody_exists(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    seen = set()
    for whose in (an.id, new_id()):
        reference = world.services.references.seal(doctor.organisation_id, "citizen", whose)
        body = {"citizen_ref": reference, "purpose": "TREAT"}
        seen.add(without_request_id(world.post("/provider/access-sessions", doctor, body)))
    assert len(seen) == 1 and next(iter(seen))[0] == 404


def test_a_colleague_reads_what_one_practitioner_was_given(world: World, standing: Granted) -> None:
    made = granted(world, only_me=True)
    other = world.colleague(made.doctor)
    assert made.seen()
    assert made.open(other).status_code == 403
    assert standing.seen()


def test_somebody_elses_access_session_works(world: World, standing: Granted) -> None:
    made = standing
    session, other = made.session(), world.colleague(made.doctor)
    answer = made.read(session, other)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "access_session_invalid")
    assert made.open(other).status_code == 201, "the colleague may open one of their own"


@pytest.mark.parametrize("where", [0, 12, 60, -1])
def test_a_tampered_access_session_works(world: World, standing: Granted, where: int) -> None:
    made = standing
    session = made.session()
    at = where % len(session)
    forged = session[:at] + ("A" if session[at] != "A" else "Q") + session[at + 1 :]
    for text in (forged, "", "x", session + "A", session[:-4], "a" * 5000):
        answer = made.read(text)
        assert (answer.status_code, found_in(answer)["code"]) == (403, "access_session_invalid")
        assert b"I10" not in answer.get_data()


def test_an_access_session_opens_another_book_of_the_same_organisation(world: World) -> None:
    made = granted(world)
    second = world.person()
    world.send(made.doctor, bundle(second, condition("theirs")))
    other = world.grant(made.doctor, second)
    answer = other.read(made.session())
    assert (answer.status_code, found_in(answer)["code"]) == (403, "access_session_invalid")


def test_an_old_access_session_works(world: World) -> None:
    made = granted(world)
    session = made.session()
    world.forward(minutes=30)
    answer = made.read(session)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "access_session_invalid")


def test_a_session_outlives_its_grant(world: World) -> None:
    soon = (world.now() + timedelta(minutes=10)).isoformat()
    made = granted(world, expires_at=soon)
    opened = found_in(made.open())
    assert opened["expires_at"] == made.grant["expires_at"]
    world.forward(minutes=10)
    assert made.read(opened["id"]).status_code == 403
    assert found_in(made.open())["code"] == "consent_ended"


@pytest.mark.parametrize(
    ("purpose", "status"), [("HRESCH", 403), ("ETREAT", 403), ("BTG", 403), ("treat", 422), ("*", 422)]
)
def test_another_purpose_than_the_granted_one_works(
    world: World, standing: Granted, purpose: str, status: int
) -> None:
    assert standing.open(purpose=purpose).status_code == status


def test_a_system_reads_without_a_practitioner(world: World, standing: Granted) -> None:
    made = standing
    session = made.session()
    for answer in (made.read(session, made.doctor.system), made.open(made.doctor.system)):
        assert (answer.status_code, found_in(answer)["code"]) == (403, "practitioner_needed")


def test_a_suspended_organisation_reads(world: World) -> None:
    made = granted(world)
    session, token = made.session(), made.doctor.token
    world.services.identity.organisations.set_status(made.doctor.organisation_id, "suspended")
    url = f"/provider/citizens/{made.citizen_ref}/records"
    assert world.get(url, token, headers={"Access-Session": session}).status_code == 401


def test_once_is_twice(world: World) -> None:
    made = granted(world, answer={"frequency": "once"})
    session = made.session()
    assert [made.read(session).status_code for _ in range(3)] == [200, 200, 200], "pages inside one use"
    again = made.open()
    assert (again.status_code, found_in(again)["code"]) == (403, "not_covered")
    assert made.read(session).status_code == 200


def test_thirty_at_once_open_one_use_more_than_once(world: World) -> None:
    made = granted(world, answer={"frequency": "once"})
    token = made.doctor.token
    body = {"citizen_ref": made.citizen_ref, "purpose": "TREAT"}
    with ThreadPoolExecutor(30) as pool:
        tried = [pool.submit(world.post, "/provider/access-sessions", token, body) for _ in range(30)]
    assert Counter(each.result().status_code for each in tried) == {201: 1, 403: 29}


def test_a_withdrawal_between_pages_stops_nothing(world: World) -> None:
    made = granted(world, *(condition(f"c{index}") for index in range(3)))
    session = made.session()
    first = found_in(made.read(session, query="?limit=2"))
    assert len(first["items"]) == 2 and first["next_cursor"]
    made.withdraw()
    answer = made.read(session, query=f"?limit=2&cursor={first['next_cursor']}")
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")


def test_a_withdrawal_while_an_answer_is_made_lets_it_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = granted(world)
    session = made.session()
    authorise = AccessService.authorise

    def authorise_then_lose(self: AccessService, asked: Any) -> Any:
        permission = authorise(self, asked)
        with ThreadPoolExecutor(1) as elsewhere:  # a request inside a request would share its caller
            assert elsewhere.submit(made.withdraw).result().status_code == 200
        return permission

    monkeypatch.setattr(AccessService, "authorise", authorise_then_lose)
    answer = made.read(session)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
    assert b"I10" not in answer.get_data() and "ETag" not in answer.headers


def test_two_organisations_can_compare_what_they_hold(world: World) -> None:
    an, one, two = world.person(), world.doctor(), world.doctor()
    world.send(one, bundle(an, condition()))
    first, second = world.grant(one, an), world.grant(two, an)
    assert first.citizen_ref != second.citizen_ref
    assert first.seen()[0]["id"] != second.seen()[0]["id"]
    assert an.id not in str(first.seen()) + str(first.outcome)


def test_an_ex_consented_provider_learns_anything_at_all(world: World) -> None:
    made = granted(world)
    session, record = made.session(), made.seen()[0]["id"]
    made.withdraw()
    world.send(made.doctor, bundle(made.person, condition("later", "I11")))
    for path in ("", f"/{record}", f"/{record}x"):
        answer = made.read(session, path=path)
        assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
        assert set(found_in(answer)) == {"type", "title", "status", "code", "detail", "request_id"}


def test_a_wrong_question_spends_the_visit_code(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    code = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    late = (world.now() + timedelta(days=400)).isoformat()
    asked = world.proposal(an, citizen={"visit_code": code})
    assert world.post("/provider/consent-requests", doctor, asked | {"expires_at": late}).status_code == 422
    assert world.post("/provider/consent-requests", doctor, asked).status_code == 202


def test_a_stopped_answer_lacks_the_headers_of_every_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = granted(world)
    session = made.session()
    look = AccessService.still_holds

    def withdrawn_meanwhile(self: AccessService, fence: Fence) -> bool:
        made.withdraw()
        return look(self, fence)

    monkeypatch.setattr(AccessService, "still_holds", withdrawn_meanwhile)
    answer = made.read(session)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "consent_ended")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Request-Id"] == found_in(answer)["request_id"]


def test_a_phone_of_an_old_sign_in_gets_pushes(world: World) -> None:
    an = world.signed_in(world.person(), ago=timedelta(hours=3))
    device = {"platform": "android", "address_kind": "fid", "address": "ok-somewhere-else"}
    answer = world.call("PUT", "/citizens/me/devices/installation-1", an, device)
    assert (answer.status_code, found_in(answer)["code"]) == (401, "insufficient_user_authentication")
    fresh = world.signed_in(an)
    assert world.call("PUT", "/citizens/me/devices/installation-1", fresh, device).status_code == 200
    assert world.call("PUT", "/citizens/me/devices/installation-1", an, device).status_code == 200
