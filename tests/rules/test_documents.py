"""What is published about the product is true: OpenAPI, code lists, the README's settings."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from consent.codes import CATEGORIES, LABELS
from tests.pages.resources import visit
from tests.world import World, bundle, condition, found_in, immunization, labelled, observation
from wallet_api.errors import MEDIA_TYPE
from wallet_api.records import labels
from wallet_api.records.types import record_types
from wallet_api.settings import Settings

ROOT = Path(__file__).parents[2]
TYPES = {"string": str, "integer": int, "array": list, "object": dict, "boolean": bool}


@pytest.fixture(scope="module")
def spec(world: World) -> dict[str, Any]:
    return found_in(world.get("/api/openapi.json"))


def operations(spec: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", each)
        for path, item in spec["paths"].items()
        for method, each in item.items()
        if method in ("get", "post", "put", "patch", "delete") and path.startswith("/api/v1/")
    ]


def resolved(spec: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def faults(spec: dict[str, Any], schema: dict[str, Any], value: Any, at: str = "") -> list[str]:
    """Where a value is not what a schema of the document says (the parts of JSON Schema used there)."""
    schema = resolved(spec, schema)
    for part in schema.get("allOf", ()):
        schema = {**resolved(spec, part), **{key: each for key, each in schema.items() if key != "allOf"}}
    if value is None:
        return [] if schema.get("nullable") or not schema.get("type") else [f"{at}: null"]
    kind = TYPES.get(schema.get("type", ""))
    if kind and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        return [f"{at}: {type(value).__name__} instead of {schema['type']}"]
    found = []
    if isinstance(value, list):
        for index, each in enumerate(value):
            found += faults(spec, schema.get("items", {}), each, f"{at}/{index}")
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{at}/{name}: undocumented" for name in value.keys() - schema["properties"].keys()]
        found += [f"{at}/{name}: missing" for name in schema.get("required", ()) if name not in value]
        for name, each in value.items():
            if name in schema["properties"]:
                found += faults(spec, schema["properties"][name], each, f"{at}/{name}")
    return found


def test_every_api_route_is_documented(world: World, spec: dict[str, Any]) -> None:
    documented = {what for what, _ in operations(spec)}
    for rule in world.app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/"):
            path = re.sub(r"<(?:[^:<>]+:)?([a-z_]+)>", r"{\1}", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert f"{method.lower()} {path}" in documented


def test_every_operation_says_what_it_does(spec: dict[str, Any]) -> None:
    mute = [
        what
        for what, each in operations(spec)
        if len(each.get("summary", "") + each.get("description", "")) < 10 or not each.get("tags")
    ]
    assert mute == []


def test_every_operation_documents_its_problems(spec: dict[str, Any]) -> None:
    silent = []
    for what, each in operations(spec):
        answers = each["responses"]
        assert "default" not in answers and {"400", "422", "429", "503"} <= answers.keys(), what
        if "{" in what and "notices" not in what and "404" not in answers:
            silent.append(f"{what} does not document its 404")
        if each.get("requestBody") and "422" not in answers:
            silent.append(f"{what} does not document what it refuses")
        for status, answer in answers.items():
            if int(status) >= 400:
                content = resolved(spec, answer)["content"]
                assert list(content) == [MEDIA_TYPE], f"{what} {status}: {list(content)}"
                assert content[MEDIA_TYPE]["schema"]["$ref"].endswith("/Problem"), what
    assert silent == []


def test_problem_answers_are_as_documented(world: World, spec: dict[str, Any]) -> None:
    an, doctor = world.person(), world.doctor()
    schema = spec["components"]["schemas"]["Problem"]
    answers = (
        world.get("/citizens/me"),
        world.get("/citizens/me", doctor),
        world.get("/citizens/nobody", an),
        world.get("/citizens/me/records?limit=0", an),
        world.get("/citizens/me/records?cursor=x", an),
        world.call("DELETE", "/citizens/me/records", an),
        world.post("/provider/consent-requests", doctor, world.proposal(an, categories=["imaging"])),
        world.post("/provider/consent-requests", doctor, raw=b"{"),
        world.post("/provider/consent-requests", doctor, raw=b"x", kind="text/plain"),
        world.post("/provider/intake/fhir-bundles", doctor, {}),
        world.get("/nowhere"),
    )
    assert {each.status_code for each in answers} == {400, 401, 403, 404, 405, 415, 422}
    for answer in answers:
        assert answer.mimetype == MEDIA_TYPE
        assert faults(spec, schema, found_in(answer)) == []
        assert found_in(answer)["request_id"] == answer.headers["Request-Id"]


def test_answers_are_as_documented(world: World, spec: dict[str, Any]) -> None:
    an, doctor = world.person(), world.doctor()
    child = world.child_of(an)
    world.send(doctor, bundle(an, condition(), immunization(), observation(on="2026"), visit()))
    made = world.grant(doctor, an)
    world.ask(doctor, an)
    request, session = world.newest_request(an), made.session()
    record = found_in(world.get("/citizens/me/records", an))["items"][0]["id"]
    visits = found_in(world.get("/citizens/me/records?category=visit", an))["items"]
    headers = {"Access-Session": session}
    names = {"citizen": "me", "record_id": record, "request_id": request["id"], "grant_id": made.grant["id"]}
    names |= {"citizen_ref": made.citizen_ref, "request_ref": made.request_ref, "purpose": "TREAT"}
    names |= {"visit_id": visits[0]["id"], "code": "718-7"}
    names |= {"name": "purposes", "record_ref": found_in(made.read(session))["items"][0]["id"]}
    report = world.send(doctor, bundle(an, condition("bad", on="x"), condition()))
    names["intake_id"] = report["id"]
    checked, official = 0, world.ops("registrar", "reviewer", "operator")
    for what, each in operations(spec):
        method, path = what.split(" ")
        if method != "get" or (unknown := set(re.findall(r"{(\w+)}", path)) - names.keys()):
            continue
        who: Any = doctor if "/provider" in path else official if "/ops" in path else an
        query = "?query=benh" if path.endswith("/organisations") and "ops" not in path else ""
        query = "?series=mr&born_from=2024&born_to=2025" if path.endswith("/coverage") else query
        answer = world.get(path.format(**names) + query, who, headers=headers)
        assert answer.status_code == 200, (what, unknown, answer.get_data(as_text=True))
        kinds = each["responses"]["200"]["content"]
        if "application/json" not in kinds:
            assert answer.mimetype in kinds, what
            continue
        schema = kinds["application/json"]["schema"]
        assert faults(spec, schema, found_in(answer)) == [], what
        checked += 1
    assert checked >= 20 and child.id
    forecast = found_in(world.get(f"/citizens/{child.id}/forecast", an))
    path_of = spec["paths"]["/api/v1/citizens/{citizen}/forecast"]["get"]
    schema = path_of["responses"]["200"]["content"]["application/json"]["schema"]
    assert forecast["items"] and faults(spec, schema, forecast) == []


def test_the_document_needs_no_other_host(world: World) -> None:
    for path in ("/api/docs/", "/api/docs/start.js"):
        answer = world.app.test_client().get(path)
        assert answer.status_code == 200 and b"http" not in answer.get_data().replace(b"http://www.w3", b"")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        with world.app.test_client().get(f"/api/docs/{name}") as answer:
            assert answer.status_code == 200
    assert world.app.test_client().get("/api/docs/../secret").status_code == 404


def test_record_types_use_categories_of_the_list() -> None:
    for kind in record_types().values():
        for resource in ({}, {"category": [{"coding": [{"code": "vital-signs"}]}]}, {"type": [{}]}):
            assert kind.category(resource) in CATEGORIES, kind.resource_type
    for code in ("vital-signs", "imaging", "exam", "laboratory", "unknown"):
        resource = {"category": [{"coding": [{"system": "x", "code": code}]}]}
        assert record_types()["Observation"].category(resource) in CATEGORIES


def test_labels_found_by_code_are_on_the_list_and_the_unknown_one_is_not() -> None:
    known = frozenset(LABELS.codes)
    assert {rule.label for rule in labels._rules()} <= known
    assert labels.UNKNOWN not in known, "nobody may be granted it"
    found = labels.labels_of(labelled(condition(code="F32.1"), "HIV", "N", "??"), known)
    assert found == {"PSY", "HIV", labels.UNKNOWN}


def test_the_readme_has_a_row_for_every_setting_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `((?:WALLET_)?[A-Z_]+)` \|", text, flags=re.MULTILINE)
    names = ["PORT" if one.name == "port" else f"WALLET_{one.name.upper()}" for one in fields(Settings)]
    assert sorted(rows) == sorted(names)
