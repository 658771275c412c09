"""Receivers of webhooks on this machine: good ones, and every way a receiver can be bad."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]


@dataclass
class Receiver:
    """Where it listens, and the bodies it was sent."""

    port: int
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/wallet-events"


def says(status: int, *headers: str) -> Answer:
    """Answers with a status."""
    lines = [f"HTTP/1.1 {status} X", "Content-Length: 0", *headers, "", ""]
    return lambda sock: sock.sendall("\r\n".join(lines).encode())


def sends(raw: bytes) -> Answer:
    """Answers with these bytes."""
    return lambda sock: sock.sendall(raw)


def hangs(sock: socket.socket) -> None:
    """Never answers."""
    with suppress(OSError):
        sock.settimeout(30)
        sock.recv(1)


def drips(sock: socket.socket) -> None:
    """Answers a byte at a time, and never comes to an end."""
    with suppress(OSError):
        while True:
            sock.sendall(b"H")
            time.sleep(0.05)


def floods(sock: socket.socket) -> None:
    """Answers without an end, and without a line."""
    with suppress(OSError):
        while True:
            sock.sendall(b"x" * 65536)


def closes(sock: socket.socket) -> None:
    """Hangs up."""


def _more(sock: socket.socket) -> bytes:
    """What comes next. Raises ConnectionError where nothing ever will: whoever asks again asks for ever."""
    if not (read := sock.recv(65536)):
        raise ConnectionError("hung up")
    return read


@contextmanager
def receiver(*answers: Answer) -> Iterator[Receiver]:
    """A receiver that answers so, one after the other, the last one for ever."""
    listening = socket.create_server(("127.0.0.1", 0))
    made, left = Receiver(listening.getsockname()[1]), list(answers)

    def serve(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.settimeout(30)
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += _more(sock)
            head, body = seen.split(b"\r\n\r\n", 1)
            size = next(int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.startswith(b"Content-Length"))
            while len(body) < size:
                body += _more(sock)
            made.heads.append(head)
            made.bodies.append(body)
            (left.pop(0) if len(left) > 1 else left[0])(sock)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield made
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
