"""The citizen's own book, and a dependent's."""

from __future__ import annotations

from typing import Any

from flask import make_response
from flask.views import MethodView

from consent.predicate import GUARDIANS, PROVIDERS
from wallet_api.context import services
from wallet_api.routes.edge import none_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.records import (
    RecordPageSchema,
    RecordSchema,
    RecordsQuery,
    VisibilitySchema,
    filter_of,
    record_view,
)
from wallet_api.routes.subjects import reader

records = GuardedBlueprint(
    "records",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/records",
    guard=citizen_only,
    budget="citizen",
    description="The health book: every record with where it came from.",
)
_AUDIENCES = {"guardians": GUARDIANS, "providers": PROVIDERS}


@records.route("")
class Timeline(MethodView):
    """The book, newest first."""

    @records.doc(operationId="listRecords")
    @records.arguments(RecordsQuery, location="query")
    @records.response(200, RecordPageSchema)
    def get(self, query: dict[str, Any], citizen: str) -> dict[str, Any]:
        """The book, newest first, with keyset cursors."""
        page = reader(citizen).page(filter_of(query), query["cursor"], query["limit"])
        return listed([record_view(each, each.id) for each in page.records], page.next_cursor)


@records.route("/<record_id>")
class OneRecord(MethodView):
    """One record."""

    @records.doc(operationId="getRecord", parameters=["If-None-Match"])
    @records.response(200, RecordSchema, headers={"ETag": "ETag"})
    @records.alt_response(304, description="The copy at hand is still good.", headers={"ETag": "ETag"})
    def get(self, citizen: str, record_id: str) -> Any:
        """One record in its newest version."""
        found = reader(citizen).get(record_id)
        etag = services().etags.etag("record", found.citizen_id, found.id, found.version)
        if none_match(etag):
            return make_response("", 304, {"ETag": f'"{etag}"'})
        return record_view(found, found.id), {"ETag": f'"{etag}"'}


@records.route("/<record_id>/versions")
class Versions(MethodView):
    """How a record changed."""

    @records.doc(operationId="listRecordVersions")
    @records.response(200, RecordPageSchema)
    def get(self, citizen: str, record_id: str) -> dict[str, Any]:
        """Every version, newest first, each with the reason for the change."""
        return listed([record_view(each, each.id) for each in reader(citizen).versions(record_id)])


@records.route("/<record_id>/visibility")
class Visibility(MethodView):
    """Hiding a record."""

    @records.doc(operationId="setRecordVisibility")
    @records.arguments(VisibilitySchema, example=examples.VISIBILITY)
    @records.response(204)
    def put(self, form: dict[str, Any], citizen: str, record_id: str) -> None:
        """Hide a record from guardians or from every provider, or show it again. Effective at once."""
        book, audience = reader(citizen), _AUDIENCES[form["audience"]]
        if form["hidden"]:
            book.hide(record_id, audience)
        else:
            book.show(record_id, audience)
        if audience == GUARDIANS:
            services().reminding.planning.replan(book.citizen_id)  # guardians are reminded by what they know
