"""The FCM channel against a provider on loopback: what leaves us, and what its answers mean."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from notifications.channels.fcm import FcmChannel, FcmSettings
from notifications.channels.fcm_wire import answer_of, push_body
from notifications.errors import BadChannel, BadDevice
from notifications.outgoing import Address, Answer, Device, Envelope
from tests.notifications.provider import Provider

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=4)
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
NID = "0f" * 16
OK = {"name": "projects/demo/messages/1"}


def address(value: str = "fid-of-phone-1", kind: str = "fid") -> Address:
    return Address("inst-1", "citizen-1", kind, value, 1)  # type: ignore[arg-type]  # builder


def refusal(status: int, code: str, kind: str = FCM_ERROR) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": status, "details": [{"@type": kind, "errorCode": code}]}}


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


def channel(provider: Provider, **over: Any) -> FcmChannel:
    account = {
        "type": "service_account",
        "project_id": "demo",
        "private_key": PEM,
        "client_email": "push@demo.example",
        "token_uri": f"{provider.url}/token",
    }
    return FcmChannel(FcmSettings("demo", provider.url, **over), account, lambda: NOW)


def envelopes(number: int) -> list[Envelope]:
    return [Envelope(address(f"fid-of-phone-{n}"), NID, "vi", UNTIL) for n in range(number)]


def test_a_push_is_posted_and_accepted(provider: Provider) -> None:
    [outcome] = channel(provider).deliver(envelopes(1))
    assert outcome.answer is Answer.ACCEPTED
    [(path, bearer, body)] = provider.pushes
    assert (path, bearer) == ("/v1/projects/demo/messages:send", "Bearer token-1")
    assert body["message"]["fid"] == "fid-of-phone-0"


def test_one_connection_and_one_token_serve_many_pushes(provider: Provider) -> None:
    sender = channel(provider)
    sender.deliver(envelopes(5))
    sender.deliver(envelopes(5))
    assert len(provider.connections) == 1 and provider.tokens == 1 and len(provider.pushes) == 10


def test_a_refused_bearer_is_renewed_once(provider: Provider) -> None:
    provider.script = [(401, {}, {})]
    assert channel(provider).deliver(envelopes(1))[0].answer is Answer.ACCEPTED
    assert [bearer for _, bearer, _ in provider.pushes] == ["Bearer token-1", "Bearer token-2"]
    provider.script = [(401, {}, {}), (401, {}, {})]
    assert [o.answer for o in channel(provider).deliver(envelopes(2))] == [
        Answer.UNAUTHORISED,
        Answer.NOT_TRIED,
    ]


@pytest.mark.parametrize(("status", "answer"), [(400, Answer.UNAUTHORISED), (503, Answer.UNAVAILABLE)])
def test_a_token_service_that_refuses_or_fails(
    provider: Provider, status: int, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth._exponential_backoff.time", SimpleNamespace(sleep=lambda _: None))
    provider.token_status = status
    assert channel(provider).deliver(envelopes(1))[0].answer is answer
    assert provider.pushes == []


def test_a_throttled_round_ends_at_once_with_the_hint(provider: Provider) -> None:
    provider.script = [(200, OK, {}), (*refusal(429, "QUOTA_EXCEEDED"), {"Retry-After": "37"})]
    outcomes = channel(provider).deliver(envelopes(4))
    assert [o.answer for o in outcomes] == [
        Answer.ACCEPTED,
        Answer.THROTTLED,
        Answer.NOT_TRIED,
        Answer.NOT_TRIED,
    ]
    assert outcomes[1].retry_after == 37 and len(provider.pushes) == 2


def test_three_failures_in_a_row_end_the_round(provider: Provider) -> None:
    provider.script = [(503, {}, {})] * 9
    outcomes = channel(provider).deliver(envelopes(5))
    assert [o.answer for o in outcomes] == [Answer.UNAVAILABLE] * 3 + [Answer.NOT_TRIED] * 2


def test_a_bad_payload_ends_the_round(provider: Provider) -> None:
    provider.script = [(*refusal(400, "INVALID_ARGUMENT", "type.googleapis.com/google.rpc.BadRequest"), {})]
    assert [o.answer for o in channel(provider).deliver(envelopes(2))] == [
        Answer.BAD_PAYLOAD,
        Answer.NOT_TRIED,
    ]


def test_the_time_budget_ends_the_round(provider: Provider) -> None:
    assert [o.answer for o in channel(provider, budget_s=0.0).deliver(envelopes(2))] == [Answer.NOT_TRIED] * 2


def test_a_redirect_is_not_followed_with_our_bearer(provider: Provider) -> None:
    provider.script = [(307, {}, {"Location": f"{provider.url}/elsewhere"})]
    assert channel(provider).deliver(envelopes(1))[0].answer is Answer.UNAVAILABLE
    assert len(provider.pushes) == 1


def test_a_provider_that_is_down_is_unavailable(provider: Provider) -> None:
    sender = channel(provider)
    sender.deliver(envelopes(1))
    sender._settings = FcmSettings("demo", "http://127.0.0.1:1", timeout_s=1)
    assert sender.deliver(envelopes(1))[0].answer is Answer.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "code", "answer"),
    [
        (404, "UNREGISTERED", Answer.UNREGISTERED),
        (400, "INVALID_ARGUMENT", Answer.BAD_ADDRESS),
        (403, "SENDER_ID_MISMATCH", Answer.SENDER_MISMATCH),
        (429, "QUOTA_EXCEEDED", Answer.THROTTLED),
        (401, "THIRD_PARTY_AUTH_ERROR", Answer.UNAUTHORISED),
        (503, "UNAVAILABLE", Answer.UNAVAILABLE),
        (500, "INTERNAL", Answer.UNAVAILABLE),
        (418, "SOMETHING_NEW", Answer.BAD_PAYLOAD),
    ],
)
def test_each_verdict_has_one_meaning(status: int, code: str, answer: Answer) -> None:
    assert answer_of(status, json.dumps(refusal(status, code)[1]).encode()) is answer


def test_only_a_named_message_is_accepted() -> None:
    found = [answer_of(200, body) for body in (json.dumps(OK).encode(), b"", b"<html>", b"{}")]
    assert found == [Answer.ACCEPTED, *[Answer.UNAVAILABLE] * 3]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 7}', b'{"error": {"details": [7]}}'])
def test_an_answer_without_details_is_judged_by_its_status(body: bytes) -> None:
    found = [answer_of(status, body) for status in (400, 403, 404, 429, 500, 502, 301)]
    assert found == [
        Answer.BAD_PAYLOAD,
        Answer.UNAUTHORISED,
        Answer.BAD_PAYLOAD,
        Answer.THROTTLED,
        Answer.UNAVAILABLE,
        Answer.UNAVAILABLE,
        Answer.UNAVAILABLE,
    ]


ALLOWED = {
    "message.fid",
    "message.token",
    "message.notification.title",
    "message.notification.body",
    "message.data.nid",
    "message.data.kind",
    "message.android.collapse_key",
    "message.android.ttl",
    "message.android.notification.tag",
    "message.android.notification.visibility",
    "message.apns.headers.apns-collapse-id",
    "message.apns.headers.apns-expiration",
    "message.apns.payload.aps.mutable-content",
}


def leaves(value: Any, path: str = "") -> dict[str, str]:
    if not isinstance(value, dict):
        return {path: str(value)}
    return {k: v for key, part in value.items() for k, v in leaves(part, f"{path}.{key}".lstrip(".")).items()}


SAFE = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_:-", min_size=8, max_size=40)


@given(
    SAFE, st.sampled_from(["fid", "token"]), st.uuids(), st.sampled_from(["vi", "en"]), st.integers(-9, 99999)
)
def test_a_push_says_nothing_of_anybody(
    value: str, kind: str, nid: object, locale: str, seconds: int
) -> None:
    where = Address("installation-secret", "citizen-secret", kind, value, 1)  # type: ignore[arg-type]  # builder
    raw = push_body(where, str(nid), locale, NOW + timedelta(seconds=seconds), NOW)  # type: ignore[arg-type]  # builder
    found = leaves(json.loads(raw))
    assert set(found) <= ALLOWED and b"secret" not in raw and len(raw) < 4096
    assert found.pop(f"message.{kind}") == value
    for key in ("data.nid", "android.notification.tag", "apns.headers.apns-collapse-id"):
        assert found.pop(f"message.{key}") == str(nid)
    assert re.fullmatch(r"\d+s", found.pop("message.android.ttl"))
    assert int(found.pop("message.apns.headers.apns-expiration")) >= NOW.timestamp()
    assert found == {
        "message.notification.title": {"vi": "Sổ sức khỏe điện tử", "en": "Health book"}[locale],
        "message.notification.body": {"vi": "Bạn có một thông báo mới", "en": "You have a new notification"}[
            locale
        ],
        "message.data.kind": "generic",
        "message.android.collapse_key": "generic",
        "message.android.notification.visibility": "PRIVATE",
        "message.apns.payload.aps.mutable-content": "1",
    }


@pytest.mark.parametrize(
    ("endpoint", "good"),
    [
        ("https://fcm.example", True),
        ("http://127.0.0.1:9", True),
        ("http://localhost:9", True),
        ("http://fcm.example", False),
        ("http://127.0.0.1.example", False),
        ("ftp://127.0.0.1", False),
        ("", False),
    ],
)
def test_plain_http_is_for_loopback_only(endpoint: str, good: bool) -> None:
    if good:
        assert FcmSettings("demo", endpoint).url.startswith(endpoint)
    else:
        with pytest.raises(BadChannel):
            FcmSettings("demo", endpoint)


def test_a_useless_service_account_is_refused_without_its_content() -> None:
    with pytest.raises(BadChannel) as told:
        FcmChannel(
            FcmSettings("demo"), {"type": "service_account", "private_key": "tell nobody"}, lambda: NOW
        )
    assert "tell nobody" not in str(told.value) and told.value.__cause__ is None


def test_an_address_in_a_log_line_hides_its_value() -> None:
    assert "fid-of" not in repr(envelopes(1)) and "fid-of" not in repr(
        Device("inst-1", "c", "fid", "fid-of-phone", "android", NOW)
    )


@pytest.mark.parametrize(
    ("kind", "value"), [("fid", "sp ace-123"), ("fid", '"},{"x'), ("mail", "abcdefgh"), ("fid", "")]
)
def test_a_malformed_address_is_refused(kind: str, value: str) -> None:
    with pytest.raises(BadDevice):
        Device("inst-1", "c", kind, value, "android", NOW)  # type: ignore[arg-type]  # the point of the test
