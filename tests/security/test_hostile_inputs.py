"""The whole corpus at every operation, by somebody who may call it: refused in words, nothing written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, TypeVar

import bson
import pytest
from marshmallow import Schema, fields
from werkzeug.test import TestResponse

from tests.security import hostile
from tests.security.hostile_operations import Knocker, Operation, operations, well_formed
from tests.world import World, code_in, found_in
from wallet_api.routes import PUBLIC

UNTOLD = ("audit_", "access_log", "limit", "login_attempts", "askings", "events", "holdings", "readiness")
"""Collections that every request may add to: the access log, counters, the probe of readiness, and sign-ins
that were begun; that lose by the machine's own hour what is over (askings); and that are settled when
somebody looks (what ran out is told in the feed of its organisation)."""
SHARED_BY = 4
"""Among so many places of one operation the values are shared out, so that each value is tried there at
least once; `make soak` tries every one at every place."""
Told = Callable[[str, object], None]
Place = TypeVar("Place")


pytestmark = pytest.mark.usefixtures("sessions_read_once")


FINDS_NOTHING = {
    ("fhir-records.Search", "category of no list"),
    ("fhir-records.Search", "category and another"),
}
"""A FHIR search may ask for a code of any list, and finds nothing by it."""


@pytest.fixture(scope="module")
def every(shared_world: World) -> list[Operation]:
    found = operations(shared_world)
    assert len(found) > 50
    return found


@pytest.fixture
def knock(world: World, record_property: Told) -> Iterator[Knocker]:
    """Sends; afterwards says how much was tried, and that nothing of it was written."""
    before, made = written(world), Knocker(world)
    yield made
    record_property("inputs_tried", made.sent)
    print(f"hostile inputs tried: {made.sent}")
    assert written(world) == before


def written(world: World) -> dict[str, tuple[int, str]]:
    """How many documents each collection holds, and a digest of all of them."""
    names = [one for one in world.db.list_collection_names() if not one.startswith(UNTOLD)]
    found = {}
    for name in sorted(names):
        documents = sorted(bson.encode(one) for one in world.db[name].find())
        found[name] = (len(documents), hashlib.sha256(b"".join(documents)).hexdigest())
    return {name: told for name, told in found.items() if told[0]}


def refused(operation: Operation, answer: TestResponse) -> bool:
    """Whether it was refused as promised: a problem, or on the OAuth endpoints what RFC 6749 says."""
    if not 400 <= answer.status_code < 500:
        return False
    body = answer.get_json(silent=True, force=True)
    if operation.oauth and answer.mimetype != "application/problem+json":
        return answer.mimetype == "text/html" if operation.method == "GET" else "error" in (body or {})
    if operation.wire.startswith("/fhir/") and answer.mimetype == "application/fhir+json":
        return body["resourceType"] == "OperationOutcome" and code_in(answer) != ""
    return (
        answer.mimetype == "application/problem+json"
        and set(body) >= {"type", "title", "status", "code", "detail", "request_id"}
        and body["status"] == answer.status_code
    )


def test_a_hostile_body_is_taken(every: list[Operation], knock: Knocker) -> None:
    wrong = []
    for operation in every:
        if operation.oauth and operation.taken.body:
            continue  # forms: below
        bodies = hostile.BODIES if operation.taken.body else hostile.NO_BODY_HERE
        for name in bodies:
            if operation.taken.body and name in hostile.SOLE:
                continue
            answer = knock.send(operation, body=hostile.BODIES[name])
            if not refused(operation, answer):
                wrong.append(f"{operation.name}: {name}: {answer.status_code}")
    assert wrong == []


def test_a_hostile_value_in_a_well_formed_body_is_taken(
    world: World, every: list[Operation], shared_world: World, record_property: Told
) -> None:
    taking = [(each, well_formed(world, each)) for each in every if each.schema is not None]
    assert len(taking) > 8
    before, knock, wrong = written(world), Knocker(world), []
    for operation, body in taking:
        for what, changed in _spoilt(operation, body):
            answer = knock.send(operation, body=json.dumps(changed, ensure_ascii=False).encode())
            if not refused(operation, answer):
                wrong.append(f"{operation.name}: {what}: {answer.status_code} {answer.get_data()[:200]!r}")
    record_property("inputs_tried", knock.sent)
    print(f"spoilt bodies tried: {knock.sent}")
    assert wrong == []
    assert written(world) == before


def _spoilt(operation: Operation, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The body with one value replaced, or one member added, in every place."""
    places = list(_places(operation.schema, body, ()))
    for turn, (name, value) in enumerate(hostile.VALUES.items()):
        for path in _shared([path for path, kind in places if not _fits(kind, value)], turn):
            yield f"{name} at {path}", _with(body, path, value)
    for path in _objects(body, ()):
        for name, value in hostile.KEYS.items():
            yield f"{name!r} in {path}", _with(body, (*path, name), value)


def _shared(places: list[Place], turn: int) -> list[Place]:
    """The places that a value is tried at: at least one of them, over the values every one."""
    parts = max(1, min(SHARED_BY, len(places)))
    return places[turn % parts :: parts]


def _places(schema: Schema | None, body: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for name, each in (schema.fields if schema else {}).items():
        here = (*path, each.data_key or name)
        yield here, each
        if isinstance(each, fields.Nested):
            yield from _places(each.schema, body, here)
        if isinstance(each, fields.List):
            yield (*here, 0), each.inner


def _objects(body: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(body, dict):
        yield path
        for name, value in body.items():
            yield from _objects(value, (*path, name))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from _objects(value, (*path, index))


def _fits(kind: Any, value: object) -> bool:
    """Whether a value is right in this place after all: some text where any text is."""
    listed = any(hasattr(each, "choices") for each in kind.validators)
    return isinstance(kind, fields.String) and isinstance(value, str) and not listed


def _with(body: Any, path: tuple[Any, ...], value: object) -> Any:
    changed = deepcopy(body)
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return changed


def test_a_hostile_query_is_taken(every: list[Operation], knock: Knocker) -> None:
    wrong = []
    for operation in every:
        for name in hostile.QUERIES if operation.method == "GET" else hostile.NO_QUERY_HERE:
            if (operation.endpoint, name) in FINDS_NOTHING:
                continue
            answer = knock.send(operation, query=hostile.QUERIES[name])
            fine = answer.status_code < 500 if operation.oauth else refused(operation, answer)
            if not fine:
                wrong.append(f"{operation.name}: {name}: {answer.status_code}")
    assert wrong == []


def test_the_corpus_sees_an_application_whose_kit_is_off(
    world: World, every: list[Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet_api.routes.edge.inspect", lambda taken: None)
    knock, reads = Knocker(world), [one for one in every if one.method == "GET" and not one.oauth]
    taken = [one for one in reads if not refused(one, knock.send(one, query=hostile.QUERIES["$where"]))]
    assert len(taken) > 20


def test_a_hostile_path_is_known(every: list[Operation], knock: Knocker) -> None:
    wrong = []
    for operation in every:
        for turn, (name, value) in enumerate(hostile.PATHS.items()):
            for parameter in _shared(list(operation.values), turn):
                answer = knock.send(operation, path=operation.path_with({parameter: value}))
                if not refused(operation, answer):
                    wrong.append(f"{operation.name}: {parameter} {name}: {answer.status_code}")
    assert wrong == []


def test_a_hostile_header_crashes_or_writes(every: list[Operation], knock: Knocker) -> None:
    """A body that no operation takes goes along where something could be done."""
    wrong = []
    for operation in every:
        body = b"" if operation.method in ("GET", "HEAD") else b'{"unknown": 1}'
        for name, headers in _together(reads_body=bool(body)).items():
            answer = knock.send(operation, headers=headers, body=body)
            fine = operation.method == "GET" and answer.status_code < 400
            if not fine and not refused(operation, answer):
                wrong.append(f"{operation.name}: {name}: {answer.status_code}")
    assert wrong == []


def _together(*, reads_body: bool) -> dict[str, dict[str, str]]:
    """The headers, as many in one request as do not meet; those about a body alone, since they end it."""
    apart = {name: each for name, each in hostile.HEADERS.items() if name.startswith("Content-")}
    groups: list[tuple[list[str], dict[str, str]]] = []
    for name, each in hostile.HEADERS.items():
        if name not in apart:
            group = next((one for one in groups if not one[1].keys() & each.keys()), None)
            if group is None:
                groups.append(group := ([], {}))
            group[0].append(name)
            group[1].update(each)
    return {", ".join(names): told for names, told in groups} | (apart if reads_body else {})


def test_a_hostile_token_is_taken(every: list[Operation], knock: Knocker) -> None:
    wrong = []
    for operation in every:
        if operation.token is None or operation.endpoint in PUBLIC:
            continue
        for name, said in hostile.AUTHORIZATIONS.items():
            answer = knock.send(operation.without_token(), headers={"Authorization": said})
            told = answer.headers.get("WWW-Authenticate")
            if answer.status_code != 401 or told != 'Bearer error="invalid_token"':
                wrong.append(f"{operation.name}: {name}: {answer.status_code} {told}")
    assert wrong == []


def test_a_hostile_form_is_taken(every: list[Operation], knock: Knocker) -> None:
    wrong, kinds = [], ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", "x")
    for operation in every:
        if not (operation.oauth and operation.taken.body):
            continue
        for name, body in hostile.FORMS.items():
            for kind in kinds:
                answer = knock.send(operation, body=body, kind=kind)
                told = answer.get_json(silent=True, force=True)
                plain = answer.mimetype == "application/json" and set(told) == {"error", "error_description"}
                if not (400 <= answer.status_code < 500 and plain):
                    wrong.append(f"{operation.name}: {name} as {kind}: {answer.status_code}")
                if name in ("repeated parameter", "NUL") and plain:
                    assert told["error"] == "invalid_request", (name, told)
    assert wrong == []


def test_a_hostile_method_is_known(every: list[Operation], knock: Knocker) -> None:
    """An unknown method is 405 with `Allow`; HEAD and OPTIONS are answered without a body of ours."""
    client, wrong = knock, []
    for operation in every:
        for method in ("TRACE", "CONNECT", "PROPFIND", "GETT", "\xe9"):
            other = Operation(**{**vars(operation), "method": method})
            answer = client.send(other)
            allowed = answer.headers.get("Allow", "")
            if answer.status_code != 405 or operation.method not in allowed:
                wrong.append(f"{operation.name} by {method!r}: {answer.status_code} {allowed}")
        options = client.send(Operation(**{**vars(operation), "method": "OPTIONS"}))
        if options.status_code != 200 or operation.method not in options.headers["Allow"]:
            wrong.append(f"{operation.name} by OPTIONS: {options.status_code}")
        if operation.method == "GET" and not operation.oauth:
            head = client.send(Operation(**{**vars(operation), "method": "HEAD"}))
            if head.status_code != client.send(operation).status_code or head.get_data():
                wrong.append(f"{operation.name} by HEAD: {head.status_code}")
    assert wrong == []


def test_hostile_text_in_a_free_field_crashes(world: World, record_property: Told) -> None:
    """Where any text is right it is kept as text: no operator, no markup and no script is more than that."""
    doctor = world.doctor()
    said = ["$where", "{'$ne': null}", "'; drop table grants; --", "<script>alert(1)</script>", "../../etc"]
    said += ["\u202e\u2066", "\ufdd0\uffff", "é" * 500, "\U0001f9d1\u200d⚕️", "%s%n{0}{{7*7}}", "\t\r\n x"]
    for text in said:
        an = world.person()  # whoever asks the same again has asked once, in the first words
        world.ask(doctor, an, reason=text)
        assert world.newest_request(an)["reason"] == text, text
    record_property("inputs_tried", len(said))


def test_a_decomposed_text_is_kept_as_sent(world: World) -> None:
    an, doctor = world.person(), world.doctor()
    world.ask(doctor, an, reason="Kha\u0301m")
    assert world.newest_request(an)["reason"] == "Khám"


def test_a_list_of_faults_grows_with_what_is_sent(world: World) -> None:
    body = json.dumps({f"k{index}/~": index for index in range(3000)}).encode()
    answer = world.call("PUT", "/citizens/me/notification-preferences", world.person(), raw=body)
    told = found_in(answer)["errors"]
    assert answer.status_code == 422 and len(told) == 100
    assert all(re.fullmatch(r"/k[0-9]+~1~0", each["pointer"]) for each in told)
