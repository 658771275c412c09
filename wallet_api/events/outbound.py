"""One POST to a registered address: bounded in time and bytes, to no address of our own networks.

The name is resolved once; every address it has must be one that may be called, and the socket goes to the
very address that was looked at, so that a name that answers differently the second time gains nothing.
There are no redirects, proxies, cookies or retries here, and of the answer only the status line is read.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from wallet_api.events.errors import BadWebhook
from wallet_api.settings import loopback_host

SECONDS: Final = 5.0
"""What one POST may take, from the question for the name to the status line."""
_ADDRESSES: Final = 2  # tried one after the other, within those seconds
_HEAD_BYTES: Final = 8192  # an answer whose status line has not come by then has none
_LONGEST_URL: Final = 500
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})[ \r\n]")
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1[0-9]{2}[ \r\n]")
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_PATH: Final = re.compile(r"/[A-Za-z0-9._~/-]*")
_EMBEDDING: Final = tuple(
    map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
)
"""IPv6 ranges whose addresses stand for IPv4 ones (RFC 6052, 8215, 3056, 4380): a way round the rules."""

Resolve = Callable[[str, int], Sequence[str]]


class OutboundFault(Exception):
    """Nothing was delivered, as far as we know. `code` says why and may be logged; it names nobody."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Rules:
    """Where may be sent to. Development: this machine alone. Elsewhere: https to listed hosts, never inside.

    `hosts`: names, or `*.name` for all below a name; a port other than 443 is listed with it (`name:8443`).
    """

    dev: bool
    hosts: tuple[str, ...] = ()

    def check_url(self, url: str) -> SplitResult:
        """The parts of an address events may be sent to.

        Raises:
            BadWebhook: `form`, `scheme`, or `host`: not one of those that were listed.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as why:
            raise BadWebhook("form") from why
        # The parser drops line breaks in silence, and takes more for a name than the network does.
        plain = len(url) <= _LONGEST_URL and url.isascii() and not set(url) & set("\t\r\n @?#\\")
        if not plain or not _PATH.fullmatch(parts.path or "/") or not _NAME.fullmatch(host):
            raise BadWebhook("form")
        if self.dev:
            if parts.scheme not in ("http", "https"):
                raise BadWebhook("scheme")
            if not loopback_host(host):
                raise BadWebhook("host")
            return parts
        if parts.scheme != "https":
            raise BadWebhook("scheme")
        if not self._listed(host, port or 443):
            raise BadWebhook("host")
        return parts

    def allows(self, address: str) -> bool:
        """Whether an address may be connected to."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if self.dev:
            return found.is_loopback
        if isinstance(found, ipaddress.IPv6Address) and any(found in each for each in _EMBEDDING):
            return False
        inside = found.is_private or found.is_loopback or found.is_link_local or found.is_reserved
        return found.is_global and not (inside or found.is_multicast or found.is_unspecified)

    def _listed(self, host: str, port: int) -> bool:
        if loopback_host(host) or not re.search(r"[a-z]", host):
            return False  # an address in place of a name
        for each in self.hosts:
            name, _, listed_port = each.lower().partition(":")
            below = name.startswith("*.") and host.endswith(name[1:]) and host != name[2:]
            if (host == name or below) and port == int(listed_port or 443):
                return True
        return False


def system_addresses(host: str, port: int) -> list[str]:
    """What the machine's resolver says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass
class Poster:
    """Sends bodies to addresses that `rules` allow. Thread-safe: it keeps nothing between two calls."""

    rules: Rules
    resolve: Resolve = system_addresses
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context
    seconds: float = SECONDS
    tick: Callable[[], float] = field(default=time.monotonic)

    def post(self, url: str, body: bytes, content_type: str) -> int:
        """The status that was answered, 2xx to 5xx, redirects as they are.

        Raises:
            BadWebhook: the address is none that events may be sent to (any more).
            OutboundFault: `resolve`, `address`, `connect`, `tls`, `timeout`, `closed` or `answer`.
        """
        parts, ends = self.rules.check_url(url), self.tick() + self.seconds
        host, secure = str(parts.hostname), parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        addresses = self._addresses(host, port, ends)
        if not addresses or not all(map(self.rules.allows, addresses)):
            raise OutboundFault("address")
        with self._connected(addresses, port, ends) as plain:
            sock = self._wrapped(plain, host, ends) if secure else plain
            with sock:
                return self._exchange(sock, _request(parts, body, content_type), ends)

    def _addresses(self, host: str, port: int, ends: float) -> Sequence[str]:
        """The resolver has no time limit of its own, so it is asked by a thread that may be left behind."""
        found: list[Sequence[str]] = []

        def ask() -> None:
            try:
                found.append(self.resolve(host, port))
            except (OSError, UnicodeError):
                return

        asking = threading.Thread(target=ask, name="resolve", daemon=True)
        asking.start()
        asking.join(self._left(ends))
        if not found:
            raise OutboundFault("timeout" if asking.is_alive() else "resolve")
        return found[0]

    def _connected(self, addresses: Sequence[str], port: int, ends: float) -> socket.socket:
        for address in addresses[:_ADDRESSES]:
            try:
                sock = socket.create_connection((address, port), timeout=self._left(ends))
            except OSError:
                continue
            # Where the bytes really go, whatever was asked for.
            if not self.rules.allows(str(sock.getpeername()[0])):
                sock.close()
                raise OutboundFault("address")
            return sock
        raise OutboundFault("connect")

    def _wrapped(self, sock: socket.socket, host: str, ends: float) -> ssl.SSLSocket:
        sock.settimeout(self._left(ends))
        try:
            return self.tls().wrap_socket(sock, server_hostname=host)
        except TimeoutError as why:
            raise OutboundFault("timeout") from why
        except (OSError, ValueError) as why:
            raise OutboundFault("tls") from why

    def _exchange(self, sock: socket.socket, request: bytes, ends: float) -> int:
        seen, room = b"", _HEAD_BYTES
        try:
            sock.settimeout(self._left(ends))
            sock.sendall(request)
            while True:
                seen = _without_interim(seen)
                if (status := _STATUS.match(seen)) is not None:
                    return int(status[1])
                if not room or (b"\n" in seen and not _INTERIM.match(seen)):
                    raise OutboundFault("answer")
                sock.settimeout(self._left(ends))
                more = sock.recv(room)
                if not more:
                    raise OutboundFault("closed")
                seen, room = seen + more, room - len(more)
        except TimeoutError as why:
            raise OutboundFault("timeout") from why
        except OSError as why:
            raise OutboundFault("closed") from why

    def _left(self, ends: float) -> float:
        seconds = ends - self.tick()
        if seconds <= 0:
            raise OutboundFault("timeout")
        return seconds


def _without_interim(seen: bytes) -> bytes:
    """What follows the answers that only announce the answer (RFC 9110, section 15.2)."""
    while _INTERIM.match(seen) and b"\r\n\r\n" in seen:
        seen = seen.split(b"\r\n\r\n", 1)[1]
    return seen


def _request(parts: SplitResult, body: bytes, content_type: str) -> bytes:
    host = parts.netloc.lower()
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nAccept: application/json\r\nUser-Agent: health-wallet\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
