"""Bodies and queries made to break a wallet: always a 4xx problem, never a crash, nothing written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.world import World, bundle, condition, found_in

HUGE = "9" * 5000


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * levels + closing * levels).encode()


RAW: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \n",
    "bare word": b"hello",
    "half an object": b'{"purpose": "TREAT"',
    "two objects": b"{}{}",
    "trailing comma": b'{"purpose": "TREAT",}',
    "single quotes": b"{'purpose': 'TREAT'}",
    "comment": b"{/* x */}",
    "deep list": nested(33),
    "deeper list": nested(100_00),
    "very deep list": nested(30_000),
    "deep object": nested(33, '{"a":', "1}")[:-1] + b"}",
    "deep with a quote": b'{"a":"[' + nested(40) + b'"}',
    "NaN": b'{"reason": NaN}',
    "Infinity": b'{"reason": Infinity}',
    "-Infinity": b'{"reason": -Infinity}',
    "float overflow": b'{"reason": 1e999}',
    "5,000 digits": f'{{"reason": {HUGE}}}'.encode(),
    "2^63": b'{"reason": 9223372036854775808}',
    "-2^63-1": b'{"reason": -9223372036854775809}',
    "repeated key": b'{"purpose": "TREAT", "purpose": "HRESCH"}',
    "repeated key by escape": b'{"a": 1, "\\u0061": 2}',
    "repeated key, inside": b'{"citizen": {"national_id": "1", "national_id": "2"}}',
    "NUL raw": b'{"reason": "a\x00b"}',
    "NUL escaped": b'{"reason": "a\\u0000b"}',
    "NUL in a key": b'{"a\\u0000": 1}',
    "escape character": b'{"reason": "a\\u001bb"}',
    "high lone surrogate": b'{"reason": "\\ud800"}',
    "low lone surrogate": b'{"reason": "\\udc00x"}',
    "surrogate key": b'{"\\ud800": 1}',
    "swapped surrogates": b'{"reason": "\\udc00\\ud800"}',
    "not UTF-8": b'{"reason": "\xff\xfe"}',
    "UTF-16": '{"reason": "x"}'.encode("utf-16"),
    "overlong UTF-8": b'{"reason": "\xc0\xaf"}',
    "BOM": b"\xef\xbb\xbf{}",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "operator": b'{"$where": "sleep(1000)"}',
    "operator inside": b'{"citizen": {"national_id": {"$ne": ""}}}',
    "dotted key": b'{"a.b": 1}',
    "prototype": b'{"__proto__": {"kind": "ops"}}',
    "many keys": json.dumps({f"k{index}": index for index in range(3000)}).encode(),
    "one long text": json.dumps({"reason": "x" * 60_000}).encode(),
    "too large": json.dumps({"reason": "x" * 70_000}).encode(),
    "wrong types": b'{"purpose": 1, "categories": "condition", "expires_at": 5, "reason": {}, "citizen": []}',
    "nulls": b'{"purpose": null, "categories": [null], "citizen": null, "reason": null}',
    "lists of lists": b'{"categories": [["condition"]], "labels": [{}]}',
    "year 10000": b'{"expires_at": "10000-01-01T00:00:00Z"}',
    "year 9999, far west": b'{"expires_at": "9999-12-31T23:59:59-14:00"}',
    "year 1, far east": b'{"expires_at": "0001-01-01T00:00:00+14:00"}',
}
ROUTES = (
    ("provider", "POST", "/provider/consent-requests"),
    ("provider", "POST", "/provider/access-sessions"),
    ("provider", "POST", "/provider/intake/fhir-bundles"),
    ("citizen", "POST", "/citizens/me/consent-requests/{request}/approval"),
    ("citizen", "PATCH", "/citizens/me/grants/{grant}"),
    ("citizen", "PUT", "/citizens/me/records/{record}/visibility"),
    ("citizen", "PUT", "/citizens/me/notification-preferences"),
    ("citizen", "PUT", "/citizens/me/devices/aaaaaaaa"),
    ("ops", "POST", "/ops/organisations"),
    ("ops", "POST", "/ops/guardianships"),
)
SOLE = {"empty", "blank"}
"""Bodies that some routes may take: there, nothing is asked for."""


@pytest.fixture
def stage(world: World) -> dict[str, Any]:
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    world.ask(doctor, an)
    callers = {"provider": doctor.token, "citizen": an.token, "ops": world.ops("registrar").token}
    return {
        "request": world.newest_request(an)["id"],
        "grant": made.grant["id"],
        "record": found_in(world.get("/citizens/me/records", an))["items"][0]["id"],
        "callers": callers,
    }


def written(world: World) -> dict[str, Any]:
    """How many documents each collection holds, and the newest state of the few that change in place."""
    names = [name for name in sorted(world.db.list_collection_names()) if name != "audit_log"]
    return {name: sum(1 for _ in world.db[name].find({}, {"_id": 1})) for name in names}


def knocks(stage: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for who, method, path in ROUTES:
        named = path.format(**{name: value for name, value in stage.items() if name != "callers"})
        yield who, method, named, stage["callers"][who]


def test_a_hostile_body_crashes_or_is_written(world: World, stage: dict[str, Any]) -> None:
    before, wrong = written(world), []
    for who, method, path, token in knocks(stage):
        kind = "application/fhir+json" if "fhir" in path else "application/json"
        for name, raw in RAW.items():
            headers = {"If-Match": '"1"'} if method == "PATCH" else {}
            answer = world.call(method, path, token, raw=raw, kind=kind, headers=headers)
            taken = answer.status_code < 400 and name not in SOLE
            if answer.status_code >= 500 or taken or (answer.status_code >= 400 and not problem(answer)):
                wrong.append(f"{who} {method} {path} {name}: {answer.status_code}")
    assert wrong == []
    after = written(world)
    # An empty PATCH or settings body asks for nothing and may be taken; it adds at most one document.
    assert {name for name in after if after[name] > before.get(name, 0) + 1} == set()
    assert {name for name in after if after[name] != before.get(name, 0)} <= {
        "reminder_preferences",
        "grants",
    }


FAULTS = {
    "half an object": "not_json",
    "deep list": "too_deep",
    "very deep list": "too_deep",
    "deep object": "too_deep",
    "NaN": "not_a_number",
    "-Infinity": "not_a_number",
    "float overflow": "number_out_of_range",
    "5,000 digits": "integer_out_of_range",
    "2^63": "integer_out_of_range",
    "-2^63-1": "integer_out_of_range",
    "repeated key": "repeated_key",
    "repeated key by escape": "repeated_key",
    "repeated key, inside": "repeated_key",
    "NUL escaped": "control_characters",
    "NUL in a key": "control_characters",
    "high lone surrogate": "control_characters",
    "surrogate key": "control_characters",
    "not UTF-8": "not_utf8",
    "overlong UTF-8": "not_utf8",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_body_is_called_something_else(world: World, stage: dict[str, Any], name: str) -> None:
    for _, method, path, token in knocks(stage):
        answer = world.call(method, path, token, raw=RAW[name], headers={"If-Match": '"1"'})
        body = found_in(answer)
        assert (answer.status_code, body["code"]) == (400, "malformed_body"), path
        assert [each["code"] for each in body["errors"]] == [FAULTS[name]], path


def problem(answer: Any) -> bool:
    body = answer.get_json(silent=True, force=True)
    return (
        answer.mimetype == "application/problem+json"
        and set(body) >= {"type", "title", "status", "code", "detail", "request_id"}
        and body["status"] == answer.status_code
    )


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_another_content_type_is_read_as_json(world: World, stage: dict[str, Any], kind: str) -> None:
    before = written(world)
    for _, method, path, token in knocks(stage):
        answer = world.call(method, path, token, raw=b'{"a": 1}', kind=kind, headers={"If-Match": '"1"'})
        assert answer.status_code == 415 and problem(answer), path
    assert written(world) == before


def test_a_body_of_any_size_is_read(world: World, stage: dict[str, Any]) -> None:
    for _, method, path, token in knocks(stage):
        if "intake" not in path:
            raw = b'{"reason": "' + b"x" * (64 * 1024) + b'"}'
            answer = world.call(method, path, token, raw=raw, headers={"If-Match": '"1"'})
            assert (answer.status_code, found_in(answer)["code"]) == (413, "body_too_large"), path
    token = stage["callers"]["provider"]
    large = b'{"a": "' + b"x" * (10 * 2**20) + b'"}'
    answer = world.call("POST", "/provider/intake/fhir-bundles", token, raw=large)
    assert (answer.status_code, found_in(answer)["code"]) == (413, "body_too_large")
    allowed = b'{"a": "' + b"x" * (2**20) + b'"}'
    answer = world.call("POST", "/provider/intake/fhir-bundles", token, raw=allowed)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=%207%20",
        "limit=%D9%A3",
        "limit=9223372036854775808",
        "limit=" + "9" * 400,
        "limit=",
        "limit=1e1",
        "limit[$gt]=1",
        "limit=1&page=2",
        "category=everything",
        "category[$ne]=x",
        "category=condition&category=x",
        "from=2026-13-01",
        "from=20260101",
        "from=2026-W01-1",
        "from=0001-01-01",
        "from=9999-12-31",
        "from=2026-02-02&to=2026-02-01",
        "unknown=1",
        "%00=1",
        "cursor=",
    ],
)
def test_a_hostile_query_is_taken(world: World, stage: dict[str, Any], query: str) -> None:
    answer = world.get(f"/citizens/me/records?{query}", stage["callers"]["citizen"])
    assert answer.status_code == 422 and problem(answer)
    assert found_in(answer)["errors"][0]["pointer"].startswith("/")


@pytest.mark.parametrize(
    "said",
    [
        "2026-12-01",
        "20261201T000000Z",
        "2026-W49-2T00:00:00Z",
        "2026-12-01T00:00:00",
        "2026-12-01T00:00Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T00:00:00,5Z",
        "2026-12-01T00:00:00+0700",
        "2026-12-01T00:00:00+07:00[Asia/Ho_Chi_Minh]",
        "1764547200",
    ],
)
def test_an_instant_in_another_form_is_taken(world: World, stage: dict[str, Any], said: str) -> None:
    sent = {"expires_at": said, "notice": {"version": "1", "locale": "vi"}}
    path = f"/citizens/me/consent-requests/{stage['request']}/approval"
    answer = world.post(path, stage["callers"]["citizen"], sent)
    assert answer.status_code == 422 and found_in(answer)["errors"][0]["pointer"] == "/expires_at"


@pytest.mark.parametrize("cursor", ["x", "a" * 300, "====", "%00", "%ED%A0%80", "AAAA" * 40])
def test_a_made_up_cursor_is_taken(world: World, stage: dict[str, Any], cursor: str) -> None:
    for path in ("records", "access-log", "inbox"):
        answer = world.get(f"/citizens/me/{path}?cursor={cursor}", stage["callers"]["citizen"])
        assert answer.status_code in (400, 422) and problem(answer), path


def test_what_was_sent_comes_back_in_a_problem(world: World, stage: dict[str, Any]) -> None:
    said = "Nguyễn Bí Mật"
    sent = {"purpose": said, "categories": [said], "reason": "", "expires_at": said, "labels": [said]}
    sent["citizen"] = {"national_id": said + "x" * 30}
    answer = world.post("/provider/consent-requests", stage["callers"]["provider"], sent)
    assert answer.status_code == 422 and said not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "Bearer a.b.c", "Bearer " + "x" * 5000, "bearer\tx"],
)
def test_a_made_up_token_is_taken(world: World, authorization: str) -> None:
    answer = world.get("/citizens/me", headers={"Authorization": authorization})
    assert (answer.status_code, found_in(answer)["code"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_route_is_told_apart_by_its_404_or_405(world: World) -> None:
    an = world.person()
    nowhere = world.get("/nowhere", an)
    assert nowhere.status_code == 404 and problem(nowhere)
    wrong = world.call("DELETE", "/citizens/me/records", an)
    assert wrong.status_code == 405 and problem(wrong) and "GET" in wrong.headers["Allow"]
