"""Exports as they are wanted, and as whoever asked follows them."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import ValidationError, fields, validates_schema

from wallet_api.exports.model import Export, Format, Scope, State
from wallet_api.routes.schemas.base import Code, Instant, ReplySchema, StrictSchema
from wallet_api.routes.schemas.shares import RecordId


class ExportForm(StrictSchema):
    """A file as somebody wants it: of the whole book, or of one visit, which `encounter_id` names."""

    format = Code(get_args(Format), required=True)
    scope = Code(get_args(Scope), load_default="book")
    encounter_id = RecordId(allow_none=True, load_default=None)

    @validates_schema
    def check_scope(self, data: dict[str, Any], **more: Any) -> None:
        """A visit is named, and only where a visit is wanted."""
        if data.get("scope") == "encounter" and data.get("encounter_id") is None:
            raise ValidationError("Missing data for this scope.", "encounter_id")
        if data.get("scope") == "book" and data.get("encounter_id") is not None:
            raise ValidationError("Unknown field for this scope.", "encounter_id")


class ExportSchema(ReplySchema):
    """An export. The file is at `exports/{id}/file` once it is `ready`, until `expires_at`."""

    id = fields.String()
    format = Code(get_args(Format))
    scope = Code(get_args(Scope))
    encounter_id = fields.String(allow_none=True)
    asked_at = Instant()
    expires_at = Instant()
    state = Code(get_args(State))
    progress = fields.Integer(metadata={"description": "per cent"})
    size = fields.Integer(allow_none=True, metadata={"description": "bytes, once it is ready"})
    reason = fields.String(
        allow_none=True,
        metadata={
            "description": "why it failed: `ended` (nothing is there for you any more), `restricted`, "
            "`too_large`, or `tries` (our fault: ask for it again)"
        },
    )


def export_view(export: Export) -> dict[str, Any]:
    """An export, ready to be written."""
    names = ("id", "format", "scope", "encounter_id", "asked_at", "expires_at", "state", "progress", "reason")
    return {name: getattr(export, name) for name in names} | {"size": export.size or None}
