"""No door tells whether a person exists: the same bytes, the same status, the same work in the database."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.listening import Operations, named
from tests.visit_files import RESULT, file_of, visit_of
from tests.world import (
    START,
    Doctor,
    Person,
    World,
    bundle,
    condition,
    found_in,
    immunization,
    observation,
)
from wallet_api.identity.model import Account, Profile
from wallet_api.identity.people import PersonClaims
from wallet_api.infra.crypto import citizen_keys
from wallet_api.infra.ids import new_id
from wallet_api.wiring import licences

ASK = "/provider/consent-requests"
ABSENT = "001190{:06d}"
SHOWN = 40  # of each kind


@pytest.fixture(scope="module")
def operations() -> Operations:
    return Operations()


@pytest.fixture(scope="module")
def world(
    embedded_uri: str, operations: Operations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    db = operations.open_database(embedded_uri, f"enumeration_{new_id()}")
    made = World(db, tmp_path_factory.mktemp("wallet"))
    made.clock.set_to(START)
    # A licence is looked up every five seconds, whoever is asked about: not in the middle of a comparison.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(licences, "HELD_SECONDS", 3600.0)
        yield made
    made.services.log.close()
    db.client.close()


def work_of(operations: Operations, call: Callable[[], TestResponse]) -> tuple[TestResponse, Counter[str]]:
    """The answer, and the database operations behind it. Those of the log go out together with others'."""
    with operations.heard() as commands:
        answer = call()
    return answer, Counter(named(each) for each in commands)


def plain(answer: TestResponse, *varying: str) -> tuple[object, ...]:
    """All of an answer that tells something: ids are new each time, and so is what is sealed in them."""
    body = answer.get_data()
    for name in (*varying, "request_id"):
        told = str(found_in(answer).get(name, ""))
        body = body.replace(told.encode(), b"-" * len(told)) if told else body
    headers = tuple(
        sorted((name, text) for name, text in answer.headers if name not in ("Request-Id", "Date"))
    )
    return answer.status_code, body, headers


def people(world: World, doctor: Doctor) -> dict[str, str]:
    """Numbers of every kind of person there is, and of nobody."""
    an, blocker = world.person(), world.person()
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, blocker).status_code == 204
    child = world.child_of(an)
    refuser = world.person()
    # Something else than is asked for later: an equal request would be the same one, as its asker knows.
    world.ask(doctor, refuser, categories=["condition"])
    request = world.newest_request(refuser)
    world.post(f"/citizens/me/consent-requests/{request['id']}/refusal", refuser)
    dead = world.person()
    world.services.identity.people.record_death(dead.id, world.now().date())
    granted = world.person()
    world.grant(doctor, granted, categories=["condition"])
    return {
        "known": world.person().number,
        "blocking": blocker.number,
        "under age": child.number,
        "refusing": refuser.number,
        "dead": dead.number,
        "granted": granted.number,
        "absent": ABSENT.format(1),
        "other absent": ABSENT.format(2),
    }


def test_asking_is_the_same_whoever_is_meant(world: World, operations: Operations) -> None:
    doctor = world.doctor()
    world.ask(doctor, world.person())
    seen: dict[str, Any] = {}
    for who, number in people(world, doctor).items():
        body = world.proposal(world_person(number), citizen={"national_id": number})
        token = doctor.token
        answer, work = work_of(operations, lambda token=token, body=body: world.post(ASK, token, body))  # type: ignore[misc]  # defaults bind
        polled, asked = work_of(
            operations,
            lambda token=token, answer=answer: world.get(f"{ASK}/{found_in(answer)['id']}", token),  # type: ignore[misc]  # as above
        )
        seen[who] = plain(answer, "id"), work, plain(polled, "id"), asked
    assert seen["known"][0][0] == 202 and sum(seen["known"][1].values()) >= 4
    assert {who: each for who, each in seen.items() if each != seen["known"]} == {}


def world_person(number: str) -> Any:
    """What `proposal` needs of somebody: a number."""
    return type("Named", (), {"number": number})()


def test_forty_known_and_forty_unknown_numbers_are_answered_alike(
    world: World, operations: Operations, record_property: Any
) -> None:
    doctor, known = world.doctor(), [world.person().number for _ in range(20)]
    token = doctor.token
    kinds: dict[str, Counter[object]] = {"known": Counter(), "unknown": Counter()}
    world.post(ASK, token, world.proposal(world.person()))  # its licence is known from here on
    for turn in range(SHOWN):
        for kind, number in (("known", known[turn % 20]), ("unknown", ABSENT.format(1000 + turn % 20))):
            body = world.proposal(world_person(number), citizen={"national_id": number})
            answer, work = work_of(operations, lambda body=body: world.post(ASK, token, body))  # type: ignore[misc]  # a default binds
            kinds[kind][(plain(answer, "id"), frozenset(work.items()))] += 1
    record_property("lookups", 2 * SHOWN)
    # Asked for the first time, and asked for again: two answers, to known and unknown alike.
    assert kinds["known"] == kinds["unknown"] and len(kinds["known"]) == 2


def test_wrong_codes_are_one_answer(world: World, operations: Operations) -> None:
    doctor, an = world.doctor(), world.person()
    used = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    assert world.post(ASK, doctor, world.proposal(an, citizen={"visit_code": used})).status_code == 202
    late = found_in(world.post("/citizens/me/visit-codes", an))["visit_code"]
    world.forward(minutes=6)
    token = doctor.token
    seen = []
    for code in (used, late, "ABCDEFGHJK", "ABCDE-FGHJK", "00000-00000", "abc"):
        body = world.proposal(an, citizen={"visit_code": code})
        answer, work = work_of(operations, lambda body=body: world.post(ASK, token, body))  # type: ignore[misc]  # a default binds
        seen.append((plain(answer), work))
    assert seen[0][0][0] == 422 and seen == [seen[0]] * len(seen)


def test_every_path_to_somebody_else_is_the_path_to_nobody(world: World, operations: Operations) -> None:
    an, binh, doctor = world.person(), world.person(), world.doctor()
    world.send(doctor, bundle(binh, condition()))
    theirs = world.grant(doctor, binh)
    record = found_in(world.get("/citizens/me/records", binh))["items"][0]["id"]
    child = world.child_of(binh)
    token = an.token
    pairs = [
        (f"/citizens/{binh.id}{rest}", f"/citizens/{new_id()}{rest}")
        for rest in (
            "",
            "/records",
            "/grants",
            "/consent-requests",
            "/access-log",
            "/family",
            "/sessions",
            "/inbox",
        )
    ]
    pairs += [
        (f"/citizens/{child.id}/records", f"/citizens/{new_id()}/records"),
        (f"/citizens/me/grants/{theirs.grant['id']}", f"/citizens/me/grants/{new_id()}"),
        (f"/citizens/me/records/{record}", f"/citizens/me/records/{new_id()}"),
        (f"/citizens/me/records/{record}/versions", f"/citizens/me/records/{new_id()}/versions"),
    ]
    for other, absent in pairs:
        mine = work_of(operations, lambda path=other: world.get(path, token))  # type: ignore[misc]  # a default binds
        nobody = work_of(operations, lambda path=absent: world.get(path, token))  # type: ignore[misc]  # as above
        assert mine[0].status_code == 404, other
        assert (plain(mine[0]), mine[1]) == (plain(nobody[0]), nobody[1]), other


def test_references_of_others_are_references_to_nothing(world: World, operations: Operations) -> None:
    ours, theirs = world.doctor(), world.doctor()
    made = world.grant(theirs, world.person())
    token = ours.token
    seals = world.services.references
    nobody = seals.seal(ours.organisation_id, "request", new_id(), new_id())
    seen = [
        work_of(operations, lambda ref=ref: world.get(f"{ASK}/{ref}", token))  # type: ignore[misc]  # a default binds
        for ref in (nobody, seals.seal(ours.organisation_id, "request", made.person.id, new_id()))
    ]
    assert seen[0][0].status_code == 404
    assert (plain(seen[0][0]), seen[0][1]) == (plain(seen[1][0]), seen[1][1])
    foreign = world.get(f"{ASK}/{made.request_ref}", token)
    assert plain(foreign) == plain(seen[0][0])
    for path in ("/provider/access-sessions",):
        body = {"citizen_ref": made.citizen_ref, "purpose": "TREAT"}
        absent = {"citizen_ref": "A" * 43, "purpose": "TREAT"}
        assert plain(world.post(path, token, body)) == plain(world.post(path, token, absent))


def meant(world: World, busy: Person) -> dict[str, list[tuple[str, date]]]:
    """Numbers and birth dates of every kind of person a bundle can be about, and of nobody."""
    an, binh, dead, locked = (world.person() for _ in range(4))
    people, born = world.services.identity.people, an.born
    owned = f"001190{700000 + int(an.number[-6:]) % 100000:06d}"
    claims = PersonClaims(Profile("Lê Thị Thử", born, "female", None, None), owned)
    people.sign_in(Account("https://issuer.test", new_id()), claims)
    people.record_death(dead.id, world.now().date())
    people.lock(locked.id)
    world.send(world.doctor(), bundle(busy, condition(), immunization()))
    child = world.child_of(world.person())
    return {
        "known": [(an.number, born)],
        "with an account": [(owned, born)],
        "dead": [(dead.number, born)],
        "locked": [(locked.number, born)],
        "busy, with a book": [(busy.number, born)],
        "born on another day": [(world.person().number, born.replace(year=1960))],
        "absent": [(ABSENT.format(7), born)],
        "a child": [(child.number, child.born)],
        "an absent child": [("001224" + ABSENT.format(8)[-6:], child.born)],
        "two people": [(binh.number, born), (world.person().number, born)],
        "two absent": [(ABSENT.format(9), born), (ABSENT.format(10), born)],
        "one known, one absent": [(world.person().number, born), (ABSENT.format(11), born)],
    }


SENT: dict[str, tuple[Any, ...]] = {
    "first contact": (condition("a"), immunization("b")),
    "the same again": (condition("a"), immunization("b")),
    "a correction": (condition("a", "I11"), immunization("b")),
    "one more": (condition("c"), observation("d")),
    "nothing that is licensed": (observation("e", status="draft"), {"resourceType": "Questionnaire"}),
    "everything at once": (condition("a"), immunization("b", on="2026-02-04"), condition("f", on="soon")),
}


def intake_work(
    world: World, operations: Operations, doctor: Doctor, numbers: list[tuple[str, date]], rows: Any
) -> tuple[Any, Counter[str]]:
    """What a sender sees of a bundle, less what is new each time, and the commands behind it."""
    named = type("Meant", (), {"number": numbers[0][0], "born": numbers[0][1]})()
    sent = bundle(named, *rows)
    more = sent["entry"][0]["resource"]["identifier"]
    more += [more[0] | {"value": number} for number, _ in numbers[1:]]
    token = doctor.token
    path = "/provider/intake/fhir-bundles"
    answer, work = work_of(operations, lambda: world.post(path, token, sent, kind="application/fhir+json"))
    told = [(row["accepted"], row["code"], row["pointer"]) for row in found_in(answer)["rows"]]
    # An instant is told with its milliseconds where it has any: that depends on the clock, not on a person.
    length = len(re.sub(rb"\.[0-9]{3}Z", b"Z", answer.get_data()))
    return (answer.status_code, length, told), work


def test_sending_records_costs_the_same_whoever_is_meant(
    world: World, operations: Operations, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, busy, passed = world.doctor(), world.person(), [0.0]
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0], sleep=time.sleep)
    monkeypatch.setattr(citizen_keys, "time", later)
    people, compared = meant(world, busy), 0
    for what, rows in SENT.items():
        passed[0] += 61  # nobody's keys are held any more; then those of one person, and the sender's
        world.get("/citizens/me/records", busy)
        intake_work(world, operations, doctor, [(ABSENT.format(6), START.date())], SENT["first contact"])
        seen = {who: intake_work(world, operations, doctor, them, rows) for who, them in people.items()}
        for alone, many in ((True, "known"), (False, "two people")):
            alike = {who: each for who, each in seen.items() if (len(people[who]) == 1) is alone}
            assert {who: each for who, each in alike.items() if each != seen[many]} == {}, (what, seen[many])
            compared += len(alike)
        work = seen["known"][1]
        assert work["insert intakes"] == work["update parked_intakes"] == work["insert audit_log"] == 1, work
    print(f"{compared} sends compared, {len(people)} kinds of people; the last: {dict(work)}")
    record_property("sends_compared", compared)


def left_out_work(
    world: World, operations: Operations, doctor: Doctor, raw: bytes
) -> tuple[int, Any, Counter[str]]:
    """What a sender sees of a visit file, and the commands behind it."""
    path, token = "/provider/intake/insurance-xml", doctor.token
    answer, work = work_of(operations, lambda: world.post(path, token, raw=raw, kind="application/xml"))
    return answer.status_code, found_in(answer)["items"][0]["rows"], work


def test_taking_back_what_was_left_out_costs_the_same_whoever_is_meant(
    world: World, operations: Operations
) -> None:
    doctor, known, wrong = world.doctor(), world.person(), world.person()
    absent = SimpleNamespace(number=ABSENT.format(13), born=known.born)
    elder = SimpleNamespace(number=wrong.number, born=date(1960, 1, 1))
    seen: list[tuple[Any, ...]] = []
    for whom in (SimpleNamespace(number=ABSENT.format(6), born=known.born), known, absent, elder):
        told = [
            left_out_work(world, operations, doctor, file_of(visit_of(whom, {"XML4": results})))
            for results in ([RESULT, {**RESULT, "MA_CHI_SO": "CREA"}], [RESULT], [RESULT])
        ]
        seen.append(tuple(told))
    assert "left_out" in str(seen[1][1]) and seen[1][1][2]["insert record_versions"] == 1
    assert seen[1] == seen[2] == seen[3]


def test_nothing_of_what_fits_somebody_is_parked(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    report = world.send(doctor, bundle(an, condition()))
    assert world.db["parked_intakes"].find_one({"_id": report["id"]}) is None
    other = world.send(doctor, bundle(an, condition(), born="1960-01-01"))
    assert world.db["parked_intakes"].find_one({"_id": other["id"]}) is not None


def test_a_reminder_that_a_sent_dose_ends_is_the_one_thing_more(world: World, operations: Operations) -> None:
    doctor, today = world.doctor(), world.now().date()
    intake_work(world, operations, doctor, [(ABSENT.format(6), today)], SENT["first contact"])
    child = world.child_of(world.person(), born=today - timedelta(days=61))
    absent = ("001226" + ABSENT.format(12)[-6:], child.born)
    world.services.reminding.planning.review(child.id, today)
    rows = [immunization("b", "19", on=child.born.isoformat())]  # BCG, of which they were to be reminded
    answer, work = intake_work(world, operations, doctor, [(child.number, child.born)], rows)
    nobodys, less = intake_work(world, operations, doctor, [absent], rows)
    ended = [
        each for each in world.services.reminding.reminders.of_citizen(child.id) if each.state == "cancelled"
    ]
    assert {(each.series_id, each.dose) for each in ended} == {("bcg", 1)}
    assert answer == nobodys
    assert (work - less, less - work) == ({"find reminders": 1, "update reminders": 1}, Counter())


def test_clients_that_do_not_exist_are_refused_like_those_that_do(
    world: World, operations: Operations
) -> None:
    doctor, client = world.doctor(), world.app.test_client()
    seen = []
    for client_id in (doctor.client_id, new_id(), "app"):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_assertion": "x.y.z"}
        answer, work = work_of(operations, lambda form=form: client.post("/oauth/token", data=form))  # type: ignore[misc]  # a default binds
        seen.append((answer.status_code, answer.get_data(), work))
    assert seen[0][0] in (400, 401) and seen == [seen[0]] * 3
    refused = [
        client.post(
            "/oauth/token", data={"grant_type": "refresh_token", "client_id": "app", "refresh_token": each}
        )
        for each in ("x" * 43, new_id())
    ]
    assert (
        refused[0].get_data() == refused[1].get_data()
        and refused[0].status_code == refused[1].status_code == 400
    )
