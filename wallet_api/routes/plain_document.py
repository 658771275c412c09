"""The published document's part for what is no resource of the API: signing in, public keys, readiness.

These routes keep to standards that fix their parameters and answers (RFC 6749, 7009, 7636, 8414, 8693, 9207),
so they are described here instead of by schemas of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apispec import APISpec
from werkzeug.routing import Rule

from wallet_api.errors import MEDIA_TYPE
from wallet_api.identity.oauth.desk import TOKEN_EXCHANGE
from wallet_api.routes.schemas.lists import KeySetSchema

Operation = dict[str, Any]
_TAGS = (
    ("oauth", "Signing in: authorization code with PKCE for people, private_key_jwt for providers' systems."),
    ("service", "Whether this process lives and can serve."),
)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TEXT = {"type": "string"}
_URL = {"type": "string", "format": "uri"}
_URLS = {"type": "array", "items": _TEXT}
_REQUEST_ID = {"Request-Id": "Request-Id"}
_LOCATION = {"description": "Where the browser goes on.", "required": True, "schema": {"type": "string"}}
_PROBLEM = {MEDIA_TYPE: {"schema": "Problem"}}
_GRANTS = ["authorization_code", "refresh_token", "client_credentials", TOKEN_EXCHANGE]


def _object(says: str, required: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    members = {**required, **more}
    return {"type": "object", "description": says, "required": sorted(required), "properties": members}


SCHEMAS: Mapping[str, dict[str, Any]] = {
    "OAuthError": _object(
        "RFC 6749, section 5.2.",
        {"error": _TEXT, "error_description": _TEXT},
    ),
    "Token": _object(
        "RFC 6749, section 5.1. People get a refresh token; it rotates: keep the newest.",
        {
            "access_token": _TEXT,
            "token_type": {"type": "string", "enum": ["Bearer"]},
            "expires_in": {"type": "integer"},
            "scope": _TEXT,
        },
        refresh_token=_TEXT,
        issued_token_type=_TEXT,
    ),
    "ServerMetadata": _object(
        "RFC 8414.",
        {
            "issuer": _URL,
            "authorization_endpoint": _URL,
            "token_endpoint": _URL,
            "revocation_endpoint": _URL,
            "jwks_uri": _URL,
            "scopes_supported": _URLS,
            "response_types_supported": _URLS,
            "grant_types_supported": _URLS,
            "code_challenge_methods_supported": _URLS,
            "token_endpoint_auth_methods_supported": _URLS,
        },
    ),
    "Health": _object("How it is.", {"status": {"type": "string", "enum": ["alive", "ready"]}}),
}
_TOKEN_FORM = _object(
    "Which members are needed depends on `grant_type`.",
    {"grant_type": {"type": "string", "enum": _GRANTS}},
    client_id=_TEXT,
    code=_TEXT,
    redirect_uri=_TEXT,
    code_verifier=_TEXT,
    refresh_token=_TEXT,
    client_assertion_type={"type": "string", "enum": [ASSERTION_TYPE]},
    client_assertion=_TEXT,
    subject_token=_TEXT,
    subject_token_type=_TEXT,
    actor_token=_TEXT,
    actor_token_type=_TEXT,
)
_REVOKE_FORM = _object("RFC 7009.", {"token": _TEXT, "client_id": _TEXT}, token_type_hint={"type": "string"})


def document_plain(spec: APISpec, rules: Iterable[Rule]) -> None:
    """Add the routes that no blueprint of the API describes; `rules` are all of the application."""
    found = {rule.rule: rule for rule in rules}
    for name, description in _TAGS:
        spec.tag({"name": name, "description": description})
    for name, schema in SCHEMAS.items():
        spec.components.schema(name, schema)
    for path, method, operation in _operations():
        spec.path(rule=found[path], operations={method: operation})


def _operations() -> list[tuple[str, str, Operation]]:
    return [
        ("/healthz", "get", _service("isAlive", "This process answers.")),
        (
            "/readyz",
            "get",
            _service("isReady", "This process can serve. Otherwise 503."),
        ),
        ("/oauth/authorize", "get", _authorize()),
        ("/oauth/vneid/callback", "get", _callback("finishCitizenSignIn", "VNeID")),
        ("/oauth/ops/callback", "get", _callback("finishOpsSignIn", "the ops provider")),
        ("/oauth/token", "post", _token()),
        ("/oauth/revoke", "post", _revoke()),
        _published(
            "oauth-authorization-server",
            "getServerMetadata",
            "What this authorization server serves (RFC 8414).",
            "ServerMetadata",
        ),
        _published(
            "smart-configuration",
            "getSmartConfiguration",
            "The same for FHIR apps (SMART App Launch).",
            "ServerMetadata",
        ),
        _published("jwks.json", "getTokenKeys", "The keys access tokens are signed with.", KeySetSchema),
    ]


def _operation(name: str, says: str, tag: str, answers: Mapping[str, Any]) -> Operation:
    for each in answers.values():
        each["headers"] = each.get("headers", {}) | _REQUEST_ID
    common = {"422": "InvalidFields", "429": "TooManyRequests", "503": "Unavailable"}
    if "400" not in answers:
        common["400"] = "Malformed"
    told = dict(sorted({**answers, **common}.items()))
    return {"operationId": name, "summary": says, "tags": [tag], "security": [], "responses": told}


def _json(says: str, schema: Any) -> dict[str, Any]:
    return {"description": says, "content": {"application/json": {"schema": schema}}}


def _service(name: str, says: str) -> Operation:
    return _operation(name, says, "service", {"200": _json("It does.", "Health")})


def _published(document: str, name: str, says: str, schema: Any) -> tuple[str, str, Operation]:
    operation = _operation(name, says, "oauth", {"200": _json("Published.", schema)})
    return f"/.well-known/{document}", "get", operation


def _page(says: str) -> dict[str, Any]:
    return {"description": says, "content": {"text/html": {"schema": _TEXT}, **_PROBLEM}}


def _query(name: str, schema: Mapping[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"in": "query", "name": name, "required": required, "schema": dict(schema)}


def _redirect(says: str) -> dict[str, Any]:
    return {"description": says, "headers": {"Location": _LOCATION}}


def _authorize() -> Operation:
    sent = _redirect("On to the sign-in provider, or back to the app with an error.")
    answers = {
        "302": sent,
        "400": _page("An unknown app, to which nobody is sent back: a page."),
    }
    operation = _operation("authorize", "Where an app sends the browser to sign in.", "oauth", answers)
    operation["parameters"] = [
        _query("response_type", {"type": "string", "enum": ["code"]}),
        _query("client_id", _TEXT),
        _query("redirect_uri", {"type": "string"}),
        _query("state", {"type": "string", "minLength": 1}),
        _query("code_challenge", {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}),
        _query("code_challenge_method", {"type": "string", "enum": ["S256"]}),
        _query("scope", _TEXT, required=False),
    ]
    return operation


def _callback(name: str, whence: str) -> Operation:
    sent = _redirect("Back to the app: with our one-time code, or with an error.")
    answers = {"302": sent, "400": _page("No sign-in of this browser waits for this: a page.")}
    operation = _operation(name, f"Where {whence} sends the browser back; not for apps.", "oauth", answers)
    operation["parameters"] = [
        _query(each, _TEXT, required=False) for each in ("state", "code", "error", "iss")
    ]
    return operation


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}


def _refusals() -> dict[str, Any]:
    refused = _json("Refused; `error` says why.", "OAuthError")
    refused["content"] |= _PROBLEM
    unknown = _json("The client did not prove who it is.", "OAuthError")
    unknown["headers"] = {"WWW-Authenticate": "WWW-Authenticate"}
    return {"400": refused, "401": unknown}


def _token() -> Operation:
    answers = {"200": _json("Issued.", "Token"), **_refusals()}
    operation = _operation("getToken", "Exchange a code, a refresh token or a proof.", "oauth", answers)
    operation["requestBody"] = _form(_TOKEN_FORM)
    operation["responses"] |= {"413": "TooLarge", "415": "UnsupportedMediaType"}
    return operation


def _revoke() -> Operation:
    answers = {"200": {"description": "Ended, or was not there."}, **_refusals()}
    operation = _operation("revokeToken", "End the session behind a token.", "oauth", answers)
    operation["requestBody"] = _form(_REVOKE_FORM)
    operation["responses"] |= {"413": "TooLarge", "415": "UnsupportedMediaType"}
    return operation
