"""Refusals in FHIR's words: under /fhir each is an OperationOutcome with our own stable code in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MEDIA_TYPE = "application/fhir+json"
SYSTEM = "urn:wallet:problem"
_ROOT = "/fhir/"
_PROBLEM = "application/problem+json"
_KINDS: Mapping[int, str] = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    500: "exception",
    503: "transient",
}
"""FHIR R4 issue types by status; whatever is missing here is `processing`."""
Json = dict[str, Any]


def speaks_fhir(path: str, accepted: Iterable[str]) -> bool:
    """Whether a refusal at this path is told in FHIR's words: unless problem details are asked for."""
    named = {kind.partition(";")[0].strip().lower() for kind in accepted}
    return (path + "/").startswith(_ROOT) and _PROBLEM not in named


def outcome_of(problem: Mapping[str, Any], language: str) -> Json:
    """The OperationOutcome that says what these problem details say."""
    kind = _KINDS.get(problem["status"], "processing")
    first = _issue(kind, problem["code"], f"{problem['title']}. {problem['detail']}")
    more = [
        _issue(kind, each["code"], each["message"]) | {"expression": [each["pointer"] or "/"]}
        for each in problem.get("errors", ())
    ]
    issues = [first | {"diagnostics": problem["request_id"]}, *more]
    return {"resourceType": "OperationOutcome", "language": language, "issue": issues}


def _issue(kind: str, code: str, text: str) -> Json:
    details: Json = {"coding": [{"system": SYSTEM, "code": code}]}
    return {"severity": "error", "code": kind, "details": details | ({"text": text} if text else {})}
