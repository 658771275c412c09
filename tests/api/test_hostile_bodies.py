"""What exactly is said of bodies and queries made to break a wallet, and where the line is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from time import thread_time
from typing import Any
from unicodedata import normalize

import pytest

from tests.security.hostile import BODIES
from tests.world import World, bundle, condition, found_in
from wallet_api.infra.strict_json import clean_text

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


@pytest.fixture(scope="module")
def played(shared_world: World) -> dict[str, Any]:
    """Everybody and everything that is asked for: it is refused, so it stays as it is for the next test."""
    world = shared_world
    an, doctor = world.person(), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    world.ask(doctor, an)
    callers = {"provider": doctor, "citizen": an, "ops": world.ops("registrar")}
    return {
        "request": world.newest_request(an)["id"],
        "grant": made.grant["id"],
        "record": found_in(world.get("/citizens/me/records", an))["items"][0]["id"],
        "callers": callers,
    }


@pytest.fixture
def stage(world: World, played: dict[str, Any]) -> dict[str, Any]:
    """That, with tokens of this hour."""
    return played | {"callers": {name: each.token for name, each in played["callers"].items()}}


def written(world: World) -> dict[str, Any]:
    """How many documents each collection holds, and the newest state of the few that change in place."""
    names = [name for name in sorted(world.db.list_collection_names()) if name != "audit_log"]
    return {name: sum(1 for _ in world.db[name].find({}, {"_id": 1})) for name in names}


def knocks(stage: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for who, method, path in ROUTES:
        named = path.format(**{name: value for name, value in stage.items() if name != "callers"})
        yield who, method, named, stage["callers"][who]


FAULTS = {
    "half an object": "not_json",
    "nesting of 33": "too_deep",
    "nesting of 60,000, never closed": "too_deep",
    "deep object": "too_deep",
    "NaN": "not_a_number",
    "-Infinity": "not_a_number",
    "float overflow": "number_out_of_range",
    "integer of 5,000 digits": "integer_out_of_range",
    "integer 2^63": "integer_out_of_range",
    "integer -2^63-1": "integer_out_of_range",
    "repeated key": "repeated_key",
    "repeated key by escape": "repeated_key",
    "repeated key, inside": "repeated_key",
    "repeated key by spelling": "repeated_key",
    "a pile of accents": "control_characters",
    "a pile of rare marks": "control_characters",
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
        answer = world.call(method, path, token, raw=BODIES[name], headers={"If-Match": '"1"'})
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


def test_a_route_is_told_apart_by_its_404_or_405(world: World) -> None:
    an = world.person()
    nowhere = world.get("/nowhere", an)
    assert nowhere.status_code == 404 and problem(nowhere)
    wrong = world.call("DELETE", "/citizens/me/records", an)
    assert wrong.status_code == 405 and problem(wrong) and "GET" in wrong.headers["Allow"]


def test_another_truth_is_taken_for_true(world: World, stage: dict[str, Any]) -> None:
    path = f"/citizens/me/records/{stage['record']}/visibility"
    for said in (1, 0, 1.0, "true", None):
        sent = {"audience": "guardians", "hidden": said}
        assert world.call("PUT", path, stage["callers"]["citizen"], sent).status_code == 422, said


def test_more_than_a_million_values_are_read(world: World, stage: dict[str, Any]) -> None:
    path, token = "/provider/intake/fhir-bundles", stage["callers"]["provider"]
    answer = world.call("POST", path, token, raw=b"[" + b"0," * 1_000_001 + b"0]")
    assert [each["code"] for each in found_in(answer)["errors"]] == ["too_many_values"]
    assert world.call("POST", path, token, raw=b"[" + b"0," * 100_000 + b"0]").status_code == 422


def test_a_pile_of_accents_costs_the_square_of_its_height(world: World, stage: dict[str, Any]) -> None:
    """Without the limit, 60 kB of them take seconds; with it they are refused at once."""
    started = thread_time()
    for raw in (BODIES["a pile of accents"], BODIES["a pile of rare marks"]):
        answer = world.call("PUT", "/citizens/me/devices/aaaaaaaa", stage["callers"]["citizen"], raw=raw)
        assert answer.status_code == 400
    assert thread_time() - started < 1.0
    with pytest.raises(ValueError, match="marks"):
        clean_text("e" + "\u0301\u0323" * 16)
    assert clean_text("e" + "\u0323\u0301" * 15) == normalize("NFC", "e" + "\u0323\u0301" * 15)


def test_an_if_match_of_many_tags_or_of_any(world: World) -> None:
    """RFC 9110: one of several strong tags will do, a weak one never does; `*` has seen nothing."""
    made = world.grant(world.doctor(), world.person())  # of its own: the last tag is the right one
    path, token = f"/citizens/me/grants/{made.grant['id']}", made.person.token
    sent = {"categories": ["condition"]}
    for said, status in (
        ("", 428),
        ("*", 428),
        ("1", 400),
        ('"1', 400),
        ('"a"b"', 400),
        ('W/"1"', 412),
        ('"2"', 412),
        ('"2", W/"1", "x"', 412),
        ('"\x7f"', 400),
    ):
        answer = world.call("PATCH", path, token, sent, headers={"If-Match": said})
        assert answer.status_code == status, (said, answer.status_code)
    assert world.call("PATCH", path, token, sent, headers={"If-Match": '"9" ,"1"'}).status_code == 200


def test_an_if_none_match_is_compared_weakly(world: World, stage: dict[str, Any]) -> None:
    path, token = f"/citizens/me/records/{stage['record']}", stage["callers"]["citizen"]
    tag = world.get(path, token).headers["ETag"]
    for said, status in (
        (tag, 304),
        (f"W/{tag}", 304),
        (f'"a", {tag}', 304),
        ("*", 304),
        ('"a"', 200),
        ("junk", 200),
        (f"{tag}, junk", 200),
        (tag + ',"a"' * 2000, 200),
    ):
        assert world.get(path, token, headers={"If-None-Match": said}).status_code == status, said[:80]
