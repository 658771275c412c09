"""The published document is valid, says everything once, and leaves nothing out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from tests.world import World, found_in
from wallet_api.cli import main
from wallet_api.routes.document import OperationUndescribed
from wallet_api.routes.document_parts import PROBLEMS

Spec = dict[str, Any]
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
UNDOCUMENTED = {
    "/": "a page for people",
    "/metrics": "for the operator's own Prometheus, in its own format",
    "/api/docs/": "the document as a page",
    "/api/docs/start.js": "part of that page",
    "/api/docs/{name}": "part of that page",
    "/api/openapi.json": "the document itself",
}


@pytest.fixture(scope="module")
def world(running: tuple[World, str]) -> World:
    return running[0]


@pytest.fixture(scope="module")
def spec(world: World) -> Spec:
    return found_in(world.get("/api/openapi.json"))


def operations(spec: Spec) -> Iterator[tuple[str, Spec]]:
    for path, item in spec["paths"].items():
        for method in METHODS & item.keys():
            yield f"{method} {path}", item[method]


def test_it_is_valid(spec: Spec) -> None:
    assert [str(each) for each in OpenAPIV30SpecValidator(spec).iter_errors()] == []


def test_every_route_is_in_it_or_says_why_not(world: World, spec: Spec) -> None:
    documented = {what for what, _ in operations(spec)}
    for rule in world.app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([a-z_]+)>", r"{\1}", rule.rule)
        if path not in UNDOCUMENTED:
            wanted = {f"{each.lower()} {path}" for each in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
            assert wanted <= documented, rule


def test_every_operation_has_a_name_of_its_own_and_a_described_tag(spec: Spec) -> None:
    names = [each["operationId"] for _, each in operations(spec)]
    assert len(names) == len(set(names)) > 50
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", each) for each in names)
    tags = {each["name"]: each["description"] for each in spec["tags"]}
    for what, each in operations(spec):
        assert all(len(tags[tag]) > 10 for tag in each["tags"]), what
        assert len(each["summary"]) > 10, what


def test_who_may_call_is_said_of_every_operation(spec: Spec) -> None:
    schemes = spec["components"]["securitySchemes"]
    assert all(len(each["description"]) > 80 for each in schemes.values())
    for what, each in operations(spec):
        names = {name for one in each["security"] for name in one}
        assert names <= schemes.keys(), what
        asks_otherwise = {"oauth", "share-links"} & set(each["tags"])
        assert bool(names) == ("401" in each["responses"] and not asks_otherwise), what
        part = re.search(r"/api/v1/(citizens|provider|ops)\b", what)
        if part:
            assert names == {part.group(1).removesuffix("s") if part.group(1) != "ops" else "ops"}, what


def test_a_problem_is_written_down_once(spec: Spec) -> None:
    names = {str(status): kind.name for status, kind in PROBLEMS.items()}
    for what, each in operations(spec):
        for status, answer in each["responses"].items():
            if int(status) >= 400 and "oauth" not in each["tags"]:
                name = (
                    "PasscodeNeeded" if (status, each["tags"]) == ("401", ["share-links"]) else names[status]
                )
                name = f"Fhir{name}" if "/fhir/" in what else name
                assert answer == {"$ref": f"#/components/responses/{name}"}, (what, status)
        assert len(each["responses"]) >= 4, what


def test_every_name_in_a_path_and_every_member_has_a_shape(spec: Spec) -> None:
    for path, item in spec["paths"].items():
        for each in item.get("parameters", ()):
            shape = each["schema"]
            assert each["description"] and ("pattern" in shape or "enum" in shape), (path, each)
    open_ended = []
    for name, schema in spec["components"]["schemas"].items():
        for member, shape in schema.get("properties", {}).items():
            if not {"type", "$ref", "allOf", "anyOf"} & shape.keys():
                open_ended.append(f"{name}.{member}")
    assert open_ended == []


def test_unknown_members_are_refused_in_the_document_as_they_are(spec: Spec) -> None:
    for what, each in operations(spec):
        content = each.get("requestBody", {}).get("content", {})
        for kind, one in content.items():
            # Events of other people's systems say more of a person than is kept; each is judged by itself.
            if kind == "application/json" and each["operationId"] not in ("sendVaccinations", "sendCheckUps"):
                name = one["schema"]["$ref"].rpartition("/")[2]
                assert spec["components"]["schemas"][name]["additionalProperties"] is False, what


def _strings(spec: Spec, shape: Spec, path: str, seen: set[str]) -> Iterator[tuple[str, Spec]]:
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        if name not in seen:
            seen.add(name)
            yield from _strings(spec, spec["components"]["schemas"][name], name, seen)
    elif shape.get("type") == "string":
        yield path, shape
    parts = [
        *shape.get("properties", {}).items(),
        *(("[]", shape[key]) for key in ("items",) if key in shape),
    ]
    for name, part in parts:
        yield from _strings(spec, part, f"{path}.{name}", seen)
    for part in (*shape.get("allOf", ()), *shape.get("anyOf", ()), *shape.get("oneOf", ())):
        yield from _strings(spec, part, path, seen)


def test_every_text_in_a_body_says_which_characters_it_may_have(spec: Spec) -> None:
    # Control characters are refused everywhere; whoever makes a client from the document must learn it there.
    seen: set[str] = set()
    found = [
        member
        for _, each in operations(spec)
        for kind, one in each.get("requestBody", {}).get("content", {}).items()
        if kind == "application/json" and each["operationId"] not in ("sendVaccinations", "sendCheckUps")
        for member, shape in _strings(spec, one["schema"], each["operationId"], seen)
        if not {"pattern", "enum", "format"} & shape.keys()
    ]
    assert len(seen) > 50 and found == []


def test_the_main_bodies_have_examples_and_the_examples_are_right(spec: Spec) -> None:
    told = 0
    for what, each in operations(spec):
        for kind, one in each.get("requestBody", {}).get("content", {}).items():
            schema = one["schema"]
            name = schema.get("$ref", "").rpartition("/")[2]
            demanded = spec["components"]["schemas"].get(name, schema).get("required")
            if kind != "application/x-www-form-urlencoded" and demanded:
                assert "example" in one, what
                whole = schema | {"components": spec["components"]}
                assert [str(why) for why in OAS30Validator(whole).iter_errors(one["example"])] == [], what
                told += 1
    assert told >= 12


def test_an_operation_that_is_not_described_stops_the_start(world: World) -> None:
    api = world.app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    rule = next(each for each in world.app.url_map.iter_rules() if each.rule == "/healthz")
    with pytest.raises(OperationUndescribed):
        api.spec.path(rule=rule, operations={"get": {"responses": {}}})


def test_the_command_prints_the_same_document(
    running: tuple[World, str],
    embedded_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, url = running
    told = {
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(world.settings.data_dir),
        "WALLET_MONGO_URI": embedded_uri,
        "WALLET_DATABASE": world.settings.database,
        "WALLET_PUBLIC_URL": url,
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert main(["openapi"]) == 0
    assert json.loads(capsys.readouterr().out) == found_in(world.get("/api/openapi.json"))
