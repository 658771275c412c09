"""Consent requests, grants, answers."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from marshmallow import fields, validate

from consent.codes import CATEGORIES, FREQUENCIES, LABELS, PURPOSES, REFUSAL_REASONS, uses_of
from consent.model import Answer, ConsentRequest, Grant, GrantState, Period, RequestState, Scope
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Flag,
    Instant,
    PeriodSchema,
    ReplySchema,
    StrictSchema,
    Text,
)
from wallet_api.routes.schemas.organisations import OrganisationSchema

REQUESTABLE = tuple(one.code for one in PURPOSES.codes.values() if one.more["requestable"])
ONCE_GRANTED = {"description": "only when granted", "absent": "there is no grant"}


def code_set(allowed: Any, **options: Any) -> fields.List[str]:
    """A list of codes without repetition."""
    return fields.List(Code(allowed.codes), validate=validate.Length(min=1, max=50), **options)


class NoticeShownSchema(StrictSchema):
    """Which text was on the screen."""

    version = Text(required=True)
    locale = Code(("vi", "en"), required=True)


class AnswerSchema(StrictSchema):
    """Grant as asked, or narrower. What is left out stays as asked."""

    categories = code_set(CATEGORIES, load_default=None)
    record_period = fields.Nested(PeriodSchema, load_default=None)
    expires_at = Instant(load_default=None)
    frequency = Code(FREQUENCIES.codes, load_default=None)
    labels = fields.List(Code(LABELS.codes), load_default=None)
    notice = fields.Nested(NoticeShownSchema, required=True)


class NarrowingSchema(StrictSchema):
    """What to take back of a grant."""

    categories = code_set(CATEGORIES, load_default=None)
    record_period = fields.Nested(PeriodSchema, load_default=None)
    expires_at = Instant(load_default=None)
    frequency = Code(FREQUENCIES.codes, load_default=None)
    labels = fields.List(Code(LABELS.codes), load_default=None)


class RefusalSchema(StrictSchema):
    """Why not; may be left out."""

    reason = Code(REFUSAL_REASONS.codes, load_default=None)


class PersonMeantSchema(StrictSchema):
    """Who is meant: exactly one of the three."""

    visit_code = Text(longest=20, metadata={"description": "as the citizen shows it, with or without dash"})
    national_id = Text(longest=12, metadata={"pattern": "^[0-9]{12}$"})
    insurance_number = Text(longest=15, metadata={"pattern": "^([A-Z]{2}[1-5][0-9]{2})?[0-9]{10}$"})

    class Meta(StrictSchema.Meta):
        """What the document says of the whole."""

        published: ClassVar[dict[str, Any]] = {"minProperties": 1, "maxProperties": 1}


class ProposalSchema(StrictSchema):
    """What a provider asks for."""

    citizen = fields.Nested(PersonMeantSchema, required=True)
    purpose = Code(PURPOSES.codes, required=True, metadata={"json_schema": {"enum": sorted(REQUESTABLE)}})
    categories = code_set(CATEGORIES, required=True)
    record_period = fields.Nested(PeriodSchema, load_default=None)
    expires_at = Instant(required=True)
    frequency = Code(FREQUENCIES.codes, load_default="unlimited")
    labels = fields.List(Code(LABELS.codes), load_default=list)
    only_me = Flag(load_default=False)
    reason = Text(longest=500, required=True)


class WrittenPeriodSchema(ReplySchema):
    """Inclusive Vietnamese days; an absent end is open."""

    first = Day(data_key="from", allow_none=True)
    last = Day(data_key="to", allow_none=True)


class ScopeSchema(ReplySchema):
    """What is asked for or given."""

    organisation = fields.Nested(OrganisationSchema)
    practitioner = fields.String(
        allow_none=True,
        metadata={"description": "the only practitioner who may read; null: all of its roster"},
    )
    purpose = fields.String(metadata={"description": "a code of the list `purposes`"})
    categories = fields.List(fields.String(), metadata={"description": "codes of the list `categories`"})
    record_period = fields.Nested(WrittenPeriodSchema)
    expires_at = Instant()
    uses = fields.Integer(allow_none=True, metadata={"description": "uses in all; null: no limit"})
    labels = fields.List(
        fields.String(), metadata={"description": "codes of the list `labels`: restricted records included"}
    )


class ConsentRequestSchema(ScopeSchema):
    """A request as the citizen sees it."""

    id = fields.String()
    state = Code(get_args(RequestState))
    version = fields.Integer()
    reason = fields.String(metadata={"description": "why, in the asker's words"})
    in_visit = fields.Boolean(metadata={"description": "made with a visit code the citizen showed"})
    created_at = Instant()
    closes_at = Instant()
    grant_id = fields.String(allow_none=True)


class GrantSchema(ScopeSchema):
    """A grant as the citizen sees it."""

    id = fields.String()
    state = Code(get_args(GrantState))
    version = fields.Integer(metadata={"description": "what `If-Match` names, in quotes"})
    granted_at = Instant()
    ended_at = Instant(allow_none=True)
    held_back = fields.List(
        fields.String(), metadata={"description": "what was given less of than was asked for"}
    )
    request_id = fields.String(allow_none=True)


class PreviewedRecordSchema(ReplySchema):
    """One record the organisation would see."""

    id = fields.String()
    category = fields.String()
    occurred_on = fields.String(metadata={"description": "YYYY, YYYY-MM or YYYY-MM-DD"})


class PreviewSchema(ReplySchema):
    """What exactly the organisation would see today, were the request granted as asked."""

    counts = fields.Dict(keys=fields.String(), values=fields.Integer())
    records = fields.List(fields.Nested(PreviewedRecordSchema))


class OutcomeSchema(ReplySchema):
    """A request as its asker sees it: refused and expired look alike."""

    id = fields.String()
    state = fields.String(validate=validate.OneOf(["requested", "granted", "closed"]))
    grant_id = fields.String(metadata=ONCE_GRANTED)
    citizen_ref = fields.String(metadata=ONCE_GRANTED)
    expires_at = Instant(metadata=ONCE_GRANTED)


class NoticeSchema(ReplySchema):
    """The text to show before consenting."""

    purpose = fields.String()
    version = fields.String()
    locale = fields.String()
    text = fields.String()
    sha256 = fields.String()
    source = fields.String()
    valid_from = Day()


def period_of(form: dict[str, Any] | None) -> Period | None:
    """The period of a form, if it names one."""
    return Period(form["first"], form["last"]) if form is not None else None


def answer_of(form: dict[str, Any]) -> Answer:
    """What the citizen chose."""
    notice = form.get("notice") or {"version": "", "locale": ""}
    return Answer(
        notice_version=notice["version"],
        locale=notice["locale"],
        categories=frozenset(form["categories"]) if form["categories"] is not None else None,
        record_period=period_of(form["record_period"]),
        expires_at=form["expires_at"],
        uses=uses_of(form["frequency"]) if form["frequency"] else None,
        uses_given=form["frequency"] is not None,
        labels=frozenset(form["labels"]) if form["labels"] is not None else None,
    )


def scope_view(scope: Scope, organisation: dict[str, Any]) -> dict[str, Any]:
    """A scope ready to be written."""
    return {
        "organisation": organisation,
        "practitioner": scope.practitioner_id,
        "purpose": scope.purpose,
        "categories": sorted(scope.categories),
        "record_period": scope.record_period,
        "expires_at": scope.expires_at,
        "uses": scope.uses,
        "labels": sorted(scope.labels),
    }


def request_view(request: ConsentRequest, state: str, organisation: dict[str, Any]) -> dict[str, Any]:
    """A request as the citizen sees it."""
    own = {name: getattr(request, name) for name in ("id", "version", "reason", "in_visit", "created_at")}
    own |= {"state": state, "closes_at": request.closes_at, "grant_id": request.grant_id}
    return own | scope_view(request.scope, organisation)


def grant_view(grant: Grant, state: str, organisation: dict[str, Any]) -> dict[str, Any]:
    """A grant as the citizen sees it."""
    names = ("id", "version", "granted_at", "ended_at", "request_id")
    own = {name: getattr(grant, name) for name in names}
    own |= {"state": state, "held_back": list(grant.held_back)}
    return own | scope_view(grant.scope, organisation)
