"""An OpenID provider that misbehaves on demand, and one that speaks a byte at a time."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from werkzeug.wrappers import Request, Response

from tests.identity.upstream import Upstream

Unruly = Callable[[Request, Callable[[Request], Response]], Response]
METADATA, KEYS, TOKEN = "/.well-known/openid-configuration", "/jwks", "/token"


class UnrulyUpstream(Upstream):
    """The honest provider, but for the paths in `ways`."""

    def __init__(self, now: Callable[[], object]) -> None:
        self.ways: dict[str, Unruly] = {}
        self.asked: list[str] = []
        self.enough = threading.Event()
        super().__init__(now)

    def answer(self, request: Request) -> Response:
        self.asked.append(request.path)
        way = self.ways.get(request.path)
        return super().answer(request) if way is None else way(request, super().answer)

    def stop(self) -> None:
        self.enough.set()
        super().stop()

    def slow(self, seconds: float) -> Unruly:
        def way(request: Request, honest: Callable[[Request], Response]) -> Response:
            self.enough.wait(seconds)
            return honest(request)

        return way

    def dripping(self, pause: float) -> Unruly:
        """The right answer, a byte at a time: no single wait is long."""

        def way(request: Request, honest: Callable[[Request], Response]) -> Response:
            whole = honest(request).get_data()

            def bytes_of() -> Iterator[bytes]:
                for place in range(len(whole)):
                    if self.enough.wait(pause):
                        return
                    yield whole[place : place + 1]

            return Response(bytes_of(), content_type="application/json")

        return way


def status(code: int, body: str = "<h1>oops</h1>") -> Unruly:
    return lambda *_: Response(body, code)


def says(body: object) -> Unruly:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda *_: Response(text, content_type="application/json")


def huge(request: Request, honest: Callable[[Request], Response]) -> Response:
    """The right answer with ten megabytes in it."""
    found = json.loads(honest(request).get_data()) | {"padding": "x" * 10_000_000}
    return Response(json.dumps(found), content_type="application/json")


def bomb(request: Request, honest: Callable[[Request], Response]) -> Response:
    """The same, packed into a few kilobytes."""
    packed = gzip.compress(huge(request, honest).get_data())
    return Response(packed, content_type="application/json", headers={"Content-Encoding": "gzip"})


def elsewhere(path: str) -> Unruly:
    """Sent on to where the right answer is."""
    return lambda *_: Response("", 302, headers={"Location": f"{path}?again"})


@contextmanager
def byte_by_byte(pause: float) -> Iterator[str]:
    """The address of a server whose status line never ends, though a byte comes every `pause` seconds."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    began = time.monotonic()
                    while not over.wait(pause) and time.monotonic() - began < 10:
                        try:
                            connection.sendall(b"H")
                        except OSError:
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()
