"""Foreign, hidden and absent are one answer, to the byte, on every path that names a citizen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import (
    Person,
    World,
    bundle,
    condition,
    found_in,
    immunization,
    without_request_id,
)
from wallet_api.infra.ids import new_id
from wallet_api.routes.edge import taken_by
from wallet_api.routes.schemas import examples

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", "records.Visibility"): {"audience": "providers", "hidden": True},
    ("POST", "consents.Approval"): {"notice": {"version": "1", "locale": "vi"}},
    ("POST", "records.Timeline"): examples.OWN_ENTRY,
    ("PUT", "records.OneRecord"): examples.OWN_CORRECTION,
    ("PATCH", "grants.OneGrant"): {"categories": ["condition"]},
    ("POST", "grants.Grants"): examples.STANDING_GRANT,
    ("POST", "grants.StandingPreview"): examples.STANDING_GRANT,
    ("POST", "rights.RightsRequests"): examples.RIGHTS_REQUEST,
    ("POST", "corrections.Corrections"): examples.CORRECTION,
    ("POST", "shares.ShareLinks"): examples.SHARE,
    ("POST", "health-cards.HealthCards"): examples.HEALTH_CARD,
    ("POST", "exports.ExportOrders"): examples.EXPORT,
    ("POST", "co-consents.CoApproval"): {"notice": {"version": "1", "locale": "vi"}},
    ("POST", "co-consents.Resumption"): {"notice": {"version": "1", "locale": "vi"}},
    ("POST", "family.Family"): {
        "dependent": {"national_id": "001324000555"},
        "birth_date": "2024-02-01",
        "relation": "minor",
        "evidence_kind": "birth_certificate",
    },
    ("PUT", "reminders.NotificationPreferences"): {"locale": "en"},
    ("POST", "kindness.Snooze"): examples.SNOOZE,
    ("POST", "kindness.AlreadyGiven"): examples.ALREADY_GIVEN,
    ("PUT", "own-commune.OwnCommune"): examples.COMMUNE,
    ("PUT", "reminders.Devices"): {"platform": "ios", "address_kind": "fid", "address": "a" * 22},
}
PREFIX = "/api/v1/citizens/<citizen>"

pytestmark = pytest.mark.usefixtures("sessions_read_once")


def citizen_operations(world: World) -> list[tuple[str, Any]]:
    return [
        (method, rule)
        for rule in world.app.url_map.iter_rules()
        if rule.rule.startswith(PREFIX)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def knock(world: World, method: str, rule: Any, citizen: str, who: Person) -> Any:
    named = dict.fromkeys(rule.arguments, "a" * 26) | {"citizen": citizen}
    path = world.app.url_map.bind("localhost").build(rule.endpoint, named, method=method)
    reads_one = taken_by(world.app.view_functions[rule.endpoint], method).body
    body = BODIES.get((method, rule.endpoint), {}) if reads_one else None
    return world.call(method, path, who, body, headers={"If-Match": '"1"'})


def differing(world: World, whose: str, who: Person) -> list[str]:
    """Operations on which somebody's book answers differently from one that does not exist."""
    found = []
    for method, rule in citizen_operations(world):
        theirs = without_request_id(knock(world, method, rule, whose, who))
        nobodys = without_request_id(knock(world, method, rule, new_id(), who))
        if theirs != nobodys or theirs[0] != 404:
            found.append(f"{method} {rule.rule}: {theirs[0]} and {nobodys[0]}")
    return found


def test_a_strangers_book_is_told_from_none_at_all(world: World) -> None:
    victim, stranger = world.person(), world.person()
    world.send(world.doctor(), bundle(victim, condition()))
    assert len(citizen_operations(world)) > 25
    assert differing(world, victim.id, stranger) == []


def test_what_no_operation_takes_tells_a_strangers_book_from_none(world: World) -> None:
    victim, who, seen = world.person(), world.person(), []
    for method, rule in citizen_operations(world):
        named = dict.fromkeys(rule.arguments, "a" * 26)
        urls = world.app.url_map.bind("localhost")
        for body, query in (({}, ""), ({"unknown": 1}, ""), (None, "?unknown=1")):
            answers = [
                without_request_id(
                    world.call(
                        method,
                        urls.build(rule.endpoint, named | {"citizen": citizen}, method=method) + query,
                        who,
                        body,
                        headers={"If-Match": '"1"'},
                    )
                )
                for citizen in (victim.id, new_id())
            ]
            seen.append((method, rule.rule, answers[0][0], answers[0] == answers[1]))
    assert [each for each in seen if not each[3]] == []
    assert {each[2] for each in seen} >= {400, 404, 422} and len(seen) > 75


def test_a_dependent_reaches_into_the_guardians_book(world: World) -> None:
    guardian = world.person(born=world.now().date().replace(year=1980))
    child = world.child_of(guardian, born=world.now().date().replace(year=2011))
    assert world.get(f"/citizens/{child.id}/records", guardian).status_code == 200
    assert differing(world, guardian.id, child) == []


def test_a_former_guardian_still_gets_in(world: World) -> None:
    guardian = world.person()
    child = world.person("Bé Thử", world.now().date().replace(year=2024))
    relation = world.guard(guardian, child)
    assert world.get(f"/citizens/{child.id}/records", guardian).status_code == 200
    world.services.identity.family.end(relation)
    world.forward(days=1)
    guardian = world.signed_in(guardian)
    assert differing(world, child.id, guardian) == []


def test_a_guardian_ended_today_still_gets_in(world: World) -> None:
    guardian = world.person()
    child = world.person("Bé Thử", world.now().date().replace(year=2024))
    relation = world.guard(guardian, child)
    world.services.identity.family.end(relation)
    assert world.get(f"/citizens/{child.id}/records", guardian).status_code == 404


def test_a_guardian_keeps_the_book_of_somebody_who_came_of_age(world: World) -> None:
    guardian = world.person()
    child = world.child_of(guardian, born=world.now().date().replace(year=2008, month=11, day=4))
    assert world.get(f"/citizens/{child.id}/records", guardian).status_code == 200
    world.forward(hours=14)  # 00:00 on the 18th birthday in Viet Nam
    assert world.get(f"/citizens/{child.id}/records", world.signed_in(guardian)).status_code == 404


def test_malformed_names_of_people_are_told_apart(world: World) -> None:
    who = world.person()
    seen = {
        without_request_id(world.get(f"/citizens/{name}/records", who))[:2]
        for name in (new_id(), "nobody", "ME", "%00", "1", "$where", "a" * 300, "%F0%9F%91%80")
    }
    assert len(seen) == 1


@pytest.fixture(scope="module")
def robbed(shared_world: World) -> dict[str, str]:
    """One of everything that somebody has. Whoever asks for it in their own book gets nothing of it."""
    world = shared_world
    victim, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(victim, condition()))
    made = world.grant(doctor, victim)
    world.ask(doctor, victim)
    return {
        "records": found_in(world.get("/citizens/me/records", victim))["items"][0]["id"],
        "consent-requests": world.newest_request(victim)["id"],
        "grants": made.grant["id"],
        "sessions": victim.session_id,
        "inbox": new_id(),
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/records/{}"),
        ("GET", "/records/{}/versions"),
        ("PUT", "/records/{}/visibility"),
        ("GET", "/consent-requests/{}"),
        ("GET", "/consent-requests/{}/preview"),
        ("POST", "/consent-requests/{}/approval"),
        ("POST", "/consent-requests/{}/refusal"),
        ("GET", "/grants/{}"),
        ("PATCH", "/grants/{}"),
        ("GET", "/grants/{}/receipt"),
        ("POST", "/grants/{}/withdrawal"),
        ("DELETE", "/sessions/{}"),
        ("POST", "/inbox/{}/read"),
    ],
)
def test_another_persons_thing_is_told_from_an_absent_one(
    world: World, robbed: dict[str, str], method: str, path: str
) -> None:
    thief = world.person()
    kind = path.split("/")[1]
    endpoint = {"PUT": "records.Visibility", "PATCH": "grants.OneGrant"}.get(method, "consents.Approval")
    body = BODIES[method, endpoint] if method in ("PUT", "PATCH") or path.endswith("approval") else {}
    seen = {
        without_request_id(
            world.call(
                method,
                f"/citizens/me{path.format(thing)}",
                thief,
                None if method in ("GET", "DELETE") else body,
                headers={"If-Match": '"1"'},
            )
        )
        for thing in (robbed[kind], new_id(), "x")
    }
    assert len(seen) == 1
    status, body, _ = seen.pop()
    assert status == 404 and b'"code": "not_found"' in body


def hidden_one(world: World) -> tuple[Person, Person, str, str]:
    """A guardian, a child with an account, the id of a hidden record and of one that is not."""
    guardian = world.person()
    child = world.child_of(guardian, born=world.now().date().replace(year=2011))
    world.send(world.doctor(), bundle(child, condition("hidden"), immunization("seen")))
    items = found_in(world.get("/citizens/me/records", child))["items"]
    ids = {each["resource"]["id"]: each["id"] for each in items}
    path = f"/citizens/me/records/{ids['hidden']}/visibility"
    assert world.call("PUT", path, child, {"audience": "guardians", "hidden": True}).status_code == 204
    return guardian, child, ids["hidden"], ids["seen"]


@pytest.fixture(scope="module")
def hiding(shared_world: World) -> tuple[Person, Person, str, str]:
    """The same for the tests that leave it as it is and do not look into the log."""
    return hidden_one(shared_world)


def test_what_is_hidden_from_guardians_shows_in_list_get_or_versions(
    world: World, hiding: tuple[Person, Person, str, str]
) -> None:
    guardian, child, hidden, seen = hiding
    listed = found_in(world.get(f"/citizens/{child.id}/records", guardian))["items"]
    assert [each["id"] for each in listed] == [seen]
    narrowed = found_in(world.get(f"/citizens/{child.id}/records?category=condition", guardian))
    assert narrowed == {"items": [], "next_cursor": None}
    for tail in ("", "/versions"):
        theirs = world.get(f"/citizens/{child.id}/records/{hidden}{tail}", guardian)
        nobodys = world.get(f"/citizens/{child.id}/records/{new_id()}{tail}", guardian)
        assert theirs.status_code == 404
        assert without_request_id(theirs) == without_request_id(nobodys)
    assert world.get(f"/citizens/me/records/{hidden}", child).status_code == 200


def test_a_guardian_may_hide_show_or_unhide(world: World, hiding: tuple[Person, Person, str, str]) -> None:
    guardian, child, hidden, seen = hiding
    for record in (hidden, seen):
        path = f"/citizens/{child.id}/records/{record}/visibility"
        answer = world.call("PUT", path, guardian, {"audience": "guardians", "hidden": False})
        assert answer.status_code == 404
    assert world.get(f"/citizens/{child.id}/records/{hidden}", guardian).status_code == 404


def test_a_guardian_sees_in_the_log_that_something_was_hidden(world: World) -> None:
    guardian, child, _, _ = hidden_one(world)
    lines = found_in(world.get(f"/citizens/{child.id}/access-log", guardian))["items"]
    assert lines
    assert not [each for each in lines if each["action"] in ("record:hidden", "record:shown")]
    own = found_in(world.get("/citizens/me/access-log", child))["items"]
    assert [each for each in own if each["action"] == "record:hidden"]


def test_a_guardian_sees_hidden_records_in_the_preview_of_a_request(
    world: World, hiding: tuple[Person, Person, str, str]
) -> None:
    guardian, child, hidden, seen = hiding
    world.ask(world.doctor(), child)
    request = world.newest_request(child)
    path = f"/consent-requests/{request['id']}/preview"
    own = found_in(world.get(f"/citizens/me{path}", child))
    assert {each["id"] for each in own["records"]} == {hidden, seen}
    theirs = found_in(world.get(f"/citizens/{child.id}{path}", guardian))
    assert [each["id"] for each in theirs["records"]] == [seen]
    assert theirs["counts"] == {"immunization": 1}


def test_a_guardian_is_addressed_as_you_for_what_the_child_did(world: World) -> None:
    guardian, child, _, _ = hidden_one(world)
    world.get("/citizens/me/records", child)
    lines = found_in(world.get(f"/citizens/{child.id}/access-log", guardian))["items"]
    looked = [each for each in lines if each["action"] == "record:searched"]
    assert looked and all(each["actor"]["name"] != "Bạn" for each in looked)
    world.get(f"/citizens/{child.id}/records", guardian)
    newest = found_in(world.get(f"/citizens/{child.id}/access-log", guardian))["items"][0]
    assert newest["reason"] == "guardian" and newest["actor"]["name"] == "Bạn"


def test_the_log_tells_a_guardian_the_category_of_a_hidden_record(world: World) -> None:
    guardian, child, hidden, _ = hidden_one(world)
    world.get(f"/citizens/me/records/{hidden}", child)
    lines = found_in(world.get(f"/citizens/{child.id}/access-log?limit=100", guardian))["items"]
    assert not [each for each in lines if each["action"] == "record:read"], "nor that it was read"
    assert not [each for each in lines if each["categories"] or each["record_count"] is not None]
    own = found_in(world.get("/citizens/me/access-log", child))["items"]
    assert [each for each in own if each["categories"] == ["condition"]]


def test_leaving_lines_out_for_a_guardian_breaks_the_pages_of_the_log(world: World) -> None:
    guardian, child, hidden, _ = hidden_one(world)
    for hide in (False, True, False, True):
        body = {"audience": "guardians", "hidden": hide}
        world.call("PUT", f"/citizens/me/records/{hidden}/visibility", child, body)
    world.get("/citizens/me/records", child)
    whole = found_in(world.get(f"/citizens/{child.id}/access-log?limit=100", guardian))["items"]
    one_by_one, cursor = [], ""
    while True:
        page = found_in(world.get(f"/citizens/{child.id}/access-log?limit=1{cursor}", guardian))
        one_by_one += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [each["id"] for each in one_by_one] == [each["id"] for each in whole]
