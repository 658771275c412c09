"""Push over Firebase Cloud Messaging HTTP v1, to an endpoint of our choice, one by one over one session.

`channels.fcm_curl` sends the same bytes many at a time; this one serves where libcurl is absent.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from notifications.channels.fcm_access import Access, CredentialRefused, TokenServerDown
from notifications.channels.fcm_wire import PUSH_CHANNEL, PUSH_TEMPLATE, answer_of, push_body
from notifications.errors import BadChannel
from notifications.outgoing import Answer, Envelope, Outcome
from notifications.ports import Now

if TYPE_CHECKING:
    import requests

STREAMS = 100
"""Requests that FCM answers at once over one HTTP/2 connection."""
DEFAULT_ENDPOINT = "https://fcm.googleapis.com"
ENDS_THE_ROUND = frozenset({Answer.THROTTLED, Answer.BAD_PAYLOAD, Answer.UNAUTHORISED})
"""Answers after which nothing more of a round is sent: whoever comes next would hear the same."""
FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class FcmSettings:
    """Where and how long. `budget_s` bounds one deliver() so that a lease of 120 s is not outlived.

    `rate` pushes a second at `latency_s` of an answer say how many connections many-at-a-time sending needs.
    `ca_file`: whom to believe, in place of the usual authorities.
    """

    project: str
    endpoint: str = DEFAULT_ENDPOINT
    timeout_s: float = 10.0
    budget_s: float = 60.0
    rate: float = 9000.0
    latency_s: float = 0.2
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if not self.project or not parts.hostname:
            raise BadChannel("fcm: project and endpoint are needed")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise BadChannel("fcm: the endpoint must be https (http only on loopback)")

    @property
    def url(self) -> str:
        """Where a message is posted."""
        return f"{self.endpoint.rstrip('/')}/v1/projects/{quote(self.project, safe='')}/messages:send"

    @property
    def connections(self) -> int:
        """Connections that carry `rate` when each has 100 answers outstanding: rate x latency / streams."""
        return max(1, math.ceil(self.rate * self.latency_s / STREAMS))


class FcmChannel:
    """Channel over FCM. Make one per process, after any fork. Not for use by several threads at once."""

    name = PUSH_CHANNEL
    template = PUSH_TEMPLATE

    def __init__(self, settings: FcmSettings, credentials: Mapping[str, Any], now: Now) -> None:
        import requests

        self._access = Access(credentials)
        self._settings, self._now = settings, now
        self._session = requests.Session()

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        """Post one by one. After 429, a bad payload, a refused credential, three failures in a row or the
        time
        budget, the rest is answered `not_tried`: the caller decides when to come back, nothing sleeps here.
        """
        outcomes: list[Outcome] = []
        end = time.monotonic() + self._settings.budget_s
        failures = 0
        for envelope in envelopes:
            if time.monotonic() >= end or failures >= FAILURES_IN_A_ROW or _ends_round(outcomes):
                break
            outcomes.append(self._post(envelope))
            failures = failures + 1 if outcomes[-1].answer is Answer.UNAVAILABLE else 0
        rest = envelopes[len(outcomes) :]
        return outcomes + [Outcome(envelope.address, Answer.NOT_TRIED) for envelope in rest]

    def _post(self, envelope: Envelope) -> Outcome:
        import requests

        address = envelope.address
        try:
            body = push_body(address, envelope.nid, envelope.locale, envelope.until, self._now())
        except ValueError:
            return Outcome(address, Answer.BAD_PAYLOAD)
        try:
            token = self._access.token()
            answer = self._send(body, token)
            if answer.status_code == 401:
                self._access.forget(token)
                answer = self._send(body, self._access.token())
        except CredentialRefused:
            return Outcome(address, Answer.UNAUTHORISED)
        except (requests.RequestException, TokenServerDown):
            return Outcome(address, Answer.UNAVAILABLE)
        meaning = answer_of(answer.status_code, answer.content)
        wait = _seconds(answer.headers.get("Retry-After"))
        return Outcome(address, meaning, wait)

    def _send(self, body: bytes, token: str) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json; charset=utf-8",
        }
        timeout = self._settings.timeout_s
        # A redirect would carry our bearer token to a host nobody configured
        return self._session.post(
            self._settings.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )


def _ends_round(outcomes: Sequence[Outcome]) -> bool:
    return bool(outcomes) and outcomes[-1].answer in ENDS_THE_ROUND


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; the date form and nonsense count as not given. At most an hour is believed."""
    return (
        min(float(header), 3600.0) if header is not None and header.isascii() and header.isdigit() else None
    )
