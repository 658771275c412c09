"""What changed in a book."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields

from wallet_api.records.sync import SyncPage
from wallet_api.routes.schemas.base import Instant, LimitQuery, Text, WireSchema
from wallet_api.routes.schemas.records import SourceSchema, record_view

_GONE: Final = {"absent": "of a record that may be seen no longer there is only the id"}


class ChangesQuery(LimitQuery):
    """From where on, and how much at a time."""

    since = Text(
        longest=2048,
        load_default=None,
        metadata={"description": "`next_since` of the answer before; without it the book begins anew"},
    )


class ChangeSchema(WireSchema):
    """A record in its newest version, as `getRecord` has it; or, with `deleted`, the id of one to forget."""

    id = fields.String()
    deleted = fields.Boolean(
        metadata={"absent": "of a record that is there", "description": "always true: forget this record"}
    )
    version = fields.Integer(metadata=_GONE)
    category = fields.String(metadata=_GONE)
    occurred_on = fields.String(metadata=_GONE | {"description": "YYYY, YYYY-MM or YYYY-MM-DD"})
    recorded_at = Instant(metadata=_GONE)
    source = fields.Nested(SourceSchema, metadata=_GONE)
    labels = fields.List(fields.String(), metadata=_GONE)
    self_reported = fields.Boolean(metadata=_GONE)
    reason = fields.String(allow_none=True, metadata=_GONE)
    line_vi = fields.String(metadata=_GONE | {"description": "the record in one line"})
    line_en = fields.String(metadata=_GONE | {"description": "the same, its own words in English"})
    resource = fields.Dict(metadata=_GONE | {"description": "FHIR R4 resource"})


class ChangePageSchema(WireSchema):
    """What changed. Where `has_more`, ask again at once with `next_since`."""

    items = fields.List(fields.Nested(ChangeSchema))
    next_since = fields.String()
    has_more = fields.Boolean()


def changes_view(page: SyncPage) -> dict[str, Any]:
    """A page ready to be written."""
    items = [
        {"id": each.record_id, "deleted": True}
        if each.record is None
        else record_view(each.record, each.record_id)
        for each in page.changes
    ]
    return {"items": items, "next_since": page.next_since, "has_more": page.more}
