"""What goes into the register of breaches, and what is read there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from wallet_api.breaches.model import Breach, Reads, Window
from wallet_api.breaches.rules import RULES
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Instant,
    LimitQuery,
    ReplySchema,
    StrictSchema,
    Text,
    Whole,
    page_of,
)

LONGEST_TEXT = 2000
_TOLD = tuple(each.to for each in RULES.clocks)


class BreachQuery(LimitQuery):
    """Which entries."""

    state = Code(RULES.states, load_default=None)


class BreachForm(StrictSchema):
    """A breach that was detected. The text is kept sealed; leave names and numbers of people out of it."""

    detected_at = Instant(required=True)
    kind = Code(RULES.kinds, required=True)
    cause = Code(RULES.causes, required=True)
    data = fields.List(Code(RULES.data), required=True, validate=validate.Length(1, len(RULES.data)))
    what = Text(longest=LONGEST_TEXT, required=True)


class ReadsForm(StrictSchema):
    """Reads to be counted in the access log: of an organisation, or of one practitioner there."""

    organisation_id = Text(longest=26, required=True)
    practitioner_id = Text(longest=40, load_default=None)
    first = Day(data_key="from", required=True)
    last = Day(data_key="to", required=True)

    @validates_schema
    def in_order(self, data: Mapping[str, Any], **_: Any) -> None:
        """A period that ends before it begins has no day."""
        if data["last"] < data["first"]:
            raise ValidationError("The first day is after the last.")


class AffectedQuery(StrictSchema):
    """Whose reading, and when; what is left out stands for anybody."""

    organisation_id = Text(longest=26, load_default=None)
    practitioner_id = Text(longest=40, load_default=None)
    client_id = Text(longest=40, load_default=None)
    first = Day(data_key="from", required=True)
    last = Day(data_key="to", required=True)
    cursor = Text(longest=2048, load_default=None)

    @validates_schema
    def in_order(self, data: Mapping[str, Any], **_: Any) -> None:
        """A period that ends before it begins has no day."""
        if data["last"] < data["first"]:
            raise ValidationError("The first day is after the last.")


class NoticeQuery(StrictSchema):
    """Which draft, in which language."""

    to = Code(_TOLD, required=True)
    locale = Code(("vi", "en"), load_default="vi")


class AssessmentForm(StrictSchema):
    """What was found: how many people, given or counted, how bad, and whether anybody must be told."""

    risk = Code(RULES.risks, required=True)
    must_notify = fields.Boolean(required=True, truthy={True}, falsy={False})
    affected = Whole(0, 200_000_000, load_default=None)
    reads = fields.Nested(ReadsForm, load_default=None)
    reason = Text(longest=LONGEST_TEXT, required=True)

    @validates_schema
    def one_of(self, data: Mapping[str, Any], **_: Any) -> None:
        """The number, or the question to the log."""
        if (data["affected"] is None) == (data["reads"] is None):
            raise ValidationError("Must be one of affected and reads.")


class NotificationForm(StrictSchema):
    """Somebody was told."""

    to = fields.List(Code(_TOLD), required=True, validate=validate.Length(1, len(_TOLD)))
    told_at = Instant(required=True)
    reason = Text(longest=LONGEST_TEXT, required=True)


class ClosureForm(StrictSchema):
    """It is done with."""

    reason = Text(longest=LONGEST_TEXT, required=True)


class DueSchema(ReplySchema):
    """A legal clock: until when whom, and whether that is over. `met_at` is null until they were told."""

    code = fields.String()
    to = fields.String()
    due_at = Instant()
    met_at = Instant(allow_none=True)
    overdue = fields.Boolean()
    source = fields.String()


class BreachStepSchema(ReplySchema):
    """A line of history."""

    event = fields.String()
    by = fields.String()
    at = Instant()
    reason = fields.String()


class ReadsSchema(ReplySchema):
    """Reads that were counted."""

    organisation_id = fields.String()
    practitioner_id = fields.String(allow_none=True)
    first = Day(data_key="from")
    last = Day(data_key="to")


class AssessmentSchema(ReplySchema):
    """What was found."""

    risk = fields.String()
    risk_text = fields.String()
    must_notify = fields.Boolean()
    affected = fields.Integer()
    counted = fields.Nested(ReadsSchema, allow_none=True)


class BreachSchema(ReplySchema):
    """An entry of the register."""

    id = fields.String()
    version = fields.Integer()
    state = fields.String()
    state_text = fields.String()
    detected_at = Instant()
    kind = fields.String()
    kind_text = fields.String()
    cause = fields.String()
    cause_text = fields.String()
    data = fields.List(fields.String())
    what = fields.String()
    overdue = fields.Boolean()
    dues = fields.List(fields.Nested(DueSchema))
    assessment = fields.Nested(AssessmentSchema, allow_none=True)
    history = fields.List(fields.Nested(BreachStepSchema))


class AffectedSchema(ReplySchema):
    """Somebody whose records were read, by internal id."""

    citizen_id = fields.String()
    reads = fields.Integer(metadata={"description": "how often, in this part of the log"})
    first_at = Instant()
    last_at = Instant()


class NoticeFieldSchema(ReplySchema):
    """One field of a notice; null is for people to fill in."""

    code = fields.String()
    label = fields.String()
    value = fields.String(allow_none=True)


class NoticeDraftSchema(ReplySchema):
    """A draft of a notice, from what the register knows now. It names nobody."""

    to = Code(_TOLD)
    title = fields.String()
    fields_ = fields.List(fields.Nested(NoticeFieldSchema), data_key="fields", attribute="fields")
    letter = fields.String(allow_none=True)
    missing = fields.List(fields.String())
    due_at = Instant(allow_none=True)
    overdue = fields.Boolean()
    source = fields.String()


AffectedPage = page_of(
    AffectedSchema,
    "AffectedPage",
    "People whose records were read, part of the log by part; somebody may come again in a later part.",
)
BreachPage = page_of(BreachSchema, "BreachPage", "Entries of the register, detected last first.")


def reads_of(form: Mapping[str, Any]) -> Reads:
    """The question to the access log that a form asks."""
    return Reads(form["organisation_id"], form["practitioner_id"], form["first"], form["last"])


def window_of(query: Mapping[str, Any]) -> Window:
    """The question who is concerned that a query asks."""
    names = ("organisation_id", "practitioner_id", "client_id")
    return Window(query["first"], query["last"], *(query[name] for name in names))


def breach_view(breach: Breach, now: datetime, language: str) -> dict[str, Any]:
    """An entry ready to be written, with its clocks as they stand and its codes in words."""
    dues, found = breach.dues(now), breach.assessment
    return {
        "id": breach.id,
        "version": breach.version,
        "state": breach.state,
        "state_text": RULES.states[breach.state][language],
        "detected_at": breach.detected_at,
        "kind": breach.kind,
        "kind_text": RULES.kinds[breach.kind][language],
        "cause": breach.cause,
        "cause_text": RULES.causes[breach.cause][language],
        "data": sorted(breach.data),
        "what": breach.what,
        "overdue": any(each.overdue for each in dues),
        "dues": dues,
        "assessment": None
        if found is None
        else {**vars(found), "risk_text": RULES.risks[found.risk][language]},
        "history": breach.history,
    }
