"""Every route refuses a stranger unless it is listed as public with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Blueprint, Flask

from tests.world import World, found_in
from wallet_api.app import create_app
from wallet_api.infra.ids import new_id
from wallet_api.routes import BLUEPRINTS, PUBLIC
from wallet_api.routes.edge import taken_by
from wallet_api.routes.guarded import GuardedBlueprint, anybody

pytestmark = pytest.mark.usefixtures("sessions_read_once")


def knocks(app: Flask, public: bool) -> list[tuple[str, str, str]]:
    """(endpoint, method, path) of every rule that is public, or of every one that is not."""
    urls = app.url_map.bind("localhost")
    return [
        (rule.endpoint, method, urls.build(rule.endpoint, dict.fromkeys(rule.arguments, "a" * 26)))
        for rule in app.url_map.iter_rules()
        if (rule.endpoint in PUBLIC) == public
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def strangers_who_got_in(app: Flask, bodies: Sequence[bytes | None] = (None, b"{}", b"{")) -> list[str]:
    client, found = app.test_client(), []
    for endpoint, method, path in knocks(app, public=False):
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp4"}):
            for body in bodies:
                kind = "application/json" if body else None
                answer = client.open(path, method=method, headers=headers, data=body, content_type=kind)
                challenge = answer.headers.get("WWW-Authenticate", "")
                if answer.status_code != 401 or not challenge.startswith("Bearer"):
                    found.append(f"{method} {path} ({endpoint}): {answer.status_code}")
    return sorted(set(found))


def test_no_route_lets_a_stranger_in(world: World) -> None:
    assert len(knocks(world.app, public=False)) > 40
    assert strangers_who_got_in(world.app) == []


def test_no_route_answers_a_stranger_by_another_method(world: World) -> None:
    client = world.app.test_client()
    for _, method, path in knocks(world.app, public=False):
        if method == "GET":
            answer = client.head(path)
            assert answer.status_code == 401 and not answer.get_data(), path
        assert client.options(path).status_code == 401, path


def test_the_census_sees_a_route_without_a_guard(world: World) -> None:
    app = Flask("open", static_folder=None)
    app.extensions["wallet"] = world.services
    app.add_url_rule("/api/v1/left-open", "left_open", lambda: "come in")
    assert strangers_who_got_in(app) == ["GET /api/v1/left-open (left_open): 200"]


def test_every_public_route_exists_and_says_why(world: World) -> None:
    endpoints = {rule.endpoint for rule in world.app.url_map.iter_rules()}
    assert set(PUBLIC) <= endpoints
    assert all(len(reason.split()) >= 1 and reason.strip() for reason in PUBLIC.values())


def test_public_routes_are_open_or_judge_by_themselves(world: World) -> None:
    client = world.app.test_client()
    for endpoint, method, path in knocks(world.app, public=True):
        assert client.open(path, method=method).status_code < 500, endpoint


def test_only_public_routes_hang_on_a_blueprint_for_anybody(world: World) -> None:
    open_ones = {one.name for one in BLUEPRINTS if anybody in one.before_request_funcs.get(None, [])}
    for rule in world.app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] in open_ones:
            assert rule.endpoint in PUBLIC


def test_a_blueprint_cannot_be_made_without_a_guard() -> None:
    with pytest.raises(TypeError):
        GuardedBlueprint("unguarded", __name__)  # type: ignore[call-arg]  # the point of the test


def callers(world: World) -> dict[str, Callable[[], Any]]:
    doctor = world.doctor()
    return {
        "citizen": world.person,
        "provider": lambda: doctor,
        "system": lambda: doctor.system,
        "ops": lambda: world.ops("operator", "reviewer", "registrar"),
    }


def test_each_kind_of_caller_stays_in_its_own_part(world: World) -> None:
    own = {
        "/api/v1/citizens": {"citizen"},
        "/api/v1/provider": {"provider", "system"},
        "/api/v1/ops": {"ops"},
    }
    for kind, make in callers(world).items():
        token = make().token
        for endpoint, method, path in knocks(world.app, public=False):
            part = next((one for one in own if path.startswith(one)), None)
            if part is not None and kind not in own[part]:
                answer = world.call(method, path, token, {} if method != "GET" else None)
                assert (answer.status_code, found_in(answer)["code"]) == (403, "forbidden"), (kind, endpoint)


def test_two_applications_live_in_one_process(world: World) -> None:

    second = create_app(world.settings, world.services)
    assert strangers_who_got_in(second, [None]) == []
    assert second.test_client().get(f"/api/v1/code-systems/{new_id()}").status_code == 404


def past_the_kit(app: Flask, world: World, only: str = "") -> list[str]:
    """Every operation that takes what nobody declared: a query name, a body, a name of control characters.

    `only`: of the paths that begin so.
    """
    client, urls, found = app.test_client(), app.url_map.bind("localhost"), []
    tokens = {
        "/api/v1/citizens": world.person().token,
        "/api/v1/provider": world.doctor().token,
        "/api/v1/ops": world.ops("operator", "reviewer", "registrar").token,
        "/api/v1/": world.person().token,
        "/fhir/": world.person().token,
    }
    for rule in app.url_map.iter_rules():
        path = urls.build(rule.endpoint, dict.fromkeys(rule.arguments, "a" * 26))
        if not path.startswith(only):
            continue
        token = next((tokens[part] for part in tokens if path.startswith(part)), "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            taken = taken_by(app.view_functions[rule.endpoint], method)
            tries: dict[str, tuple[int, dict[str, Any]]] = {}
            if not taken.any_query:
                tries["query"] = (422, {"query_string": "nobody=declared"})
            tries["no text"] = (400, {"query_string": "%ff=%ff"})
            if not taken.body:
                tries["body"] = (400, {"data": b"{}", "content_type": "application/json"})
            if rule.arguments:
                hostile = urls.build(rule.endpoint, dict.fromkeys(rule.arguments, "b\x00" + "a" * 24))
                tries["path"] = (404, {"path": hostile})
            tries["packed"] = (415, {"headers": headers | {"Content-Encoding": "gzip"}})
            for name, (status, sent) in tries.items():
                answer = client.open(**{"path": path, "method": method, "headers": headers} | sent)
                # RFC 6749 knows no status but 400 for what is wrong with a request.
                told = 400 if rule.rule.startswith("/oauth/") and name == "query" else status
                if answer.status_code != told:
                    found.append(f"{method} {rule} ({name}): {answer.status_code}")
    return found


def test_no_route_is_reached_past_the_edge_kit(world: World) -> None:
    assert past_the_kit(world.app, world) == []


def test_a_route_added_later_passes_through_the_kit_by_itself(world: World) -> None:
    app = create_app(world.settings, world.services)
    late = Blueprint("late", __name__)
    late.add_url_rule("/late/<name>", "plain", lambda name: name, methods=["GET", "POST"])
    app.register_blueprint(late)
    app.add_url_rule("/later", "later", lambda: "no blueprint at all")
    assert past_the_kit(app, world, "/late") == []


def test_the_census_sees_an_application_without_the_kit(world: World) -> None:
    app = Flask("open", static_folder=None)
    app.add_url_rule("/bare/<name>", "bare", lambda name: name)
    assert len(past_the_kit(app, world)) == 5


def test_only_oauth_and_fhir_judge_their_query_and_only_files_are_larger_than_64_kb(world: World) -> None:
    taken = {
        (rule.endpoint, method): taken_by(world.app.view_functions[rule.endpoint], method)
        for rule in world.app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    assert {name for (name, _), one in taken.items() if one.any_query} == {
        "oauth.authorize",
        "oauth.vneid_callback",
        "oauth.ops_callback",
        *(f"fhir-records.{view}" for view in ("Search", "PostedSearch", "Read", "History", "Version")),
        *(f"fhir-patients.{view}" for view in ("Patients", "PostedPatients", "OnePatient", "Everything")),
        "fhir-summary.PatientSummary",
    }
    assert {name: one.limit for (name, _), one in taken.items() if one.limit != 64 * 1024} == {
        "family.Evidence": 5 * 2**20,
        "corrections.CorrectionEvidence": 5 * 2**20,
        "campaigns.CampaignList": 10 * 2**20,
        "writing.FhirIntake": 10 * 2**20,
        "writing.InsuranceIntake": 10 * 2**20,
        "writing.VaccinationIntake": 10 * 2**20,
        "writing.CheckUpIntake": 10 * 2**20,
    }
