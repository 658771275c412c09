"""F12 and what else the proxy in front promises, with nginx itself and its shipped configuration."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.faults.front import besiege, nginx
from tests.faults.plant import Plant, planted
from wallet_api.infra.machine import free_port

SECURITY = (
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "Content-Security-Policy",
    "Referrer-Policy",
    "Cross-Origin-Resource-Policy",
)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with planted(tmp_path_factory.mktemp("plant"), workers=1, WALLET_TRUSTED_PROXIES="1") as made:
        yield made


@pytest.fixture(scope="module")
def front(plant: Plant) -> Iterator[str]:
    with nginx(plant.folder, plant.port) as url:
        yield url


def test_slow_headers_hold_nobody_else_up(front: str) -> None:
    besiege(front, connections=100, seconds=4, limit=10.0)


def test_a_slow_body_never_reaches_the_api_and_is_let_go(front: str) -> None:
    port = int(front.rpartition(":")[2])
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(b"POST /oauth/token HTTP/1.1\r\nHost: wallet\r\nContent-Length: 1000\r\n\r\nhalf")
        with suppress(ConnectionResetError):
            while slow.recv(4096):
                pass
    assert 4 <= time.monotonic() - begun <= 28


def test_each_security_header_comes_once_and_nothing_names_the_server(front: str) -> None:
    for path in ("/healthz", "/api/v1/citizens/me", "/metrics"):
        answer = requests.get(f"{front}{path}", timeout=30)
        for name in SECURITY[:3]:
            assert len(answer.raw.headers.getlist(name)) == 1, (path, name)
        assert not any(each.isdigit() for each in answer.headers.get("Server", ""))


def test_numbers_about_us_are_not_for_the_outside(plant: Plant, front: str) -> None:
    for path in ("/metrics", "//metrics", "/%6detrics", "/./metrics", "/metrics/", "/x/../metrics"):
        answer = requests.get(f"{front}{path}", timeout=30)
        assert answer.status_code in (404, 308, 301) and "wallet_" not in answer.text, path


def test_bodies_are_limited_by_what_they_are_for(plant: Plant, front: str) -> None:
    big = b"x" * (70 * 1024)
    small_door = requests.post(f"{front}/oauth/token", data=big, timeout=30)
    assert small_door.status_code == 413
    assert small_door.headers["Content-Type"] == "application/problem+json"
    assert small_door.json()["status"] == 413
    token = plant.world.doctor().token
    headers = {"Content-Type": "application/fhir+json", "Authorization": f"Bearer {token}"}
    intake = f"{front}/api/v1/provider/intake/fhir-bundles"
    heard = requests.post(intake, data=big, headers=headers, timeout=30)
    assert (heard.status_code, heard.json()["code"]) == (400, "malformed_body")
    huge = b"x" * (10 * 2**20 + 1)
    assert requests.post(intake, data=huge, headers=headers, timeout=30).status_code == 413


def test_a_reader_is_served_through_it_and_connections_are_kept(plant: Plant, front: str) -> None:
    person = plant.world.person()
    with requests.Session() as http:
        for _ in range(5):
            answer = http.get(
                f"{front}/api/v1/citizens/me", headers={"Authorization": f"Bearer {person.token}"}, timeout=30
            )
            assert answer.status_code == 200, answer.text
            assert answer.headers["Content-Type"] == "application/json"


def test_a_dead_api_is_a_problem_with_the_same_manners(tmp_path: Path) -> None:
    with nginx(tmp_path, free_port()) as front:  # nobody listens there
        answer = requests.get(f"{front}/healthz", timeout=30)
        assert answer.status_code == 502
        large = requests.post(f"{front}/api/v1/provider/intake/fhir-bundles", data=b"x" * 70_000, timeout=30)
        assert (large.status_code, large.json()["status"]) == (502, 502)
        told = answer.json()["code"], answer.headers["Cache-Control"]
        assert told == ("refused_at_the_door", "no-store")
