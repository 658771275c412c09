"""What fits nobody waits, is seen by reviewers without its content, and never comes into a wrong book."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from tests.logged import logged
from tests.plans import plan_stages
from tests.visit_files import file_of, visit_of
from tests.world import Doctor, Json, Person, World, bundle, condition, found_in, immunization
from wallet_api.identity.model import Identifier, Profile
from wallet_api.infra.ids import new_id
from wallet_api.records.bundle import INSURANCE_NUMBER, MOTHERS_NUMBER

QUEUE = "/ops/parked-intakes"
SECRET = "B20"


@dataclass(frozen=True)
class Stranger:
    """Somebody of whom the wallet knows nothing yet."""

    number: str
    born: date


@pytest.fixture
def doctor(world: World) -> Doctor:
    return world.doctor()


def nobody(world: World, born: date = date(1988, 7, 6)) -> Stranger:
    return Stranger(world.new_number(born, male=True), born)


def arrive(world: World, who: Stranger, **over: Any) -> Person:
    """The same somebody, a person of the wallet from now on."""
    profile = Profile("Trần Văn Tới", over.get("born", who.born), "male", "+84900012345", None)
    numbers = [Identifier("national_id", who.number)]
    citizen_id = world.services.identity.people.register(profile, numbers)
    return world.signed_in(Person(world, citizen_id, who.number, who.born, "", "", ""))


def waiting(world: World, doctor: Doctor, state: str = "open") -> list[Json]:
    found, cursor = list[Json](), ""
    while cursor is not None:
        answer = world.get(f"{QUEUE}?state={state}&limit=100{cursor}", world.ops("reviewer"))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        body = found_in(answer)
        found += body["items"]
        cursor = f"&cursor={body['next_cursor']}" if body["next_cursor"] else None
    return [each for each in found if each["organisation"]["id"] == doctor.organisation_id]


def act(world: World, by: Any, parked: Json, what: str, body: Json, version: int | None = None) -> Any:
    tag = f'"{parked["version"] if version is None else version}"'
    return world.post(f"{QUEUE}/{parked['id']}/{what}", by, body, headers={"If-Match": tag})


def named(who: Any) -> Json:
    return {
        "citizen": {"national_id": who.number, "birth_date": who.born.isoformat()},
        "evidence": "civil_status_register",
    }


def book(world: World, who: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/records?limit=100", who))["items"])


def test_a_reviewer_sees_who_sent_it_and_nothing_that_is_in_it(world: World, doctor: Doctor) -> None:
    who = nobody(world)
    report = world.send(doctor, bundle(who, condition(code=SECRET), immunization()))
    (parked,) = waiting(world, doctor)
    assert (parked["id"], parked["rows"], parked["why"]) == (report["id"], 2, "number_unknown")
    assert parked["numbers"] == [{"kind": "national_id", "masked": "••••••••" + who.number[-4:]}]
    assert parked["birth_year"] == 1988
    answer = world.get(f"{QUEUE}/{parked['id']}", world.ops("reviewer"))
    text = answer.get_data(as_text=True)
    assert found_in(answer) == parked and answer.headers["ETag"] == '"1"'
    for told in (SECRET, who.number, who.born.isoformat(), "condition"):
        assert told not in text
    kept = world.db["parked_intakes"].find_one({"_id": parked["id"]})
    assert kept is not None
    for told in (SECRET, who.number, "1988"):
        assert told.encode() not in json.dumps(kept, default=str).encode()
    looks = [each for each in logged(world.db) if each.get("detail", {}).get("intake") == parked["id"]]
    assert [each["action"] for each in looks if each["actor_kind"] == "ops"] == ["intake:read"]


def test_the_queue_is_read_in_pages_the_oldest_first(world: World, doctor: Doctor) -> None:
    sent = [world.send(doctor, bundle(nobody(world), condition()))["id"] for _ in range(3)]
    reviewer, found, cursor = world.ops("reviewer"), list[str](), ""
    while cursor is not None:
        body = found_in(world.get(f"{QUEUE}?limit=2{cursor}", reviewer))
        found += [each["id"] for each in body["items"]]
        cursor = f"&cursor={body['next_cursor']}" if body["next_cursor"] else None
    assert [each for each in found if each in sent] == sent and len(set(found)) == len(found)


def test_each_way_of_not_fitting_has_its_name(world: World, doctor: Doctor) -> None:
    an = world.person()
    world.send(doctor, bundle(an, condition(), born="1971-01-01"))
    assert [each["why"] for each in waiting(world, doctor)] == ["other_birth_date"]


def test_two_reviewers_who_name_the_same_person_have_it_filed(world: World, doctor: Doctor) -> None:
    an = world.person()
    sent = bundle(an, condition("c1", code=SECRET), condition("c2"), born="1971-01-01")
    report = world.send(doctor, sent)
    own = found_in(world.get("/provider/own-records", doctor))
    (parked,) = waiting(world, doctor)
    first, second = world.ops("reviewer"), world.ops("reviewer")
    proposed = act(world, first, parked, "release", named(an))
    assert (proposed.status_code, found_in(proposed)["state"]) == (200, "proposed")
    assert book(world, an) == []
    again = act(world, first, parked, "release", named(an), version=2)
    assert (again.status_code, found_in(again)["code"]) == (409, "second_look_needed")
    stale = act(world, second, parked, "release", named(an))
    assert stale.status_code == 412
    done = act(world, second, parked, "release", named(an), version=2)
    assert (done.status_code, found_in(done)["state"]) == (200, "released"), done.get_data(as_text=True)
    records = book(world, an)
    assert len(records) == 2 and {each["source"]["organisation"] for each in records} == {
        doctor.organisation_id
    }
    assert {each["source"]["received_at"] for each in records} == {report["received_at"]}
    assert found_in(done)["numbers"] == [] and found_in(done)["birth_year"] is None
    # The sender: as before, to the byte.
    told = found_in(world.get(f"/provider/intake/{report['id']}", doctor))
    assert told == report
    assert found_in(world.get("/provider/own-records", doctor))["items"] == own["items"]
    (line,) = logged(world.db, an.id, action="intake:matched")
    assert (line["actor_kind"], line["organisation_id"]) == ("ops", doctor.organisation_id)
    kept = world.db["parked_intakes"].find_one({"_id": parked["id"]})
    assert kept is not None and not {"body", "parcel", "person", "keys", "proposed_for"} & set(kept)
    late = act(world, second, parked, "reject", {"reason": "test_data"}, version=3)
    assert (late.status_code, found_in(late)["code"]) == (409, "parked_closed")


def test_it_never_comes_into_a_wrong_book(world: World, doctor: Doctor) -> None:
    an, bo = world.person(), world.person(born=date(1971, 1, 1))
    other = world.person(born=date(1960, 2, 2))
    world.send(doctor, bundle(an, condition(), born="1971-01-01"))
    (parked,) = waiting(world, doctor)
    first, second = world.ops("reviewer"), world.ops("reviewer")
    nothing = act(world, first, parked, "release", named(other))
    assert (nothing.status_code, found_in(nothing)["code"]) == (409, "nothing_in_common")
    for wrong in (Stranger(an.number, bo.born), nobody(world)):
        answer = act(world, first, parked, "release", named(wrong))
        assert (answer.status_code, found_in(answer)["code"]) == (422, "person_not_matched")
    assert act(world, first, parked, "release", named(an)).status_code == 200
    disagree = act(world, second, parked, "release", named(bo), version=2)
    assert (disagree.status_code, found_in(disagree)["code"]) == (409, "release_disagrees")
    (open_again,) = waiting(world, doctor)
    assert open_again["version"] == 3 and open_again["evidence"] is None
    assert book(world, an) == book(world, bo) == book(world, other) == []
    # Both looks begin anew: neither of the two that differed counts for another.
    assert act(world, second, parked, "release", named(bo), version=3).status_code == 200
    assert book(world, bo) == []


def test_a_decision_must_name_what_was_read(world: World, doctor: Doctor) -> None:
    world.send(doctor, bundle(nobody(world), condition()))
    (parked,) = waiting(world, doctor)
    path, reason = f"{QUEUE}/{parked['id']}", {"reason": "test_data"}
    reviewer = world.ops("reviewer")
    assert world.post(f"{path}/reject", reviewer, reason).status_code == 428
    assert (
        world.post(f"{QUEUE}/{new_id()}/reject", reviewer, reason, headers={"If-Match": '"1"'}).status_code
        == 404
    )
    for body in ({}, {"reason": "because"}, reason | {"note": "x"}):
        assert act(world, reviewer, parked, "reject", body).status_code == 422
    bad = named(nobody(world))
    bad["citizen"]["national_id"] = "12"
    assert act(world, reviewer, parked, "release", bad).status_code == 422


def test_its_sender_reads_a_rejection_row_by_row_and_not_why(world: World, doctor: Doctor) -> None:
    an, answers = world.person(), []
    for who, over in ((nobody(world), {}), (an, {"born": "1971-01-01"})):
        report = world.send(doctor, bundle(who, condition("c1"), condition("c2"), **over))
        (parked,) = waiting(world, doctor)
        done = act(world, world.ops("reviewer"), parked, "reject", {"reason": "identity_not_proven"})
        assert (done.status_code, found_in(done)["state"]) == (200, "rejected")
        told = found_in(world.get(f"/provider/intake/{report['id']}", doctor))
        assert (told["accepted"], told["rejected"]) == (0, 2)
        assert [each["code"] for each in told["rows"]] == ["mapped", *["identity_rejected"] * 2]
        assert all(each["message"] for each in told["rows"][1:])
        answers.append([{k: v for k, v in each.items() if k != "record_id"} for each in told["rows"]])
    assert answers[0] == answers[1], "unknown number and other birth date are told alike"
    assert book(world, an) == []


def test_what_waited_for_somebody_files_itself_when_they_come(world: World, doctor: Doctor) -> None:
    who = nobody(world)
    report = world.send(doctor, bundle(who, condition("c1", on="2025-01"), immunization()))
    world.forward(hours=1)
    world.send(doctor, bundle(who, condition("c1", on="2025-02")))
    own = found_in(world.get("/provider/own-records", doctor))
    world.forward(days=9)
    person = arrive(world, who)
    records = {each["category"]: each for each in book(world, person)}
    assert set(records) == {"condition", "immunization"} and len(book(world, person)) == 2
    assert (records["condition"]["version"], records["condition"]["occurred_on"]) == (2, "2025-02")
    assert waiting(world, doctor) == []
    assert found_in(world.get(f"/provider/intake/{report['id']}", doctor)) == report
    assert found_in(world.get("/provider/own-records", doctor))["items"] == own["items"], (
        "nobody came, for it"
    )
    lines = logged(world.db, person.id, action="intake:matched")
    assert {each["actor_kind"] for each in lines} == {"system"} and len(lines) == 2
    # Sending the newest again changes nothing; what is new is a version over what was filed late.
    world.send(doctor, bundle(who, condition("c1", on="2025-02")))
    assert {each["version"] for each in book(world, person) if each["category"] == "condition"} == {2}
    world.send(doctor, bundle(who, condition("c1", on="2025-03")))
    assert {each["version"] for each in book(world, person) if each["category"] == "condition"} == {3}


def test_another_birth_date_or_number_gets_nothing(world: World, doctor: Doctor) -> None:
    who, other = nobody(world), nobody(world)
    world.send(doctor, bundle(who, condition()))
    person = arrive(world, who, born=who.born + timedelta(days=1))
    assert book(world, person) == []
    assert book(world, arrive(world, other)) == []
    assert [each["why"] for each in waiting(world, doctor)] == ["other_birth_date"]


def test_two_numbers_must_both_fit_who_comes(world: World, doctor: Doctor) -> None:
    who, holder = nobody(world), world.person()
    card = f"DN4011{who.number[-9:]}"
    world.services.identity.people.change_number(holder.id, Identifier("insurance_number", card))
    sent = bundle(who, condition())
    patient = sent["entry"][0]["resource"]
    patient["identifier"].append({"system": INSURANCE_NUMBER, "value": card})
    world.send(doctor, sent)
    assert [each["why"] for each in waiting(world, doctor)] == ["numbers_disagree"]
    assert book(world, arrive(world, who)) == [] == book(world, holder)
    assert [each["why"] for each in waiting(world, doctor)] == ["numbers_disagree"]


def test_a_birth_year_is_enough_where_the_sender_knew_no_more(world: World, doctor: Doctor) -> None:
    who = nobody(world, date(1941, 3, 9))
    accepted = visited(world, doctor, who, NGAY_SINH="194100000000")
    other = nobody(world, date(1941, 3, 9))
    visited(world, doctor, other, NGAY_SINH="194200000000")
    assert len(book(world, arrive(world, who))) == accepted
    assert book(world, arrive(world, other)) == []


def visited(world: World, doctor: Doctor, who: Any, **over: str) -> int:
    """A visit file about somebody is taken in; how many rows of it."""
    sent = file_of(visit_of(who, **over))
    answer = world.call("POST", "/provider/intake/insurance-xml", doctor, raw=sent, kind="application/xml")
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return sum(each["accepted"] for each in found_in(answer)["items"])


def test_a_number_that_is_got_later_brings_what_waited_for_it(world: World, doctor: Doctor) -> None:
    who = nobody(world)
    world.send(doctor, bundle(who, condition()))
    an = world.person(born=who.born)
    assert book(world, an) == []
    world.services.identity.people.change_number(an.id, Identifier("national_id", who.number))
    assert len(book(world, an)) == 1


def test_what_came_in_since_is_not_replaced_by_what_waited(world: World, doctor: Doctor) -> None:
    an = world.person()
    world.send(doctor, bundle(an, condition("c1", on="2024"), born="1971-01-01"))
    world.forward(hours=1)
    world.send(doctor, bundle(an, condition("c1", on="2025")))
    (parked,) = waiting(world, doctor)
    for version in (1, 2):
        act(world, world.ops("reviewer"), parked, "release", named(an), version=version)
    assert [(each["version"], each["occurred_on"]) for each in book(world, an)] == [(1, "2025")]


def test_other_formats_are_filed_as_well(world: World, doctor: Doctor) -> None:
    who = nobody(world)
    accepted = visited(world, doctor, who)
    assert accepted > 0 and len(book(world, arrive(world, who))) == accepted


def test_a_rejected_one_waits_for_nobody(world: World, doctor: Doctor) -> None:
    who = nobody(world)
    world.send(doctor, bundle(who, condition()))
    (parked,) = waiting(world, doctor)
    assert act(world, world.ops("reviewer"), parked, "reject", {"reason": "test_data"}).status_code == 200
    assert book(world, arrive(world, who)) == []


def test_a_flag_hides_what_is_filed_late_from_guardians(world: World, doctor: Doctor) -> None:
    mother = world.person()
    girl = world.signed_in(world.child_of(mother, date(2011, 5, 5)))
    flag = {"kind": "child_abuse", "since": world.now().isoformat(), "citizen_id": girl.id}
    body = flag | {"organisation_id": doctor.organisation_id}
    assert world.post("/ops/safety-flags", world.ops("reviewer"), body).status_code == 201
    world.send(doctor, bundle(girl, condition(code=SECRET), born="2011-05-06"))
    (parked,) = waiting(world, doctor)
    for version in (1, 2):
        act(world, world.ops("reviewer"), parked, "release", named(girl), version=version)
    assert len(book(world, girl)) == 1
    assert found_in(world.get(f"/citizens/{girl.id}/records", mother))["items"] == []
    lines = found_in(world.get(f"/citizens/{girl.id}/access-log?limit=100", mother))["items"]
    assert not [each for each in lines if each["action"] == "intake:matched"]


def test_two_second_looks_at_once_file_it_once(world: World, doctor: Doctor) -> None:
    an = world.person()
    world.send(doctor, bundle(an, condition(), born="1971-01-01"))
    (parked,) = waiting(world, doctor)
    act(world, world.ops("reviewer"), parked, "release", named(an))
    reviewers = [world.ops("reviewer") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(lambda by: act(world, by, parked, "release", named(an), 2).status_code, reviewers)
        )
    assert done.count(200) == 1 and set(done) <= {200, 412, 409, 503}
    assert [each["version"] for each in book(world, an)] == [1]


def test_a_late_match_that_fails_keeps_nobody_out(
    world: World, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = nobody(world)
    world.send(doctor, bundle(who, condition()))

    def fail(*_: Any) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(type(world.services.parking._parts.service), "file_late", fail)
        person = arrive(world, who)
    assert book(world, person) == []
    (parked,) = waiting(world, doctor)
    assert parked["why"] == "fits" and parked["version"] == 1
    people = world.services.identity.people
    people.lock(person.id)
    people.unlock(person.id)
    assert len(book(world, world.signed_in(person))) == 1, "the next change of the person tries again"


def test_the_queue_and_the_search_use_their_indexes(world: World, doctor: Doctor) -> None:
    db: Database[Json] = world.db
    for asked in ({"state": "open", "place": {"$gt": "2026"}}, {"keys": {"$in": ["a", "b", "c"]}}):
        stages = plan_stages(db["parked_intakes"], asked)
        assert any(each.startswith("IXSCAN") for each in stages), (asked, stages)


def test_a_newborn_named_by_a_mother_waits_and_the_queue_is_read(world: World, doctor: Doctor) -> None:
    sent = bundle(nobody(world), condition("c1"))
    patient = sent["entry"][0]["resource"]
    patient["identifier"] = [{"system": MOTHERS_NUMBER, "value": world.person().number}]
    world.send(doctor, sent)
    (parked,) = waiting(world, doctor)
    assert parked["why"] == "number_unknown"
