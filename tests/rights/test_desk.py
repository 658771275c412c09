"""Rights requests over HTTP: clocks, steps, who may, and what the log tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest

from tests.rights.steps import acknowledged, asked, completed, step
from tests.world import World, bundle, condition, found_in
from wallet_api.infra.ids import new_id
from wallet_api.rights.model import RightsRequest, Step
from wallet_api.rights.rules import RULES, load_rules

WORDS = "Xin đừng cho ai xem bệnh tâm thần của tôi"


# --- clocks ----------------------------------------------------------------------------------------------

LIMITS = {
    "withdraw": (15, 20, 15),
    "restrict": (15, 20, 15),
    "object": (15, 20, 15),
    "view": (10, 15, 10),
    "correct": (10, 15, 10),
    "copy": (10, 15, 10),
    "erase": (20, 30, 20),
    "protect": (15, 15, 15),
}


def request_at(kind: Any, at: datetime) -> RightsRequest:
    step = Step("received", "x", at)
    return RightsRequest("r", "c", kind, 1, "received", at, "c", "self", None, (step,))


@pytest.mark.parametrize("kind", LIMITS)
def test_each_kind_has_the_time_the_decree_gives(kind: str) -> None:
    days, with_others, extension = LIMITS[kind]
    at = datetime(2026, 11, 20, 3, tzinfo=UTC)  # a Friday; Tuesday 24 is a holiday
    found = request_at(kind, at)
    assert (found.acknowledge_by, found.carry_out_by.toordinal()) == (
        date(2026, 11, 25),
        date(2026, 11, 20).toordinal() + days,
    )
    both = found.acknowledged("r", at, with_others=True, reason=None)
    assert (both.carry_out_by - date(2026, 11, 20)).days == with_others
    longer = both.prolonged("r", at, "x")
    assert (longer.carry_out_by - date(2026, 11, 20)).days == with_others + extension
    assert set(RULES.kinds) == set(LIMITS)


def test_days_are_vietnamese_days() -> None:
    late = request_at("copy", datetime(2026, 11, 19, 18, tzinfo=UTC))  # one o'clock on the 20th there
    assert late.acknowledge_by == date(2026, 11, 25) and late.carry_out_by == date(2026, 11, 30)
    assert not late.overdue(date(2026, 11, 25)) and late.overdue(date(2026, 11, 26))


@pytest.mark.parametrize(
    "spoil", ['"days": 15', '"source": "Decree 356/2025/ND-CP Art. 5"', '"acts": "copy"']
)
def test_a_misspelt_file_of_rules_stops_the_start(spoil: str) -> None:
    raw = files("wallet_api.rights").joinpath("rules.json").read_text(encoding="utf-8")
    assert load_rules(raw) and spoil in raw
    with pytest.raises((ValueError, TypeError)):
        load_rules(raw.replace(spoil, spoil.split(":")[0] + ': ""', 1))
    with pytest.raises(TypeError):
        load_rules(raw.replace('"extension"', '"extention"', 1))


# --- over HTTP -------------------------------------------------------------------------------------------


def test_a_request_goes_its_way_and_both_sides_see_it(world: World) -> None:
    an = world.person()
    made = asked(world, an, "correct", details=WORDS)
    assert (made["state"], made["acknowledge_by"], made["overdue"]) == ("received", "2026-11-05", False)
    seen = found_in(world.get(f"/ops/rights-requests/{made['id']}", world.ops("reviewer")))
    assert (seen["citizen_id"], seen["details"], seen["due_on"]) == (an.id, WORDS, "2026-11-05")
    made = acknowledged(world, made, with_others=True, note="Hỏi bệnh viện")
    assert made["carry_out_by"] == "2026-11-18" and made["with_others"]
    made = found_in(step(world, made, "extension", {"note": "Ba nơi"}))
    assert made["carry_out_by"] == "2026-11-28" and made["extended"]
    assert step(world, made, "extension", {"note": "again"}).status_code == 409
    made = found_in(step(world, made, "completion", {"note": "Đã sửa"}))
    mine = found_in(world.get(f"/citizens/me/rights-requests/{made['id']}", an))
    assert [each["event"] for each in mine["history"]] == [
        "received",
        "acknowledged",
        "extended",
        "completed",
    ]
    assert mine["history"][-1]["note"] == "Đã sửa" and "by" not in mine["history"][0]
    assert "citizen_id" not in mine and mine["text"] == "Yêu cầu đã được thực hiện."
    log = found_in(world.get("/citizens/me/access-log?limit=100", an))["items"]
    told = [each["action"] for each in log if each["action"].startswith("rights:")]
    assert told == [f"rights:{s}" for s in ("completed", "extended", "acknowledged", "read", "requested")]
    assert WORDS.encode() not in repr(list(world.db["rights_requests"].find({"citizen_id": an.id}))).encode()


def test_the_person_reads_the_dates_in_plain_words(world: World) -> None:
    an = world.person()
    made = asked(world, an, "copy")
    assert made["text"] == "Chúng tôi đã nhận yêu cầu và sẽ xác nhận chậm nhất ngày 05/11/2026."
    path = f"/citizens/me/rights-requests/{made['id']}"
    english = found_in(world.get(path, an, headers={"Accept-Language": "en"}))
    assert english["kind_text"] == "Get a copy of one's data" and "05/11/2026" in english["text"]


def test_a_refusal_names_the_law(world: World) -> None:
    an = world.person()
    made = asked(world, an, "object")
    assert step(world, made, "refusal", {"note": "no"}).status_code == 422
    assert step(world, made, "refusal", {"code": "because"}).status_code == 422
    step(world, made, "refusal", {"code": "ground_of_law", "note": "Theo luật khám chữa bệnh"})
    mine = found_in(world.get(f"/citizens/me/rights-requests/{made['id']}", an))
    assert mine["state"] == "refused" and "Art. 19" in mine["refusal"]["law"]
    assert mine["history"][-1]["note"] == "Theo luật khám chữa bệnh"


def test_steps_out_of_order_or_out_of_date_are_refused(world: World) -> None:
    an = world.person()
    made = asked(world, an, "correct")
    for name, body in (("completion", {}), ("extension", {"note": "x"})):
        assert step(world, made, name, body).status_code == 409
    known = acknowledged(world, made)
    for name, body in (("acknowledgement", {"with_others": False}), ("completion", {})):
        assert step(world, made, name, body).status_code == 412, "an old version"
    no_tag = world.post(f"/ops/rights-requests/{made['id']}/completion", world.ops("reviewer"), {})
    assert no_tag.status_code == 428
    done = found_in(step(world, known, "completion", {}))
    for name, body in (
        ("refusal", {"code": "nothing_held"}),
        ("completion", {}),
        ("extension", {"note": "x"}),
    ):
        assert step(world, done, name, body).status_code == 409
    path = f"/citizens/me/rights-requests/{made['id']}/cancellation"
    assert world.post(path, an).status_code == 409


def test_of_fifty_answers_at_once_one_stands(world: World) -> None:
    an, by = world.person(), world.ops("reviewer")
    made = acknowledged(world, asked(world, an, "correct"))

    def answer(number: int) -> int:
        body = {"code": "nothing_held"} if number % 2 else {}
        return int(step(world, made, "refusal" if number % 2 else "completion", body, by=by).status_code)

    with ThreadPoolExecutor(10) as pool:
        codes = sorted(pool.map(answer, range(20)))
    assert codes.count(200) == 1 and set(codes) <= {200, 412}
    seen = found_in(world.get(f"/citizens/me/rights-requests/{made['id']}", an))
    assert len(seen["history"]) == 3


def test_the_nearest_deadline_comes_first_and_overdue_is_counted(world: World) -> None:
    people = [world.person() for _ in range(3)]
    made = [asked(world, who, kind) for who, kind in zip(people, ("copy", "erase", "restrict"), strict=True)]
    acknowledged(world, made[1])
    reviewer, due, cursor = world.ops("reviewer"), [], ""
    while True:
        page = found_in(world.get(f"/ops/rights-requests?limit=2{cursor}", reviewer))
        due += [(each["due_on"], each["id"]) for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert due == sorted(due) and {each["id"] for each in made} <= {one for _, one in due}
    before = page["overdue"]
    world.forward(days=3)
    page = found_in(world.get("/ops/rights-requests?limit=100", world.ops("reviewer")))
    late = {each["id"] for each in page["items"] if each["overdue"]}
    assert {made[0]["id"], made[2]["id"]} <= late and made[1]["id"] not in late
    assert page["overdue"] >= before + 2
    ended = found_in(world.get("/ops/rights-requests?state=ended", world.ops("reviewer")))
    assert all(each["state"] in ("completed", "refused", "cancelled", "lifted") for each in ended["items"])
    mine = found_in(world.get("/citizens/me/rights-requests", world.signed_in(people[0])))["items"]
    assert mine[0]["overdue"]


def test_a_list_is_cut_into_pages(world: World) -> None:
    an = world.person()
    made = [asked(world, an, "correct")["id"] for _ in range(3)]
    first = found_in(world.get("/citizens/me/rights-requests?limit=2", an))
    cursor = first["next_cursor"]
    second = found_in(world.get(f"/citizens/me/rights-requests?limit=2&cursor={cursor}", an))
    assert sorted(each["id"] for each in first["items"] + second["items"]) == sorted(made)
    assert second["next_cursor"] is None
    stranger = world.person()
    taken = world.get(f"/citizens/me/rights-requests?limit=2&cursor={cursor}", stranger)
    assert found_in(taken)["code"] == "bad_cursor"


def test_sent_twice_with_one_key_it_is_asked_once(world: World) -> None:
    an = world.person()
    key = {"Idempotency-Key": new_id()}
    answers = [
        world.post("/citizens/me/rights-requests", an, {"kind": "copy"}, headers=key) for _ in range(2)
    ]
    assert [each.status_code for each in answers] == [201, 201]
    assert found_in(answers[0])["id"] == found_in(answers[1])["id"]
    assert world.db["rights_requests"].count_documents({"citizen_id": an.id}) == 1


def test_nobody_floods_the_desk(world: World) -> None:
    an = world.person()
    for _ in range(20):
        asked(world, an, "correct")
    answer = world.post("/citizens/me/rights-requests", an, {"kind": "correct"})
    assert (answer.status_code, found_in(answer)["code"]) == (409, "too_many_rights_requests")


def test_erasing_needs_a_fresh_sign_in_and_a_child_of_seven_needs_to_agree(world: World) -> None:
    an = world.person()
    stale = world.signed_in(an, timedelta(minutes=6))
    for kind, status in (("erase", 401), ("restrict", 201)):
        answer = world.post("/citizens/me/rights-requests", stale, {"kind": kind})
        assert answer.status_code == status, kind
    baby, girl = world.child_of(an), world.child_of(an, date(2018, 1, 1))
    for child, status in ((baby, 201), (girl, 409)):
        assert (
            world.post(f"/citizens/{child.id}/rights-requests", an, {"kind": "erase"}).status_code == status
        )


def test_a_guardian_sees_what_guardians_asked_and_nothing_else(world: World) -> None:
    an = world.person()
    girl = world.child_of(an, date(2011, 2, 1))
    hers = asked(world, girl, "restrict", details="Giấu mẹ")
    theirs = asked(world, an, "copy", citizen=girl.id)
    seen = found_in(world.get(f"/citizens/{girl.id}/rights-requests", an))["items"]
    assert [each["id"] for each in seen] == [theirs["id"]]
    absent = world.get(f"/citizens/{girl.id}/rights-requests/{new_id()}", an)
    hidden = world.get(f"/citizens/{girl.id}/rights-requests/{hers['id']}", an)
    assert hidden.status_code == absent.status_code == 404
    both = found_in(world.get("/citizens/me/rights-requests", girl))["items"]
    assert {each["id"] for each in both} == {hers["id"], theirs["id"]}
    log = found_in(world.get(f"/citizens/{girl.id}/access-log?limit=100", an))["items"]
    assert [each["actor"]["name"] for each in log if each["action"] == "rights:requested"] == ["Bạn"]


# --- carrying out ----------------------------------------------------------------------------------------


def test_a_restriction_stops_every_provider_and_lifting_lets_them_on(world: World) -> None:
    an, doctor, later = world.person(), world.doctor(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    session = made.session()
    assert made.read(session).status_code == 200
    request = completed(world, asked(world, an, "restrict"))
    assert request["state"] == "completed"
    refused = made.read(session)
    assert (refused.status_code, found_in(refused)["code"]) == (403, "consent_ended")
    assert made.open().status_code == 403
    fresh = world.grant(later, an)  # to somebody who held nothing before
    assert fresh.open().status_code == 403, "a standing that begins later is restricted too"
    told = [each.event for each in world.services.log.entries(an.id)]
    assert {each.reason for each in told if each.decision == "refuse"} == {"blocked"}
    path = f"/citizens/me/rights-requests/{request['id']}/cancellation"
    assert world.post(path, world.signed_in(an, timedelta(minutes=6))).status_code == 401
    assert made.open().status_code == 403
    assert found_in(world.post(path, an))["state"] == "lifted"
    assert made.seen() and fresh.seen()
    assert world.post(path, an).status_code == 200, "twice is once"


def test_who_is_restricted_is_reminded_of_nothing_until_it_is_lifted(world: World) -> None:
    an, day = world.person(), world.now().date()
    planning, reminders = world.services.reminding.planning, world.services.reminding.reminders
    free, kept_still = world.child_of(an), world.child_of(an)
    request = completed(world, asked(world, an, "restrict", citizen=kept_still.id))
    for child in (free, kept_still):
        planning.review(child.id, day)
    assert reminders.of_citizen(free.id), "what is due is due to both"
    assert reminders.of_citizen(kept_still.id) == []
    path = f"/citizens/{kept_still.id}/rights-requests/{request['id']}/cancellation"
    assert world.post(path, an).status_code == 200
    planning.review(kept_still.id, day)
    assert len(reminders.of_citizen(kept_still.id)) == len(reminders.of_citizen(free.id))


def test_two_restrictions_are_lifted_one_by_one(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    made = world.grant(doctor, an)
    first, second = (completed(world, asked(world, an, kind)) for kind in ("restrict", "object"))
    path = "/citizens/me/rights-requests/{}/cancellation"
    assert world.post(path.format(first["id"]), an).status_code == 200
    assert made.open().status_code == 403
    assert world.post(path.format(second["id"]), an).status_code == 200
    assert made.open().status_code == 201


def test_what_the_child_asked_for_is_not_the_guardians_to_lift(world: World) -> None:
    an = world.person()
    girl = world.child_of(an, date(2011, 2, 1))
    hers = completed(world, asked(world, girl, "restrict"))
    path = f"/citizens/{girl.id}/rights-requests/{hers['id']}/cancellation"
    assert world.post(path, an).status_code == 404
    theirs = completed(world, asked(world, an, "restrict", citizen=girl.id))
    path = f"/citizens/{girl.id}/rights-requests/{theirs['id']}/cancellation"
    answer = world.post(path, an)
    assert (answer.status_code, found_in(answer)["code"]) == (409, "co_consent_required")
    assert world.post(f"/citizens/me/rights-requests/{theirs['id']}/cancellation", girl).status_code == 200


def test_withdrawing_by_request_ends_every_grant(world: World) -> None:
    an, one, two = world.person(), world.doctor(), world.doctor()
    made = [world.grant(one, an), world.grant(two, an)]
    completed(world, asked(world, an, "withdraw"))
    assert [each.open().status_code for each in made] == [403, 403]
    states = {each["state"] for each in found_in(world.get("/citizens/me/grants", an))["items"]}
    assert states == {"withdrawn"}
