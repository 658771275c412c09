"""How the FHIR side answers: `application/fhir+json`, in bundles, with links that lead on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from flask import Response

from wallet_api.context import caller, services
from wallet_api.infra.outcomes import MEDIA_TYPE as FHIR
from wallet_api.records.errors import RecordNotFound
from wallet_api.routes.fhir_query import accept_json
from wallet_api.routes.guarded import GuardedBlueprint
from wallet_api.routes.limits import Counted
from wallet_api.routes.schemas.base import Digits, StrictSchema, Text
from wallet_api.routes.subjects import ME, Subject, subject

Json = dict[str, Any]
__all__ = ["FHIR", "PatientQuery", "everybody", "fhir", "fhir_blueprint", "patient", "search_set", "url"]


class PatientQuery(StrictSchema):
    """Whose, and how much of it."""

    patient = Text(longest=64, load_default=ME, metadata={"description": "`Patient/{id}`, an id, or `me`"})
    count = Digits(1, 100, data_key="_count", load_default=20)
    cursor = Text(longest=2048, load_default=None)


def fhir_blueprint(
    name: str, import_name: str, guard: Callable[[], None], says: str, budget: str | Counted = "citizen"
) -> GuardedBlueprint:
    """A blueprint under /fhir. Whoever takes no JSON is answered 406."""
    made = GuardedBlueprint(
        name, import_name, url_prefix="/fhir", guard=guard, budget=budget, description=says
    )
    made.before_request(accept_json)
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
