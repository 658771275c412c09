from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import firebase_admin.credentials
import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.sandbox.conftest import end, ready_line, sandbox_env, start
from tests.sandbox.test_conditions import demo_settings
from wallet_api.infra.machine import free_port
from wallet_api.sandbox.service_account import GRANT, TokenDesk, keep_service_account, service_account_path

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


@dataclass
class Fcm:
    base: str
    account: dict[str, str]
    bearer: str = ""

    def assertion(self, key: object = None, alg: str = "RS256", **changes: object) -> str:
        now = int(time.time())
        claims = {
            "iss": self.account["client_email"],
            "aud": self.account["token_uri"],
            "scope": SCOPE,
            "iat": now,
            "exp": now + 3600,
        }
        return jwt.encode(claims | changes, key or self.account["private_key"], alg)

    def token(self, assertion: str, grant: str = GRANT) -> requests.Response:
        return requests.post(f"{self.base}/token", {"grant_type": grant, "assertion": assertion}, timeout=5)

    def send(self, address: str, *, kind: str = "token", **more: object) -> requests.Response:
        return self.post(
            {"message": {kind: address, "notification": {"body": "Bạn có một nhắc hẹn mới"}}} | more
        )

    def post(
        self, body: object, *, bearer: str | None = None, project: str = "wallet-sandbox"
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.bearer if bearer is None else bearer}"}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.base}/v1/projects/{project}/messages:send"
        return requests.post(url, raw, headers=headers | {"Content-Type": "application/json"}, timeout=10)

    def received(self) -> list[dict[str, object]]:
        return requests.get(f"{self.base}/received", timeout=5).json()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fcm]:
    data, port = tmp_path_factory.mktemp("push"), free_port()
    options = ("--port", str(port), "--retry-after", "7", "--hang-seconds", "1.5")
    process = start("push", sandbox_env(data, port), *options)
    try:
        ready_line(process)
        account = json.loads((data / "sandbox" / "service-account.json").read_text())
        found = Fcm(f"http://127.0.0.1:{port}", account)
        answer = found.token(found.assertion())
        assert answer.status_code == 200, answer.text
        found.bearer = answer.json()["access_token"]
        yield found
    finally:
        end(process)


@pytest.fixture
def fcm(receiver: Fcm) -> Fcm:
    requests.delete(f"{receiver.base}/received", timeout=5)
    return receiver


def detail(answer: requests.Response) -> dict[str, object]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert error["message"]
    return error["details"][0]


@pytest.mark.parametrize("kind", ["token", "fid", "topic", "condition"])
def test_a_good_message_is_accepted_and_kept(fcm: Fcm, kind: str) -> None:
    answer = fcm.send("ok-1", kind=kind)
    assert answer.status_code == 200
    assert answer.headers["Wallet-Sandbox"] == "true"
    seen = fcm.received()
    assert answer.json() == {"name": f"projects/wallet-sandbox/messages/{seen[0]['id']}"}
    assert (seen[0]["address"], seen[0]["address_kind"], seen[0]["status"]) == ("ok-1", kind, 200)
    assert seen[0]["body"]["message"]["notification"] == {"body": "Bạn có một nhắc hẹn mới"}
    assert "Authorization" not in seen[0]["headers"]
    assert fcm.bearer not in json.dumps(seen)


@pytest.mark.parametrize(
    ("address", "status", "state", "code"),
    [
        ("gone-1", 404, "NOT_FOUND", "UNREGISTERED"),
        ("bad-1", 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("mismatch-1", 403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        ("apns-1", 401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        ("quota-1", 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        ("busy-1", 503, "UNAVAILABLE", "UNAVAILABLE"),
        ("broken-1", 500, "INTERNAL", "INTERNAL"),
        ("a token nobody made", 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    ],
)
def test_an_address_chooses_its_refusal(fcm: Fcm, address: str, status: int, state: str, code: str) -> None:
    for _ in range(2):
        answer = fcm.send(address)
        assert (answer.status_code, answer.json()["error"]["status"]) == (status, state)
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        assert detail(answer) == {"@type": kind, "errorCode": code}
        assert answer.headers.get("Retry-After") == ("7" if status in (429, 503) else None)
    assert [one["verdict"] for one in fcm.received()] == [fcm.received()[0]["verdict"]] * 2


def test_a_refused_payload_is_told_apart_from_a_refused_address(fcm: Fcm) -> None:
    answer = fcm.send("payload-1")
    assert answer.status_code == 400
    found = detail(answer)
    assert found["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert set(found["fieldViolations"][0]) == {"field", "description"}


@pytest.mark.parametrize(("word", "status"), [("quota1", 429), ("busy1", 503), ("gone1", 404)])
def test_a_once_address_refuses_once(fcm: Fcm, word: str, status: int) -> None:
    assert [fcm.send(f"{word}-a").status_code for _ in range(3)] == [status, 200, 200]
    assert fcm.send(f"{word}-b").status_code == status
    requests.delete(f"{fcm.base}/received", timeout=5)
    assert fcm.send(f"{word}-a").status_code == status


def test_a_hanging_address_holds_only_its_own_answer(fcm: Fcm) -> None:
    with pytest.raises(requests.Timeout):
        requests.post(
            f"{fcm.base}/v1/projects/wallet-sandbox/messages:send",
            json={"message": {"token": "hang-1"}},
            headers={"Authorization": f"Bearer {fcm.bearer}"},
            timeout=0.3,
        )
    began = time.monotonic()
    assert fcm.send("ok-1").status_code == 200
    assert time.monotonic() - began < 1
    assert fcm.send("hang-2").status_code == 200


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b"\xff", b"[" * 100_000, {"message": {"token": "ok", "to": "x"}}]
)
def test_a_wrong_body_is_a_bad_request_and_is_not_kept(fcm: Fcm, body: object) -> None:
    answer = fcm.post(body)
    assert answer.status_code == 400
    assert detail(answer)["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert fcm.received() == []


@pytest.mark.parametrize("bearer", ["", "ya29.made-up", "null"])
def test_a_token_we_did_not_issue_is_unauthenticated(fcm: Fcm, bearer: str) -> None:
    answer = fcm.post({"message": {"token": "ok-1"}}, bearer=bearer)
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert fcm.received() == []


def test_another_project_is_denied(fcm: Fcm) -> None:
    answer = fcm.post({"message": {"token": "ok-1"}}, project="other")
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert "details" not in answer.json()["error"]


def test_validate_only_delivers_nothing(fcm: Fcm) -> None:
    assert fcm.send("ok-1", validate_only=True).json()["name"].endswith("/fake_message_id")
    assert fcm.received()[0]["validate_only"] is True
    assert "ok-1" not in requests.get(f"{fcm.base}/", timeout=5).text


def test_the_lock_screen_shows_what_arrived_escaped_and_says_sandbox(fcm: Fcm) -> None:
    fcm.post(
        {"message": {"fid": "ok-<b>", "notification": {"title": "<script>1</script>", "body": "Nhắc hẹn"}}}
    )
    fcm.post({"message": {"fid": "ok-data-only", "data": {"reminder": "r1"}}})
    fcm.send("gone-7")
    page = requests.get(f"{fcm.base}/", timeout=5)
    assert page.headers["Wallet-Sandbox"] == "true"
    assert "SANDBOX" in page.text
    assert "Nhắc hẹn" in page.text
    assert "404 gone" in page.text
    assert "<script>" not in page.text
    assert "ok-<b>" not in page.text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"iss": "someone@else.iam.gserviceaccount.com"}, "invalid_grant"),
        ({"aud": "https://elsewhere.example/token"}, "invalid_grant"),
        ({"iat": 1, "exp": 3601}, "invalid_grant"),
        ({"exp": 32503680000}, "invalid_grant"),
        ({"exp": None}, "invalid_grant"),
        ({"iat": "x"}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/userinfo.email"}, "invalid_scope"),
    ],
)
def test_a_wrong_assertion_gets_no_token(fcm: Fcm, change, error: str) -> None:
    answer = fcm.token(fcm.assertion(**change))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_an_assertion_not_signed_by_the_service_account_gets_no_token(fcm: Fcm) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert fcm.token(fcm.assertion(key=stranger)).json()["error"] == "invalid_grant"
    assert fcm.token(fcm.assertion(key="k" * 64, alg="HS256")).json()["error"] == "invalid_grant"
    assert fcm.token("nonsense").json()["error"] == "invalid_grant"
    assert fcm.token(fcm.assertion(), grant="password").json()["error"] == "unsupported_grant_type"


def test_the_official_credentials_class_takes_the_file_and_gets_a_working_token(fcm: Fcm) -> None:
    token = firebase_admin.credentials.Certificate(dict(fcm.account)).get_access_token().access_token
    assert fcm.post({"message": {"token": "ok-1"}}, bearer=token).status_code == 200


def test_the_account_keeps_its_key_and_follows_the_port(tmp_path: Path) -> None:
    settings = demo_settings(tmp_path)
    first = keep_service_account(settings, "http://127.0.0.1:1")
    second = keep_service_account(settings, "http://127.0.0.1:2")
    assert first["private_key"] == second["private_key"]
    assert second["token_uri"] == "http://127.0.0.1:2/token"
    path = service_account_path(settings)
    assert json.loads(path.read_text()) == second
    assert path.stat().st_mode & 0o077 == 0


def test_a_bearer_token_dies_after_an_hour(tmp_path: Path) -> None:
    account = keep_service_account(demo_settings(tmp_path), "http://127.0.0.1:1")
    moment = datetime.now(UTC)
    desk = TokenDesk(account, lambda: moment)
    token = desk.issue({"grant_type": GRANT, "assertion": Fcm("", account).assertion()})
    moment += timedelta(minutes=59)
    assert desk.knows(f"Bearer {token}")
    assert not desk.knows(f"Basic {token}")
    moment += timedelta(minutes=1)
    assert not desk.knows(f"Bearer {token}")
