"""Every emergency access waits for a review; one that was not justified costs the right to open more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from consent.emergency_rules import RULES
from tests.emergency.glass import broken, filled, hospital, inbox_of, log_of, need, opened, read
from tests.world import Doctor, Json, World, found_in
from wallet_api.infra.ids import new_id

QUEUE = "/ops/emergency-reviews"


def waiting(world: World, doctor: Doctor, state: str = "open") -> list[Json]:
    """What reviewers see of this organisation."""
    found = found_in(world.get(f"{QUEUE}?state={state}&limit=100", world.ops("reviewer")))["items"]
    return [each for each in found if each["organisation"]["id"] == doctor.organisation_id]


def decide(world: World, review: Json, verdict: str, who: object = None) -> Json:
    body = {"verdict": verdict, "reason": "asked the hospital"}
    answer = world.post(f"{QUEUE}/{review['id']}/decision", who or world.ops("reviewer"), body)  # type: ignore[arg-type]  # a caller
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def test_c21_each_access_opens_one_review_with_its_reason_and_who_it_met(world: World) -> None:
    doctor, an, blocker = hospital(world), world.person(), world.person()
    path = f"/citizens/me/blocked-organisations/{doctor.organisation_id}"
    assert world.call("PUT", path, blocker).status_code == 204
    for who in (an, blocker, "001190777777"):
        opened(world, doctor, who)
    found = waiting(world, doctor)
    assert sorted(each["met"] for each in found) == ["blocked", "nobody", "person"]
    mine = next(each for each in found if each["met"] == "person")
    assert (mine["citizen_id"], mine["reason"], mine["practitioner"]["name"]) == (
        an.id,
        "found on the road",
        "BS. Khánh",
    )
    assert not mine["overdue"] and mine["told_at"] and mine["earlier"] == 0


def test_c21_opening_the_same_book_again_is_pointed_out(world: World) -> None:
    doctor, an = hospital(world), world.person()
    for _ in range(3):
        opened(world, doctor, an)
    opened(world, doctor, "001190777778")
    opened(world, doctor, "001190777778")
    found = waiting(world, doctor)
    assert sorted(each["earlier"] for each in found if each["met"] == "person") == [0, 1, 2]
    assert sorted(each["earlier"] for each in found if each["met"] == "nobody") == [0, 1]
    world.forward(days=RULES.repeat.days + 1)
    opened(world, doctor, an)
    assert [each["earlier"] for each in waiting(world, doctor)].count(0) == 3


def test_a_review_that_waits_too_long_is_overdue_and_comes_first(world: World) -> None:
    doctor = hospital(world)
    opened(world, doctor, world.person())
    world.clock.set_to(world.now() + RULES.review_within - timedelta(minutes=1))
    assert [each["overdue"] for each in waiting(world, doctor)] == [False]
    world.forward(minutes=1)
    opened(world, doctor, world.person())
    assert [each["overdue"] for each in waiting(world, doctor)] == [True, False]


def test_the_citizen_reads_the_outcome_in_the_log(world: World) -> None:
    doctor, an = hospital(world), world.person()
    opened(world, doctor, an)
    (review,) = waiting(world, doctor)
    decided = decide(world, review, "justified")
    assert decided["state"] == "justified" and not decided["suspends"]
    line = log_of(world, an)[0]
    assert (line["action"], line["reason"]) == ("emergency:reviewed", "justified")
    assert line["organisation"]["id"] == doctor.organisation_id
    assert line["text"] == "Hệ thống kiểm tra lần mở hồ sơ cấp cứu của Bệnh viện Thử: chính đáng"
    assert waiting(world, doctor) == [] and len(waiting(world, doctor, "justified")) == 1
    assert broken(world, doctor, world.person()).status_code == 201, "nothing was taken away"


def test_not_justified_ends_what_is_open_and_takes_the_right_until_it_is_lifted(world: World) -> None:
    doctor, an, binh = hospital(world), filled(world), filled(world)
    colleague = world.colleague(doctor)
    first, second = opened(world, doctor, an), opened(world, doctor, binh)
    review = next(each for each in waiting(world, doctor) if each["citizen_id"] == an.id)
    assert decide(world, review, "not_justified")["suspends"]
    for access in (first, second):
        assert found_in(read(world, doctor, access))["code"] == "consent_ended"
    answer = broken(world, doctor, binh)
    assert (answer.status_code, found_in(answer)["code"]) == (403, "emergency_right_suspended")
    assert log_of(world, binh)[0]["reason"] == "emergency_right_suspended"
    assert broken(world, colleague, binh).status_code == 201, "only who misused it is suspended"
    assert "không chính đáng" in inbox_of(world, an)[0]["body"]
    told = [each["reason"] for each in log_of(world, an) if each["action"] == "emergency:reviewed"]
    assert told == ["not_justified"]
    path, body = f"{QUEUE}/{review['id']}/lifting", {"reason": "trained again"}
    assert world.post(path, world.ops("reviewer"), body).status_code == 200
    assert broken(world, doctor, binh).status_code == 201
    answer = world.post(path, world.ops("reviewer"), body)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "review_closed")


def test_deciding_twice_is_once_and_nobody_decides_against_another(world: World) -> None:
    doctor, reviewer = hospital(world), world.ops("reviewer")
    opened(world, doctor, world.person())
    (review,) = waiting(world, doctor)
    decide(world, review, "justified", reviewer)
    decide(world, review, "justified", reviewer)
    for who, verdict in ((reviewer, "not_justified"), (world.ops("reviewer"), "justified")):
        answer = world.post(f"{QUEUE}/{review['id']}/decision", who, {"verdict": verdict, "reason": "x"})
        assert (answer.status_code, found_in(answer)["code"]) == (409, "review_closed")


@pytest.mark.parametrize("role", ["operator", "registrar"])
def test_only_reviewers_review(world: World, role: str) -> None:
    who = world.ops(role)  # type: ignore[arg-type]  # a role
    assert found_in(world.get(QUEUE, who))["code"] == "role_missing"
    body = {"verdict": "justified", "reason": "x"}
    assert found_in(world.post(f"{QUEUE}/{new_id()}/decision", who, body))["code"] == "role_missing"
    assert world.post(f"{QUEUE}/{new_id()}/decision", world.ops("reviewer"), body).status_code == 404


def test_who_is_of_full_age_and_dead_is_not_told_and_nothing_breaks(world: World) -> None:
    doctor, dead = hospital(world), world.person()
    world.services.identity.people.record_death(dead.id, world.now().date())
    assert world.post("/provider/emergency-access", doctor, need(dead)).status_code == 201
    world.services.emergencies.tell_rest()
    assert world.db["inbox"].count_documents({"recipient_id": dead.id}) == 0
    assert world.services.emergencies.tell_rest() == 0
