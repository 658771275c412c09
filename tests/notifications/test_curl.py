"""Bulk pushes over libcurl: the SDK's bytes, the SDK's verdicts, and nothing lost when a connection goes."""

from __future__ import annotations

import json
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import firebase_admin
import pytest
from firebase_admin import exceptions, messaging
from hypothesis import given
from hypothesis import strategies as st

from bench.push_ground import service_account
from bench.receiver import Receiver, Said
from notifications.channels.fcm import FcmChannel, FcmSettings
from notifications.channels.fcm_curl import CurlChannel
from notifications.channels.fcm_wire import FCM_ERROR_DETAIL, PushBodies, push_body
from notifications.outgoing import Address, Answer, Envelope
from tests.notifications.receiving import ANSWERS, by_address, receiving

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=4)
NID = "0f" * 16
PATIENCE = {"hang": 0.5}
"""Seconds. On a machine under load short ones would be everybody's answer, so only silence gets them."""


def envelope(value: str, nid: str = NID, kind: str = "fid") -> Envelope:
    where = Address(f"inst-{value}", "citizen-1", kind, value, 1)  # type: ignore[arg-type]  # builder
    return Envelope(where, nid, "vi", UNTIL)


def many(word: str, count: int) -> list[Envelope]:
    return [envelope(f"{word}::phone-{n}", f"{n:032x}") for n in range(count)]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(verdict=by_address)


@pytest.fixture
def secure(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with receiving(tmp_path, receiver) as url:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "receiver.crt"))
        yield url


@pytest.fixture
def bulk(secure: str, tmp_path: Path) -> Iterator[CurlChannel]:
    made = channel(CurlChannel, secure, tmp_path)
    yield made
    made.close()


def channel(kind: Any, url: str, folder: Path, **over: Any) -> Any:
    told: dict[str, Any] = {"timeout_s": 20.0, "latency_s": 0.05, "ca_file": folder / "receiver.crt"} | over
    return kind(FcmSettings("demo", url, **told), service_account(url), lambda: NOW)


def verdict_of(raised: Exception | None) -> Answer:
    """What the SDK's own error classes mean to us; the two kinds of 400 differ in their details alone."""
    if raised is None:
        return Answer.ACCEPTED
    if isinstance(raised, exceptions.InvalidArgumentError):
        details = raised.http_response.json()["error"].get("details", [])
        address = any(each["@type"] == FCM_ERROR_DETAIL for each in details)
        return Answer.BAD_ADDRESS if address else Answer.BAD_PAYLOAD
    for kinds, answer in (
        ((messaging.UnregisteredError,), Answer.UNREGISTERED),
        ((messaging.SenderIdMismatchError,), Answer.SENDER_MISMATCH),
        ((messaging.QuotaExceededError, exceptions.ResourceExhaustedError), Answer.THROTTLED),
        (
            (
                messaging.ThirdPartyAuthError,
                exceptions.UnauthenticatedError,
                exceptions.PermissionDeniedError,
            ),
            Answer.UNAUTHORISED,
        ),
        ((exceptions.NotFoundError,), Answer.BAD_PAYLOAD),
    ):
        if isinstance(raised, kinds):
            return answer
    return Answer.UNAVAILABLE  # internal, unavailable, unknown, deadline: try again later


@pytest.fixture
def sdk(secure: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`messaging.send` itself, led to the receiver; what it sleeps between its tries is left out."""
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", secure + "/v1/projects/{0}/messages:send")
    # Not `time.sleep` itself: whoever else in this process waits in a loop would spin.
    unhurried = SimpleNamespace(time=time.time, sleep=lambda _: None)
    monkeypatch.setattr("urllib3.util.retry.time", unhurried)
    word = getattr(request.node, "callspec", None) and request.node.callspec.params["word"]
    account = firebase_admin.credentials.Certificate(service_account(secure))
    app = firebase_admin.initialize_app(account, {"httpTimeout": PATIENCE.get(word, 20.0)}, name="oracle")
    yield lambda value: _send(value, app)
    firebase_admin.delete_app(app)


def _send(value: str, app: Any) -> Exception | None:
    try:
        messaging.send(messaging.Message(fid=value), app=app)
    except Exception as why:  # whatever the SDK makes of it is what is compared
        return why
    return None


@pytest.mark.parametrize("word", sorted(ANSWERS))
def test_the_verdicts_are_those_of_the_sdk(word: str, sdk: Any, secure: str, tmp_path: Path) -> None:
    expected = verdict_of(sdk(f"{word}::phone-1"))
    patience = PATIENCE.get(word, 20.0)
    sender = channel(CurlChannel, secure, tmp_path, timeout_s=patience)
    [mine] = sender.deliver(many(word, 1))
    sender.close()
    [single] = channel(FcmChannel, secure, tmp_path, timeout_s=patience).deliver(many(word, 1))
    assert mine.answer is single.answer is expected
    told = ANSWERS[word].retry_after
    assert mine.retry_after == single.retry_after == told


def test_a_thousand_pushes_go_over_few_connections(bulk: CurlChannel, receiver: Receiver) -> None:
    found = [*bulk.deliver(many("fine", 500)), *bulk.deliver(many("fine", 500))]
    assert {each.answer for each in found} == {Answer.ACCEPTED}
    assert [each.address.value for each in found[:2]] == ["fine::phone-0", "fine::phone-1"]
    assert receiver.taken == 1000 and receiver.connections <= 6 and receiver.tokens == 1


def test_goaway_is_routine(bulk: CurlChannel, receiver: Receiver) -> None:
    receiver.goaway_after = 60
    found = bulk.deliver(many("fine", 400))
    assert Counter(each.answer for each in found) == {Answer.ACCEPTED: 400}
    assert receiver.goaways >= 3 and receiver.connections > 3


def test_answers_of_one_round_come_back_to_their_own_addresses(bulk: CurlChannel) -> None:
    words = ["fine", "gone", "mismatch", "bad-address"] * 50
    found = bulk.deliver([envelope(f"{word}::{n}", f"{n:032x}") for n, word in enumerate(words)])
    want = {
        "fine": Answer.ACCEPTED,
        "gone": Answer.UNREGISTERED,
        "mismatch": Answer.SENDER_MISMATCH,
        "bad-address": Answer.BAD_ADDRESS,
    }
    assert [each.answer for each in found] == [want[word] for word in words]


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("quota", Answer.THROTTLED),
        ("bad-payload", Answer.BAD_PAYLOAD),
        ("bearer", Answer.UNAUTHORISED),
        ("unavailable", Answer.UNAVAILABLE),
    ],
)
def test_a_round_ends_when_everybody_would_hear_the_same(
    word: str, answer: Answer, bulk: CurlChannel, receiver: Receiver
) -> None:
    found = Counter(each.answer for each in bulk.deliver(many(word, 3000)))
    assert set(found) == {answer, Answer.NOT_TRIED}
    assert found[Answer.NOT_TRIED] >= 2000, "what was not under way yet stays here"


def test_a_bearer_refused_once_is_renewed_once_for_all(bulk: CurlChannel, receiver: Receiver) -> None:
    left = iter([ANSWERS["bearer"]] * 20)
    receiver.verdict = lambda body: next(left, ANSWERS["fine"])
    found = bulk.deliver(many("fine", 100))
    assert {each.answer for each in found} == {Answer.ACCEPTED} and receiver.tokens == 2


def test_a_connection_cut_once_costs_a_repeat_and_no_push(bulk: CurlChannel, receiver: Receiver) -> None:
    left = iter([ANSWERS["fine"]] * 30 + [Said(cut=True)])
    ids: list[str] = []

    def judge(body: bytes) -> Said:
        ids.append(json.loads(body)["message"]["data"]["nid"])
        return next(left, ANSWERS["fine"])

    receiver.verdict = judge
    found = bulk.deliver(many("fine", 90))
    assert {each.answer for each in found} == {Answer.ACCEPTED}
    assert len(set(ids)) == 90 and max(Counter(ids).values()) <= 2


def test_a_receiver_that_hangs_costs_one_timeout(secure: str, tmp_path: Path) -> None:
    sender = channel(CurlChannel, secure, tmp_path, timeout_s=2.0)
    found = sender.deliver([*many("fine", 20), *many("hang", 30)])
    assert Counter(each.answer for each in found) == {Answer.ACCEPTED: 20, Answer.UNAVAILABLE: 30}
    assert {each.answer for each in sender.deliver(many("fine", 20))} == {Answer.ACCEPTED}
    sender.close()


def test_the_time_budget_ends_a_round(secure: str, tmp_path: Path) -> None:
    sender = channel(CurlChannel, secure, tmp_path, budget_s=0.3)
    found = sender.deliver([*many("hang", 5), *many("fine", 20)])
    assert [each.answer for each in found[:5]] == [Answer.UNAVAILABLE] * 5
    assert {each.answer for each in found[5:]} <= {Answer.ACCEPTED}
    assert {
        e.answer for e in channel(CurlChannel, secure, tmp_path, budget_s=0.0).deliver(many("fine", 3))
    } == {Answer.NOT_TRIED}


def test_a_stranger_in_place_of_fcm_gets_nothing(secure: str, tmp_path: Path, receiver: Receiver) -> None:
    sender = channel(CurlChannel, secure, tmp_path, ca_file=None)
    assert sender.deliver(many("fine", 1))[0].answer is Answer.UNAVAILABLE and receiver.taken == 0


def test_plain_http_on_loopback_is_spoken_too(tmp_path: Path, receiver: Receiver) -> None:
    with receiving(tmp_path, receiver, secure=False) as url:
        sender = channel(CurlChannel, url, tmp_path)
        found = sender.deliver([*many("fine", 40), *many("gone", 2)])
        sender.close()
    assert Counter(e.answer for e in found) == {Answer.ACCEPTED: 40, Answer.UNREGISTERED: 2}


SAFE = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_:-", min_size=8, max_size=40)
ODD = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() != "")


@given(
    SAFE | ODD,
    SAFE | ODD,
    st.sampled_from(["fid", "token"]),
    st.sampled_from(["vi", "en"]),
    st.integers(-9, 99999),
)
def test_the_fast_bytes_are_the_bytes_of_the_sdk(
    value: str, nid: str, kind: str, locale: str, seconds: int
) -> None:
    where = Address("inst", "citizen", kind, value, 1)  # type: ignore[arg-type]  # builder
    until = NOW + timedelta(seconds=seconds)
    bodies = PushBodies(NOW)
    for _ in range(2):  # the second is made from the mould of the first
        made = _or_refused(lambda: bodies.of(Envelope(where, nid, locale, until)))  # type: ignore[arg-type]  # builder
        assert made == _or_refused(lambda: push_body(where, nid, locale, until, NOW))  # type: ignore[arg-type]  # builder


def _or_refused(make: Any) -> bytes | None:
    try:
        return bytes(make())
    except ValueError:
        return None


def test_the_wire_carries_what_the_sdk_would_send(bulk: CurlChannel, sdk: Any, receiver: Receiver) -> None:
    seen: list[bytes] = []

    def keep(body: bytes) -> Said:
        seen.append(body)
        return Said()

    receiver.verdict = keep
    bulk.deliver([envelope("fid-of-phone-1")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert sdk("fid-of-phone-1") is None
    mine, theirs = (json.loads(each)["message"] for each in seen)
    assert mine["fid"] == theirs["fid"] == "fid-of-phone-1"
    assert seen[0] == push_body(envelope("fid-of-phone-1").address, NID, "vi", UNTIL, NOW)
