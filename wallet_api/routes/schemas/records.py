"""Records and pages of them."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import ValidationError, fields, validate, validates_schema

from consent.codes import CATEGORIES, PURPOSES
from consent.model import AccessMode
from consent.predicate import DISPUTED, REMOVED
from wallet_api.records.model import Filter, Record
from wallet_api.records.words import line_of
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Flag,
    Instant,
    PageQuery,
    ReplySchema,
    StrictSchema,
    WireSchema,
    instant,
    page_of,
)
from wallet_api.routes.schemas.published import REFERENCE_PATTERN


class RecordsQuery(PageQuery):
    """Which part of a book."""

    category = fields.List(Code(CATEGORIES.codes), load_default=None)
    first = Day(data_key="from", load_default=None)
    last = Day(data_key="to", load_default=None)

    @validates_schema
    def check_order(self, data: dict[str, Any], **more: Any) -> None:
        """The first day is not after the last."""
        if data.get("first") and data.get("last") and data["first"] > data["last"]:
            raise ValidationError("The first day must not be after the last.", "from")


class SourceSchema(ReplySchema):
    """Where a record came from."""

    organisation = fields.String(allow_none=True)
    practitioner = fields.String(allow_none=True)
    format = fields.String()
    received_at = Instant()


class RecordSchema(WireSchema):
    """One version of one record."""

    id = fields.String()
    version = fields.Integer()
    category = fields.String()
    occurred_on = fields.String(metadata={"description": "YYYY, YYYY-MM or YYYY-MM-DD"})
    recorded_at = Instant()
    source = fields.Nested(SourceSchema)
    labels = fields.List(fields.String())
    self_reported = fields.Boolean()
    reason = fields.String(allow_none=True)
    line_vi = fields.String(metadata={"description": "the record in one line"})
    line_en = fields.String(metadata={"description": "the same, its own words in English"})
    resource = fields.Dict(metadata={"description": "FHIR R4 resource"})


class OwnRecordSchema(RecordSchema):
    """One's own writing; `dispute` when the citizen said that it is about somebody else."""

    dispute = Code(
        ("open", "removed"),
        allow_none=True,
        metadata={"description": "open: waits for a decision; removed: nobody else sees it any more"},
    )


OwnRecordPage = page_of(OwnRecordSchema, "OwnRecordPage", "One's own writings, newest first.", WireSchema)
RecordPageSchema = page_of(RecordSchema, "RecordPageSchema", "A page of records, newest first.", WireSchema)


class VisibilitySchema(StrictSchema):
    """Hide a record from an audience, or show it again."""

    audience = Code(("guardians", "providers"), required=True)
    hidden = Flag(required=True)


class IntakeRowSchema(ReplySchema):
    """What became of one row."""

    index = fields.Integer()
    accepted = fields.Boolean()
    code = fields.String()
    pointer = fields.String(allow_none=True)
    message = fields.String(allow_none=True)


class IntakeSchema(ReplySchema):
    """The report on something sent."""

    id = fields.String()
    format = fields.String()
    edition = fields.String(
        allow_none=True,
        metadata={"description": "the decision a visit file was written after: 4210, 130, 4750 or 3176"},
    )
    received_at = Instant()
    accepted = fields.Integer(metadata={"description": "entries that are records now"})
    mapped = fields.Integer(metadata={"description": "no records themselves: others took them along"})
    unused = fields.Integer(metadata={"description": "no records themselves, and no record names them"})
    rejected = fields.Integer()
    rows = fields.List(fields.Nested(IntakeRowSchema))


class IntakeFileSchema(ReplySchema):
    """The reports on a file: one for each visit in it, in their order."""

    items = fields.List(fields.Nested(IntakeSchema))


class AccessSessionQuery(StrictSchema):
    """To open an access session: whose book, what for."""

    citizen_ref = fields.String(
        required=True,
        validate=validate.Length(min=1, max=100),
        metadata={"json_schema": {"pattern": REFERENCE_PATTERN}},
    )
    purpose = Code(PURPOSES.codes, required=True)
    mode = Code(
        get_args(AccessMode),
        load_default="VIEW",
        metadata={"description": "STORE: a copy is to be kept; the grant must allow it"},
    )


class AccessSessionSchema(ReplySchema):
    """One counted use; the reads below name it in the header `Access-Session`."""

    id = fields.String()
    expires_at = Instant()


def filter_of(query: dict[str, Any]) -> Filter:
    """What the reader asked to see."""
    wanted = query["category"]
    return Filter(frozenset(wanted) if wanted is not None else None, query["first"], query["last"])


def own_record_view(record: Record, record_id: str) -> dict[str, Any]:
    """A record as its author sees it."""
    disputed = "open" if DISPUTED in record.hidden_from else None
    return record_view(record, record_id) | {
        "dispute": "removed" if REMOVED in record.hidden_from else disputed
    }


def record_view(record: Record, record_id: str) -> dict[str, Any]:
    """A record ready to be written under the id its reader knows it by."""
    source, line = record.source, line_of(record.resource)
    return {
        "id": record_id,
        "version": record.version,
        "category": record.category,
        "occurred_on": record.occurred_on.text,
        "recorded_at": instant(record.recorded_at),
        "source": {
            "organisation": source.organisation_id,
            "practitioner": source.practitioner,
            "format": source.format,
            "received_at": instant(source.received_at),
        },
        "labels": sorted(record.labels),
        "self_reported": record.self_reported,
        "reason": record.reason,
        "line_vi": line.vi,
        "line_en": line.en,
        "resource": dict(record.resource),
    }
