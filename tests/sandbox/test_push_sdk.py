"""The official library itself talks to the receiver; its endpoint is fixed, so a loopback proxy ends TLS."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from tests.sandbox.conftest import ROOT, end, new_key, ready_line, sandbox_env, start
from wallet_api.infra.machine import free_port

FCM = "fcm.googleapis.com"


def certificate(folder: Path) -> Path:
    """A certificate for FCM's name that only this test trusts; certificate and key in one file."""
    pem = new_key()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FCM)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(FCM)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "fcm.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + pem)
    return path


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError, ValueError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def serve_one(connection: socket.socket, context: ssl.SSLContext, port: int) -> None:
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += (piece := connection.recv(4096))
        if not piece:
            connection.close()
            return
    if not asked.startswith(f"CONNECT {FCM}:443".encode()):
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        connection.close()
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with (
        suppress(OSError),
        context.wrap_socket(connection, server_side=True) as inside,
        socket.create_connection(("127.0.0.1", port)) as outside,
    ):
        back = threading.Thread(target=pump, args=(outside, inside), daemon=True)
        back.start()
        pump(inside, outside)
        back.join()


@pytest.fixture
def tunnel(tmp_path: Path) -> Iterator[tuple[int, Path, int]]:
    """A CONNECT proxy that leads FCM's name to the port of the receiver, and nothing else anywhere."""
    target, pem = free_port(), certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve_one, args=(connection, context, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1], pem, target
    listener.close()


def test_the_official_library_reads_every_refusal_as_what_it_means(
    tunnel: tuple[int, Path, int], tmp_path: Path
) -> None:
    proxy, pem, port = tunnel
    wanted = {
        "gone-1": "UnregisteredError",
        "mismatch-1": "SenderIdMismatchError",
        "bad-1": "InvalidArgumentError",
        "payload-1": "InvalidArgumentError",
        "apns-1": "ThirdPartyAuthError",
        "quota-1": "QuotaExceededError",
    }
    process = start("push", sandbox_env(tmp_path, port), "--port", str(port), "--retry-after", "1")
    ready_line(process)
    try:
        probe = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).with_name("sdk_probe.py")),
                str(tmp_path / "sandbox" / "service-account.json"),
                "ok-1",
                "busy1-1",
                *wanted,
            ],
            cwd=ROOT,
            env={
                "PATH": "",
                "HTTPS_PROXY": f"http://127.0.0.1:{proxy}",
                "NO_PROXY": "127.0.0.1",
                "REQUESTS_CA_BUNDLE": str(pem),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        end(process)
    assert probe.returncode == 0, probe.stderr
    found = json.loads(probe.stdout)
    assert found.pop("ok-1").startswith("projects/wallet-sandbox/messages/")
    assert found.pop("busy1-1").startswith("projects/wallet-sandbox/messages/")
    assert found == wanted
