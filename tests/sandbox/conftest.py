"""Real loopback processes of the sandbox, and a relying party that talks to them."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from wallet_api.infra.clock import FileClock
from wallet_api.infra.machine import free_port
from wallet_api.sandbox.clients import ASSERTION_TYPE, publish_client_key

ROOT = Path(__file__).resolve().parents[2]
CALLBACK = "http://127.0.0.1:8080/oauth/vneid/callback"


def sandbox_env(data: Path, port: int, **more: str) -> dict[str, str]:
    base = f"http://127.0.0.1:{port}"
    told = {
        "WALLET_ENV": "dev",
        "WALLET_DATA_DIR": str(data),
        "WALLET_VNEID_ISSUER": base,
        "WALLET_OPS_ISSUER": base,
        "WALLET_FCM_ENDPOINT": base,
        "WALLET_CLOCK_FILE": str(data / "clock"),
        "PYTHONWARNINGS": "error",
    }
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | told | more


# The marker has its own tests; here it is taken as present so that no database has to run.
_DRIVER = "import sys; from wallet_api.sandbox import {0}; {0}.main(sys.argv[1:], has_marker=lambda _: {1})"


def start(module: str, env: dict[str, str], *options: str, marked: bool = True) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _DRIVER.format(module, marked), *options],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline().strip() or pytest.fail(f"did not start: {process.stderr.read()}")


def end(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    return process.returncode


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a sandbox process by hand; what still runs at the end of the test is ended."""
    running: list[subprocess.Popen[str]] = []

    def begin(
        module: str, port: int, *options: str, marked: bool = True, **more: str
    ) -> subprocess.Popen[str]:
        env = sandbox_env(tmp_path, port, **more)
        process = start(module, env, "--port", str(port), *options, marked=marked)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate(timeout=30)


@dataclass
class RelyingParty:
    """A client of the sandbox provider that knows how to do everything right, and lets a test do it wrong."""

    issuer: str
    client_id: str
    callback: str
    pem: bytes
    clock: FileClock
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def ask(self, **changes: str | None) -> requests.Response:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "scope": "openid",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "login_hint": "an",
        }
        wanted = {name: value for name, value in (params | changes).items() if value is not None}
        return requests.get(f"{self.issuer}/oauth2/authorize", wanted, allow_redirects=False, timeout=30)

    def code(self, **changes: str | None) -> str:
        return self.answer(self.ask(**changes))["code"]

    def answer(self, response: requests.Response) -> dict[str, str]:
        assert response.status_code in (302, 303), response.text
        target = urlsplit(response.headers["Location"])
        assert response.headers["Location"].startswith(self.callback)
        return {name: values[0] for name, values in parse_qs(target.query).items()}

    def assertion(self, key: bytes | None = None, **changes: object) -> str:
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{self.issuer}/oauth2/token",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims | changes, key or self.pem, "ES256")

    def redeem(self, code: str, **changes: str | None) -> requests.Response:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback,
            "code_verifier": self.verifier,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(),
        }
        wanted = {name: value for name, value in (form | changes).items() if value is not None}
        return requests.post(f"{self.issuer}/oauth2/token", wanted, timeout=30)


def new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True)
class Provider:
    issuer: str
    data: Path
    clock: FileClock
    wallet: RelyingParty
    ops: RelyingParty


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """One provider process for a module, with both relying parties registered in it."""
    data, port = tmp_path_factory.mktemp("vneid"), free_port()
    issuer, clock = f"http://127.0.0.1:{port}", FileClock(data / "clock")
    parties = []
    for client_id, audience, callback in (
        ("health-wallet", "citizen", CALLBACK),
        ("health-wallet-ops", "ops", "http://127.0.0.1:8080/oauth/ops/callback"),
    ):
        pem_file = data / f"{audience}.pem"
        pem_file.write_bytes(new_key())
        (data / "sandbox").mkdir(exist_ok=True)
        publish_client_key(pem_file, data / "sandbox" / f"{audience}-client.jwks.json")
        parties.append(RelyingParty(issuer, client_id, callback, pem_file.read_bytes(), clock))
    process = start("vneid", sandbox_env(data, port), "--port", str(port), "--issuer", issuer)
    try:
        assert ready_line(process) == f"sandbox VNeID on {issuer}"
        yield Provider(issuer, data, clock, *parties)
    finally:
        end(process)


@pytest.fixture(autouse=True)
def _clock_back(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "provider" in request.fixturenames:
        (request.getfixturevalue("provider").data / "clock").unlink(missing_ok=True)


@pytest.fixture
def wallet(provider: Provider) -> RelyingParty:
    return provider.wallet


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.05)
