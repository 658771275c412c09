"""Push over Firebase Cloud Messaging HTTP v1, to an endpoint of our choice, over one long-lived session."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from notifications.channels.fcm_wire import PUSH_TEMPLATE, answer_of, push_body
from notifications.errors import BadChannel
from notifications.outgoing import Answer, Envelope, Outcome
from notifications.ports import Now

if TYPE_CHECKING:
    import requests

DEFAULT_ENDPOINT = "https://fcm.googleapis.com"
_ENDS_THE_ROUND = frozenset({Answer.THROTTLED, Answer.BAD_PAYLOAD, Answer.UNAUTHORISED})
_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class FcmSettings:
    """Where and how long. `budget_s` bounds one deliver() so that a lease of 120 s is not outlived."""

    project: str
    endpoint: str = DEFAULT_ENDPOINT
    timeout_s: float = 10.0
    budget_s: float = 60.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if not self.project or not parts.hostname:
            raise BadChannel("fcm: project and endpoint are needed")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
            raise BadChannel("fcm: the endpoint must be https (http only on loopback)")

    @property
    def url(self) -> str:
        """Where a message is posted."""
        return f"{self.endpoint.rstrip('/')}/v1/projects/{quote(self.project, safe='')}/messages:send"


class FcmChannel:
    """Channel over FCM. Make one per process, after any fork. Not for use by several threads at once."""

    name = "fcm"
    template = PUSH_TEMPLATE

    def __init__(self, settings: FcmSettings, credentials: Mapping[str, Any], now: Now) -> None:
        import requests
        from firebase_admin import credentials as firebase

        try:
            self._credential = firebase.Certificate(dict(credentials)).get_credential()
        except ValueError:
            raise BadChannel("fcm: the service account is not usable") from None
        self._settings, self._now = settings, now
        self._session = requests.Session()
        self._token_session = requests.Session()

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        """Post one by one. After 429, a bad payload, a refused credential, three failures in a row or the
        time
        budget, the rest is answered `not_tried`: the caller decides when to come back, nothing sleeps here.
        """
        outcomes: list[Outcome] = []
        end = time.monotonic() + self._settings.budget_s
        failures = 0
        for envelope in envelopes:
            if time.monotonic() >= end or failures >= _FAILURES_IN_A_ROW or _ends_round(outcomes):
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
            answer = self._send(body)
            if answer.status_code == 401:
                self._credential.token = None
                answer = self._send(body)
        except _CredentialRefused:
            return Outcome(address, Answer.UNAUTHORISED)
        except (requests.RequestException, _TokenServerDown):
            return Outcome(address, Answer.UNAVAILABLE)
        meaning = answer_of(answer.status_code, answer.content)
        wait = _seconds(answer.headers.get("Retry-After"))
        return Outcome(address, meaning, wait)

    def _send(self, body: bytes) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "Content-Type": "application/json; charset=utf-8",
        }
        timeout = self._settings.timeout_s
        # A redirect would carry our bearer token to a host nobody configured
        return self._session.post(
            self._settings.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )

    def _token(self) -> str:
        from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
        from google.auth.transport.requests import Request

        if not self._credential.valid:
            try:
                self._credential.refresh(Request(self._token_session))
            except TransportError:
                raise _TokenServerDown from None
            except RefreshError as refusal:
                raise (_TokenServerDown if refusal.retryable else _CredentialRefused) from None
            except GoogleAuthError:
                raise _CredentialRefused from None
        return str(self._credential.token)


class _CredentialRefused(Exception):
    pass


class _TokenServerDown(Exception):
    pass


def _ends_round(outcomes: Sequence[Outcome]) -> bool:
    return bool(outcomes) and outcomes[-1].answer in _ENDS_THE_ROUND


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; the date form and nonsense count as not given. At most an hour is believed."""
    return (
        min(float(header), 3600.0) if header is not None and header.isascii() and header.isdigit() else None
    )
