"""Asking to act for somebody, with evidence; a registrar's yes or no; the end, and what it stops."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.world import Json, Person, World, found_in
from wallet_api.identity.guardianship import RULES

CHILD = date(2024, 2, 1)
PDF = b"%PDF-1.7 birth certificate of nobody"


@pytest.fixture
def mother(world: World) -> Person:
    return world.person("Nguyễn Thị Mẹ")


def claim_of(number: str, born: date, **over: object) -> Json:
    return {
        "dependent": {"national_id": number},
        "birth_date": born.isoformat(),
        "relation": "minor",
        "evidence_kind": "birth_certificate",
    } | over


def claimed(world: World, who: Person, child: Person) -> str:
    made = world.post("/citizens/me/family", who, claim_of(child.number, child.born))
    assert made.status_code == 201, made.get_data(as_text=True)
    return str(found_in(made)["id"])


def inbox(world: World, who: Person) -> list[str]:
    return [each["title"] for each in found_in(world.get("/citizens/me/inbox", who))["items"]]


def family(world: World, who: Person) -> list[Json]:
    return list(found_in(world.get("/citizens/me/family", who))["items"])


def decide(world: World, guardianship_id: str, step: str, **body: str) -> Json:
    answer = world.post(f"/ops/guardianships/{guardianship_id}/{step}", world.ops("registrar"), body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return found_in(answer)


def reads(world: World, who: Person, child: Person) -> int:
    return world.get(f"/citizens/{child.id}/records", who).status_code


def test_a_claim_with_evidence_stands_after_the_waiting_period(world: World, mother: Person) -> None:
    child = world.person("Bé Thử", CHILD)
    asked = claimed(world, mother, child)
    sent = world.post(
        f"/citizens/me/family/{asked}/evidence", mother, raw=PDF, kind="application/pdf", body=None
    )
    assert (sent.status_code, found_in(sent)["media_type"]) == (201, "application/pdf")
    assert reads(world, mother, child) == 404
    registrar = world.ops("registrar")
    case = found_in(world.get(f"/ops/guardianships/{asked}", registrar))
    assert (case["dependent"]["name"], len(case["files"])) == ("Bé Thử", 1)
    file = world.get(f"/ops/guardianships/{asked}/evidence/{case['files'][0]['id']}", registrar)
    assert (file.get_data(), file.mimetype) == (PDF, "application/octet-stream")
    assert file.headers["Content-Disposition"].startswith("attachment;")
    decide(world, asked, "confirmation")
    assert reads(world, mother, child) == 404, "others may still object"
    world.forward(days=RULES.waiting_days)
    assert reads(world, world.signed_in(mother), child) == 200
    assert family(world, world.signed_in(mother))[0]["name"] == "Bé Thử"


def test_evidence_is_sealed_and_known_by_its_first_bytes(world: World, mother: Person) -> None:
    asked = claimed(world, mother, world.person("Bé Thử", CHILD))
    path = f"/citizens/me/family/{asked}/evidence"
    for raw in (b"", b"<html>", b"GIF89a", b"\x00%PDF-"):
        refused = world.call("POST", path, mother, raw=raw, kind="image/png")
        assert (refused.status_code, found_in(refused)["code"]) == (422, "evidence_refused")
    too_large = world.call("POST", path, mother, raw=b"%PDF-" + b"x" * (5 * 2**20), kind="application/pdf")
    assert too_large.status_code == 413
    codes = [
        world.call("POST", path, mother, raw=b"\xff\xd8\xff\xe0", kind="application/octet-stream").status_code
        for _ in range(RULES.most_files + 1)
    ]
    assert codes == [201] * RULES.most_files + [422]
    assert world.call("POST", path, mother, raw=PDF, kind="application/pdf").status_code == 422
    kept = world.db["guardianship_evidence"].find_one({"guardianship_id": asked})
    assert kept is not None and b"\xff\xd8\xff\xe0" not in bytes(kept["sealed"])


def test_a_claim_does_not_tell_whether_there_is_such_a_person(world: World, mother: Person) -> None:
    child = world.person("Bé Thử", CHILD)
    answers = []
    for number, born in ((child.number, CHILD), (child.number, date(2024, 2, 2)), ("001324000777", CHILD)):
        for _ in range(2):
            made = world.post("/citizens/me/family", mother, claim_of(number, born))
            shown = found_in(made)
            kept = found_in(world.get(f"/citizens/me/family/{shown['id']}", mother))
            assert kept == shown
            answers.append(
                (
                    made.status_code,
                    {k: v for k, v in shown.items() if k not in ("id", "claimed_at", "valid_to")},
                )
            )
    assert all(each == answers[0] for each in answers)
    assert answers[0][1]["dependent_id"] is answers[0][1]["name"] is None


def test_a_claim_about_nobody_can_only_be_refused(world: World, mother: Person) -> None:
    made = found_in(world.post("/citizens/me/family", mother, claim_of("001324000778", CHILD)))
    registrar = world.ops("registrar")
    case = found_in(world.get(f"/ops/guardianships/{made['id']}", registrar))
    assert case["dependent"]["name"] is None
    assert world.post(f"/ops/guardianships/{made['id']}/confirmation", registrar).status_code == 409
    decide(world, made["id"], "refusal", reason="no_match")
    (line,) = family(world, mother)
    assert (line["state"], line["reason"]) == ("refused", "no_match")
    assert "Đề nghị giám hộ không được chấp nhận" in inbox(world, mother)


def test_other_guardians_and_a_child_of_seven_are_told(world: World, mother: Person) -> None:
    for born, hears in ((date(2016, 3, 1), True), (CHILD, False)):
        child, father = world.child_of(mother, born), world.person("Nguyễn Văn Bố")
        asked = claimed(world, father, child)
        news = "Có người đề nghị làm người giám hộ"
        assert news in inbox(world, mother)
        assert (news in inbox(world, child)) is hears
        assert family(world, child)[0]["guardian_id"] == mother.id and len(family(world, child)) == 1
        decide(world, asked, "confirmation")
        assert "Một quan hệ giám hộ đã được xác minh" in inbox(world, mother)


def test_claiming_sending_and_ending_need_a_fresh_sign_in(world: World, mother: Person) -> None:
    child = world.child_of(mother)
    relation = family(world, mother)[0]["id"]
    stale = world.signed_in(mother, timedelta(minutes=6))
    calls = [
        world.post("/citizens/me/family", stale, claim_of(child.number, child.born)),
        world.post(f"/citizens/me/family/{relation}/evidence", stale, raw=PDF, body=None),
        world.post(f"/citizens/me/family/{relation}/end", stale),
    ]
    assert {found_in(each)["code"] for each in calls} == {"insufficient_user_authentication"}


def test_a_custody_order_suspends_at_once_what_that_guardian_signed(world: World, mother: Person) -> None:
    doctor, other = world.doctor(), world.doctor()
    child, father = world.child_of(mother), world.person("Nguyễn Văn Bố")
    fathers = world.guard(father, child)
    made = [world.grant(doctor, child, signer=mother), world.grant(other, child, signer=father)]
    sessions = [each.session() for each in made]
    epoch = world.services.access._consents.standing(child.id, other.organisation_id).epoch
    decide(world, fathers, "end", reason="custody_order")
    assert world.services.access._consents.standing(child.id, other.organisation_id).epoch > epoch
    assert made[0].read(sessions[0]).status_code == 200, "the mother's stands"
    assert found_in(made[1].read(sessions[1]))["code"] == "consent_ended"
    assert reads(world, father, child) == 404
    path = f"/citizens/{child.id}/grants/{made[1].grant['id']}"
    held = found_in(world.get(path, mother))
    assert (held["state"], held["needs"]) == ("suspended", ["representative"])
    notice = world.answer_to({"purpose": "TREAT"})
    again = world.post(f"{path}/resumption", mother, notice)
    assert (again.status_code, found_in(again)["state"]) == (200, "granted")
    assert made[1].open().status_code == 201
    decide(world, fathers, "end")  # once more: nothing is suspended twice
    assert made[1].open().status_code == 201


def test_a_ward_ends_it_from_eighteen_and_a_guardian_at_any_time(world: World, mother: Person) -> None:
    child = world.child_of(mother, date(2012, 1, 1))
    relation = family(world, mother)[0]["id"]
    assert world.post(f"/citizens/me/family/{relation}/end", child).status_code == 403
    assert world.post(f"/citizens/me/family/{relation}/end", mother).status_code == 200
    assert reads(world, mother, child) == 404
    elder = world.person("Cụ Thử", date(1940, 1, 1))
    made = world.services.identity.family.establish(
        mother.id,
        elder.id,
        relation="adult",
        evidence_kind="court_decision",
        valid_from=date(2026, 1, 1),
        verified_by="registrar",
    )
    assert reads(world, mother, elder) == 200
    assert world.post(f"/citizens/me/family/{made.id}/end", elder).status_code == 200
    assert reads(world, mother, elder) == 404


def test_a_guardian_ends_nothing_of_another_guardian_but_any_grant(world: World, mother: Person) -> None:
    child, father = world.child_of(mother), world.person("Nguyễn Văn Bố")
    fathers = world.guard(father, child)
    assert world.get(f"/citizens/me/family/{fathers}", mother).status_code == 404
    assert world.post(f"/citizens/me/family/{fathers}/end", mother).status_code == 404
    assert reads(world, father, child) == 200
    made = world.grant(world.doctor(), child, signer=father)
    assert world.post(f"/citizens/{child.id}/grants/{made.grant['id']}/withdrawal", mother).status_code == 200
