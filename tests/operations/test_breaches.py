"""The register of breaches: who may keep it, its steps, its clocks, and that each act is logged."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bson
import pytest

from tests.environment import lone_world
from tests.logged import logged
from tests.world import World, bundle, condition, found_in
from wallet_api.breaches.rules import RULES, load_rules
from wallet_api.infra.ids import new_id

SECRET = "Hồ sơ của Nguyễn Rò Rỉ 001199999777 bị lộ"


def opened(world: World, who: Any, **over: Any) -> Any:
    body = {
        "detected_at": world.now().isoformat(),
        "kind": "confidentiality",
        "cause": "insider",
        "data": ["health", "identity"],
        "what": SECRET,
    }
    return world.post("/ops/breaches", who, body | over)


def step(world: World, who: Any, breach: Any, name: str, body: dict[str, Any], tag: str | None = None) -> Any:
    headers = {"If-Match": tag or f'"{breach["version"]}"'}
    return world.post(f"/ops/breaches/{breach['id']}/{name}", who, body, headers=headers)


def assessment(**over: Any) -> dict[str, Any]:
    return {"risk": "high", "must_notify": True, "affected": 12, "reason": "read the log"} | over


def told(world: World, *to: str) -> dict[str, Any]:
    return {"to": list(to or ("authority",)), "told_at": world.now().isoformat(), "reason": "form 08"}


def test_an_entry_goes_its_way_and_keeps_its_history(world: World) -> None:
    who = world.ops("reviewer")
    made = opened(world, who)
    assert made.status_code == 201 and made.headers["ETag"] == '"1"', made.get_data(as_text=True)
    breach = found_in(made)
    assert (breach["state"], breach["overdue"], breach["what"]) == ("open", False, SECRET)
    for name, body, state in (
        ("assessment", assessment(), "assessed"),
        ("notification", told(world), "notified"),
        ("closure", {"reason": "done"}, "closed"),
    ):
        answer = step(world, who, breach, name, body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        breach = found_in(answer)
        assert (breach["state"], answer.headers["ETag"]) == (state, f'"{breach["version"]}"')
    assert [each["event"] for each in breach["history"]] == ["opened", "assessed", "notified", "closed"]
    assert breach["assessment"]["affected"] == 12 and len({each["by"] for each in breach["history"]}) == 1
    again = found_in(world.get(f"/ops/breaches/{breach['id']}", who, headers={"Accept-Language": "en"}))
    assert (again["state_text"], again["cause_text"]) == ("Closed", "Misuse by somebody inside")
    steps = [row["action"] for row in logged(world.db, detail__breach=breach["id"])]
    assert sorted(steps) == [
        "breach:assessed",
        "breach:closed",
        "breach:notified",
        "breach:opened",
        "breach:read",
    ]


def test_its_clock_runs_from_detection_and_is_data(world: World) -> None:
    who = world.ops("reviewer")
    breach = found_in(opened(world, who, data=["location"]))
    assert {due["code"]: due["to"] for due in breach["dues"]} == {
        "authority_notice": "authority",
        "subject_notice": "subjects",
    }
    assert all(due["source"] and not due["overdue"] for due in breach["dues"])
    world.forward(hours=72, minutes=-1)
    path = f"/ops/breaches/{breach['id']}"
    who = world.ops("reviewer")  # the session of before has ended
    assert not found_in(world.get(path, who))["overdue"]
    world.forward(minutes=1, seconds=1)
    assert found_in(world.get(path, who))["overdue"]
    found = found_in(step(world, who, breach, "assessment", assessment()))
    found = found_in(step(world, who, found, "notification", told(world)))
    late = {due["code"]: (due["met_at"] is not None, due["overdue"]) for due in found["dues"]}
    assert late == {"authority_notice": (True, True), "subject_notice": (False, True)}
    early = step(world, who, found, "closure", {"reason": "x"})
    assert (early.status_code, found_in(early)["code"]) == (409, "breach_step_refused")
    found = found_in(step(world, who, found, "notification", told(world, "subjects")))
    assert found_in(step(world, who, found, "closure", {"reason": "x"}))["state"] == "closed"


def test_nobody_has_to_be_told_of_what_harms_nobody(world: World) -> None:
    who = world.ops("reviewer")
    breach = found_in(opened(world, who))
    harmless = assessment(risk="none", must_notify=False, affected=0)
    found = found_in(step(world, who, breach, "assessment", harmless))
    assert found["dues"] == [] and not found["overdue"]
    assert found_in(step(world, who, found, "closure", {"reason": "encrypted"}))["state"] == "closed"


def test_steps_out_of_order_are_refused(world: World) -> None:
    who = world.ops("reviewer")
    breach = found_in(opened(world, who))
    refused = [
        ("notification", told(world), 409),
        ("closure", {"reason": "x"}, 409),
        ("assessment", assessment(reads=None, affected=None), 422),
        ("assessment", assessment(risk="awful"), 422),
        ("assessment", assessment(state="closed"), 422),
    ]
    for name, body, status in refused:
        assert step(world, who, breach, name, body).status_code == status, (name, body)
    assert opened(world, who, detected_at="2099-01-01T00:00:00Z").status_code == 409
    found = found_in(step(world, who, breach, "assessment", assessment()))
    too_early = told(world) | {"told_at": "2020-01-01T00:00:00Z"}
    assert step(world, who, found, "notification", too_early).status_code == 409
    assert found_in(world.get(f"/ops/breaches/{breach['id']}", who))["state"] == "assessed"


def test_a_step_needs_the_version_that_was_read(world: World) -> None:
    who = world.ops("reviewer")
    breach = found_in(opened(world, who))
    path = f"/ops/breaches/{breach['id']}/assessment"
    assert world.post(path, who, assessment()).status_code == 428
    for tag in ('"7"', 'W/"1"', '"x"'):
        stale = step(world, who, breach, "assessment", assessment(), tag)
        assert (stale.status_code, found_in(stale)["code"]) == (412, "stale_version"), tag
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: step(world, who, breach, "assessment", assessment()), range(8))
        statuses = sorted(each.status_code for each in answers)
    assert statuses == [200] + [412] * 7, "one of eight at once wins"


@pytest.mark.parametrize("role", ["operator", "registrar"])
def test_other_roles_are_refused(world: World, role: Any) -> None:
    breach = found_in(opened(world, world.ops("reviewer")))
    who = world.ops(role)
    for answer in (
        world.get("/ops/breaches", who),
        world.get(f"/ops/breaches/{breach['id']}", who),
        opened(world, who),
        *(step(world, who, breach, name, {"reason": "x"}) for name in ("assessment", "closure")),
    ):
        assert (answer.status_code, found_in(answer)["code"]) == (403, "role_missing")
    assert opened(world, world.person()).status_code == 403
    assert world.get("/ops/breaches", world.doctor()).status_code == 403


def test_an_absent_entry_is_not_found_by_any_step(world: World) -> None:
    who, absent = world.ops("reviewer"), {"id": new_id(), "version": 1}
    bodies = {"assessment": assessment(), "notification": told(world), "closure": {"reason": "x"}}
    answers = [step(world, who, absent, name, body) for name, body in bodies.items()]
    for answer in (world.get(f"/ops/breaches/{absent['id']}", who), *answers):
        assert (answer.status_code, found_in(answer)["code"]) == (404, "not_found")


@pytest.fixture
def quiet_world(embedded_uri: str, tmp_path: Path) -> Iterator[World]:
    """A wallet of its own: its whole access log is read several times, and is short."""
    with lone_world(embedded_uri, tmp_path) as world:
        yield world


def test_the_affected_are_counted_in_the_access_log(quiet_world: World) -> None:
    world = quiet_world
    an, binh, doctor = world.person(), world.person(), world.doctor()
    for person in (an, binh):
        world.send(doctor, bundle(person, condition()))
        world.grant(doctor, person).seen()
    world.grant(doctor, an).seen()
    who = world.ops("reviewer")
    day = world.now().date().isoformat()
    asked = {"organisation_id": doctor.organisation_id, "from": day, "to": day}
    cases = [
        ({}, 2),
        ({"practitioner_id": doctor.practitioner_id}, 2),
        ({"practitioner_id": "bs-somebody"}, 0),
        ({"from": "2020-01-01", "to": "2020-12-31"}, 0),
    ]
    for over, expected in cases:
        breach = found_in(opened(world, who))
        body = assessment(affected=None, reads=asked | over)
        answer = step(world, who, breach, "assessment", body)
        assert found_in(answer)["assessment"]["affected"] == expected, (over, answer.get_data(as_text=True))
    unknown = assessment(affected=None, reads=asked | {"organisation_id": new_id()})
    assert step(world, who, found_in(opened(world, who)), "assessment", unknown).status_code == 404
    backwards = assessment(affected=None, reads=asked | {"to": "2019-01-01"})
    assert step(world, who, found_in(opened(world, who)), "assessment", backwards).status_code == 422


def test_what_was_written_freely_is_sealed(world: World) -> None:
    who = world.ops("reviewer")
    breach = found_in(opened(world, who))
    step(world, who, breach, "assessment", assessment(reason=SECRET))
    kept = [bson.encode(each) for each in world.db["breaches"].find({})]
    kept += [bson.encode(each) for each in world.db["audit_log"].find({})]
    assert kept and not [raw for raw in kept if "Rò Rỉ".encode() in raw or b"001199999777" in raw]


def test_the_register_lists_by_state(world: World) -> None:
    who = world.ops("reviewer")
    breach = found_in(opened(world, who))
    listed = found_in(world.get("/ops/breaches?state=open&limit=100", who))["items"]
    assert breach["id"] in [each["id"] for each in listed] and {each["state"] for each in listed} == {"open"}
    assert world.get("/ops/breaches?state=lost", who).status_code == 422


def test_an_entry_sent_twice_with_one_key_is_one_entry(world: World) -> None:
    who = world.ops("reviewer")
    body = {
        "detected_at": world.now().isoformat(),
        "kind": "integrity",
        "cause": "fault",
        "data": ["log"],
        "what": "x",
    }
    key = {"Idempotency-Key": "a-key"}
    first, second = (world.post("/ops/breaches", who, body, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert found_in(first)["id"] == found_in(second)["id"]


def test_rules_without_a_source_or_misspelt_stop_the_start() -> None:
    assert {clock.after.total_seconds() / 3600 for clock in RULES.clocks} == {72.0}
    raw = '{"clocks":[{"code":"a","to":"b","hours":1,"data":[],"source":"%s"%s}],'
    rest = '"kinds":{},"causes":{},"data":{},"risks":{},"states":{}%s}'
    assert load_rules(raw % ("law", "") + rest % "").clocks[0].code == "a"
    for bad in (
        raw % ("", "") + rest % "",
        raw % ("law", ',"more":1') + rest % "",
        raw % ("law", "") + rest % ',"x":1',
    ):
        with pytest.raises((ValueError, TypeError)):
            load_rules(bad)
