"""A death closes the book by two people's word, and a mistake is undone whole."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from consent.model import Actor
from notifications.reminders import State
from tests.life.births import today
from tests.life.deaths import decide, die, report, revive
from tests.logged import logged
from tests.world import Json, World, bundle, condition, found_in
from wallet_api.identity.errors import AccountClosed
from wallet_api.identity.model import Account
from wallet_api.identity.people import PersonClaims


def feed(world: World, doctor: object) -> list[str]:
    items = found_in(world.get("/provider/events?limit=100", doctor))["items"]  # type: ignore[arg-type]
    return [each["type"] for each in items]


def test_a_report_changes_nothing_and_the_person_is_told(world: World) -> None:
    an = world.person()
    made = report(world, an)
    assert (made.status_code, found_in(made)["state"]) == (201, "reported")
    inbox = found_in(world.get("/citizens/me/inbox", an))["items"]
    assert "qua đời" in str(inbox)
    assert not world.services.identity.people.facts(an.id).deceased
    again = report(world, an)
    assert (again.status_code, found_in(again)["code"]) == (409, "death_step_refused")


def test_a_confirmed_death_closes_everything_at_once(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    world.send(doctor, bundle(an, condition()))
    given = world.grant(doctor, an)
    session, token = given.session(), an.token
    assert given.read(session).status_code == 200
    die(world, an)
    assert world.get("/citizens/me", token).status_code == 401, "sessions are ended"
    assert given.read(session).status_code == 403 and given.open().status_code == 403
    assert feed(world, doctor)[-1] == "consent_suspended"
    grant = world.services.consent.grant(an.id, given.grant["id"])
    assert (grant.state, grant.history[-1].reason) == ("suspended", "person_died")
    urgent = world.post(
        "/provider/emergency-access",
        world.doctor(purposes=("TREAT", "BTG")),
        {"citizen": {"national_id": an.number}, "reason_code": "unconscious", "reason": "x"},
    )
    assert urgent.status_code == 201
    people = world.services.identity.people
    with pytest.raises(AccountClosed):
        people.sign_in(Account("https://v.example", an.id), PersonClaims(people.profile(an.id), an.number))


def test_records_go_on_coming_in_for_the_dead(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    death = die(world, an)
    assert world.send(doctor, bundle(an, condition("late")))["accepted"] == 1
    revive(world, death)
    assert len(found_in(world.get("/citizens/me/records", world.signed_in(an)))["items"]) == 1


def test_a_mistake_is_undone_whole(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    child = world.child_of(an)
    world.send(doctor, bundle(an, condition()))
    given, for_child = world.grant(doctor, an), world.grant(doctor, child)
    ended = world.grant(world.doctor(), an)
    assert ended.withdraw().status_code == 200
    family = world.services.identity.family

    def state() -> Json:
        consent = world.services.consent
        grants = [
            (each.state, each.scope, each.holds_until)
            for each in (
                consent.grant(an.id, given.grant["id"]),
                consent.grant(child.id, for_child.grant["id"]),
                consent.grant(an.id, ended.grant["id"]),
            )
        ]
        relations = [(one.state, one.valid_from, one.valid_to, one.reason) for one in family.of(an.id)]
        reminding = world.services.reminding
        due = [list(reminding.planning.forecast(who)) for who in (an.id, child.id)]
        planned = [
            sorted((each.id, str(each.state)) for each in reminding.reminders.of_citizen(who))
            for who in (an.id, child.id)
        ]
        return {"grants": grants, "relations": relations, "due": due, "planned": planned}

    before = state()
    death = die(world, an)
    assert state() != before
    revive(world, death)
    assert state() == before
    assert given.seen() and for_child.open().status_code == 201
    me = world.signed_in(an)
    assert world.get(f"/citizens/{child.id}", me).status_code == 200
    assert "khôi phục" in str(found_in(world.get("/citizens/me/inbox", me))["items"])
    assert feed(world, doctor)[-1] == "consent_granted"


def test_reminders_stop_at_once_and_come_back(world: World) -> None:
    mother = world.person()
    child = world.child_of(mother, world.now().date() - timedelta(days=55))
    reminding = world.services.reminding
    assert reminding.planning.review(child.id, today(world))

    def planned() -> dict[str, State]:
        return {each.id: each.state for each in reminding.reminders.of_citizen(child.id)}

    before = planned()
    assert set(before.values()) == {State.PLANNED}
    death = die(world, child)
    assert set(planned().values()) == {State.CANCELLED}
    assert reminding.planning.review(child.id, today(world)) == 0
    revive(world, death)
    assert reminding.planning.review(child.id, today(world))
    assert planned() == before


def test_what_somebody_ended_meanwhile_stays_ended(world: World) -> None:
    doctor, an = world.doctor(), world.person()
    given = world.grant(doctor, an)
    death = die(world, an)
    consent = world.services.consent
    held = consent.grant(an.id, given.grant["id"])
    consent.withdraw(an.id, held.id, None, Actor(held.evidence, an.born))
    revive(world, death)
    assert consent.grant(an.id, held.id).state == "withdrawn"


def test_custody_that_was_ended_meanwhile_is_not_put_back(world: World) -> None:
    doctor, mother = world.doctor(), world.person()
    child = world.child_of(mother)
    for_child = world.grant(doctor, child)
    death = die(world, mother)
    (relation,) = world.services.identity.family.of(child.id)
    ended = world.post(
        f"/ops/guardianships/{relation.id}/end", world.ops("registrar"), {"reason": "custody_order"}
    )
    assert ended.status_code == 200
    revive(world, death)
    assert world.get(f"/citizens/{child.id}", world.signed_in(mother)).status_code == 404
    assert for_child.open().status_code == 403
    told = [row["action"] for row in logged(world.db, child.id)]
    assert "consent:resumed" not in told and told.count("guardianship:started") == 0


def test_nobody_acts_for_the_dead_and_the_dead_act_for_nobody(world: World) -> None:
    mother, father = world.person(), world.person()
    child = world.child_of(mother)
    world.guard(father, child)
    other = world.child_of(mother)
    die(world, mother)
    seen = found_in(world.get(f"/citizens/{child.id}", world.signed_in(father)))
    assert seen["id"] == child.id
    kinds = [(one.kind, one.citizen_id) for one in world.services.identity.reviews.open(10_000)]
    assert ("guardian_died", other.id) in kinds and ("guardian_died", child.id) not in kinds
    die(world, child)
    assert world.get(f"/citizens/{child.id}", world.signed_in(father)).status_code == 404
    assert world.services.identity.family.guardians_of(child.id, world.now()) == []


def test_the_case_names_who_is_left_without_a_guardian(world: World) -> None:
    mother = world.person()
    child = world.child_of(mother)
    made = die(world, mother)
    case = found_in(world.get(f"/ops/deaths/{made}", world.ops("reviewer")))
    assert case["wards"] == [{"citizen_id": child.id, "guardians": 0}]
    assert case["person"]["name"] == mother.name and case["paper_number"] == "KT-2026-000045"


def test_who_reported_does_not_decide(world: World) -> None:
    both, an = world.ops("registrar", "reviewer"), world.person()
    made = found_in(report(world, an, both))["id"]
    for decision, reason in (("confirm", None), ("refuse", "no_match")):
        answer = decide(world, made, decision, both, reason)
        assert (answer.status_code, found_in(answer)["code"]) == (409, "second_person_needed")
    assert not world.services.identity.people.facts(an.id).deceased
    assert decide(world, made, "confirm").status_code == 200
    answer = decide(world, made, "reverse", both, "person_lives")
    assert found_in(answer)["code"] == "second_person_needed"
    assert "death:reversed" not in [row["action"] for row in logged(world.db, an.id)]


def test_steps_that_are_none_are_refused(world: World) -> None:
    an = world.person()
    made = found_in(report(world, an))["id"]
    assert decide(world, made, "reverse", reason="person_lives").status_code == 409
    assert decide(world, made, "refuse").status_code == 422, "a refusal says why"
    assert decide(world, made, "confirm", reason="no_match").status_code == 422
    assert decide(world, made, "refuse", reason="no_match").status_code == 200
    assert decide(world, made, "confirm").status_code == 409
    assert report(world, an).status_code == 201, "a refused report is no obstacle to a right one"


def test_a_day_outside_the_life_and_an_unknown_person_are_refused(world: World) -> None:
    an = world.person()
    for day in (today(world) + timedelta(days=1), an.born - timedelta(days=1)):
        assert report(world, an, died_on=day.isoformat()).status_code == 422
    wrong = report(world, an, birth_date=(an.born + timedelta(days=1)).isoformat())
    absent = report(world, an, national_id="001190123123")
    assert (wrong.status_code, absent.status_code) == (404, 404)


def test_a_death_is_confirmed_once_however_often_it_is_said(world: World) -> None:
    an = world.person()
    made = die(world, an)
    again = decide(world, made, "confirm")
    assert (again.status_code, found_in(again)["done"]) == (200, True)
    rows = [row["action"] for row in logged(world.db, an.id)]
    assert rows.count("account:closed") == 1


def test_what_was_broken_off_is_finished_by_saying_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, an = world.doctor(), world.person()
    given = world.grant(doctor, an)
    made = found_in(report(world, an))["id"]
    effects = type(world.services.deaths._effects)

    def breaks(*_: object) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(effects, "stop", breaks)
        assert decide(world, made, "confirm").status_code == 500
    assert given.open().status_code == 403, "closed already"
    assert decide(world, made, "reverse", reason="person_lives").status_code == 409, "first it is finished"
    assert found_in(decide(world, made, "confirm"))["done"] is True
    assert world.services.consent.grant(an.id, given.grant["id"]).state == "suspended"
    revive(world, made)
    assert given.open().status_code == 201


def test_the_book_is_kept_ten_years_and_then_listed(world: World) -> None:
    an = world.person(born=date(1930, 1, 1))
    died = date(2016, 2, 29)
    made = found_in(report(world, an, died_on=died.isoformat()))
    assert made["keep_until"] == "2026-02-28"
    assert decide(world, made["id"], "confirm").status_code == 200
    reviewer, recent = world.ops("reviewer"), die(world, world.person())
    due = [each["id"] for each in found_in(world.get("/ops/deaths?state=due&limit=100", reviewer))["items"]]
    assert made["id"] in due and recent not in due


def test_lists_are_paged(world: World) -> None:
    ids = [found_in(report(world, world.person()))["id"] for _ in range(3)]
    reviewer, seen, cursor = world.ops("reviewer"), [], ""
    while True:
        page = found_in(world.get(f"/ops/deaths?limit=1{cursor}", reviewer))
        seen += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [each for each in seen if each in ids] == ids and len(seen) == len(set(seen))
    assert world.get("/ops/deaths", world.ops("registrar")).status_code == 403


def test_the_log_and_the_database_tell_neither_paper_nor_day(world: World) -> None:
    an = world.person()
    made = die(world, an)
    row = world.db["deaths"].find_one({"_id": made})
    assert row is not None and "KT-2026" not in str(row) and an.number not in str(row)
    assert "KT-2026" not in str(logged(world.db, an.id))
    rows = [each["action"] for each in logged(world.db, an.id)]
    assert "death:reported" in rows and "account:closed" in rows
