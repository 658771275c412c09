"""One table from domain errors to HTTP, one shape for every refusal (RFC 9457), one text per language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from consent import errors as consent
from consent.fhir.reading import ConsentUnreadable
from notifications import errors as notifications
from wallet_api.audit import errors as audit
from wallet_api.breaches import errors as breaches
from wallet_api.corrections import errors as corrections
from wallet_api.events import errors as events
from wallet_api.exports import errors as exports
from wallet_api.identity import errors as identity
from wallet_api.infra import metrics
from wallet_api.infra.crypto import errors as crypto
from wallet_api.infra.database_faults import meaning_of
from wallet_api.infra.idempotency import IdempotencyMismatch, IdempotencyRunning
from wallet_api.infra.limits import LimitReached, LimitsUnavailable
from wallet_api.infra.logs import say, say_error
from wallet_api.infra.mongo import DATABASE_ERRORS
from wallet_api.infra.outcomes import MEDIA_TYPE as FHIR
from wallet_api.infra.outcomes import outcome_of, speaks_fhir
from wallet_api.infra.readiness import CannotServe
from wallet_api.infra.strict_json import MalformedBody
from wallet_api.records import errors as records
from wallet_api.rights import errors as rights
from wallet_api.shares import errors as shares

LANGUAGES = ("vi", "en")
MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[Exception], int] = {
    consent.UnknownCode: 422,
    ConsentUnreadable: 422,
    consent.RequestNotFound: 404,
    consent.GrantNotFound: 404,
    consent.RequestClosed: 409,
    consent.StaleVersion: 412,
    consent.ScopeWidened: 422,
    consent.TooManyGrants: 409,
    consent.TooManyOpenRequests: 409,
    consent.OrganisationBlocked: 409,
    consent.GrantNotInForce: 409,
    consent.NoticeOutdated: 409,
    consent.NotLicensed: 403,
    consent.EmergencyNotFound: 404,
    consent.EmergencyRightSuspended: 403,
    consent.ReviewClosed: 409,
    consent.VisitCodeInvalid: 422,
    consent.CoConsentRequired: 409,
    consent.FirstSignatureMissing: 409,
    consent.GrantNotSuspended: 409,
    consent.ConsentEnded: 403,
    consent.NotCovered: 403,
    consent.AccessRefused: 404,
    records.RecordNotFound: 404,
    records.StaleRecord: 412,
    records.ResyncRequired: 410,
    records.BookBusy: 503,
    records.SessionRefused: 403,
    records.BundleRefused: 422,
    records.IntakeNotFound: 404,
    records.ParkedClosed: 409,
    records.SecondLookNeeded: 409,
    records.ReleaseDisagrees: 409,
    records.NothingInCommon: 409,
    records.PersonNotMatched: 422,
    records.EntryRefused: 422,
    records.NotSelfReported: 409,
    records.CardRefused: 422,
    records.NoDoses: 409,
    records.BookChanged: 503,
    identity.TokenRefused: 401,
    identity.StepUpNeeded: 401,
    identity.CitizenUnknown: 404,
    identity.IdentityMismatch: 403,
    identity.IdentityConflict: 409,
    identity.UnderAge: 403,
    identity.AccountClosed: 403,
    identity.AccountLocked: 403,
    identity.ClaimsRefused: 403,
    identity.BadIdentifier: 422,
    identity.StaleVersion: 409,
    identity.Taken: 409,
    identity.SessionUnknown: 404,
    identity.GuardianshipUnknown: 404,
    identity.GuardianshipRefused: 409,
    identity.DeathUnknown: 404,
    identity.DeathStepRefused: 409,
    identity.SecondPersonNeeded: 409,
    identity.MergeUnknown: 404,
    identity.MergeStepRefused: 409,
    identity.MergeConflict: 409,
    identity.HeirUnknown: 404,
    identity.HeirStepRefused: 409,
    identity.EvidenceRefused: 422,
    identity.EvidenceUnknown: 404,
    identity.OrganisationUnknown: 404,
    identity.BadOrganisation: 422,
    identity.MergerRefused: 409,
    identity.OffRoster: 403,
    identity.ClientUnknown: 404,
    identity.BadClient: 422,
    identity.UpstreamRefused: 403,
    identity.UpstreamUnavailable: 503,
    identity.SignInExpired: 400,
    audit.LogUnavailable: 503,
    audit.ProofPending: 409,
    audit.LogDamaged: 409,
    events.DutyNotFound: 404,
    events.BadAttestation: 422,
    events.WebhookNotFound: 404,
    events.BadWebhook: 422,
    events.TooManyWebhooks: 409,
    notifications.BadAudience: 422,
    notifications.TemplateUnknown: 422,
    notifications.BadHeader: 422,
    notifications.ListTooLong: 422,
    notifications.CampaignNotFound: 404,
    notifications.StaleCampaign: 412,
    notifications.CampaignStepRefused: 409,
    notifications.CampaignNeedsApproval: 409,
    notifications.SecondPersonNeeded: 409,
    breaches.BreachNotFound: 404,
    breaches.StaleBreach: 412,
    breaches.BreachStepRefused: 409,
    breaches.CountTooLong: 422,
    corrections.CorrectionNotFound: 404,
    corrections.StaleCorrection: 412,
    corrections.CorrectionClosed: 409,
    corrections.NobodyToCorrect: 409,
    corrections.VersionUnknown: 422,
    corrections.TooManyCorrections: 409,
    corrections.TooManyFiles: 409,
    corrections.DisputeNotFound: 404,
    corrections.StaleDispute: 412,
    corrections.DisputeClosed: 409,
    rights.RightsRequestNotFound: 404,
    rights.StaleRightsRequest: 412,
    rights.RightsStepRefused: 409,
    rights.TooManyRightsRequests: 409,
    shares.ShareNotFound: 404,
    shares.StaleShare: 412,
    shares.ShareBusy: 503,
    shares.PasscodeRefused: 401,
    shares.ShareOutOfBounds: 422,
    shares.TooManyShares: 409,
    shares.SharingRestricted: 409,
    exports.ExportNotFound: 404,
    exports.ExportNotReady: 409,
    exports.TooManyExports: 409,
    exports.ExportRestricted: 409,
    crypto.BadReference: 404,
    crypto.BadCursor: 400,
    crypto.KeyUnavailable: 503,
    MalformedBody: 400,
    LimitReached: 429,
    LimitsUnavailable: 503,
    CannotServe: 503,
    IdempotencyMismatch: 422,
    IdempotencyRunning: 409,
    notifications.MessageNotFound: 404,
    notifications.DeadLetterNotFound: 404,
    notifications.BadDevice: 422,
    notifications.BadSessionDays: 422,
    notifications.StaleSessionDays: 412,
    notifications.SnoozeRefused: 409,
    notifications.RebuildNotFound: 404,
    notifications.RebuildStepRefused: 409,
    notifications.RebuildRunning: 409,
    notifications.StaleRebuild: 412,
}
_EDGE_CODES = frozenset({"insufficient_scope", "role_missing", "practitioner_needed"})
_HTTP_CODES = {
    400: "malformed_request",
    401: "invalid_token",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_fields",
    428: "precondition_required",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}
_MEANINGS = (
    ("Missing data", "missing"),
    ("Unknown field", "unsupported"),
    ("Field may not be null", "null"),
    ("Must be one of", "not_listed"),
    ("Must be ", "range"),
    ("Number too large", "range"),
    ("Shorter than", "length"),
    ("Longer than", "length"),
    ("Length must", "length"),
    ("String does not match", "form"),
    ("Not a valid", "type"),
    ("Invalid type", "type"),
    ("Invalid input type", "type"),
    ("Control characters", "control_characters"),
    ("A day is", "day_form"),
    ("A day lies", "day_range"),
    ("An instant is", "instant_form"),
    ("The first day", "days_out_of_order"),
    ("A JWK set", "key_count"),
    ("Only public keys", "key_kind"),
)
"""How a sentence of marshmallow or of a schema begins, and the field code for it; the first match counts."""
_MOST_FAULTS = 100
_LONGEST_NAME = 64


class Refusal(Exception):
    """A refusal made at the edge, where no domain error fits: only `code` and `status` are told."""

    def __init__(self, code: str, status: int, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.errors = errors or []


def register_errors(app: Flask) -> None:
    """Turn everything that can be raised into a problem answer."""
    for kind in STATUS:
        app.register_error_handler(kind, problem_of)
    app.register_error_handler(Refusal, problem_of_input)
    for broken in DATABASE_ERRORS:
        app.register_error_handler(broken, _database_refused)
    app.register_error_handler(Exception, _unexpected)


def problem_of_input(why: Exception) -> Response:
    """The answer for input refused at the edge, whichever part of the edge refused it."""
    if isinstance(why, Refusal):
        return problem(why.code, why.status, why.errors)
    return problem_of_http(why) if isinstance(why, HTTPException) else problem_of(why)


def problem_of(why: Exception) -> Response:
    """The answer for a domain error of the table."""
    status = next(STATUS[kind] for kind in type(why).__mro__ if kind in STATUS)
    code: str = why.code  # type: ignore[attr-defined]  # every class in the table carries one
    if status == 404:
        # Foreign, hidden and absent must be one answer, to the byte.
        return problem("not_found", 404)
    answer = problem(code, status, _where(why))
    if isinstance(why, (LimitReached, IdempotencyRunning)):
        answer.headers["Retry-After"] = str(why.retry_after)
    return answer


def problem_of_http(why: HTTPException) -> Response:
    """The answer for an error of the web framework; `Allow` and `Retry-After` are kept."""
    status = why.code or 500
    data: Mapping[str, Any] = getattr(why, "data", None) or {}
    answer = problem(_HTTP_CODES.get(status, "http_error"), status, _field_errors(data.get("messages")))
    for name, value in why.get_headers():
        if name in ("Allow", "Retry-After", "WWW-Authenticate"):
            answer.headers[name] = value
    return answer


def problem(code: str, status: int, errors: list[dict[str, str]] | None = None) -> Response:
    """A problem+json answer in the reader's language; under /fhir an OperationOutcome that says the same."""
    text = texts(language()).get(code) or texts(language())["http_error"]
    metrics.PROBLEMS.labels(code).inc()
    body: dict[str, object] = {
        "type": f"urn:wallet:problem:{code}",
        "title": text["title"],
        "status": status,
        "code": code,
        "detail": text["detail"],
        "request_id": g.get("request_id", ""),
    }
    if errors:
        body["errors"] = [
            each | {"message": field_text(each["code"], each["message"])} for each in errors[:_MOST_FAULTS]
        ]
    kind, told = MEDIA_TYPE, body
    if speaks_fhir(request.path, request.accept_mimetypes.values()):
        kind, told = FHIR, outcome_of(body, language())
    answer = Response(json.dumps(told, ensure_ascii=False), status, mimetype=kind)
    answer.headers["Content-Language"] = language()
    answer.headers["Cache-Control"] = "no-store"
    if status == 401:
        answer.headers["WWW-Authenticate"] = _challenge(code)
    if status == 503:
        answer.headers["Retry-After"] = "2"
    return answer


def language() -> str:
    """The reader's language by Accept-Language: Vietnamese unless English is preferred."""
    return request.accept_languages.best_match(LANGUAGES, default="vi") or "vi"


@cache
def texts(locale: str) -> Mapping[str, Mapping[str, str]]:
    """What each code says in a language."""
    raw = files("wallet_api").joinpath(f"messages/{locale}.json").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, str]] = json.loads(raw)
    return found


def field_text(code: str, otherwise: str = "") -> str:
    """What a code of one field or row says in the reader's language; `otherwise` if it has no text."""
    return field_texts(language()).get(code, otherwise)


@cache
def field_texts(locale: str) -> Mapping[str, str]:
    """What each code of one field or row says in a language."""
    raw = files("wallet_api").joinpath(f"messages/fields.{locale}.json").read_text(encoding="utf-8")
    found: Mapping[str, str] = json.loads(raw)
    return found


def codes() -> frozenset[str]:
    """Every code this product can answer with; whatever is not there is `not_found` to all."""
    named = {kind.code for kind, status in STATUS.items() if status != 404}  # type: ignore[attr-defined]  # as above
    return frozenset(named | _EDGE_CODES | set(_HTTP_CODES.values()) | {"http_error"})


def _where(why: Exception) -> list[dict[str, str]]:
    if isinstance(why, consent.UnknownCode):
        return [{"pointer": f"/{field}", "code": "invalid", "message": ""} for field in why.fields]
    if isinstance(why, consent.ScopeWidened):
        return [{"pointer": f"/{name}", "code": "widened", "message": ""} for name in why.dimensions]
    if isinstance(why, events.BadAttestation | events.BadWebhook):
        part = "attestation" if isinstance(why, events.BadAttestation) else "url"
        return [{"pointer": f"/{part}/{why.fault}", "code": "invalid", "message": ""}]
    if isinstance(why, shares.ShareOutOfBounds | notifications.BadSessionDays):
        return [{"pointer": f"/{why.field}", "code": "range", "message": ""}]
    if isinstance(why, ConsentUnreadable):
        return [{"pointer": each.place, "code": each.code, "message": ""} for each in why.faults]
    if isinstance(why, records.BundleRefused | records.EntryRefused | records.CardRefused):
        return [{"pointer": why.pointer, "code": why.fault, "message": ""}]
    return [{"pointer": "", "code": why.fault, "message": ""}] if isinstance(why, MalformedBody) else []


def _field_errors(messages: object) -> list[dict[str, str]]:
    """What marshmallow found in each part of a request, as a flat list; what was sent is never repeated."""
    parts = messages.values() if isinstance(messages, Mapping) else ()
    return [one for part in parts for one in _flat(part, "")]


def pointer_to(name: object) -> str:
    """One step of a JSON pointer (RFC 6901) to what a sender named; long names are cut, marks left out."""
    plain = "".join(each if each.isprintable() else "?" for each in str(name)[:_LONGEST_NAME])
    return "/" + plain.replace("~", "~0").replace("/", "~1")


def _flat(messages: object, pointer: str) -> list[dict[str, str]]:
    if isinstance(messages, Mapping):
        inner = (
            _flat(each, pointer if key == "_schema" else pointer + pointer_to(key))
            for key, each in messages.items()
        )
        return [one for many in inner for one in many]
    if isinstance(messages, list):
        return [{"pointer": pointer, "code": _meaning(str(each)), "message": ""} for each in messages]
    return []


def _meaning(sentence: str) -> str:
    return next((code for beginning, code in _MEANINGS if sentence.startswith(beginning)), "invalid")


def _challenge(code: str) -> str:
    if code == identity.StepUpNeeded.code:
        return f'Bearer error="{code}", max_age="300"'
    return f'Bearer error="{identity.TokenRefused.code}"'


def _database_refused(why: Exception) -> Response:
    """503 only where asking again may help; a clash that no store has put into a word of its own is 409."""
    meaning = meaning_of(why)
    if meaning == "ours":
        return _unexpected(why)
    metrics.DATABASE_FAULTS.labels(meaning).inc()
    event = "database_unavailable" if meaning == "passing" else "database_clash"
    say(event, error_type=type(why).__name__, request_id=g.get("request_id", ""))
    return problem("unavailable", 503) if meaning == "passing" else problem("conflict", 409)


def _unexpected(why: Exception) -> Response:
    if isinstance(why, HTTPException):
        return problem_of_http(why)
    metrics.UNEXPECTED.inc()
    say_error("unexpected_error", why, request_id=g.get("request_id", ""))
    return problem("internal_error", 500)
