"""Files of a book to take home: asked for, made aside by the worker, fetched, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from flask import Response
from flask.views import MethodView

from wallet_api.audit.model import Action
from wallet_api.context import caller, log_act, services
from wallet_api.errors import language
from wallet_api.exports.errors import ExportNotFound
from wallet_api.exports.model import Export
from wallet_api.records.errors import RecordNotFound
from wallet_api.records.visits import is_visit
from wallet_api.routes.guarded import GuardedBlueprint, citizen_only, step_up
from wallet_api.routes.handover import hold_until
from wallet_api.routes.idempotency import act_id, once
from wallet_api.routes.limits import spend
from wallet_api.routes.schemas import examples
from wallet_api.routes.schemas.exports import ExportForm, ExportSchema, export_view
from wallet_api.routes.subjects import Subject, reader, subject

_TYPES: Final = {"pdf": "application/pdf", "fhir": "application/fhir+json"}
_ENDINGS: Final = {"pdf": "pdf", "fhir": "json"}

exports = GuardedBlueprint(
    "exports",
    __name__,
    url_prefix="/api/v1/citizens/<citizen>/exports",
    guard=citizen_only,
    budget="citizen",
    description="Files of a book, or of one visit, as PDF or FHIR.",
)


@exports.route("")
class ExportOrders(MethodView):
    """Orders."""

    @exports.doc(operationId="askForExport")
    @exports.arguments(ExportForm, example=examples.EXPORT)
    @exports.response(202, ExportSchema, headers={"Cache-Control": {"schema": {"type": "string"}}})
    @exports.alt_response(409)
    @once
    def post(self, form: dict[str, Any], citizen: str) -> Any:
        """Ask for a file of what the reader may see. Needs a sign-in of the last five minutes.

        It is made aside: follow it at `exports/{id}`. A PDF is in the language of `Accept-Language` and
        carries a signed QR code. Only whoever asked can fetch it, for some hours.
        """
        step_up()
        who = subject(citizen)
        spend("export")
        if form["encounter_id"] is not None and not is_visit(reader(citizen).about(form["encounter_id"])):
            raise RecordNotFound(form["encounter_id"])
        made = services().exports.ask(_wish(form, who))
        return export_view(made), {"Cache-Control": "no-store"}


@exports.route("/<export_id>")
class OneExport(MethodView):
    """One export."""

    @exports.doc(operationId="getExport")
    @exports.response(200, ExportSchema, headers={"Cache-Control": {"schema": {"type": "string"}}})
    def get(self, citizen: str, export_id: str) -> Any:
        """How far it is."""
        return export_view(_found(citizen, export_id)), {"Cache-Control": "no-store"}

    @exports.doc(operationId="deleteExport")
    @exports.response(204)
    def delete(self, citizen: str, export_id: str) -> None:
        """Delete the file before its time, or give up having it made."""
        services().exports.remove(_found(citizen, export_id))


@exports.route("/<export_id>/file")
class ExportFile(MethodView):
    """The file."""

    @exports.doc(operationId="getExportFile")
    @exports.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
    @exports.alt_response(409)
    def get(self, citizen: str, export_id: str) -> Response:
        """The file. Needs a sign-in of the last five minutes; every fetching is in the access log.

        A file that holds what the reader may see no more is not handed over but deleted: ask for a new one.
        """
        step_up()
        found = _found(citizen, export_id)
        content = services().exports.file(found)
        log_act(
            Action.RECORD_EXPORTED,
            found.citizen_id,
            reason="guardian" if found.relation == "guardian" else "own_record",
            detail=found.log_detail() | {"fetched": True},
        )
        _hold(found)
        answer = Response(content, mimetype=_TYPES[found.format])
        day = found.asked_at.date().isoformat()
        name = f"health-{found.scope}-{day}.{_ENDINGS[found.format]}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _found(citizen: str, export_id: str) -> Export:
    who = subject(citizen)
    return services().exports.of_person(who.citizen_id, export_id, caller().subject_id)


def _wish(form: dict[str, Any], who: Subject) -> Export:
    me, now = caller(), services().now()
    return Export(
        id=act_id(),
        citizen_id=who.citizen_id,
        made_by=me.subject_id,
        relation=who.relation,
        client_id=me.client_id,
        format=form["format"],
        scope=form["scope"],
        encounter_id=form["encounter_id"],
        locale="en" if language() == "en" else "vi",
        asked_at=now,
        expires_at=now + timedelta(hours=services().settings.export_hours),
        due_at=now,
    )


def _hold(export: Export) -> None:
    """The last look: whoever asked may still have it, and may still see everything in it."""

    def check() -> Exception | None:
        if services().exports.still_handed(export):
            return None
        detail = export.log_detail() | {"fetched": True}
        log_act(Action.RECORD_EXPORTED, export.citizen_id, refused=True, reason="ended", detail=detail)
        return ExportNotFound(export.id)

    hold_until(check)
