"""How the sandbox push receiver answers: chosen by the address, in the words of FCM HTTP v1."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Any

from wallet_api.sandbox.fcm_schema import Violation

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_KIND = re.compile(r"([a-z]+)(1?)(?:[-_:.].*)?", re.DOTALL)


@dataclass(frozen=True)
class Verdict:
    """One answer: `error` is None for a delivered message; `pause` seconds go into Retry-After."""

    name: str
    status: int = 200
    error: dict[str, Any] | None = None
    pause: int | None = None
    hold: bool = False


def failure(status: int, state: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """A google.rpc.Status as Google's HTTP interfaces write it."""
    body: dict[str, Any] = {"code": status, "message": message, "status": state}
    return {"error": body | ({"details": list(details)} if details else {})}


def fcm_detail(code: str) -> dict[str, Any]:
    """The FCM-specific detail of an error."""
    return {"@type": FCM_ERROR, "errorCode": code}


def bad_request(violation: Violation) -> dict[str, Any]:
    """The answer to a payload that is wrong, whoever it is for."""
    fields = [{"field": violation.field, "description": violation.description}]
    return failure(
        400, "INVALID_ARGUMENT", violation.description, {"@type": BAD_REQUEST, "fieldViolations": fields}
    )


def unauthenticated() -> dict[str, Any]:
    """The answer to a request without a bearer token issued here."""
    return failure(
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
        "other valid authentication credential. See "
        "https://developers.google.com/identity/sign-in/web/devconsole-project.",
    )


# address word: HTTP status, google.rpc status, FCM error code, message, whether Retry-After is told
_FCM_REFUSALS = (
    ("gone", 404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found.", False),
    (
        "bad",
        400,
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        False,
    ),
    ("mismatch", 403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch", False),
    (
        "apns",
        401,
        "UNAUTHENTICATED",
        "THIRD_PARTY_AUTH_ERROR",
        "Auth error from APNS or Web Push Service",
        False,
    ),
    ("quota", 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Sending limit exceeded for message type", True),
    ("busy", 503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable.", True),
    ("broken", 500, "INTERNAL", "INTERNAL", "Internal error encountered.", False),
)
_PAYLOAD_FAULT = Violation(
    "message.data[0].value", "Invalid value at 'message.data[0].value' (TYPE_STRING), 1"
)


def _refusals(retry_after: int) -> dict[str, Verdict]:
    found = {"payload": Verdict("payload", 400, bad_request(_PAYLOAD_FAULT))}
    for word, status, state, code, message, pauses in _FCM_REFUSALS:
        error = failure(status, state, message, fcm_detail(code))
        found[word] = Verdict(word, status, error, retry_after if pauses else None)
    return found


class Verdicts:
    """Chooses the answer for an address by its first word: `ok-…`, `gone-…`, `quota1-…` and so on.

    The word ends at the first of `- _ : .`; a `1` after it means "this once, then ok". An address with
    no known word is answered like `bad`, as FCM answers a token it never made.
    """

    def __init__(self, retry_after: int) -> None:
        self._refusals = _refusals(retry_after)
        self._met: set[str] = set()
        self._lock = threading.Lock()

    def for_address(self, address: str) -> Verdict:
        """The answer this address gets now."""
        form = _KIND.fullmatch(address)
        word, once = (form[1], form[2]) if form else ("", "")
        if word in ("ok", "hang"):
            return Verdict(word, hold=word == "hang")
        if once and word in self._refusals and not self._first_time(address):
            return Verdict("ok")
        return self._refusals.get(word, self._refusals["bad"])

    def forget(self) -> None:
        """Start over: every "once" address refuses once more."""
        with self._lock:
            self._met.clear()

    def _first_time(self, address: str) -> bool:
        with self._lock:
            fresh = address not in self._met
            self._met.add(address)
        return fresh
