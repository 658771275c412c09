"""How the FHIR side answers: `application/fhir+json`, and OperationOutcome for whoever asks for JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from wallet_api.context import caller, services
from wallet_api.errors import MEDIA_TYPE as PROBLEM
from wallet_api.errors import language
from wallet_api.records.errors import RecordNotFound
from wallet_api.routes.guarded import GuardedBlueprint
from wallet_api.routes.schemas.base import Digits, StrictSchema, Text
from wallet_api.routes.subjects import ME, Subject, subject

FHIR = "application/fhir+json"
Json = dict[str, Any]
_ISSUES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 409: "conflict", 422: "invalid"}
_ISSUES |= {405: "not-supported", 413: "too-long", 415: "not-supported", 429: "throttled", 503: "transient"}


class PatientQuery(StrictSchema):
    """Whose, and how much of it."""

    patient = Text(longest=64, load_default=ME, metadata={"description": "`Patient/{id}`, an id, or `me`"})
    count = Digits(1, 100, data_key="_count", load_default=20)
    cursor = Text(longest=2048, load_default=None)


def fhir_blueprint(
    name: str, import_name: str, guard: Callable[[], None], says: str, budget: str = "citizen"
) -> GuardedBlueprint:
    """A blueprint under /fhir. Its problems are OperationOutcomes for whoever asks for FHIR or plain JSON."""
    made = GuardedBlueprint(
        name, import_name, url_prefix="/fhir", guard=guard, budget=budget, description=says
    )
    made.after_request(_outcome)
    return made


def fhir(resource: Json, status: int = 200) -> Response:
    """A resource as an answer."""
    return Response(json.dumps(resource, ensure_ascii=False), status, mimetype=FHIR)


def patient(reference: str) -> Subject:
    """Whose a `patient` is: the caller's own, or somebody's the caller is guardian of today.

    Raises:
        RecordNotFound: anybody else, existing or not.
    """
    kind, slash, name = reference.rpartition("/")
    if slash and kind != "Patient":
        raise RecordNotFound(reference)
    return subject(name)


def everybody() -> list[Subject]:
    """The caller, and whom the caller is guardian of today: whose resources an id alone can name."""
    own, family = caller().subject_id, services().identity.family
    wards = sorted(each.dependent_id for each in family.dependents_of(own, services().now()))
    return [Subject(own, "self"), *(Subject(each, "guardian") for each in wards)]


def url(path: str) -> str:
    """An absolute URL under /fhir."""
    return f"{services().settings.public_url}/fhir/{path}"


def search_set(kind: str, found: Iterable[Json], query: Json, cursor: str | None) -> Json:
    """A page of a search. Without a total, which would count what the reader does not see."""
    asked = {"patient": query["patient"], "_count": query["count"]}
    links = [{"relation": "self", "url": url(f"{kind}?{urlencode(asked)}")}]
    if cursor is not None:
        links.append({"relation": "next", "url": url(f"{kind}?{urlencode(asked | {'cursor': cursor})}")})
    entries = [
        {"fullUrl": url(f"{kind}/{each['id']}"), "resource": each, "search": {"mode": "match"}}
        for each in found
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return bundle | ({"entry": entries} if entries else {})


def _outcome(answer: Response) -> Response:
    if answer.mimetype != PROBLEM or not _asks_for_json():
        return answer
    problem = answer.get_json()
    outcome = {"resourceType": "OperationOutcome", "language": language(), "issue": _issues(problem)}
    answer.set_data(json.dumps(outcome, ensure_ascii=False))
    answer.mimetype = FHIR
    return answer


def _asks_for_json() -> bool:
    """Whether JSON is asked for by name. `*/*` is no request for FHIR: problem details are for that."""
    asked = {kind.partition(";")[0].strip().lower() for kind, _ in request.accept_mimetypes}
    return bool(asked & {FHIR, "application/json", "application/json+fhir"})


def _issues(problem: Json) -> list[Json]:
    code = _ISSUES.get(problem["status"], "processing")
    first = _issue(code, problem["code"], f"{problem['title']} {problem['detail']}") | {
        "diagnostics": problem["request_id"]
    }
    more = [
        _issue(code, each["code"], each["message"]) | {"expression": [each["pointer"]]}
        for each in problem.get("errors", ())
    ]
    return [first, *more]


def _issue(code: str, ours: str, text: str) -> Json:
    details = {"coding": [{"system": "urn:wallet:problem", "code": ours}], "text": text}
    return {"severity": "error", "code": code, "details": details}
