"""Reminders as people want them, over HTTP: one digest a family, put off, told, explained, in a calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import vobject

from notifications.reminders import State, copy_of
from notifications.schedule import Offset
from tests.day_runs import run_on
from tests.world import Json, Person, World, bundle, code_in, found_in, immunization
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id

PREFERENCES = "/citizens/me/notification-preferences"


def today(world: World) -> date:
    return vn_day(world.now())


def months_old(world: World, months: int) -> date:
    day = today(world)
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, day.day)


def run_today(world: World, *people: Person) -> None:
    run_on(world, today(world), *people)


def phone(world: World, who: Person) -> None:
    device = {"platform": "android", "address_kind": "fid", "address": new_id()}
    where = f"/citizens/me/devices/{new_id()}"
    assert world.call("PUT", where, who, device).status_code == 200


def reminders_of(world: World, child: Person, who: Person) -> list[Json]:
    items: list[Json] = found_in(world.get(f"/citizens/{child.id}/reminders", who))["items"]
    return items


def one_of(world: World, child: Person, who: Person, title: str) -> Json:
    return next(each for each in reminders_of(world, child, who) if title in each["title"])


def measles(world: World, child: Person, who: Person) -> Json:
    return one_of(world, child, who, "Sởi")


def forecast(world: World, child: Person, who: Person, series: str, dose: int = 1) -> Json:
    items = found_in(world.get(f"/citizens/{child.id}/forecast", who))["items"]
    return next(each for each in items if (each["series"], each["dose"]) == (series, dose))


@pytest.fixture
def mother(world: World) -> Person:
    who = world.person("Nguyễn Thị Mẹ", date(1990, 5, 4))
    phone(world, who)
    return who


@pytest.fixture
def child(world: World, mother: Person) -> Person:
    return world.child_of(mother, born=months_old(world, 9))


def pushes_of(world: World, who: Person) -> list[Any]:
    """The pushes queued for somebody, in every batch there is."""
    outbox = world.services.reminding.outbox
    batches = [outbox._batch(row) for row in world.db["outbox"].find()]  # type: ignore[attr-defined]
    return [push for batch in batches for push in batch.pushes if push.recipient_id == who.id]


def test_a_family_with_three_children_gets_one_push_and_one_digest(world: World, mother: Person) -> None:
    children = [world.child_of(mother, born=months_old(world, 9)) for _ in range(2)]
    run_today(world, mother, *children)
    late = world.child_of(mother, born=months_old(world, 9))
    run_today(world, mother, late)
    assert len(pushes_of(world, mother)) == 1
    digests = found_in(world.get("/citizens/me/digests", mother))["items"]
    assert len(digests) == 1 and digests[0]["id"] == pushes_of(world, mother)[0].nid
    assert {each["about"] for each in digests[0]["people"]} >= {each.id for each in (*children, late)}
    inbox = found_in(world.get("/citizens/me/inbox?limit=100", mother))["items"]
    assert digests[0]["count"] == len(inbox) == digests[0]["unread"]
    assert digests[0]["heading"] == f"Bạn có {len(inbox)} thông báo mới"
    joined = {each["reason"] for each in reminders_of(world, late, mother)}
    assert joined == {"joined_earlier_push"}


def test_a_reminder_is_explained_in_both_languages(world: World, mother: Person, child: Person) -> None:
    run_today(world, mother, child)
    found = measles(world, child, mother)
    told = found_in(world.get(f"/citizens/{child.id}/reminders/{found['id']}", mother))
    assert [each["code"] for each in told["why"]] == ["due", "on_day"]
    assert told["sources"] and told["state"] == "queued" and told["held_back"] == []
    sentences = [*told["why"], told["now"]]
    assert all(each["vi"] and each["en"] and each["vi"] != each["en"] for each in sentences)
    assert today(world).strftime("%d/%m/%Y") in told["why"][0]["vi"]
    stranger = world.person()
    assert world.get(f"/citizens/{child.id}/reminders/{found['id']}", stranger).status_code == 404
    assert world.get(f"/citizens/me/reminders/{found['id']}", stranger).status_code == 404
    assert world.get(f"/citizens/{child.id}/reminders/{new_id()}", mother).status_code == 404


def test_what_is_put_off_comes_on_that_day_once_and_nothing_before(
    world: World, mother: Person, child: Person
) -> None:
    run_today(world, mother, child)
    found, until = measles(world, child, mother), today(world) + timedelta(days=10)
    where = f"/citizens/{child.id}/reminders/{found['id']}/snooze"
    answers = [world.post(where, mother, {"until": until.isoformat()}) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert found_in(answers[0]) == found_in(answers[1])
    states = {
        each["offset"]: (each["state"], each["send_on"])
        for each in reminders_of(world, child, mother)
        if "Sởi" in each["title"]
    }
    assert states["on_day"][0] == "superseded"
    assert states["snoozed_1"] == ("planned", until.isoformat())
    told = found_in(world.get(f"/citizens/{child.id}/reminders/{found_in(answers[0])['id']}", mother))
    assert told["why"][-1]["code"] == "put_off" and until.strftime("%d/%m/%Y") in told["why"][-1]["en"]
    for day in range(1, 12):
        run_on(world, today(world) + timedelta(days=day), mother, child)
    states = {
        each["offset"]: each["state"] for each in reminders_of(world, child, mother) if "Sởi" in each["title"]
    }
    assert states["after_7"] == "superseded" and states["snoozed_1"] in ("queued", "accepted")


@pytest.mark.parametrize("until", ["2020-01-01", "2099-01-01", "tomorrow", "", None, 5, "2026-02-30"])
def test_a_day_nobody_can_be_reminded_on_is_refused(
    world: World, mother: Person, child: Person, until: object
) -> None:
    run_today(world, mother, child)
    where = f"/citizens/{child.id}/reminders/{measles(world, child, mother)['id']}/snooze"
    answer = world.post(where, mother, {"until": until})
    assert answer.status_code == 422
    assert [each["pointer"] for each in found_in(answer)["errors"]] == ["/until"]
    assert measles(world, child, mother)["state"] == "queued"


def test_only_who_was_reminded_may_put_it_off(world: World, mother: Person, child: Person) -> None:
    father = world.person()
    world.guard(father, child)
    run_today(world, mother, child)
    where = f"/citizens/{child.id}/reminders/{measles(world, child, mother)['id']}/snooze"
    until = {"until": (today(world) + timedelta(days=3)).isoformat()}
    assert world.post(where, father, until).status_code == 404
    assert world.post(where, world.person(), until).status_code == 404
    assert measles(world, child, mother)["state"] == "queued"


def test_nobody_puts_off_what_came_to_somebody_else(world: World, mother: Person) -> None:
    girl, kit = world.child_of(mother, date(2011, 2, 1)), world.services.reminding
    item = next(each for each in kit.planning.forecast(girl.id) if each.remindable)
    sent = copy_of(kit.keys, girl.id, mother.id, item, Offset("on_day", 0), today(world))
    kit.reminders.plan(sent)
    assert sent.id in {each["id"] for each in reminders_of(world, girl, girl)}, "she may know of it"
    until = {"until": (today(world) + timedelta(days=3)).isoformat()}
    assert world.post(f"/citizens/me/reminders/{sent.id}/snooze", girl, until).status_code == 404


def test_what_the_family_says_was_given_ends_reminders_and_proves_nothing(
    world: World, mother: Person, child: Person
) -> None:
    run_today(world, mother, child)
    found = measles(world, child, mother)
    where = f"/citizens/{child.id}/reminders/{found['id']}/already-given"
    said = {"given_on": today(world).isoformat(), "where": "Phòng tiêm chủng tư nhân"}
    answers = [world.post(where, mother, said) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    first, second = map(found_in, answers)
    assert first == second and (first["status"], first["reminded"]) == ("told", False)
    assert (measles(world, child, mother)["state"], measles(world, child, mother)["reason"]) == (
        "cancelled",
        "told",
    )
    item = forecast(world, child, mother, "measles")
    assert (item["status"], item["rule"]) == ("told", "told")
    assert [each["verdict"] for each in item["evidence"]] == ["told"]
    record = found_in(world.get(f"/citizens/{child.id}/records/{first['record_id']}", mother))
    assert record["self_reported"] and record["version"] == 1
    assert "Phòng tiêm chủng tư nhân" in str(record["resource"])


def test_what_was_said_can_be_put_right_taken_back_and_said_again(
    world: World, mother: Person, child: Person
) -> None:
    run_today(world, mother, child)
    where = f"/citizens/{child.id}/reminders/{measles(world, child, mother)['id']}/already-given"
    assert world.call("DELETE", where, mother).status_code == 204, "nothing was said yet"
    assert found_in(world.get(f"/citizens/{child.id}/records", mother))["items"] == []
    world.post(where, mother, {"given_on": today(world).isoformat()})
    assert [world.call("DELETE", where, mother).status_code for _ in range(2)] == [204, 204]
    assert forecast(world, child, mother, "measles")["status"] == "due"
    run_today(world, mother, child)
    assert measles(world, child, mother)["state"] in ("queued", "accepted"), "it goes on"
    again = world.post(where, mother, {"given_on": today(world).isoformat()})
    assert found_in(again)["status"] == "told"


def test_a_providers_record_wins_over_what_was_said(world: World, mother: Person, child: Person) -> None:
    run_today(world, mother, child)
    where = f"/citizens/{child.id}/reminders/{measles(world, child, mother)['id']}/already-given"
    world.post(where, mother, {"given_on": today(world).isoformat()})
    sent = immunization("proof", "05", on=today(world).isoformat())
    world.send(world.doctor(), bundle(child, sent))
    item = forecast(world, child, mother, "measles")
    assert (item["status"], [each["verdict"] for each in item["evidence"]]) == ("given", ["counted"])


def test_a_checkup_can_be_said_to_be_done(world: World) -> None:
    who = world.person(born=date(1970, today(world).month, today(world).day))
    run_today(world, who)
    [found] = [each for each in reminders_of(world, who, who) if each["offset"] == "on_day"]
    where = f"/citizens/me/reminders/{found['id']}/already-given"
    answer = world.post(where, who, {"given_on": f"{today(world).year}-02-01"})
    assert (found_in(answer)["status"], found_in(answer)["reminded"]) == ("told", False)
    assert world.post(where, who, {"given_on": "2026-02-01", "vaccine": "bcg"}).status_code == 422


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({}, "/given_on"),
        ({"given_on": "2199-01-01"}, "/given_on"),
        ({"given_on": "1950-01-01"}, "/given_on"),
        ({"given_on": "2026-11-01", "vaccine": "bcg"}, "/vaccine"),
        ({"given_on": "2026-11-01", "vaccine": "potion"}, "/vaccine"),
        ({"given_on": "2026-11-01", "where": ""}, "/where"),
        ({"given_on": "2026-11-01", "where": "x" * 121}, "/where"),
        ({"given_on": "2026-11-01", "proven": True}, "/proven"),
    ],
)
def test_what_cannot_have_been_is_refused_and_nothing_is_written(
    world: World, mother: Person, child: Person, said: Json, pointer: str
) -> None:
    run_today(world, mother, child)
    where = f"/citizens/{child.id}/reminders/{measles(world, child, mother)['id']}/already-given"
    answer = world.post(where, mother, said)
    assert answer.status_code == 422
    assert [each["pointer"] for each in found_in(answer)["errors"]] == [pointer]
    assert found_in(world.get(f"/citizens/{child.id}/records", mother))["items"] == []


def test_a_calendar_says_when_and_not_what(world: World, mother: Person, child: Person) -> None:
    where = f"/citizens/{child.id}/reminders.ics"
    answer = world.get(where, mother)
    assert answer.status_code == 200 and answer.mimetype == "text/calendar"
    calendar = vobject.readOne(answer.get_data(as_text=True))
    events = calendar.vevent_list
    due = [
        e
        for e in found_in(world.get(f"/citizens/{child.id}/forecast", mother))["items"]
        if e["status"] in ("upcoming", "due", "overdue")
    ]
    assert 0 < len(events) <= len(due)
    assert {each.summary.value for each in events} == {"Nhắc lịch sức khỏe"}
    assert today(world) in {each.dtstart.value for each in events}
    titles = {each["title"] for each in due}
    assert not [title for title in titles if title in answer.get_data(as_text=True)]
    assert child.id not in answer.get_data(as_text=True) and child.name not in answer.get_data(as_text=True)
    full = vobject.readOne(world.get(f"{where}?titles=full", mother).get_data(as_text=True))
    assert {each.summary.value for each in full.vevent_list} <= titles
    assert sorted(e.uid.value for e in full.vevent_list) == sorted(e.uid.value for e in events)
    assert world.get(f"{where}?titles=all", mother).status_code == 422
    assert world.get(where, world.person()).status_code == 404


def test_a_calendar_that_did_not_change_is_not_sent_again(
    world: World, mother: Person, child: Person
) -> None:
    where = f"/citizens/{child.id}/reminders.ics"
    first = world.get(where, mother)
    tag = {"If-None-Match": first.headers["ETag"]}
    assert world.get(where, mother, headers=tag).status_code == 304
    world.send(world.doctor(), bundle(child, immunization("m", "05", on=today(world).isoformat())))
    after = world.get(where, mother, headers=tag)
    assert after.status_code == 200 and after.headers["ETag"] != first.headers["ETag"]


def test_preferences_hold_more_than_hours(world: World) -> None:
    who = world.person()
    defaults = found_in(world.get(PREFERENCES, who))
    assert (defaults["from_hour"], defaults["to_hour"], defaults["time_zone"]) == (7, 21, "Asia/Ho_Chi_Minh")
    assert (defaults["spoken"], defaults["urgent"], defaults["weekly_limits"]) == ("vi", [], [])
    assert "security" in defaults["mandatory"] and "vaccination" in defaults["kinds"]
    chosen: Json = {
        "opted_out": ["checkup"],
        "muted": [{"topic": "vaccination", "channel": "push"}],
        "from_hour": 9,
        "to_hour": 18,
        "time_zone": "Europe/Berlin",
        "weekly_limits": [{"topic": "vaccination", "days": 2}],
        "urgent": ["vaccination"],
        "locale": "en-AU",
    }
    assert world.call("PUT", PREFERENCES, who, chosen).status_code == 200
    found = found_in(world.get(PREFERENCES, who))
    assert found.items() >= chosen.items() and found["spoken"] == "en"
    assert found_in(world.call("PUT", PREFERENCES, who, {"locale": "km-KH"}))["spoken"] == "vi"


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"opted_out": ["security"]}, "/opted_out"),
        ({"opted_out": ["gossip"]}, "/opted_out/0"),
        ({"muted": [{"topic": "vaccination", "channel": "pigeon"}]}, "/muted/0/channel"),
        ({"muted": ["vaccination"]}, "/muted/0"),
        ({"time_zone": "Asia/Atlantis"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"weekly_limits": [{"topic": "vaccination", "days": 0}]}, "/weekly_limits/0/days"),
        ({"weekly_limits": [{"topic": "vaccination", "days": 1}] * 2}, "/weekly_limits"),
        ({"urgent": ["security"]}, "/urgent/0"),
        ({"from_hour": 21}, "/from_hour"),
        ({"locale": "x" * 40}, "/locale"),
        ({"locale": "vi\n"}, "/locale"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_whole(world: World, bad: Json, pointer: str) -> None:
    who = world.person()
    answer = world.call("PUT", PREFERENCES, who, {"from_hour": 10} | bad)
    assert answer.status_code == 422
    assert [each["pointer"] for each in found_in(answer)["errors"]] == [pointer]
    assert found_in(world.get(PREFERENCES, who))["from_hour"] == 7


def publish(world: World, commune: str, *periods: Json) -> Any:
    desk, where = world.ops("operator"), f"/ops/communes/{commune}/session-days"
    seen = world.get(f"/communes/{commune}/session-days", desk)
    return world.call(
        "PUT", where, desk, {"periods": list(periods)}, headers={"If-Match": seen.headers["ETag"]}
    )


def period(world: World, *days: date, **over: Any) -> Json:
    first, last = today(world), today(world) + timedelta(days=200)
    return {
        "valid_from": first.isoformat(),
        "valid_to": last.isoformat(),
        "days": [day.isoformat() for day in days],
        "monthly": [],
    } | over


def test_reminders_speak_of_the_communes_session_and_move_to_it(
    world: World, mother: Person, child: Person
) -> None:
    session = today(world) + timedelta(days=5)
    assert publish(world, "00101", period(world, session)).status_code == 200
    where = f"/citizens/{child.id}/vaccination-commune"
    told = world.call("PUT", where, mother, {"commune": "00101"})
    assert found_in(told) == {"commune": "00101", "next_session": session.isoformat()}
    assert forecast(world, child, mother, "measles")["session"] == session.isoformat()
    run_today(world, mother, child)
    found = measles(world, child, mother)
    assert found["offset"] == "before_7", "the session is near: the day before it counts from the session"
    message = next(
        m for m in found_in(world.get("/citizens/me/inbox?limit=100", mother))["items"] if "Sởi" in m["title"]
    )
    assert session.strftime("%d/%m/%Y") in message["body"]
    run_on(world, session, mother, child)
    offsets = {
        each["offset"]: each["send_on"]
        for each in reminders_of(world, child, mother)
        if "Sởi" in each["title"]
    }
    assert offsets["on_day"] == session.isoformat()
    run_on(world, session + timedelta(days=7), mother, child)
    missed = [
        m
        for m in found_in(world.get("/citizens/me/inbox?limit=100", mother))["items"]
        if m["title"].startswith("Đã tiêm chưa?")
    ]
    assert "Sởi" in str([each["title"] for each in missed])
    explained = found_in(world.get(f"/citizens/{child.id}/reminders/{found['id']}", mother))
    assert [each["code"] for each in explained["why"]] == ["due", "session", "ahead"]


def test_a_dose_recorded_late_is_never_called_missed(world: World, mother: Person, child: Person) -> None:
    session = today(world) + timedelta(days=1)
    publish(world, "00102", period(world, session))
    world.call("PUT", f"/citizens/{child.id}/vaccination-commune", mother, {"commune": "00102"})
    run_today(world, mother, child)
    world.forward(days=6)
    world.send(world.doctor(), bundle(child, immunization("late", "05", on=session.isoformat())))
    run_on(world, session + timedelta(days=7), mother, child)
    inbox = found_in(world.get("/citizens/me/inbox?limit=100", mother))["items"]
    assert not [m for m in inbox if m["title"].startswith("Đã tiêm chưa?") and "Sởi" in m["title"]]


def test_session_days_are_published_by_who_saw_the_last(world: World) -> None:
    desk, where = world.ops("operator"), "/ops/communes/00103/session-days"
    first = publish(world, "00103", period(world, monthly=[5, 20]))
    assert first.status_code == 200 and found_in(first)["next_session"]
    body = {"periods": []}
    assert code_in(world.call("PUT", where, desk, body)) == "precondition_required"
    old = {"If-Match": '"' + "x" * 22 + '"'}
    assert code_in(world.call("PUT", where, desk, body, headers=old)) == "stale_session_days"
    assert found_in(world.get("/communes/00103/session-days", world.person())) == found_in(first)
    again = publish(world, "00103", period(world, monthly=[5, 20]))
    assert again.headers["ETag"] == first.headers["ETag"], "the same again is no change"


@pytest.mark.parametrize(
    ("over", "pointer"),
    [
        ({"valid_to": "2026-01-01"}, "/valid_to"),
        ({"valid_to": "2030-01-01"}, "/valid_to"),
        ({"days": ["2020-01-01"]}, "/days"),
        ({"days": [], "monthly": []}, "/days"),
        ({"monthly": [32]}, "/periods/0/monthly/0"),
        ({"monthly": [0]}, "/periods/0/monthly/0"),
        ({"days": ["never"]}, "/periods/0/days/0"),
    ],
)
def test_session_days_that_cannot_be_are_refused(world: World, over: Json, pointer: str) -> None:
    answer = publish(world, "00104", period(world, today(world)) | over)
    assert answer.status_code == 422
    assert [each["pointer"] for each in found_in(answer)["errors"]] == [pointer]


def test_a_commune_is_a_code(world: World, mother: Person, child: Person) -> None:
    where = f"/citizens/{child.id}/vaccination-commune"
    for bad in ("1", "abcde", "000001", 5, ""):
        assert world.call("PUT", where, mother, {"commune": bad}).status_code == 422
    assert world.call("PUT", where, world.person(), {"commune": "00101"}).status_code == 404
    assert world.get("/communes/nowhere/session-days", mother).status_code == 404
    assert found_in(world.get(where, mother)) == {"commune": None, "next_session": None}
    assert world.call("PUT", where, mother, {"commune": None}).status_code == 200


def test_a_kind_without_push_is_in_the_inbox_alone(world: World, mother: Person, child: Person) -> None:
    muted = [{"topic": topic, "channel": "push"} for topic in ("vaccination", "checkup")]
    world.call("PUT", PREFERENCES, mother, {"muted": muted})
    run_today(world, mother, child)
    assert pushes_of(world, mother) == []
    found = measles(world, child, mother)
    assert (found["state"], found["reason"]) == (State.ACCEPTED.value, "push_switched_off")
    told = found_in(world.get(f"/citizens/{child.id}/reminders/{found['id']}", mother))
    assert [each["code"] for each in told["held_back"]] == ["push_switched_off"]
    assert found_in(world.get("/citizens/me/inbox", mother))["unread"] > 0
