"""push_pipe: pushes a second out of one process over TLS, beside the SDK's own way in one run.

The pipe: envelopes in hand, encoded, posted, every answer read. End to end is in `bench.push_e2e`.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import firebase_admin
from firebase_admin import messaging

from bench import Options, push_e2e
from bench.figure import Figure, at_least
from bench.push_ground import channel_to, receiving, service_account
from notifications.outgoing import Address, Answer, Envelope
from wallet_api.infra.clock import system_now

PIPE = 20_000
SDK = 500
ROUNDS = 5


def figures(_: Options) -> Iterator[Figure]:
    """The pipe at no latency and at 50 ms with its ratios, then end to end."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        for delay, goal in ((0, 6.0), (50, 8.0)):
            with receiving(Path(folder), delay) as (url, kind), trusting(Path(folder)):
                yield from _pipe(Path(folder), url, kind, delay, goal)
        with receiving(Path(folder), 0) as (url, kind), trusting(Path(folder)):
            yield from push_e2e.bare(Path(folder), channel_to(Path(folder), url, 0), url, kind)
            yield from push_e2e.with_reminders(Path(folder), channel_to(Path(folder), url, 0), kind)


@contextmanager
def trusting(folder: Path) -> Iterator[None]:
    """Have `requests` believe the receiver."""
    os.environ["REQUESTS_CA_BUNDLE"] = str(folder / "receiver.crt")
    try:
        yield
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]


def _pipe(folder: Path, url: str, kind: str, delay: int, goal: float) -> Iterator[Figure]:
    sender, now = channel_to(folder, url, delay), system_now()
    envelopes = [_envelope(number, now) for number in range(PIPE)]
    with _sdk(url) as send_each:
        sender.deliver(envelopes[:2000])
        send_each(SDK)
        mine, theirs = [], []
        for _ in range(ROUNDS):  # in turn, so that both meet the same neighbours
            mine.append(_rate(PIPE, lambda: _all_accepted(sender.deliver(envelopes))))
            theirs.append(_rate(SDK, lambda: send_each(SDK)))
    sender.close()
    told = statistics.median(mine)
    name = f"push_pipe_{delay}ms ({kind})"
    yield at_least(name, told, "pushes/s", 10_000) if delay else Figure(name, told, "pushes/s")
    yield Figure(f"send_each_{delay}ms", statistics.median(theirs), "pushes/s")
    ratio = statistics.median(one / other for one, other in zip(mine, theirs, strict=True))
    yield at_least(f"push_pipe_{delay}ms_ratio", ratio, "times send_each", goal)


@contextmanager
def _sdk(url: str) -> Iterator[Callable[[int], object]]:
    """`messaging.send_each`, led to the receiver."""
    service: Any = messaging._MessagingService
    usual, service.FCM_URL = service.FCM_URL, url + "/v1/projects/{0}/messages:send"
    app = firebase_admin.initialize_app(
        firebase_admin.credentials.Certificate(service_account(url)), name="bench"
    )

    def send_each(count: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asked = [messaging.Message(fid=f"fid-of-phone-{n}", data={"nid": "0" * 32}) for n in range(count)]
            if messaging.send_each(asked, app=app).failure_count:
                raise AssertionError("the SDK could not send")

    try:
        yield send_each
    finally:
        service.FCM_URL = usual
        firebase_admin.delete_app(app)


def _envelope(number: int, now: datetime) -> Envelope:
    value = f"fid-of-phone-{number:08}" + "x" * 120
    return Envelope(
        Address(f"i{number}", f"c{number}", "fid", value, 1), f"{number:032x}", "vi", now + timedelta(hours=3)
    )


def _all_accepted(outcomes: Sequence[Any]) -> None:
    if any(each.answer is not Answer.ACCEPTED for each in outcomes):
        raise AssertionError("a push was not accepted")


def _rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)
