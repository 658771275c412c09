"""A push service and its token service on loopback."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Provider(ThreadingHTTPServer):
    """A push service and its token service, scripted answer by answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.pushes: list[tuple[str, str, dict[str, Any]]] = []
        self.tokens = 0
        self.token_status = 200
        self.connections: set[object] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:  # the name http.server calls
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            self.server.tokens += 1
            token = {
                "access_token": f"token-{self.server.tokens}",
                "expires_in": 3600,
                "token_type": "Bearer",
            }
            bad = {"error": "invalid_grant"}
            self.answer(self.server.token_status, token if self.server.token_status == 200 else bad, {})
            return
        self.server.connections.add(self.client_address)
        self.server.pushes.append((self.path, self.headers["Authorization"], json.loads(body)))
        ok: tuple[int, dict[str, Any], dict[str, str]] = (200, {"name": "projects/demo/messages/1"}, {})
        self.answer(*(self.server.script.pop(0) if self.server.script else ok))

    def answer(self, status: int, doc: dict[str, Any], headers: dict[str, str]) -> None:
        raw = json.dumps(doc).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass
