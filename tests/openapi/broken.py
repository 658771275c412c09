"""The wallet with four faults planted: what the fuzzing must find, or it finds nothing anywhere."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

from flask import Response
from flask.views import MethodView
from marshmallow import fields

from wallet_api.app import create_app
from wallet_api.context import caller
from wallet_api.infra.ids import id_from_bytes
from wallet_api.records.errors import RecordNotFound
from wallet_api.routes import BLUEPRINTS
from wallet_api.routes.document_parts import PATH_NAMES
from wallet_api.routes.guarded import GuardedBlueprint, anybody, citizen_only
from wallet_api.routes.schemas.base import LimitQuery, ReplySchema, page_of
from wallet_api.settings import Settings

TAG = "broken"
CITIZEN: dict[str, Any] = {"security": [{"citizen": []}]}


class NoteSchema(ReplySchema):
    """A note."""

    id = fields.String()
    owner = fields.String()


NotePage = page_of(NoteSchema, "NotePage", "Notes.")
owners: dict[str, str] = {}
broken = GuardedBlueprint(
    TAG, __name__, guard=citizen_only, budget="citizen", url_prefix="/api/v1/broken", description="Broken."
)
unguarded = GuardedBlueprint(
    "unguarded", __name__, guard=anybody, budget="public", url_prefix="/api/v1/broken", description="Broken."
)


@broken.route("/notes")
class Notes(MethodView):
    """One's notes."""

    @broken.doc(operationId="listNotes", **CITIZEN)
    @broken.response(200, NotePage)
    def get(self) -> dict[str, Any]:
        """Only one's own."""
        own = caller().subject_id
        note = id_from_bytes(own.encode()[:16])
        owners[note] = own
        return {"items": [{"id": note, "owner": own}], "next_cursor": None}


@broken.route("/notes/<note_id>")
class Note(MethodView):
    """A note."""

    @broken.doc(operationId="getNote", **CITIZEN)
    @broken.response(200, NoteSchema)
    def get(self, note_id: str) -> Any:
        """Anybody's: the planted hole."""
        if note_id not in owners:
            raise RecordNotFound(note_id)
        return {"id": note_id, "owner": owners[note_id]}


@broken.route("/crash")
class Crash(MethodView):
    """A crash."""

    @broken.doc(operationId="crash", **CITIZEN)
    @broken.arguments(LimitQuery, location="query")
    @broken.response(200, NoteSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Divides by zero at the upper bound."""
        return {"id": str(1 // (100 - query["limit"])), "owner": ""}


@broken.route("/surprise")
class Surprise(MethodView):
    """A status nobody has documented."""

    @broken.doc(operationId="surprise", **CITIZEN)
    @broken.response(200, NoteSchema)
    def get(self) -> Response:
        """Answers 418."""
        return Response(status=418)


@unguarded.route("/open")
class Open(MethodView):
    """A route without its guard."""

    @unguarded.doc(operationId="open", tags=[TAG], **CITIZEN)
    @unguarded.response(200, NoteSchema)
    def get(self) -> dict[str, str]:
        """Says that it needs a citizen, and does not look."""
        return {"id": "x", "owner": "y"}


described = {"note_id": PATH_NAMES["record_id"]}
with (
    patch("wallet_api.app.BLUEPRINTS", (*BLUEPRINTS, broken, unguarded)),
    patch.dict("wallet_api.routes.document.PATH_NAMES", described),
):
    app = create_app(Settings.from_env(os.environ))
