"""The citizen's own book, and a dependent's."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import make_response
from flask.views import MethodView

from consent.predicate import GUARDIANS, PROVIDERS
from wallet_api.audit.model import Action
from wallet_api.context import log_act, services
from wallet_api.records.errors import NotSelfReported, RecordNotFound, StaleRecord
from wallet_api.records.model import Record
from wallet_api.records.reader import PersonReader
from wallet_api.routes.edge import if_match, none_match
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only
from wallet_api.routes.idempotency import act_id, again, done, once
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.base import listed
from wallet_api.routes.schemas.own_entries import OwnCorrectionForm, OwnEntryForm, entry_of
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

    @records.doc(operationId="addOwnEntry")
    @records.arguments(OwnEntryForm, example=examples.OWN_ENTRY)
    @records.response(201, RecordSchema, headers={"ETag": "ETag"})
    @once
    def post(self, form: dict[str, Any], citizen: str) -> Any:
        """Enter a value you measured, what an old paper says, or a circumstance such as being an employee.

        It is `self_reported` for every reader and never counts as a facility's record: no dose or check-up is
        settled by it. A circumstance is reminded by from its first to its last day.
        """
        book, record_id = reader(citizen), act_id("own entry")
        made = _entered_before(book, record_id)
        if made is None:
            made = services().book.own.write(book.citizen_id, entry_of(form), record_id)
        if not done():
            _log_entry(Action.RECORD_WRITTEN, made)
        return _tagged(made)


@records.route("/<record_id>")
class OneRecord(MethodView):
    """One record."""

    @records.doc(operationId="getRecord", parameters=["If-None-Match"])
    @records.response(200, RecordSchema, headers={"ETag": "ETag"})
    @records.alt_response(304, description="The copy at hand is still good.", headers={"ETag": "ETag"})
    def get(self, citizen: str, record_id: str) -> Any:
        """One record in its newest version."""
        found = reader(citizen).get(record_id)
        if none_match(etag := _etag(found)):
            return make_response("", 304, {"ETag": f'"{etag}"'})
        return _tagged(found)

    @records.doc(operationId="correctOwnEntry", parameters=["If-Match"])
    @records.arguments(OwnCorrectionForm, example=examples.OWN_CORRECTION)
    @records.response(200, RecordSchema, headers={"ETag": "ETag"})
    @records.alt_response(409)
    @records.alt_response(412)
    @records.alt_response(428)
    def put(self, form: dict[str, Any], citizen: str, record_id: str) -> Any:
        """Put an own entry right, or say that it was entered in error: a new version, the old ones stay.

        What a facility recorded is not changed here: 409 `not_self_reported`.
        """
        found = reader(citizen).get(record_id)
        if not found.self_reported:
            raise NotSelfReported(record_id)
        if _etag(found) not in if_match():
            raise StaleRecord(record_id)
        made = services().book.own.correct(found, entry_of(form), form["reason"])
        _log_entry(Action.RECORD_CORRECTED, made)
        return _tagged(made)


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


def _etag(record: Record) -> str:
    return services().etags.etag("record", record.citizen_id, record.id, record.version)


def _tagged(record: Record) -> tuple[dict[str, Any], dict[str, str]]:
    return record_view(record, record.id), {"ETag": f'"{_etag(record)}"'}


def _entered_before(book: PersonReader, record_id: str) -> Record | None:
    """What an earlier run of this act entered, as its reader may see it now."""
    if again() is not None:
        with suppress(RecordNotFound):
            return book.get(record_id)
    return None


def _log_entry(action: Action, made: Record) -> None:
    log_act(
        action,
        made.citizen_id,
        record_count=1,
        categories=(made.category,),
        detail={"record": made.id},
    )
