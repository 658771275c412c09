"""Framing, methods and headers over a real socket to a real server: what no test client would send."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.world import World
from wallet_api.infra.embedded import server_at
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import open_database

Told = Callable[[str, object], None]
FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
PREFERENCES = "/api/v1/citizens/me/notification-preferences"


@dataclass(frozen=True)
class Served:
    """A wallet behind gunicorn."""

    world: World
    port: int
    token: str

    def say(self, head: str, body: bytes = b"", *, token: bool = True, patience: float = 6.0) -> bytes:
        """Send bytes as they are; all that comes back until the server closes or falls silent."""
        lines = [head, "Host: localhost", "Connection: close"]
        lines += [f"Authorization: Bearer {self.token}"] if token else []
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as wire:
            wire.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
            try:
                wire.sendall(body)
                wire.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has refused already and hung up
            found = b""
            try:
                while more := wire.recv(65536):
                    found += more
            except OSError:
                pass
            return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("framing"), free_port()
    database = server_at(folder / "db")
    told = {"WALLET_MONGO_URI": f"embedded:{folder / 'db'}", "PORT": str(port)}
    told["WALLET_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
    world = World(open_database(database.uri, "wallet"), folder, **told)
    server = _serve(world, folder, told)
    try:
        _await(f"http://127.0.0.1:{port}/readyz")
        yield Served(world, port, world.person().token)
    finally:
        server.terminate()
        server.wait(20)
        world.services.log.close()
        world.db.client.close()
        database.stop(grace=0)


def _serve(world: World, folder: Path, told: dict[str, str]) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    env = os.environ | told
    env |= {
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_CLOCK_FILE": str(folder / "clock"),
        "WALLET_DATABASE": world.db.name,
        "WALLET_VNEID_ISSUER": "http://127.0.0.1:9",
        "WALLET_OPS_ISSUER": "http://127.0.0.1:9",
        "WALLET_LIMITS": "off",
        "WEB_CONCURRENCY": "1",
    }
    argv = [sys.executable, "-m", "gunicorn", "-c", str(root / "deploy/gunicorn.conf.py"), "wsgi:app"]
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(argv, cwd=root, env=env, stdout=log, stderr=log)


def _await(url: str) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError("the server did not start")


def chunked(*parts: bytes) -> bytes:
    """A chunked body with its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


PUT = f"PUT {PREFERENCES} HTTP/1.1\r\n{JSON}\r\n"
TOKEN = f"POST /oauth/token HTTP/1.1\r\n{FORM}\r\n"
REFUSED: dict[str, tuple[str, bytes, set[int]]] = {
    "too large, said": (PUT + "Content-Length: 70000", b"x" * 70_000, {413}),
    "too large, chunked": (PUT + "Transfer-Encoding: chunked", chunked(*[b" " * 8000] * 20), {413}),
    "5 MB form": (TOKEN + "Content-Length: 5000000", b"x" * 5_000_000, {413}),
    "5 MB form, chunked": (TOKEN + "Transfer-Encoding: chunked", chunked(*[b"x" * 50_000] * 100), {413}),
    "chunked on a read": (
        "GET /api/v1/citizens/me HTTP/1.1\r\nTransfer-Encoding: chunked",
        chunked(b"{}"),
        {400},
    ),
    "body on a read": ("GET /api/v1/citizens/me HTTP/1.1\r\nContent-Length: 2", b"{}", {400}),
    "less than said": (PUT + "Content-Length: 5000", b"{}", {400}),
    "length below zero": (PUT + "Content-Length: -1", b"{}", {400}),
    "length of no number": (PUT + "Content-Length: abc", b"{}", {400}),
    "length twice": (PUT + "Content-Length: 2\r\nContent-Length: 3", b"{} ", {400}),
    "length and chunks": (PUT + "Content-Length: 2\r\nTransfer-Encoding: chunked", chunked(b"{}"), {400}),
    "chunks of no number": (PUT + "Transfer-Encoding: chunked", b"zz\r\n{}\r\n0\r\n\r\n", {400}),
    "an unknown coding": (PUT + "Transfer-Encoding: gzip", b"{}", {400, 501}),
    "packed": (PUT + "Content-Encoding: gzip\r\nContent-Length: 2", b"{}", {415}),
    "UTF-16": (PUT.replace("json", "json; charset=utf-16") + "Content-Length: 2", b"{}", {415}),
    "folded header": ("GET /readyz HTTP/1.1\r\nX-A: b\r\n c", b"", {400}),
    "header of no name": ("GET /readyz HTTP/1.1\r\n: b", b"", {400}),
    "header of 9 kB": ("GET /readyz HTTP/1.1\r\nX-A: " + "b" * 9000, b"", {400, 431}),
    "100 headers": (
        "GET /readyz HTTP/1.1\r\n" + "\r\n".join(f"X-{n}: b" for n in range(100)),
        b"",
        {400, 431},
    ),
    "address of 5 kB": ("GET /" + "a" * 5000 + " HTTP/1.1", b"", {400, 414}),
    "no version": ("GET /api/v1/nowhere", b"", {400, 404}),
    "version of its own": ("GET /readyz HTTP/9.9", b"", {400, 505}),
    "TRACE": ("TRACE /api/v1/citizens/me HTTP/1.1", b"", {405}),
    "a method of its own": ("FROB /api/v1/citizens/me HTTP/1.1", b"", {405}),
    "NUL in the path": ("GET /api/v1/citizens/%00 HTTP/1.1", b"", {404}),
    "no UTF-8 in the path": ("GET /api/v1/citizens/%ff HTTP/1.1", b"", {404}),
    "surrogates in the path": ("GET /api/v1/citizens/%ED%A0%80 HTTP/1.1", b"", {404}),
    "two dots": ("GET /api/v1/citizens/../ops/delivery HTTP/1.1", b"", {404}),
    "two slashes": ("GET //evil.example/..%2f HTTP/1.1", b"", {404}),
    "raw bytes in the query": ("GET /api/v1/citizens/me/records?limit=\xff\xfe HTTP/1.1", b"", {400, 422}),
    "a whole address": ("GET http://evil.example/api/v1/nowhere HTTP/1.1", b"", {400, 404}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_framing_is_taken(served: Served, name: str) -> None:
    head, body, statuses = REFUSED[name]
    answer = served.say(head, body)
    status = int(answer.split(b" ", 2)[1]) if answer else 0
    assert status in statuses, answer[:300]
    if status == 405:
        assert b"\r\nAllow: " in answer and b"method_not_allowed" in answer
    if status == 413:
        told = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        assert told.get("code") == "body_too_large" or told.get("error") == "invalid_request"
    assert b"Traceback" not in answer and b"evil.example" not in answer


def test_the_server_is_hurt_by_any_of_it(served: Served, record_property: Told) -> None:
    for head, body, _ in REFUSED.values():
        served.say(head, body, patience=4)
    answer = served.say(
        f"PUT {PREFERENCES} HTTP/1.1\r\n{JSON}\r\nTransfer-Encoding: chunked", chunked(b"{", b"}")
    )
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
    assert served.say("HEAD /readyz HTTP/1.1").startswith(b"HTTP/1.1 200")
    record_property("framings_tried", 2 * len(REFUSED))
    print(f"hostile framings tried: {2 * len(REFUSED)}")


def test_two_requests_hide_in_one(served: Served) -> None:
    """A body that looks like a request is never answered as one (request smuggling)."""
    hidden = b"GET /api/v1/code-systems/purposes HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for framing in (
        f"Content-Length: {len(hidden)}",
        f"Content-Length: 0\r\nTransfer-Encoding: chunked\r\nContent-Length: {len(hidden)}",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
    ):
        answer = served.say(f"PUT {PREFERENCES} HTTP/1.1\r\n{JSON}\r\n{framing}", hidden)
        assert answer.count(b"HTTP/1.1 ") <= 1 and b"TREAT" not in answer, framing
