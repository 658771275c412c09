"""The parts that the published document repeats: names in paths, headers, problems, security schemes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.codes import NAMES, PURPOSES
from consent.errors import UnknownCode
from consent.notices import notice_for
from wallet_api.records.fhir_search import KINDS
from wallet_api.routes.schemas.published import (
    ETAG_PATTERN,
    ID_PATTERN,
    IF_MATCH_PATTERN,
    REFERENCE_PATTERN,
    SEALED_PATTERN,
)


def _has_text(purpose: str) -> bool:
    try:
        notice_for(purpose, "vi")
    except UnknownCode:
        return False
    return True


_ID = {"type": "string", "pattern": ID_PATTERN, "minLength": 26, "maxLength": 26}
_FHIR_ID = {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$", "minLength": 1, "maxLength": 64}
_REFERENCE = {"type": "string", "pattern": REFERENCE_PATTERN, "minLength": 43, "maxLength": 214}

PATH_NAMES: dict[str, tuple[dict[str, Any], str]] = {
    "citizen": (
        {"type": "string", "pattern": f"^(me|{ID_PATTERN.strip('^$')})$", "example": "me"},
        "`me`, or the `dependent_id` of a row of the family whose `role` is `dependent`.",
    ),
    "session_id": (_ID, "The `id` of a session."),
    "organisation_id": (_ID, "The `id` of an organisation."),
    "request_id": (_ID, "The `id` of a consent request."),
    "grant_id": (_ID, "The `id` of a grant."),
    "breach_id": (_ID, "The `id` of an entry of the register of breaches."),
    "rebuild_id": (_ID, "The `id` of a rebuild of the stored plans."),
    "campaign_id": (_ID, "The `id` of a campaign."),
    "programme_id": (
        {"type": "string", "pattern": "^[a-z0-9_]{1,40}$", "minLength": 1, "maxLength": 40},
        "The `id` of a programme in the list.",
    ),
    "rights_id": (_ID, "The `id` of a rights request."),
    "correction_id": (_ID, "The `id` of a request to correct a record."),
    "death_id": (_ID, "The `id` of a report of a death."),
    "merge_id": (_ID, "The `id` of a merge of two books."),
    "heir_id": (_ID, "The `id` of a proposed heir."),
    "bequest_id": (_ID, "The `id` of a row of the bequests."),
    "coming_id": (_ID, "The `id` of a guardianship that somebody asked for."),
    "dispute_id": (_ID, "The `id` of a dispute about a record."),
    "parked_id": (_ID, "The `id` of something that fits nobody: that of its intake report."),
    "letter_id": (
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,80}$", "minLength": 1, "maxLength": 80},
        "The `id` of a dead letter.",
    ),
    "webhook_id": (_ID, "The `id` of a webhook."),
    "client_id": (_ID, "The `client_id` of an organisation's system."),
    "practitioner_id": (
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{3,40}$", "minLength": 3, "maxLength": 40},
        "The id of a practitioner on the roster.",
    ),
    "emergency_id": (_ID, "The `id` of an emergency access and of its review."),
    "record_id": (_ID, "The `id` of a record."),
    "share_id": (_ID, "The `id` of a share link."),
    "export_id": (_ID, "The `id` of an export."),
    "link": (
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$", "minLength": 43, "maxLength": 43},
        "The last part of the `url` in a share link.",
    ),
    "ticket": (
        {"type": "string", "pattern": SEALED_PATTERN, "maxLength": 256},
        "The last part of a `location` in a manifest.",
    ),
    "visit_id": (_ID, "The `id` of the record of a visit."),
    "code": (
        {
            "type": "string",
            "pattern": "^[\\x21-\\x7e]{1,64}$",
            "minLength": 1,
            "maxLength": 64,
            "example": "29463-7",
        },
        "A code of the code system in question; LOINC unless another `system` is named.",
    ),
    "reminder_id": (
        {"type": "string", "pattern": "^[0-9a-f]{32}$", "minLength": 32, "maxLength": 32},
        "The `id` of a reminder.",
    ),
    "commune": (
        {"type": "string", "pattern": "^[0-9]{5}$", "minLength": 5, "maxLength": 5, "example": "00004"},
        "The code of a commune (5 digits).",
    ),
    "message_id": (_ID, "The `id` of a message of the inbox."),
    "intake_id": (_ID, "The `id` of an intake report."),
    "installation_id": (
        {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9-]{7,63}$", "minLength": 8, "maxLength": 64},
        "Made by the app at its first start and kept: a random UUID, say.",
    ),
    "request_ref": (_REFERENCE, "The `id` that asking has answered with."),
    "entry_ref": (_REFERENCE, "The `id` of a line of the access log."),
    "assisted_ref": (_REFERENCE, "The `id` that attesting a consent has answered with."),
    "guardianship_id": (_ID, "The `id` of a row of the family, or of a guardianship that waits."),
    "file_id": (_ID, "The `id` of a file sent as proof."),
    "flag_id": (_ID, "The `id` of a safety flag."),
    "citizen_ref": (_REFERENCE, "This organisation's own name for the person, from a granted request."),
    "record_ref": (_REFERENCE, "The `id` of a record in a list read under consent."),
    "name": ({"type": "string", "enum": sorted(NAMES | {"errors"})}, "Which list."),
    "purpose": (
        {"type": "string", "enum": sorted(filter(_has_text, PURPOSES.codes))},
        "A code of `purposes`.",
    ),
}
PATH_NAMES |= {
    "kind": ({"type": "string", "enum": sorted(KINDS)}, "The type of a resource."),
    "patient_id": (_FHIR_ID, "`me`, the id of a citizen, or this organisation's own name for one."),
    "resource_id": (_FHIR_ID, "The `id` of a resource in a search."),
    "version_id": (
        {"type": "string", "pattern": "^[1-9][0-9]{0,5}$", "maxLength": 6},
        "The `meta.versionId` of a resource.",
    ),
}
PARAMETERS: Mapping[str, dict[str, Any]] = {
    "Accept-Language": {
        "description": "`vi` (the default) or `en`: the language of texts in problems and answers.",
        "schema": {"type": "string", "example": "vi"},
    },
    "If-Match": {
        "description": "The `ETag` of what is to be changed, as it was read.",
        "required": True,
        "schema": {"type": "string", "pattern": IF_MATCH_PATTERN, "example": '"1"'},
    },
    "If-None-Match": {
        "description": "The `ETag` of the copy at hand: 304 without a body while it is still good.",
        "schema": {"type": "string"},
    },
    "Idempotency-Key": {
        "description": "Chosen by the sender, a random UUID say: the same request with the same key, sent "
        "again within a day, has no second effect and gets the answer of the first.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255},
    },
    "Access-Session": {
        "description": "The `id` of a live access session; else 403 `access_session_invalid`.",
        "required": True,
        "schema": {"type": "string", "pattern": SEALED_PATTERN, "maxLength": 4096},
    },
}
HEADERS: Mapping[str, dict[str, Any]] = {
    "Request-Id": {
        "description": "Names this request in our logs; quote it when asking for help.",
        "required": True,
        "schema": _ID,
    },
    "WWW-Authenticate": {
        "description": "RFC 6750 and RFC 9470: `invalid_token`, or `insufficient_user_authentication` where "
        "a sign-in of the last five minutes is needed. `Passcode`: of a share link.",
        "required": True,
        "schema": {"type": "string", "pattern": "^(Bearer |Passcode$)"},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": 86400},
    },
    "Content-Language": {
        "description": "The language of `title`, `detail` and `message`.",
        "required": True,
        "schema": {"type": "string", "enum": ["en", "vi"]},
    },
    "RateLimit-Limit": {
        "description": "Requests of this kind in a window, of the tightest budget that counted this one.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Remaining": {
        "description": "How many of them are left.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until the window begins anew.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "ETag": {
        "description": "Names this version for this reader.",
        "required": True,
        "schema": {"type": "string", "pattern": ETAG_PATTERN},
    },
}


@dataclass(frozen=True)
class Problem:
    """One kind of problem answer: its name in the document, a code it may carry, and what it means."""

    name: str
    code: str
    means: str
    headers: tuple[str, ...] = ()


PROBLEMS: Mapping[int, Problem] = {
    400: Problem(
        "Malformed", "malformed_body", "Cannot be read, or a cursor that does not fit this question."
    ),
    401: Problem(
        "SignInNeeded",
        "invalid_token",
        "No valid access token, or one whose sign-in is too old for this act.",
        ("WWW-Authenticate",),
    ),
    403: Problem("Forbidden", "forbidden", "This caller may not; `code` says why."),
    404: Problem("NotFound", "not_found", "Foreign, hidden and absent alike: there is nothing to see here."),
    406: Problem("NotAcceptable", "not_acceptable", "Answers here are JSON; nothing else was accepted."),
    409: Problem("Conflict", "conflict", "The state of things does not allow it; `code` says why."),
    410: Problem("Gone", "resync_required", "What is at hand cannot be brought up to date: begin anew."),
    412: Problem("Stale", "stale_version", "Changed since it was read: read it again."),
    413: Problem("TooLarge", "body_too_large", "The body is larger than this operation takes."),
    415: Problem(
        "UnsupportedMediaType", "unsupported_media_type", "Not of the documented media type, or packed."
    ),
    422: Problem("InvalidFields", "invalid_fields", "Understood and refused; `errors` names each field."),
    428: Problem("PreconditionNeeded", "precondition_required", "`If-Match` is missing."),
    429: Problem("TooManyRequests", "too_many_requests", "A limit is reached.", ("Retry-After",)),
    503: Problem(
        "Unavailable", "unavailable", "Something we need does not answer. Try again.", ("Retry-After",)
    ),
}
PASSCODE = Problem(
    "PasscodeNeeded",
    "passcode_refused",
    "No passcode, or a wrong one; `remainingAttempts` says how many wrong ones may still follow.",
    ("WWW-Authenticate",),
)
"""The other meaning of 401: of a share link, whose holder needs no token."""

_CITIZEN = (
    "The access token of a person's app: `/oauth/authorize` with PKCE (S256), then `/oauth/token`. A JWT "
    "(`at+jwt`, ES256) of five minutes whose audience is this API. Some acts need a sign-in of the last five "
    "minutes; they answer 401 with `insufficient_user_authentication`."
)
_PROVIDER = (
    "The access token of an organisation's system: `client_credentials` with `private_key_jwt`. It is enough "
    "to write and to poll. Asking and reading need a token that names a practitioner of the roster, got by "
    "token exchange (RFC 8693); without one they answer 403 with `practitioner_needed`."
)
_OPS = (
    "The access token of somebody of ops, who signed in through the ops provider. Roles are operator, "
    "reviewer and registrar; without the role they answer 403 with `role_missing`."
)
SECURITY_SCHEMES: Mapping[str, dict[str, Any]] = {
    name: {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt", "description": says}
    for name, says in (("citizen", _CITIZEN), ("provider", _PROVIDER), ("ops", _OPS))
}
"""One scheme an audience: a token of another audience answers 403 `forbidden`."""
