"""Where events may be sent: nowhere inside, whatever a name says, and only so long and so much."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.events import receivers
from tests.events.receivers import receiver, says, sends
from wallet_api.events.errors import BadWebhook
from wallet_api.events.outbound import OutboundFault, Poster, Rules

DEV = Rules(dev=True)
PROD = Rules(dev=False, hosts=("his.example.vn", "*.bv.example.vn", "odd.example.vn:8443"))
KIND = "application/secevent+jwt"


@pytest.mark.parametrize(
    "url",
    [
        "https://his.example.vn",
        "https://his.example.vn/a/b-c_d~e.f",
        "https://his.example.vn:443/",
        "https://x.bv.example.vn/",
        "https://x.y.bv.example.vn/",
        "https://odd.example.vn:8443/x",
    ],
)
def test_a_listed_host_may_be_sent_to(url: str) -> None:
    assert PROD.check_url(url).scheme == "https"


@pytest.mark.parametrize(
    ("fault", "url"),
    [
        ("scheme", "http://his.example.vn/"),
        ("scheme", "ftp://his.example.vn/"),
        ("scheme", "gopher://his.example.vn/"),
        ("host", "https://evil.example/"),
        ("host", "https://his.example.vn.evil.example/"),
        ("host", "https://bv.example.vn/"),
        ("host", "https://xbv.example.vn/"),
        ("host", "https://his.example.vn:8443/"),
        ("host", "https://odd.example.vn/"),
        ("host", "https://127.0.0.1/"),
        ("host", "https://2130706433/"),
        ("host", "https://localhost/"),
        ("form", "https://[::1]/"),
        ("form", "https://his.example.vn./"),
        ("form", "https://user@his.example.vn/"),
        ("form", "https://his.example.vn@evil.example/"),
        ("form", "https://his.example.vn\\@evil.example/"),
        ("form", "https://his.example.vn/?a=b"),
        ("form", "https://his.example.vn/?"),
        ("form", "https://his.example.vn/#"),
        ("form", "https://his.example.vn/a b"),
        ("form", "https://his.example.vn/\r\nX: y"),
        ("form", "https://his.example.vn\n/"),
        ("form", "https://his.example.vn/%0d%0a"),
        ("form", "https://his_x.example.vn/"),
        ("form", "https://hís.example.vn/"),
        ("form", "https://his.example.vn:99999/"),
        ("form", "https://his.example.vn:x/"),
        ("form", "https:///x"),
        ("form", "his.example.vn"),
        ("form", ""),
        ("form", "https://his.example.vn/" + "a" * 500),
    ],
)
def test_any_other_address_is_refused(fault: str, url: str) -> None:
    with pytest.raises(BadWebhook) as why:
        PROD.check_url(url)
    assert why.value.fault == fault


def test_without_a_list_nothing_may_be_sent_to_and_in_development_only_this_machine() -> None:
    with pytest.raises(BadWebhook):
        Rules(dev=False).check_url("https://his.example.vn/")
    assert DEV.check_url("http://localhost:9443/x").port == 9443
    for url in ("https://his.example.vn/", "http://10.0.0.1/", "file:///etc/passwd"):
        with pytest.raises(BadWebhook):
            DEV.check_url(url)


INSIDE = (
    "127.0.0.1 127.9.9.9 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.1 "
    "192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 "
    "fe80::1 fe80::1%eth0 fc00::1 fd12::1 ff02::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::7f00:1 "
    "64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 100::1 x"
)


@pytest.mark.parametrize("address", INSIDE.split())
def test_no_address_inside_is_connected_to(address: str) -> None:
    assert not PROD.allows(address)
    poster = Poster(PROD, resolve=lambda host, port: [address])
    with pytest.raises(OutboundFault) as why:
        poster.post("https://his.example.vn/", b"x", KIND)
    assert why.value.code == "address"


def test_addresses_outside_are_allowed_and_in_development_are_not() -> None:
    for address in ("8.8.8.8", "113.160.0.1", "2400:cb00::1"):
        assert PROD.allows(address) and not DEV.allows(address)
    assert DEV.allows("127.0.0.1") and DEV.allows("::1") and not DEV.allows("10.0.0.1")


def test_one_address_inside_among_others_is_one_too_many() -> None:
    poster = Poster(PROD, resolve=lambda host, port: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(OutboundFault) as why:
        poster.post("https://his.example.vn/", b"x", KIND)
    assert why.value.code == "address"


def test_a_name_that_answers_differently_the_second_time_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: the socket goes to the address that was looked at; the name is not asked again."""
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    reached: list[Any] = []

    def connect(address: Any, timeout: float) -> Any:
        reached.append(address)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(OutboundFault) as why:
        Poster(PROD, resolve=resolve).post("https://his.example.vn/", b"x", KIND)
    assert why.value.code == "connect" and reached == [("8.8.8.8", 443)] and len(asked) == 1


def test_where_the_socket_really_went_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that sends outside addresses inside: nothing is written before the peer is known."""
    with receiver(says(200)) as inside:
        real = socket.create_connection
        monkeypatch.setattr(socket, "create_connection", lambda to, timeout: real(("127.0.0.1", inside.port)))
        with pytest.raises(OutboundFault) as why:
            Poster(PROD, resolve=lambda host, port: ["8.8.8.8"]).post("https://his.example.vn/", b"x", KIND)
        assert why.value.code == "address" and not inside.bodies


def test_the_status_is_the_answer_and_redirects_are_not_followed() -> None:
    for status in (200, 202, 204, 301, 307, 404, 500, 503):
        with receiver(says(status, "Location: http://127.0.0.1:9/elsewhere")) as it:
            assert Poster(DEV).post(it.url, b"hello", KIND) == status
            assert it.bodies == [b"hello"]
    assert it.heads[0].startswith(b"POST /wallet-events HTTP/1.1\r\nHost: 127.0.0.1:")


def test_an_answer_that_is_announced_first_is_waited_for() -> None:
    with receiver(sends(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n")) as it:
        assert Poster(DEV).post(it.url, b"x", KIND) == 202


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (receivers.hangs, "timeout"),
        (receivers.drips, "timeout"),
        (receivers.floods, "answer"),
        (receivers.closes, "closed"),
        (sends(b"SSH-2.0-OpenSSH\r\n"), "answer"),
        (sends(b"HTTP/1.1 999 X\r\n"), "answer"),
        (sends(b"HTTP/2 200\r\n"), "answer"),
        (sends(b"HTTP/1.1 103 X\r\n\r\n" * 2000), "answer"),
        (sends(b"HTTP/1.1 20"), "closed"),
    ],
)
def test_a_bad_receiver_costs_so_much_time_and_no_more(answer: Any, fault: str) -> None:
    with receiver(answer) as it:
        began = time.monotonic()
        with pytest.raises(OutboundFault) as why:
            Poster(DEV, seconds=0.4 if fault == "timeout" else 20).post(it.url, b"x", KIND)
        assert why.value.code in (fault, "timeout") and time.monotonic() - began < 15
        assert fault == "answer" or why.value.code == fault


def test_a_resolver_that_hangs_is_left_behind() -> None:
    poster = Poster(PROD, resolve=lambda host, port: time.sleep(3) or [], seconds=0.2)
    with pytest.raises(OutboundFault) as why:
        poster.post("https://his.example.vn/", b"x", KIND)
    assert why.value.code == "timeout"
    with pytest.raises(OutboundFault) as why:
        Poster(PROD, resolve=_no_name).post("https://his.example.vn/", b"x", KIND)
    assert why.value.code == "resolve"


def _no_name(host: str, port: int) -> list[str]:
    raise socket.gaierror


def test_nobody_there_and_a_proxy_of_this_machine_that_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with receiver(says(202)) as it:
        assert Poster(DEV).post(it.url, b"x", KIND) == 202
    with pytest.raises(OutboundFault) as why:
        Poster(DEV).post("http://127.0.0.1:9/", b"x", KIND)
    assert why.value.code == "connect"


def test_tls_is_spoken_only_with_whom_the_name_belongs_to(tmp_path: Path) -> None:
    authority = _certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def over_tls(sock: socket.socket) -> None:
        raise AssertionError("plain text came through")

    def trusting() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(authority))

    with receiver(over_tls) as plain:
        with pytest.raises(OutboundFault) as why:
            Poster(DEV, seconds=0.5).post(plain.url.replace("http:", "https:"), b"x", KIND)
        assert why.value.code in ("tls", "timeout") and not plain.bodies
    with _tls_server(serving) as port:
        assert Poster(DEV, tls=trusting).post(f"https://localhost:{port}/", b"x", KIND) == 202
        for tls, host in ((ssl.create_default_context, "localhost"), (trusting, "other.localhost")):
            poster = Poster(DEV, tls=tls, resolve=lambda name, to: ["127.0.0.1"])
            with pytest.raises(OutboundFault) as why:
                poster.post(f"https://{host}:{port}/", b"x", KIND)
            assert why.value.code == "tls"


def _tls_server(context: ssl.SSLContext) -> Any:
    import threading
    from contextlib import contextmanager, suppress

    @contextmanager
    def serving() -> Any:
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    raw = listening.accept()[0]
                except OSError:
                    return
                with suppress(OSError), context.wrap_socket(raw, server_side=True) as sock:
                    sock.recv(65536)
                    sock.sendall(b"HTTP/1.1 202 Accepted\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    return serving()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
            False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    raw = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(raw)
    return folder / "cert.pem"
