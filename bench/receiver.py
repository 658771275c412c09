"""A push receiver that costs next to nothing: HTTP/2 and HTTP/1.1 over one port, by frames and by hand.

It decodes no headers: a request is over when its stream ends. So one process answers tens of thousands a
second, and what a bench measures is the sender. `python -m bench.receiver CERT KEY PORT DELAY_MS`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _PADDED = 0x1, 0x1, 0x8
_LARGE = (1 << 31) - 1 - 65535
_INDEXED = {200: b"\x88", 400: b"\x8c", 404: b"\x8d", 500: b"\x8e"}
OK_BODY = b'{"name": "projects/demo/messages/0:1500415314455276%31bd1c9631bd1c96"}'
TOKEN_BODY = b'{"access_token": "%s", "expires_in": 3600, "token_type": "Bearer"}' % (b"t" * 1000)


@dataclass(frozen=True)
class Said:
    """An answer. `cut`: the connection is closed instead; `hang`: nothing is ever said."""

    status: int = 200
    body: bytes = OK_BODY
    retry_after: int | None = None
    cut: bool = False
    hang: bool = False


@dataclass
class Receiver:
    """What the connections share. `verdict` sees the body of a request; None of it costs anything."""

    delay_s: float = 0.0
    verdict: Callable[[bytes], Said] | None = None
    goaway_after: int = 0
    streams: int = 100
    taken: int = 0
    connections: int = 0
    goaways: int = 0
    tokens: int = 0
    lines: set[asyncio.Transport] = field(default_factory=set)

    def judge(self, body: bytes) -> Said:
        """The answer to one push."""
        self.taken += 1
        return _FINE if self.verdict is None else self.verdict(body)

    def protocol(self) -> asyncio.Protocol:
        """One connection."""
        self.connections += 1
        return _Connection(self)


_FINE = Said()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame (RFC 9113 section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _head(said: Said) -> bytes:
    status = _INDEXED.get(said.status) or b"\x08\x03%d" % said.status
    fields = status + b"\x0f\x10\x10application/json"
    if said.retry_after is not None:
        told = str(said.retry_after).encode()
        fields += b"\x0f\x26" + bytes((len(told),)) + told
    return fields


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._in = b""
        self._bodies: dict[int, list[bytes]] = {}
        self._feed: Callable[[], None] | None = None
        self._served = self._weight = 0
        self._last = 0
        self._ended = False
        self._due: list[tuple[int, Said]] = []
        self._heads: dict[Said, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out = transport
        self._receiver.lines.add(transport)

    def connection_lost(self, why: Exception | None) -> None:
        self._receiver.lines.discard(self._out)

    def data_received(self, data: bytes) -> None:
        self._in += data
        if self._feed is None:
            if len(self._in) < len(_PREFACE) and _PREFACE.startswith(self._in):
                return
            self._feed = self._http1
            if self._in.startswith(_PREFACE):
                self._in = self._in[len(_PREFACE) :]
                settings = b"\x00\x03" + self._receiver.streams.to_bytes(4, "big")
                self._out.write(frame(_SETTINGS, 0, 0, settings) + frame(8, 0, 0, _LARGE.to_bytes(4, "big")))
                self._feed = self._http2
        self._feed()

    def _http2(self) -> None:
        data, at = self._in, 0
        while len(data) - at >= 9:
            size = int.from_bytes(data[at : at + 3], "big")
            if len(data) - at < 9 + size:
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : at + 9], "big") & 0x7FFFFFFF
            self._take(kind, flags, stream, data[at + 9 : at + 9 + size])
            at += 9 + size
        self._in = data[at:]
        if self._due:
            due, self._due = self._due, []
            if self._receiver.delay_s:
                asyncio.get_running_loop().call_later(self._receiver.delay_s, self._answer, due)
            else:
                self._answer(due)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._weight += len(payload)
            if self._weight > 1 << 29:
                self._out.write(frame(8, 0, 0, self._weight.to_bytes(4, "big")))
                self._weight = 0
            self._bodies.setdefault(stream, []).append(payload)
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            if not self._ended:
                self._last = stream
                self._due.append((stream, self._receiver.judge(b"".join(self._bodies.pop(stream, ())))))
                self._served += 1
                if self._served == self._receiver.goaway_after:
                    self._say_goaway()
        elif kind == _SETTINGS and not flags & _ACK:
            self._out.write(frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._out.write(frame(_PING, _ACK, 0, payload))
        elif kind == _RESET:
            self._bodies.pop(stream, None)

    def _say_goaway(self) -> None:
        """What came in so far is answered; the client asks the rest elsewhere."""
        self._receiver.goaways += 1
        self._ended = True
        self._out.write(frame(_GOAWAY, 0, 0, self._last.to_bytes(4, "big") + bytes(4)))

    def _answer(self, due: list[tuple[int, Said]]) -> None:
        if self._out.is_closing():
            return
        parts = []
        for stream, said in due:
            if said.cut:
                self._out.abort()
                return
            if said.hang:
                continue
            head = self._heads.get(said)
            if head is None:
                head = self._heads[said] = _head(said)
            parts.append(frame(_HEADERS, 0x4, stream, head) + frame(_DATA, _END_STREAM, stream, said.body))
        self._out.write(b"".join(parts))
        if self._ended:
            asyncio.get_running_loop().call_later(0.2, self._out.close)

    def _http1(self) -> None:
        while (end := self._in.find(b"\r\n\r\n")) >= 0:
            head = self._in[:end].lower()
            found = head.find(b"content-length:")
            size = int(head[found + 15 :].split(b"\r\n", 1)[0]) if found >= 0 else 0
            if len(self._in) < end + 4 + size:
                return
            body = self._in[end + 4 : end + 4 + size]
            self._in = self._in[end + 4 + size :]
            if b"/token" in head.split(b"\r\n", 1)[0]:
                self._receiver.tokens += 1
                self._write1(Said(body=TOKEN_BODY))
                continue
            said = self._receiver.judge(body)
            if self._receiver.delay_s:
                asyncio.get_running_loop().call_later(self._receiver.delay_s, self._write1, said)
            else:
                self._write1(said)

    def _write1(self, said: Said) -> None:
        if said.cut:
            self._out.abort()
        if said.hang or self._out.is_closing():
            return
        wait = b"" if said.retry_after is None else b"Retry-After: %d\r\n" % said.retry_after
        head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
        self._out.write(head % (said.status, len(said.body), wait) + said.body)


def tls(cert: Path, key: Path) -> ssl.SSLContext:
    """A server's context that offers HTTP/2 first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def serve(receiver: Receiver, port: int, context: ssl.SSLContext | None) -> asyncio.Server:
    """Listen on loopback."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(receiver.protocol, "127.0.0.1", port, ssl=context, backlog=1024)


def main(cert: str, key: str, port: str, delay_ms: str) -> None:
    """Serve until killed; print one line when it listens."""

    async def run() -> None:
        server = await serve(Receiver(float(delay_ms) / 1000), int(port), tls(Path(cert), Path(key)))
        print(json.dumps({"listening": port}), flush=True)
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:5])
