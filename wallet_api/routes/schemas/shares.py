"""Share links as they are wanted, as their maker sees them, and as SMART Health Links writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from marshmallow import ValidationError, fields, validate, validates_schema

from consent.codes import CATEGORIES
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Instant,
    PeriodSchema,
    ReplySchema,
    StrictSchema,
    Text,
    Whole,
    page_of,
)
from wallet_api.routes.schemas.published import ID_PATTERN
from wallet_api.shares.model import Kind, Outcome, Relation, Share, State, Wanted
from wallet_api.shares.rules import RULES

_BOUNDS = RULES.bounds
_LONGEST_LENGTH = 2**31 - 1
_OF_KIND = {
    "records": frozenset({"record_ids"}),
    "categories": frozenset({"categories", "record_period"}),
    "summary": frozenset[str](),
}
_DEMANDED = {"records": "record_ids", "categories": "categories"}


class RecordId(fields.String):
    """The id of a record."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            validate=validate.Regexp(ID_PATTERN), metadata={"json_schema": {"pattern": ID_PATTERN}}, **options
        )


class ShareForm(StrictSchema):
    """A share link as somebody wants it.

    `records`: those named, restricted ones as well; `categories`: all of these in a period; `summary`: what
    a patient summary holds. `label` is for the person alone. Without a passcode the time is shorter.
    """

    kind = Code(get_args(Kind), required=True)
    record_ids = fields.List(
        RecordId(), load_default=None, validate=validate.Length(min=1, max=_BOUNDS.most_named)
    )
    categories = fields.List(
        Code(CATEGORIES.codes), load_default=None, validate=validate.Length(min=1, max=len(CATEGORIES.codes))
    )
    record_period = fields.Nested(PeriodSchema, load_default=None)
    label = Text(longest=80, allow_none=True, load_default=None)
    expires_at = Instant(required=True)
    use_limit = Whole(1, _BOUNDS.most_uses, load_default=_BOUNDS.most_uses)
    passcode = Text(longest=_BOUNDS.longest_passcode, allow_none=True, load_default=None)

    @validates_schema
    def check_kind(self, data: dict[str, Any], **more: Any) -> None:
        """What is said fits the kind, and nothing that the kind needs is missing."""
        kind = data.get("kind")
        if kind not in _OF_KIND:
            return
        for name in ("record_ids", "categories", "record_period"):
            if data.get(name) is not None and name not in _OF_KIND[kind]:
                raise ValidationError("Unknown field for this kind.", name)
        if kind in _DEMANDED and not data.get(_DEMANDED[kind]):
            raise ValidationError("Missing data for this kind.", _DEMANDED[kind])

    @validates_schema
    def check_order(self, data: dict[str, Any], **more: Any) -> None:
        """The first day is not after the last."""
        period = data.get("record_period") or {}
        if period.get("first") and period.get("last") and period["first"] > period["last"]:
            raise ValidationError("The first day must not be after the last.", "record_period")


class SharePeriodSchema(ReplySchema):
    """Inclusive Vietnamese days."""

    first = Day(data_key="from", allow_none=True)
    last = Day(data_key="to", allow_none=True)


class KnockSchema(ReplySchema):
    """Somebody came with the link. `recipient` is who they said they were; nobody has proven it."""

    at = Instant()
    outcome = Code(get_args(Outcome))
    outcome_text = fields.String()
    recipient = fields.String()


class ShareSchema(ReplySchema):
    """A share link as its maker sees it; the link itself is told once, when it is made."""

    id = fields.String()
    version = fields.Integer()
    kind = Code(get_args(Kind))
    record_ids = fields.List(fields.String())
    categories = fields.List(fields.String())
    record_period = fields.Nested(SharePeriodSchema)
    label = fields.String(allow_none=True)
    relation = Code(get_args(Relation), metadata={"description": "who made it"})
    made_at = Instant()
    expires_at = Instant()
    state = Code(get_args(State))
    state_text = fields.String()
    use_limit = fields.Integer()
    uses = fields.Integer()
    passcode = fields.Boolean(metadata={"description": "whether it has one"})
    attempts_left = fields.Integer(allow_none=True, metadata={"description": "wrong passcodes until locked"})
    revoked_at = Instant(allow_none=True)
    views = fields.List(fields.Nested(KnockSchema), metadata={"description": "who came, newest first"})


class MadeShareSchema(ShareSchema):
    """A share link just made."""

    link = fields.String(
        metadata={"description": "`shlink:/…`, for a message or a QR code; it is told only here"}
    )


SharePage = page_of(ShareSchema, "SharePage", "Share links, newest first.")


class ManifestForm(StrictSchema):
    """What a viewer sends (SMART Health Links): who looks, in their own words, and a passcode."""

    recipient = Text(required=True)
    passcode = Text(longest=_BOUNDS.longest_passcode, load_default=None)
    embedded_length_max = Whole(0, _LONGEST_LENGTH, data_key="embeddedLengthMax", load_default=None)


class ManifestFileSchema(ReplySchema):
    """One file: within the answer, or at an address that serves for a few minutes."""

    content_type = fields.String(data_key="contentType")
    embedded = fields.String(metadata={"absent": "it is longer than the viewer takes; `location` is there"})
    location = fields.String(metadata={"absent": "it is within the answer; `embedded` is there"})


class ManifestSchema(ReplySchema):
    """What a link shows now: one file, a compact JWE encrypted to the key in the link."""

    status = Code(("can-change", "finalized"))
    files = fields.List(fields.Nested(ManifestFileSchema))


def wanted_of(form: dict[str, Any]) -> Wanted:
    """Which records a form asks for."""
    period = form["record_period"] or {}
    return Wanted(
        form["kind"],
        frozenset(form["record_ids"] or ()),
        frozenset(form["categories"] or ()),
        period.get("first"),
        period.get("last"),
    )


def share_view(share: Share, now: datetime, language: str) -> dict[str, Any]:
    """A share ready to be written."""
    plain = ("id", "version", "label", "relation", "made_at", "expires_at", "use_limit", "uses")
    state, wanted = share.state_at(now), share.wanted
    view = {name: getattr(share, name) for name in (*plain, "attempts_left", "revoked_at")}
    return view | {
        "kind": wanted.kind,
        "record_ids": sorted(wanted.record_ids),
        "categories": sorted(wanted.seen_categories or ()),
        "record_period": {"first": wanted.first, "last": wanted.last},
        "state": state,
        "state_text": getattr(RULES.states[state], language),
        "passcode": share.passcode is not None,
        "views": [
            {
                "at": each.at,
                "outcome": each.outcome,
                "outcome_text": getattr(RULES.outcomes[each.outcome], language),
                "recipient": each.recipient,
            }
            for each in reversed(share.knocks)
        ],
    }
