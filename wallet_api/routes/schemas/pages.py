"""The pages of a book: lines with where each comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import fields

from consent.codes import LABELS
from wallet_api.records.front import Line, Lines
from wallet_api.records.front_rules import SECTIONS
from wallet_api.records.model import Record
from wallet_api.records.visits import Visit
from wallet_api.records.words import codes_of, concept_of, line_of, name_of, values_of
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Instant,
    ReplySchema,
    StrictSchema,
    WireSchema,
    instant,
)
from wallet_api.routes.schemas.lists import IdentifierSchema

Names = Mapping[str, dict[str, str]]
"""The names of organisations by id."""


class LineSourceSchema(ReplySchema):
    """Where a line comes from and how fresh it is; without an organisation the person said it."""

    organisation = fields.String(allow_none=True)
    name_vi = fields.String(allow_none=True)
    name_en = fields.String(allow_none=True)
    format = fields.String()
    received_at = Instant()


class CodingSchema(ReplySchema):
    """A code and its system."""

    system = fields.String()
    code = fields.String()


class FoundValueSchema(ReplySchema):
    """A value that was found; `name` where an observation has several."""

    name = fields.String(allow_none=True)
    value = fields.Float(allow_none=True)
    unit = fields.String(allow_none=True)
    text = fields.String(allow_none=True)


class LineSchema(WireSchema):
    """One record in short. The record itself is at `records/{id}`."""

    id = fields.String()
    version = fields.Integer()
    category = fields.String()
    occurred_on = fields.String(metadata={"description": "YYYY, YYYY-MM or YYYY-MM-DD"})
    recorded_at = Instant()
    source = fields.Nested(LineSourceSchema)
    self_reported = fields.Boolean()
    labels = fields.List(fields.String())
    name = fields.String(allow_none=True)
    line_vi = fields.String(metadata={"description": "the record in one line"})
    line_en = fields.String(metadata={"description": "the same, its own words in English"})
    codes = fields.List(fields.Nested(CodingSchema))
    found = fields.List(fields.Nested(FoundValueSchema))


class FrontLineSchema(LineSchema):
    """A line of the front page: the day it stands on, and how things stand as its source says."""

    day = Day()
    standing = fields.String(metadata={"description": "active, over, or told where the source says neither"})


class SectionSchema(WireSchema):
    """A section: its lines in order, and whether there are more in the book."""

    lines = fields.List(fields.Nested(FrontLineSchema))
    more = fields.Boolean()


SectionsSchema = type(
    "SectionsSchema",
    (WireSchema,),
    {
        "__doc__": "The sections of a front page.",
        "__module__": __name__,
        **{name: fields.Nested(SectionSchema) for name in SECTIONS},
    },
)


class SummarySchema(ReplySchema):
    """The front page of a book."""

    id = fields.String()
    name = fields.String()
    birth_date = Day()
    sex = fields.String()
    insurance = fields.List(fields.Nested(IdentifierSchema))
    made_at = Instant()
    sections = fields.Nested(SectionsSchema)


class GrantedSummarySchema(ReplySchema):
    """The front page over what a consent covers."""

    made_at = Instant()
    sections = fields.Nested(SectionsSchema)


def sections_view(
    front: Mapping[str, Lines], names: Names, known_as: Callable[[str], str] = str
) -> dict[str, Any]:
    """The sections, ready to be written. `known_as`: the id by which the reader knows a record."""
    return {
        name: {"lines": [_front_line(each, names, known_as) for each in lines], "more": more}
        for name, (lines, more) in front.items()
    }


def _front_line(line: Line, names: Names, known_as: Callable[[str], str]) -> dict[str, Any]:
    told = {"id": known_as(line.record.id), "day": line.day, "standing": line.standing}
    return line_view(line.record, names) | told


def line_view(record: Record, names: Names) -> dict[str, Any]:
    """A record in short."""
    concept, source = concept_of(record.resource), record.source
    line = line_of(record.resource)
    named = names.get(source.organisation_id or "", {})
    return {
        "id": record.id,
        "version": record.version,
        "category": record.category,
        "occurred_on": record.occurred_on.text,
        "recorded_at": instant(record.recorded_at),
        "source": {
            "organisation": source.organisation_id,
            "name_vi": named.get("name_vi"),
            "name_en": named.get("name_en"),
            "format": source.format,
            "received_at": instant(source.received_at),
        },
        "self_reported": record.self_reported,
        "labels": sorted(record.labels),
        "name": name_of(concept),
        "line_vi": line.vi,
        "line_en": line.en,
        "codes": codes_of(concept),
        "found": list(values_of(record.resource)),
    }


class VisitQuery(StrictSchema):
    """Whether two sources of one visit are shown as one."""

    together = Code(("true", "false"), load_default="true")


class VisitPartSchema(LineSchema):
    """A part of a visit: the record that tells of the visit as a whole, and the FHIR resource."""

    visit = fields.String()
    resource = fields.Dict(metadata={"description": "FHIR R4 resource"})


class VisitSchema(WireSchema):
    """A visit: from one source or from two that tell of the same, and all that was recorded in it."""

    visits = fields.List(fields.Nested(LineSchema))
    parts = fields.List(fields.Nested(VisitPartSchema))


class CardQuery(StrictSchema):
    """Which restricted things may stand on the card: none unless named."""

    label = fields.List(Code(LABELS.codes), load_default=list)


class CardSchema(ReplySchema):
    """An emergency card: a compact JWS, signed with a key of `/.well-known/card-jwks.json`."""

    card = fields.String()
    issued_at = Instant()
    valid_until = Instant()


def visit_view(visit: Visit, names: Names) -> dict[str, Any]:
    """A visit, ready to be written."""
    return {
        "visits": [line_view(each, names) for each in visit.visits],
        "parts": [
            line_view(part, names) | {"visit": of, "resource": dict(part.resource)}
            for of, part in visit.parts
        ],
    }
