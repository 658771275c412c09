"""The citizen's own book: pages, cursors, conditional reads, versions, profile, sessions, family."""

from __future__ import annotations

from typing import Any

import pytest

from tests.logged import logged
from tests.world import (
    Person,
    World,
    bundle,
    condition,
    found_in,
    immunization,
    observation,
    sources,
)


@pytest.fixture
def an(world: World) -> Person:
    return world.person()


def walk(world: World, path: str, who: Any, limit: int, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(100):
        page = found_in(world.get(f"{path}?limit={limit}{query}{cursor}", who))
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        assert len(page["items"]) == limit
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_lose_or_repeat_records(world: World, an: Person, limit: int) -> None:
    days = ["2026-01-05", "2026-01-05", "2026-01-05", "2026-01", "2026", "2025-12-31", "2026-06-01"]
    rows = [condition(f"c{index}", on=day) for index, day in enumerate(days)]
    world.send(world.doctor(), bundle(an, *rows))
    found = walk(world, "/citizens/me/records", an, limit)
    assert sorted(sources(found)) == [f"c{index}" for index in range(7)]
    assert sources(found)[0] == "c6" and sources(found)[-1] == "c5"
    firsts = [(each["occurred_on"] + "-01-01")[:10] for each in found]
    assert firsts == sorted(firsts, reverse=True)


def test_a_record_that_arrives_between_pages_shifts_them(world: World, an: Person) -> None:
    doctor = world.doctor()
    world.send(doctor, bundle(an, *(condition(f"c{n}", on=f"2026-01-0{n}") for n in range(1, 5))))
    first = found_in(world.get("/citizens/me/records?limit=2", an))
    world.send(doctor, bundle(an, condition("new", on="2026-02-01")))
    rest = found_in(world.get(f"/citizens/me/records?limit=5&cursor={first['next_cursor']}", an))
    assert sources(first["items"]) + sources(rest["items"]) == ["c4", "c3", "c2", "c1"]


def test_a_filter_takes_nothing_away(world: World, an: Person) -> None:
    world.send(
        world.doctor(),
        bundle(an, condition(on="2026-03-01"), immunization(on="2026-02-01"), observation(on="2026-02")),
    )

    def seen(query: str) -> list[str]:
        return sources(found_in(world.get(f"/citizens/me/records?{query}", an))["items"])

    assert seen("category=condition") == ["c1"]
    assert sorted(seen("category=condition&category=immunization")) == ["c1", "i1"]
    assert sorted(seen("from=2026-02-01&to=2026-02-28")) == ["i1", "o1"]
    assert seen("from=2026-02-01&to=2026-02-27") == ["i1"], "a partial date is inside only if wholly inside"
    assert seen("from=2026-02-02") == ["c1"]


def test_a_cursor_works_for_another_reader_list_or_hour(world: World, an: Person) -> None:
    doctor, child = world.doctor(), world.child_of(an)
    world.send(doctor, bundle(an, condition("a"), condition("b")))
    world.send(doctor, bundle(child, condition("a"), condition("b")))
    cursor = found_in(world.get("/citizens/me/records?limit=1", an))["next_cursor"]
    made = world.grant(doctor, an)
    childs = found_in(world.get("/citizens/me/records?limit=1", child))["next_cursor"]
    for answer in (
        world.get(f"/citizens/{child.id}/records?limit=1&cursor={childs}", an),
        world.get(f"/citizens/me/records?limit=1&cursor={cursor}", child),
        world.get(f"/citizens/{child.id}/records?limit=1&cursor={cursor}", an),
        world.get(f"/citizens/me/records?limit=1&category=condition&cursor={cursor}", an),
        world.get(f"/citizens/me/records?limit=1&from=2026-01-01&cursor={cursor}", an),
        world.get(f"/citizens/me/access-log?limit=1&cursor={cursor}", an),
        world.get(f"/citizens/me/inbox?limit=1&cursor={cursor}", an),
        world.get(f"/citizens/me/records?limit=1&cursor=x{cursor}", an),
        made.read(made.session(), query=f"?limit=1&cursor={cursor}"),
    ):
        assert (answer.status_code, found_in(answer)["code"]) == (400, "bad_cursor")
    assert world.get(f"/citizens/me/records?limit=100&cursor={cursor}", an).status_code == 200
    world.forward(hours=1)
    late = world.get(f"/citizens/me/records?limit=1&cursor={cursor}", world.signed_in(an))
    assert late.status_code == 400


def test_a_cursor_tells_what_is_in_it(world: World, an: Person) -> None:
    world.send(world.doctor(), bundle(an, condition("a"), condition("b")))
    page = found_in(world.get("/citizens/me/records?limit=1", an))
    again = found_in(world.get("/citizens/me/records?limit=1", an))
    assert page["next_cursor"] != again["next_cursor"]
    assert page["items"][0]["id"] not in page["next_cursor"]


def test_an_unchanged_record_is_sent_again_or_a_changed_one_is_not(world: World, an: Person) -> None:
    doctor = world.doctor()
    world.send(doctor, bundle(an, condition("c")))
    record = found_in(world.get("/citizens/me/records", an))["items"][0]["id"]
    path = f"/citizens/me/records/{record}"
    etag = world.get(path, an).headers["ETag"]
    same = world.get(path, an, headers={"If-None-Match": etag})
    assert (same.status_code, same.get_data(), same.headers["ETag"]) == (304, b"", etag)
    assert "no-cache" in same.headers["Cache-Control"] and "private" in same.headers["Cache-Control"]
    before = len(logged(world.db, an.id))
    world.get(path, an, headers={"If-None-Match": etag})
    assert len(logged(world.db, an.id)) == before + 1, "a 304 is a look too"
    world.send(doctor, bundle(an, condition("c", "I11")))
    changed = world.get(path, an, headers={"If-None-Match": etag})
    assert changed.status_code == 200 and changed.headers["ETag"] != etag
    assert an.id not in etag and record not in etag


def test_a_profile_shows_a_whole_number(world: World, an: Person) -> None:
    body = found_in(world.get("/citizens/me", an))
    assert (body["id"], body["name"], body["birth_date"]) == (an.id, an.name, an.born.isoformat())
    assert body["identifiers"] == [{"kind": "national_id", "masked": "••••••••" + an.number[-4:]}]
    assert an.number not in str(body) and an.phone not in str(body)
    assert found_in(world.get(f"/citizens/{an.id}", an)) == body


def test_an_ended_session_goes_on(world: World, an: Person) -> None:
    other = world.signed_in(an)
    token = other.token
    listed = found_in(world.get("/citizens/me/sessions", an))["items"]
    assert {each["id"]: each["current"] for each in listed} == {an.session_id: True, other.session_id: False}
    assert world.call("DELETE", f"/citizens/me/sessions/{other.session_id}", an).status_code == 204
    assert world.get("/citizens/me", token).status_code == 401
    assert world.call("DELETE", f"/citizens/me/sessions/{other.session_id}", an).status_code == 404
    mine = an.token
    assert world.call("DELETE", "/citizens/me/sessions", mine).status_code == 204
    assert world.get("/citizens/me", mine).status_code == 401


def test_a_token_outlives_five_minutes(world: World, an: Person) -> None:
    token = an.token
    world.forward(minutes=5, seconds=-1)
    assert world.get("/citizens/me", token).status_code == 200
    world.forward(seconds=32)
    assert world.get("/citizens/me", token).status_code == 401


def test_family_and_sessions_are_open_to_a_guardian(world: World, an: Person) -> None:
    child = world.child_of(an)
    items = found_in(world.get("/citizens/me/family", an))["items"]
    assert [(each["dependent_id"], each["role"], each["name"]) for each in items] == [
        (child.id, "dependent", "Bé Thử")
    ]
    for path in ("sessions", "family", "inbox", "notification-preferences"):
        assert world.get(f"/citizens/{child.id}/{path}", an).status_code == 404


@pytest.mark.parametrize("kind", ["provider", "system", "ops"])
def test_somebody_else_than_a_citizen_gets_a_book(world: World, an: Person, kind: str) -> None:
    doctor = world.doctor()
    callers: dict[str, Any] = {
        "provider": doctor,
        "system": doctor.system,
        "ops": world.ops("operator", "reviewer", "registrar"),
    }
    for path in (f"/citizens/{an.id}/records", "/citizens/me/records", f"/citizens/{an.id}"):
        answer = world.get(path, callers[kind])
        assert (answer.status_code, found_in(answer)["code"]) == (403, "forbidden")


def test_the_reader_is_answered_in_another_language(world: World) -> None:
    for asked, title in (("en", "Not found"), ("vi", "Không tìm thấy"), ("fr", "Không tìm thấy")):
        answer = world.get("/nowhere", headers={"Accept-Language": asked})
        assert found_in(answer)["title"] == title


def test_browsers_are_let_do_as_they_like(world: World, an: Person) -> None:
    answer = world.get("/citizens/me", an)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert world.get("/nowhere", an).headers["Cache-Control"] == "no-store"
