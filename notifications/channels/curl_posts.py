"""Many posts to one URL at once over libcurl: HTTP/2 streams over TLS, plain HTTP/1.1 on loopback.

Connections live as long as this does. A server that says GOAWAY is routine: libcurl opens another connection
and sends there what had not been taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pycurl

_KEPT_ALIVE_S = 30


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one post; `status` 0 when nothing did. `cut`: the connection broke on the way."""

    key: int
    status: int
    body: bytes = b""
    retry_after: int = 0
    cut: bool = False


class CurlPosts:
    """One multi handle with its connections. For one process and one thread: a fork cannot share it."""

    def __init__(
        self, url: str, connections: int, streams: int, timeout_s: float, ca_file: Path | None
    ) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._tls = url.startswith("https:")
        self._ca = str(ca_file) if ca_file is not None else _usual_authorities()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, connections)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, streams)
        self.room = connections * streams if self._tls else connections
        """How many posts can be under way; more would only wait here."""
        self._idle: list[tuple[Any, BytesIO]] = []
        self._busy: dict[Any, tuple[int, BytesIO]] = {}
        self._token = ""
        self._headers: list[str] = []
        self._told: dict[Any, list[str]] = {}

    def authorise(self, token: str) -> None:
        """The bearer of the posts that start from now on."""
        if self._token == token:
            return
        self._token = token
        self._headers = [
            f"Authorization: Bearer {token}",
            "Content-Type: application/json; charset=utf-8",
            "Expect:",
            "Accept: application/json",
        ]

    @property
    def under_way(self) -> int:
        """Posts without an answer."""
        return len(self._busy)

    def start(self, key: int, body: bytes) -> None:
        """Post one body. Its answer comes out of `answers` under `key`."""
        handle, into = self._idle.pop() if self._idle else self._handle()
        if self._told.get(handle) is not self._headers:
            handle.setopt(pycurl.HTTPHEADER, self._headers)
            self._told[handle] = self._headers
        handle.setopt(pycurl.POSTFIELDS, body)
        self._busy[handle] = key, into
        self._multi.add_handle(handle)

    def answers(self, wait_s: float) -> Iterator[Reply]:
        """What has come back; waits up to so long for the first."""
        if self._perform() and wait_s > 0:
            self._multi.select(wait_s)
            self._perform()
        queued = 1
        while queued:
            queued, done, failed = self._multi.info_read()
            for handle in done:
                yield self._finish(handle, 0)
            for handle, code, _ in failed:
                yield self._finish(handle, code)

    def abandon(self) -> list[int]:
        """Give up every post under way and return their keys; whether they arrived is not known."""
        keys = [key for key, _ in self._busy.values()]
        for handle in list(self._busy):
            self._release(handle)
        return keys

    def close(self) -> None:
        """Hang up."""
        self.abandon()
        for handle, _ in self._idle:
            handle.close()
        self._idle.clear()
        self._multi.close()

    def _perform(self) -> int:
        while True:
            code, running = self._multi.perform()
            if code != pycurl.E_CALL_MULTI_PERFORM:
                return int(running)

    def _finish(self, handle: Any, code: int) -> Reply:
        key, into = self._busy[handle]
        status = 0 if code else int(handle.getinfo(pycurl.RESPONSE_CODE))
        wait = int(handle.getinfo(pycurl.RETRY_AFTER)) if status in (429, 503) else 0
        body = into.getvalue()
        self._release(handle)
        return Reply(key, status, body, wait, cut=code in _CUT)

    def _release(self, handle: Any) -> None:
        _, into = self._busy.pop(handle)
        self._multi.remove_handle(handle)
        into.seek(0)
        into.truncate()
        self._idle.append((handle, into))

    def _handle(self) -> tuple[Any, BytesIO]:
        handle, into = pycurl.Curl(), BytesIO()
        version = pycurl.CURL_HTTP_VERSION_2TLS if self._tls else pycurl.CURL_HTTP_VERSION_1_1
        for option, value in (
            (pycurl.URL, self._url),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTPS if self._tls else pycurl.PROTO_HTTP),
            (pycurl.POST, 1),
            (pycurl.NOSIGNAL, 1),
            # A redirect would carry our bearer token to a host nobody configured
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_VERSION, version),
            (pycurl.PIPEWAIT, 1),  # a stream more, not a connection more, while there is room
            (pycurl.TIMEOUT_MS, int(self._timeout_s * 1000)),
            (pycurl.CONNECTTIMEOUT_MS, int(self._timeout_s * 1000)),
            (pycurl.TCP_KEEPALIVE, 1),
            (pycurl.TCP_KEEPIDLE, _KEPT_ALIVE_S),
            (pycurl.CAINFO, self._ca),
            (pycurl.WRITEDATA, into),
        ):
            handle.setopt(option, value)
        return handle, into


_CUT = frozenset(
    {
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_HTTP2,
        92,  # CURLE_HTTP2_STREAM, which pycurl does not name
    }
)


def _usual_authorities() -> str:
    import certifi

    return certifi.where()
