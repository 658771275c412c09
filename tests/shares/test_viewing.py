"""Looking through a share link: what is shown, how often, until when, and who is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pymongo.database import Database

from consent.decision import decide_shared
from consent.model import Period
from consent.predicate import COMPANIONS, PROVIDERS, QUARANTINE, Clause
from tests.fhir import bundle, condition
from tests.rights.steps import asked, completed
from tests.shares.links import (
    DOSE,
    PASSCODE,
    PLAIN,
    SECRET,
    as_kept,
    ask,
    codes_of,
    filled,
    lines,
    made,
    make,
    opened,
    path_of,
    payload,
    record_of,
    revoke,
    shown,
)
from tests.world import Json, Person, World, found_in, without_request_id
from wallet_api.audit.errors import LogUnavailable


def hide(world: World, who: Person, record_id: str, audience: str) -> None:
    body = {"audience": audience, "hidden": True}
    path = f"/citizens/me/records/{record_id}/visibility"
    assert world.call("PUT", path, who, body).status_code == 204


def meanwhile(act: Callable[[], Any]) -> Any:
    """Done by another request, while this one is under way."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(act).result()


def never(world: World) -> Any:
    """What a link that never was is answered."""
    return world.post("/share-links/" + "A" * 43, None, {"recipient": "BS. Lan"})


def is_over(world: World, share: Json, passcode: str | None = None) -> None:
    """The link is answered like one that never was, to the byte."""
    assert ask(world, share, passcode).status_code == 404
    assert without_request_id(ask(world, share, passcode)) == without_request_id(never(world))


def test_a_link_shows_the_plain_records_of_its_categories_as_valid_fhir(world: World) -> None:
    an = filled(world)
    share = made(world, an)
    bundle_shown = shown(world, share)
    assert codes_of(bundle_shown) == {PLAIN, DOSE}
    get_fhir_model_class("Bundle").model_validate(bundle_shown)
    patient = bundle_shown["entry"][0]
    assert patient["resource"] == {
        "resourceType": "Patient",
        "name": [{"text": an.name}],
        "gender": "female",
        "birthDate": an.born.isoformat(),
    }
    for each in bundle_shown["entry"][1:]:
        resource = each["resource"]
        whose = resource.get("subject") or resource["patient"]
        assert whose == {"reference": patient["fullUrl"]} and each["fullUrl"].startswith("urn:uuid:")
    assert an.number not in json.dumps(bundle_shown)


def test_the_link_is_of_the_standard_and_its_secrets_are_kept_nowhere(world: World) -> None:
    an = filled(world)
    share = made(world, an, passcode=PASSCODE)
    told = payload(share)
    assert set(told) == {"url", "key", "exp", "flag", "v"} and told["flag"] == "LP" and told["v"] == 1
    assert len(told["url"]) <= 128 and len(told["key"]) == 43
    link = path_of(share).rpartition("/")[2]
    stored = repr(list(world.db["shares"].find({"citizen_id": an.id})))
    for secret in (link, told["key"], PASSCODE, "BS. Lan"):
        assert secret not in stored
    kept = as_kept(world, share, an)
    assert "link" not in kept and told["key"] not in json.dumps(kept)
    once_only = made(world, an, use_limit=1)
    assert "flag" not in payload(once_only)


def test_a_restricted_record_is_shown_only_when_it_is_named(world: World) -> None:
    an = filled(world)
    secret = record_of(world, an, SECRET)
    named = made(world, an, kind="records", categories=None, record_ids=[secret])
    assert codes_of(shown(world, named)) == {SECRET}
    assert codes_of(shown(world, made(world, an, kind="summary", categories=None))) == {PLAIN, DOSE}


def test_a_link_is_limited_to_its_categories_and_period(world: World) -> None:
    an = filled(world)
    assert codes_of(shown(world, made(world, an, categories=["immunization"]))) == {DOSE}
    period = {"from": "2026-03-01", "to": "2026-03-31"}
    assert codes_of(shown(world, made(world, an, record_period=period))) == {PLAIN}


@pytest.mark.parametrize("audience", ["providers", "guardians"])
def test_what_is_hidden_after_the_link_was_made_is_gone_from_it(world: World, audience: str) -> None:
    an = filled(world)
    share = made(world, an)
    hide(world, an, record_of(world, an, PLAIN), audience)
    assert codes_of(shown(world, share)) == {DOSE}


@pytest.mark.parametrize("named", [True, False])
def test_what_is_said_to_be_a_strangers_is_gone_from_every_link(world: World, named: bool) -> None:
    an = filled(world)
    plain = record_of(world, an, PLAIN)
    wanted = {"kind": "records", "categories": None, "record_ids": [plain]} if named else {}
    share = made(world, an, **wanted)
    assert PLAIN in codes_of(shown(world, share))
    assert world.post(f"/citizens/me/records/{plain}/not-mine", an).status_code == 200
    assert PLAIN not in codes_of(shown(world, share))


def test_who_hides_a_record_from_the_family_may_still_name_it_in_a_link(world: World) -> None:
    an = filled(world)
    plain = record_of(world, an, PLAIN)
    hide(world, an, plain, "guardians")
    share = made(world, an, kind="records", categories=None, record_ids=[plain])
    assert codes_of(shown(world, share)) == {PLAIN}
    hide(world, an, plain, "providers")
    assert codes_of(shown(world, share)) == set()


def test_a_correction_is_shown_as_it_is_now(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition("c", code="I10")))
    share = made(world, an)
    world.send(doctor, bundle(an, condition("c", code="I11")))
    assert codes_of(shown(world, share)) == {"I11"}


def test_no_more_is_shown_than_a_view_may_hold_and_the_bundle_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.services.sharing.reader, "_most", 1)
    share = made(world, filled(world))
    told = shown(world, share)
    assert codes_of(told) == {PLAIN}, "the newest"
    assert told["meta"]["tag"][0]["code"] == "SUBSETTED"


def test_c26_an_expired_link_is_refused_whatever_its_exp_says(world: World) -> None:
    an = filled(world)
    share = made(world, an)
    shown(world, share)
    world.forward(days=1)
    is_over(world, share)
    assert as_kept(world, share, an)["uses"] == 1


def test_c26_a_link_is_used_up_after_its_uses_also_by_many_at_once(world: World) -> None:
    an = filled(world)
    share = made(world, an, use_limit=3)
    with ThreadPoolExecutor(6) as crowd:
        statuses = list(crowd.map(lambda _: ask(world, share).status_code, range(9)))
    assert sorted(statuses) == [200] * 3 + [404] * 6
    kept = as_kept(world, share, an)
    assert (kept["uses"], kept["state"]) == (3, "used_up")
    is_over(world, share)


def test_c26_wrong_passcodes_are_counted_and_the_last_locks_the_link(world: World) -> None:
    an = filled(world)
    share = made(world, an, passcode=PASSCODE)
    assert codes_of(shown(world, share, PASSCODE)) == {PLAIN, DOSE}
    for left in (4, 3, 2, 1, 0):
        answer = ask(world, share, "khong-phai-the")
        assert (answer.status_code, found_in(answer)["remainingAttempts"]) == (401, left)
        assert found_in(answer)["code"] == "passcode_refused"
        assert answer.headers["WWW-Authenticate"] == "Passcode"
    is_over(world, share, PASSCODE)
    assert as_kept(world, share, an)["state"] == "locked"


def test_c26_many_guesses_at_once_are_counted_one_by_one(world: World) -> None:
    an = filled(world)
    share = made(world, an, passcode=PASSCODE)
    with ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(lambda n: ask(world, share, f"guess-{n}"), range(10)))
    told = [found_in(each)["remainingAttempts"] for each in answers if each.status_code == 401]
    assert sorted(told) == [0, 1, 2, 3, 4]
    assert {each.status_code for each in answers} == {401, 404}
    assert as_kept(world, share, an)["attempts_left"] == 0


def test_no_passcode_at_all_is_no_guess(world: World) -> None:
    share = made(world, filled(world), passcode=PASSCODE)
    for _ in range(7):
        answer = ask(world, share)
        assert (answer.status_code, found_in(answer)["remainingAttempts"]) == (401, 5)
    shown(world, share, PASSCODE)


def test_c26_a_revoked_link_is_refused_and_revoking_again_changes_nothing(world: World) -> None:
    an = filled(world)
    share = made(world, an)
    shown(world, share)
    old = world.signed_in(an, ago=timedelta(minutes=4))
    world.forward(minutes=10)
    assert revoke(world, share, old).status_code == 204, "ending needs no fresh sign-in"
    is_over(world, share)
    assert revoke(world, share, an).status_code == 204
    assert [each["action"] for each in lines(world, an)].count("share:revoked") == 1
    assert as_kept(world, share, an)["state"] == "revoked"


def test_c26_a_view_that_began_before_a_revocation_is_not_handed_over_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an = filled(world)
    share, reader = made(world, an), world.services.sharing.reader
    bundled = reader.bundle

    def slow(*args: Any) -> Any:
        assert meanwhile(lambda: revoke(world, share, an)).status_code == 204
        return bundled(*args)

    monkeypatch.setattr(reader, "bundle", slow)
    answer = ask(world, share)
    monkeypatch.undo()
    assert without_request_id(answer) == without_request_id(never(world))
    assert lines(world, an)[0]["reason"] == "ended_while_reading"


def test_c26_what_is_hidden_while_it_is_read_is_not_handed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an = filled(world)
    share, reader = made(world, an), world.services.sharing.reader
    plain, bundled = record_of(world, an, PLAIN), reader.bundle

    def slow(*args: Any) -> Any:
        meanwhile(lambda: hide(world, an, plain, "providers"))
        return bundled(*args)

    monkeypatch.setattr(reader, "bundle", slow)
    answer = ask(world, share)
    monkeypatch.undo()
    assert (answer.status_code, found_in(answer)["code"]) == (503, "unavailable")
    assert codes_of(shown(world, share)) == {DOSE}


def test_c26_the_dead_the_locked_out_and_the_restricted_are_not_shown(world: World) -> None:
    an = filled(world)
    share = made(world, an)
    request = completed(world, asked(world, an, "restrict"))
    is_over(world, share)
    assert found_in(make(world, an))["code"] == "sharing_restricted"
    path = f"/citizens/me/rights-requests/{request['id']}/cancellation"
    assert world.post(path, world.signed_in(an)).status_code == 200
    shown(world, share)
    world.services.identity.people.lock(an.id)  # a lost phone: nobody could end what its finder shares
    is_over(world, share)
    world.services.identity.people.unlock(an.id)
    shown(world, share)
    world.services.identity.people.record_death(an.id, date(2026, 11, 2))
    is_over(world, share)


def test_c26_an_erasure_ends_every_link(world: World) -> None:
    an = filled(world)
    share = made(world, an)
    completed(world, asked(world, an, "erase"))
    assert world.db["shares"].count_documents({"citizen_id": an.id}) == 0
    is_over(world, share)


def test_every_look_is_in_the_log_with_the_name_as_it_was_said(world: World) -> None:
    an = filled(world)
    share = made(world, an, passcode=PASSCODE)
    shown(world, share, PASSCODE, recipient="BS. Lan\n\u202eKhoa  Nội\u200b")
    ask(world, share, "khong-phai-the", recipient="Kẻ lạ")
    ask(world, share)
    revoke(world, share, an)
    ask(world, share, recipient="Quá muộn")
    told = [(each["text"], each["record_count"]) for each in lines(world, an)]
    assert told == [
        ("Người giữ liên kết (tự xưng “Quá muộn”) xem hồ sơ qua liên kết chia sẻ (bị từ chối)", None),
        ("Bạn thu hồi một liên kết chia sẻ hồ sơ", None),
        ("Người giữ liên kết (tự xưng “BS. Lan”) xem hồ sơ qua liên kết chia sẻ (bị từ chối)", None),
        ("Người giữ liên kết (tự xưng “Kẻ lạ”) xem hồ sơ qua liên kết chia sẻ (bị từ chối)", None),
        ("Người giữ liên kết (tự xưng “BS. Lan Khoa Nội”) xem hồ sơ qua liên kết chia sẻ", 2),
        ("Bạn tạo một liên kết chia sẻ hồ sơ", None),
    ]
    assert (
        lines(world, an, locale="en")[-2]["actor"]["name"]
        == "Whoever holds the link (says: “BS. Lan Khoa Nội”)"
    )
    views = as_kept(world, share, an)["views"]
    assert [each["outcome"] for each in views] == ["over", "passcode_missing", "passcode_wrong", "shown"]
    raw = repr([each.event for each in world.services.log.entries(an.id, limit=100)])
    assert "BS. Lan" not in raw and "Kẻ lạ" not in raw


def test_nothing_is_shown_that_cannot_be_logged_and_the_use_is_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    an = filled(world)
    share = made(world, an, use_limit=1)

    def broken(*_: Any) -> None:
        raise LogUnavailable("test")

    monkeypatch.setattr(world.services.log, "append", broken)
    answer = ask(world, share)
    monkeypatch.undo()
    assert answer.status_code == 503
    assert as_kept(world, share, an)["uses"] == 0
    shown(world, share)


def test_a_dead_link_cannot_fill_the_log(world: World) -> None:
    an = filled(world)
    share = made(world, an)
    revoke(world, share, an)
    for _ in range(23):
        assert ask(world, share).status_code == 404
    assert sum(each["decision"] == "refuse" for each in lines(world, an)) == 20


def test_a_long_file_is_fetched_apart_for_some_minutes(world: World) -> None:
    an = filled(world)
    share = made(world, an, use_limit=1)
    answer = ask(world, share, embeddedLengthMax=10)
    told = found_in(answer)
    assert answer.headers["Cache-Control"] == "no-store" and told["status"] == "finalized"
    (file,) = told["files"]
    assert "embedded" not in file and file["contentType"] == "application/fhir+json"
    path = file["location"].removeprefix(world.settings.public_url)
    fetched = world.get(path)
    assert fetched.mimetype == "application/jose" and fetched.headers["Cache-Control"] == "no-store"
    assert codes_of(opened(share, fetched.get_data(as_text=True))) == {PLAIN, DOSE}
    other = made(world, an)
    swapped = path.replace(path_of(share), path_of(other))
    assert without_request_id(world.get(swapped)) == without_request_id(world.get(path + "x"))
    assert world.get(swapped).status_code == 404, "a ticket is of one link"
    revoke(world, share, an)
    assert world.get(path).status_code == 404
    late = found_in(ask(world, other, embeddedLengthMax=10))["files"][0]["location"]
    world.forward(minutes=5)
    assert world.get(late.removeprefix(world.settings.public_url)).status_code == 404


def test_viewers_in_any_browser_may_read_the_answers_refusals_too(world: World) -> None:
    an = filled(world)
    share = made(world, an, passcode=PASSCODE)
    client = world.app.test_client()
    preflight = client.options(path_of(share), headers={"Access-Control-Request-Method": "POST"})
    answers = (preflight, ask(world, share, PASSCODE), ask(world, share), never(world))
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
    assert preflight.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert "Access-Control-Allow-Origin" not in world.get("/citizens/me", an).headers


def test_what_a_viewer_sends_is_read_strictly_and_is_no_guess(world: World) -> None:
    an = filled(world)
    share = made(world, an, passcode=PASSCODE)
    for body in ({}, {"recipient": ""}, {"recipient": 1}, {"recipient": "x", "passcode": 123456}, {"x": 1}):
        assert world.post(path_of(share), None, body).status_code == 422
    assert world.post(path_of(share), None, raw=b"{").status_code == 400
    for path in ("/share-links/x", "/share-links/" + "A" * 44, f"{path_of(share)}/files/x"):
        method = "GET" if "files" in path else "POST"
        answer = world.call(method, path, None, {"recipient": "x"} if method == "POST" else None)
        assert answer.status_code == 404
    assert as_kept(world, share, an)["attempts_left"] == 5


def test_knocking_at_a_link_is_bounded_whether_or_not_there_is_one(
    embedded_db: Database[Json], tmp_path: Path
) -> None:
    world = World(embedded_db, tmp_path, WALLET_LIMITS=json.dumps({"share_view": "2/hour"}))
    share = made(world, filled(world))
    assert [ask(world, share).status_code for _ in range(3)] == [200, 200, 429]
    assert [never(world).status_code for _ in range(3)] == [404, 404, 429]
    told = [without_request_id(each)[2] for each in (ask(world, share), never(world))]
    assert {name for name, _ in told[0]} == {name for name, _ in told[1]}
    world.services.log.close()


def test_hidden_from_every_provider_is_the_audience_of_links() -> None:
    clause = Clause(None, Period(), None, None, frozenset({"r"}))
    assert decide_shared(clause, by_guardian=False).predicate.audiences == {PROVIDERS} | QUARANTINE
    guardians = decide_shared(clause, by_guardian=True).predicate.audiences
    assert guardians == {PROVIDERS} | QUARANTINE | COMPANIONS
