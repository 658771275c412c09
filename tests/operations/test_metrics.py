"""Numbers and traces: what an operator sees from outside, and what nobody may see there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.world import START, World, bundle, condition
from wallet_api.app import create_app
from wallet_api.corrections.desk import Asked as Correcting
from wallet_api.infra import metrics, traces
from wallet_api.infra.ids import new_id
from wallet_api.infra.traces import TracingAbsent, start_tracing
from wallet_api.rights.desk import Asked
from wallet_api.routes.observing import observe

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


def ask(world: World, path: str, token: str = "", method: str = "GET") -> Any:
    """Ask as a server does: to the last byte, and then the answer is closed."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return world.app.test_client().open(path, method=method, headers=headers, buffered=True)


def scrape(world: World) -> Any:
    return ask(world, "/metrics")


def value(text: str, name: str, **labels: str) -> float:
    told = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    found = re.search(rf"^{re.escape(name + (f'{{{told}}}' if labels else ''))} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_an_answer_is_not_counted_by_its_route_method_and_status(world: World) -> None:
    an = world.person()
    route = "/api/v1/citizens/<citizen>/records"
    before = scrape(world).get_data(as_text=True)
    ask(world, "/api/v1/citizens/me/records", an.token)
    ask(world, "/api/v1/citizens/me/records")
    after = scrape(world).get_data(as_text=True)
    for status in ("200", "401"):
        labels = {"route": route, "method": "GET", "status": status}
        was, now = (value(each, "wallet_requests_total", **labels) for each in (before, after))
        assert now == was + 1, (status, re.findall("^wallet_requests_total.*$", after, re.MULTILINE))
    counted = value(after, "wallet_request_seconds_count", route=route, method="GET")
    assert counted == value(before, "wallet_request_seconds_count", route=route, method="GET") + 2
    assert value(after, "wallet_ready") == 1
    assert value(after, "wallet_problems_total", code="invalid_token") >= 1


def test_what_the_law_wanted_done_by_now_is_not_counted(world: World) -> None:
    told = ("rights_request", "erasure", "emergency_review", "correction_request")

    def late(after: timedelta) -> list[float]:
        world.clock.set_to(START + after)
        text = scrape(world).get_data(as_text=True)
        world.clock.set_to(START)
        return [value(text, "wallet_overdue", state=each) for each in told]

    # Other tests of this wallet leave things undone as well.
    before, soon = late(timedelta(days=400)), late(timedelta())
    an = world.person()
    world.services.rights.ask(Asked(new_id(), an.id, "copy", None, an.id, "self"), lambda _: None)
    world.grant(world.doctor(), an, mode="STORE").withdraw()
    wrong = Correcting(new_id(), an.id, "bv", new_id(), 1, "wrong_date", "x", an.id, "self")
    world.services.correcting.desk.ask(wrong, lambda _: None)
    assert late(timedelta()) == soon
    after = late(timedelta(days=400))
    assert [now - was for now, was in zip(after, before, strict=True)] == [1, 1, 0, 1]


def test_a_number_names_a_person_or_what_they_asked(world: World) -> None:
    an, doctor = world.person("Nguyễn Đếm Số"), world.doctor()
    world.send(doctor, bundle(an, condition()))
    made = world.grant(doctor, an)
    ask(world, f"/api/v1/citizens/{an.id}/grants/{made.grant['id']}", an.token)
    ask(world, f"/nowhere/{an.number}?name=Nguyen")
    ask(world, "/api/v1/citizens/me", method="PROPFIND")
    text = scrape(world).get_data(as_text=True)
    for secret in (an.id, an.number, made.grant["id"], "Đếm", "PROPFIND", "nowhere"):
        assert secret not in text
    assert 'route="unmatched"' in text


def test_a_stranger_reads_the_numbers_in_production(world: World) -> None:
    settings = replace(world.services.settings, env="prod", metrics_token="a-long-token")
    app = create_app(settings, replace(world.services, settings=settings))
    client = app.test_client()
    for said in ("", "Bearer", "Bearer wrong", "Basic a-long-token", "Bearer a-long-token-more"):
        assert client.get("/metrics", headers={"Authorization": said} if said else {}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer a-long-token"}).status_code == 200
    closed = replace(settings, metrics_token="")
    app = create_app(closed, replace(world.services, settings=closed))
    assert app.test_client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_a_scrape_fails_when_the_database_is_away(world: World) -> None:
    def away() -> None:
        raise ConnectionError

    text = metrics.exposition(metrics.Figures(dict, away)).decode()
    assert value(text, "wallet_ready") == 0


def test_several_processes_do_not_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    code = (
        "from wallet_api.infra import metrics\n"
        "metrics.PROBLEMS.labels('not_found').inc(3)\n"
        "metrics.IN_FLIGHT.inc()\n"
    )
    for _ in range(2):
        env = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": "/usr/bin"}
        subprocess.run([sys.executable, "-c", code], env=env, check=True)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    text = metrics.exposition(metrics.Figures(dict, lambda: None)).decode()
    assert value(text, "wallet_problems_total", code="not_found") == 6


def series(text: str) -> set[str]:
    return set(re.findall(r"\bwallet_[a-z_]+", text))


@pytest.fixture
def published(world: World) -> set[str]:
    metrics.DATABASE_FAULTS.labels("passing").inc(0)
    ask(world, "/nowhere")  # what has labels is told once something was counted
    return series(scrape(world).get_data(as_text=True))


def test_the_dashboard_asks_for_a_number_nobody_counts(published: set[str]) -> None:
    board = json.loads((DEPLOY / "grafana" / "health-wallet.json").read_text(encoding="utf-8"))
    asked = {
        name
        for panel in board["panels"]
        for each in panel.get("targets", [])
        for name in series(each["expr"])
    }
    assert asked
    assert asked <= published, sorted(asked - published)


def test_an_alarm_asks_for_a_number_nobody_counts(published: set[str]) -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    alarms = [each for group in rules["groups"] for each in group["rules"]]
    asked = {name for each in alarms for name in series(each["expr"])}
    assert asked <= published, sorted(asked - published)
    page = (DEPLOY.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    untold = [each["alert"] for each in alarms if f"### {each['alert']}" not in page]
    assert not untold, f"docs/operations.md does not say what to do about {untold}"


def test_a_span_carries_more_than_names(world: World) -> None:
    kept = InMemorySpanExporter()
    start_span = start_tracing("http://127.0.0.1:9", kept)
    an = world.person("Nguyễn Dấu Vết")
    app = create_app(world.services.settings, world.services)
    observe(app, start_span)
    for path in (f"/api/v1/citizens/{an.id}/records?category=visit", "/nowhere"):
        app.test_client().get(path, headers={"Authorization": f"Bearer {an.token}"}, buffered=True)
    start_span.flush()
    spans = kept.get_finished_spans()
    told = json.dumps([[each.name, dict(each.attributes or {})] for each in spans], default=str)
    assert "GET /api/v1/citizens/<citizen>/records" in told
    assert "GET unmatched" in told
    for secret in (an.id, an.number, an.token, "category=visit", "nowhere", "Dấu"):
        assert secret not in told


def test_asking_for_traces_without_the_packages_fails_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "find_spec", lambda name: None)
    with pytest.raises(TracingAbsent, match=r"requirements-tracing\.txt"):
        start_tracing("http://127.0.0.1:9")
