"""The records of a book as FHIR R4 resources, for whoever may read the book: read, versions, search."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, make_response
from flask.views import MethodView

from wallet_api.context import caller, services
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.fhir_search import KINDS
from wallet_api.records.model import Position
from wallet_api.routes.edge import none_match, takes
from wallet_api.routes.fhir_answers import FHIR, fhir, fhir_blueprint
from wallet_api.routes.fhir_bundles import history_of, resumed, sealed, search_page
from wallet_api.routes.fhir_query import Asked, plain_query, resource_query, sent_pairs
from wallet_api.routes.fhir_readers import Opened, open_book, open_record, permit
from wallet_api.routes.fhir_resources import resource_of
from wallet_api.routes.guarded import book_readers
from wallet_api.routes.limits import CountedReading
from wallet_api.routes.schemas.fhir import (
    FORMAT,
    HISTORY,
    RESOURCE,
    SEARCH_PARAMETERS,
    SEARCH_SET,
    form_of,
)

fhir_records = fhir_blueprint(
    "fhir-records",
    __name__,
    book_readers,
    "The health book as FHIR R4 resources: for citizens, guardians, and practitioners under consent.",
    CountedReading(),
)
SESSION = {
    "in": "header",
    "name": "Access-Session",
    "description": "Of providers: the `id` of a live access session; else 403 `access_session_invalid`.",
    "schema": {"type": "string"},
}


@fhir_records.route("/<kind>")
class Search(MethodView):
    """Searching."""

    @fhir_records.doc(operationId="searchFhirResources", parameters=[SESSION, *SEARCH_PARAMETERS])
    @fhir_records.response(200, SEARCH_SET, content_type=FHIR)
    @takes(any_query=True)
    def get(self, kind: str) -> Response:
        """Resources of one type in one book, newest first unless `_sort=date`.

        What is not understood is refused (400), unless `Prefer: handling=lenient`.
        """
        return _searched(kind)


@fhir_records.route("/<kind>/_search")
class PostedSearch(MethodView):
    """Searching with the parameters in a form."""

    @fhir_records.doc(
        operationId="searchFhirResourcesByForm",
        parameters=[SESSION],
        requestBody=form_of(SEARCH_PARAMETERS),
    )
    @fhir_records.response(200, SEARCH_SET, content_type=FHIR)
    @takes(any_query=True, body=True)
    def post(self, kind: str) -> Response:
        """The same search, with what is looked for in the body, where no server writes it down."""
        return _searched(kind)


@fhir_records.route("/<kind>/<fhir_id:resource_id>")
class Read(MethodView):
    """One resource."""

    @fhir_records.doc(operationId="readFhirResource", parameters=[SESSION, "If-None-Match", *FORMAT])
    @fhir_records.response(200, RESOURCE, content_type=FHIR)
    @fhir_records.alt_response(304, description="The copy at hand is still good. Of citizens alone.")
    @takes(any_query=True)
    def get(self, kind: str, resource_id: str) -> Response:
        """One resource in its newest version."""
        book, record_id = _opened(kind, resource_id)
        found = book.reader.resources.one(kind, record_id)
        headers = {}
        if caller().kind == "citizen":
            etag = services().etags.etag("fhir", found.citizen_id, found.id, found.version)
            headers = {"ETag": f'"{etag}"'}
            if none_match(etag):
                return make_response("", 304, headers)
        answer = fhir(resource_of(found, book.patient, book.name))
        answer.headers.update(headers)
        return answer


@fhir_records.route("/<kind>/<fhir_id:resource_id>/_history")
class History(MethodView):
    """How a resource changed."""

    @fhir_records.doc(operationId="listFhirVersions", parameters=[SESSION, *FORMAT])
    @fhir_records.response(200, HISTORY, content_type=FHIR)
    @takes(any_query=True)
    def get(self, kind: str, resource_id: str) -> Response:
        """Every version of a resource, newest first."""
        book, record_id = _opened(kind, resource_id)
        return fhir(history_of(book, book.reader.resources.versions(kind, record_id)))


@fhir_records.route("/<kind>/<fhir_id:resource_id>/_history/<fhir_id:version_id>")
class Version(MethodView):
    """One version of a resource."""

    @fhir_records.doc(operationId="readFhirVersion", parameters=[SESSION, *FORMAT])
    @fhir_records.response(200, RESOURCE, content_type=FHIR)
    @takes(any_query=True)
    def get(self, kind: str, resource_id: str, version_id: str) -> Response:
        """One version of a resource."""
        book, record_id = _opened(kind, resource_id)
        found = book.reader.resources.version(kind, record_id, version_id)
        return fhir(resource_of(found, book.patient, book.name))


def _opened(kind: str, resource_id: str) -> tuple[Opened, str]:
    _check_kind(kind)
    permit(kind, "r")
    plain_query(sent_pairs())
    return open_record(resource_id)


def _check_kind(kind: str) -> None:
    """Raises RecordNotFound for a type that no book holds."""
    if kind not in KINDS:
        raise RecordNotFound(kind)


def _searched(kind: str) -> Response:
    _check_kind(kind)
    permit(kind, "s")
    asked, after = resource_query(kind, sent_pairs()), None
    from_before = resumed(asked.cursor, kind)
    if from_before is not None:
        asked, after = resource_query(kind, from_before.texts), from_before.after
    book = open_book(asked.patient if from_before is None else from_before.patient)
    return fhir(_page(kind, book, asked, after))


def _page(kind: str, book: Opened, asked: Asked, after: Position | None) -> dict[str, object]:
    wanted = asked.search
    if asked.ids is not None:
        wanted = replace(wanted, record_ids=frozenset(filter(None, map(book.find, asked.ids))))
    resources = book.reader.resources
    total = resources.count(wanted) if asked.total or asked.only_count else None
    if asked.only_count:
        return search_page(kind, asked, (), total=total)
    found = resources.search(wanted, after, asked.count)
    shown = (resource_of(each, book.patient, book.name) for each in found.records)
    return search_page(kind, asked, shown, sealed(asked, book.patient, found.rest, kind), total)
