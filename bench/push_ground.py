"""What pushing is measured on: a certificate, a service account, and the fastest receiver of this machine."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench.receiver import OK_BODY, TOKEN_BODY
from notifications.channels.fcm import FcmSettings
from notifications.channels.fcm_curl import CurlChannel
from wallet_api.infra.clock import system_now
from wallet_api.infra.machine import free_port, port_taken

ECHO_MODULES = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules")
_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench receiver")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "receiver.crt", folder / "receiver.key"
    cert_path.write_bytes(made.public_bytes(Encoding.PEM))
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key_path.write_bytes(key.private_bytes(*plain))
    return cert_path, key_path


@cache
def _private_key() -> str:
    """One for this process: looking for such primes takes longer than a thousand pushes."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(url: str) -> dict[str, Any]:
    """An account whose tokens the receiver itself gives out."""
    return {
        "type": "service_account",
        "project_id": "demo",
        "private_key": _private_key(),
        "client_email": "push@demo.example",
        "token_uri": f"{url}/token",
    }


@contextmanager
def receiving(folder: Path, delay_ms: int) -> Iterator[tuple[str, str]]:
    """A receiver over TLS that answers after so long: its URL, and which one it is.

    nginx where it is installed (with its echo module where it has to wait), else our own by frames.
    """
    cert, key = folder / "receiver.crt", folder / "receiver.key"
    if not cert.exists():
        certificate(folder)
    port, found = free_port(), _nginx(delay_ms)
    if found is None:
        kind = "frames in Python"
        command = [sys.executable, "-m", "bench.receiver", str(cert), str(key), str(port), str(delay_ms)]
    else:
        kind, (program, module) = "nginx", found
        conf = folder / f"receiver-{delay_ms}.conf"
        conf.write_text(_configuration(folder, port, delay_ms, module), encoding="utf-8")
        command = [program, "-c", str(conf), "-p", str(folder), "-e", str(folder / "receiver.log")]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own receiver
    try:
        _await(port, running)
        yield f"https://127.0.0.1:{port}", kind
    finally:
        running.terminate()
        running.wait(10)


def _await(port: int, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while not port_taken(port):
        if time.monotonic() > until or running.poll() is not None:
            raise TimeoutError("the receiver did not start")
        time.sleep(0.02)


def _nginx(delay_ms: int) -> tuple[str, str] | None:
    program = shutil.which("nginx", path=os.environ.get("BENCH_NGINX_PATH", "") + ":" + _PATH)
    if program is None:
        return None
    places = [*ECHO_MODULES, os.environ.get("BENCH_NGINX_MODULES", "")]
    modules = [str(path) for each in places if (path := Path(each) / "ngx_http_echo_module.so").exists()]
    if delay_ms and not modules:
        return None
    return program, modules[0] if modules and delay_ms else ""


def _configuration(folder: Path, port: int, delay_ms: int, module: str) -> str:
    answer = f"return 200 '{OK_BODY.decode()}';"
    if delay_ms:
        answer = f"echo_sleep {delay_ms / 1000}; echo '{OK_BODY.decode()}';"
    return f"""
{f"load_module {module};" if module else ""}
daemon off; worker_processes 1; pid {folder}/receiver.pid; {"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 16k; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl http2; http2_max_concurrent_streams 100;
    ssl_certificate {folder}/receiver.crt; ssl_certificate_key {folder}/receiver.key;
    location /token {{ return 200 '{TOKEN_BODY.decode()}'; }}
    location / {{ {answer} }}
  }}
}}
"""


def channel_to(folder: Path, url: str, delay_ms: int) -> CurlChannel:
    """The product's sender, with connections for 20,000 pushes a second at this latency."""
    latency = max(delay_ms, 5) * 2 / 1000
    settings = FcmSettings("demo", url, rate=20_000, latency_s=latency, ca_file=folder / "receiver.crt")
    return CurlChannel(settings, service_account(url), system_now)
