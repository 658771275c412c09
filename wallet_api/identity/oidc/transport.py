"""HTTP to a sign-in provider: bounded in time and bytes, without redirects, proxies or compression."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

LARGEST_ANSWER = 256 * 1024
CONNECT_SECONDS = 3.0


class OutOfTime(OSError):
    """The exchange took longer than it may in all."""


@dataclass(frozen=True)
class Deadline:
    """A moment by which everything must be done, however many requests that takes."""

    at: float
    tick: Callable[[], float]

    @classmethod
    def after(cls, seconds: float, tick: Callable[[], float] = time.monotonic) -> Deadline:
        """So many seconds from now."""
        return cls(tick() + seconds, tick)

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            OutOfTime: none is.
        """
        seconds = self.at - self.tick()
        if seconds <= 0:
            raise OutOfTime("the sign-in provider takes too long")
        return seconds


class _TimedReader(io.RawIOBase):
    """What a socket receives. A socket's own time limit counts from byte to byte, this one does not."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # it keeps the socket open for as long as it is read
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """A connected socket whose answers must have arrived by the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, *_args: object, **_options: object) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _timed(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            self.timeout = min(CONNECT_SECONDS, deadline.left())
            super().connect()
            self.sock = _TimedSocket(self.sock, deadline)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            self.timeout = min(CONNECT_SECONDS, deadline.left())
            super().connect()
            self.sock = _TimedSocket(self.sock, deadline)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _BoundedAdapter(HTTPAdapter):
    """One exchange after the other until the deadline; an answer that is too large is none."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(max_retries=0)
        self._deadline = deadline
        self.poolmanager.pool_classes_by_scheme = _timed(deadline)

    def send(self, request: requests.PreparedRequest, *_args: Any, **options: Any) -> requests.Response:
        """Send it and read the whole answer."""
        seconds = self._deadline.left()
        limits = (min(CONNECT_SECONDS, seconds), seconds)
        answer = super().send(request, stream=True, timeout=limits, verify=options["verify"])
        try:
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise requests.exceptions.ContentDecodingError("compressed, though that was not offered")
            body = answer.raw.read(LARGEST_ANSWER + 1, decode_content=False)
        except (HTTPError, OSError) as why:
            raise requests.ConnectionError("the answer broke off") from why
        finally:
            answer.raw.close()
        if len(body) > LARGEST_ANSWER:
            raise requests.ConnectionError("the answer is too large")
        answer.raw = io.BytesIO(body)
        return answer


def bound(session: requests.Session, deadline: Deadline) -> None:
    """Have a session end all it does by the deadline, read little, and use no proxy of this machine."""
    session.trust_env = False
    session.max_redirects = 0
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        session.mount(scheme, _BoundedAdapter(deadline))
