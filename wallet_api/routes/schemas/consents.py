"""Consent requests, grants, answers."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from marshmallow import fields, validate

from consent.codes import (
    CATEGORIES,
    FREQUENCIES,
    LABELS,
    PURPOSES,
    REFUSAL_REASONS,
    WITHDRAWAL_REASONS,
    uses_of,
)
from consent.lifecycle import Reviewed
from consent.model import (
    AccessMode,
    Answer,
    ConsentRequest,
    Grant,
    GrantKind,
    GrantState,
    Period,
    RequestState,
    Scope,
    SignerRole,
)
from consent.rules import MOST_RECORDS
from wallet_api.records.reader import Preview
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
from wallet_api.routes.schemas.published import ID_PATTERN

REQUESTABLE = tuple(one.code for one in PURPOSES.codes.values() if one.more["requestable"])
ONCE_GRANTED = {"description": "only when granted", "absent": "there is no grant"}


def code_set(allowed: Any, **options: Any) -> fields.List[str]:
    """A list of codes without repetition."""
    return fields.List(Code(allowed.codes), validate=validate.Length(min=1, max=50), **options)


def record_list() -> fields.List[str]:
    """Single records by id; null or absent: no single records are meant, but all of the other dimensions."""
    one = Text(longest=64, metadata={"pattern": ID_PATTERN})
    return fields.List(
        one,
        load_default=None,
        validate=validate.Length(min=1, max=MOST_RECORDS),
        metadata={"description": "only these records, as far as everything else includes them"},
    )


def mode_code(**options: Any) -> Code:
    """An access mode."""
    told = {"description": "VIEW: look and keep nothing; STORE: keep a copy too, erased in the end"}
    return Code(get_args(AccessMode), metadata=told, **options)


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
    record_ids = record_list()
    mode = mode_code(load_default=None)
    notice = fields.Nested(NoticeShownSchema, required=True)


class NoticeOnlySchema(StrictSchema):
    """A yes to something as it is."""

    notice = fields.Nested(NoticeShownSchema, required=True)


class NarrowingSchema(StrictSchema):
    """What to take back of a grant."""

    categories = code_set(CATEGORIES, load_default=None)
    record_period = fields.Nested(PeriodSchema, load_default=None)
    expires_at = Instant(load_default=None)
    frequency = Code(FREQUENCIES.codes, load_default=None)
    labels = fields.List(Code(LABELS.codes), load_default=None)
    record_ids = record_list()
    mode = mode_code(load_default=None)


class StandingGrantSchema(StrictSchema):
    """A grant to a personal doctor or organisation, without a request."""

    organisation_id = Text(longest=26, required=True, metadata={"pattern": ID_PATTERN})
    practitioner = Text(
        longest=64,
        load_default=None,
        metadata={"description": "the only practitioner who may read; absent: all of its roster"},
    )
    purpose = Code(PURPOSES.codes, required=True, metadata={"json_schema": {"enum": sorted(REQUESTABLE)}})
    categories = code_set(CATEGORIES, required=True)
    record_period = fields.Nested(PeriodSchema, load_default=None)
    expires_at = Instant(required=True)
    frequency = Code(FREQUENCIES.codes, load_default="unlimited")
    labels = fields.List(Code(LABELS.codes), load_default=list)
    record_ids = record_list()
    mode = mode_code(load_default="VIEW")
    notice = fields.Nested(NoticeShownSchema, required=True)


class WithdrawalSchema(StrictSchema):
    """Why it ends; may be left out."""

    reason = Code(WITHDRAWAL_REASONS.codes, load_default=None)


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


class NumberMeantSchema(StrictSchema):
    """Who is meant: exactly one of the two."""

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
    mode = mode_code(load_default="VIEW")
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
    record_ids = fields.List(
        fields.String(),
        allow_none=True,
        metadata={"description": "only these records; null: all that the rest includes"},
    )
    mode = mode_code()


class SignatureSchema(ReplySchema):
    """One of the two yeses that a child's consent needs, and to how much of what was asked it was given."""

    role = Code(get_args(SignerRole), metadata={"description": "the child's own, or its representative's"})
    at = Instant()
    attested = fields.Boolean(metadata={"description": "a practitioner heard it face to face"})
    categories = fields.List(fields.String())
    record_period = fields.Nested(WrittenPeriodSchema)
    expires_at = Instant()
    uses = fields.Integer(allow_none=True)
    labels = fields.List(fields.String())


def _needs(says: str) -> fields.List[str]:
    return fields.List(Code(get_args(SignerRole)), metadata={"description": says})


class ConsentRequestSchema(ScopeSchema):
    """A request as the citizen sees it."""

    id = fields.String()
    state = Code(get_args(RequestState))
    version = fields.Integer()
    reason = fields.String(metadata={"description": "why, in the asker's words"})
    in_visit = fields.Boolean(metadata={"description": "made with a visit code the citizen showed"})
    expiry_offers = fields.List(
        Instant(),
        metadata={"description": "until when to say yes; what an app preselects is the first, the shortest"},
    )
    created_at = Instant()
    closes_at = Instant()
    grant_id = fields.String(allow_none=True)
    signatures = fields.List(fields.Nested(SignatureSchema))
    needs = _needs("whose yes is still needed; a child of seven or more and its representative both agree")


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
    kind = Code(get_args(GrantKind), metadata={"description": "what it came from"})
    replaced_by = fields.String(allow_none=True, metadata={"description": "the narrower grant in its place"})
    holds_until = Instant(
        allow_none=True,
        metadata={"description": "suspended from then on until confirmed: an age at which it is asked again"},
    )
    signatures = fields.List(fields.Nested(SignatureSchema))
    needs = _needs("of a suspended grant: who has to confirm it")


class GrantStepSchema(ReplySchema):
    """One line of a grant's history."""

    event = fields.String()
    at = Instant()
    reason = fields.String(allow_none=True)
    by_me = fields.Boolean(metadata={"description": "whether the reader of this did it"})


class GrantDetailSchema(GrantSchema):
    """A grant with all that happened to it."""

    history = fields.List(fields.Nested(GrantStepSchema))


class ReviewedGrantSchema(GrantSchema):
    """A grant in force, with what helps to judge whether it should stay."""

    last_used_at = Instant(allow_none=True, metadata={"description": "null: never used"})
    review_due_at = Instant()
    review_due = fields.Boolean()


class PreviewedRecordSchema(ReplySchema):
    """One record the organisation would see."""

    id = fields.String()
    category = fields.String()
    occurred_on = fields.String(metadata={"description": "YYYY, YYYY-MM or YYYY-MM-DD"})


class PreviewSchema(ReplySchema):
    """What exactly the organisation would see today, were the request granted as asked."""

    counts = fields.Dict(keys=fields.String(), values=fields.Integer())
    total = fields.Integer(metadata={"description": "all of them"})
    records = fields.List(
        fields.Nested(PreviewedRecordSchema), metadata={"description": "the newest hundred"}
    )


class GrantPreviewSchema(PreviewSchema):
    """What the organisation sees under a grant today, and loses with it."""

    organisation = fields.Nested(OrganisationSchema)
    lost = fields.Integer(
        metadata={"description": "how many of them it would see under no other grant for this purpose"}
    )


class OutcomeSchema(ReplySchema):
    """A request as its asker sees it: refused and expired look alike; ended: what was granted is over."""

    id = fields.String()
    state = fields.String(validate=validate.OneOf(["requested", "granted", "closed", "ended"]))
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
        record_ids=frozenset(form["record_ids"]) if form["record_ids"] is not None else None,
        mode=form["mode"],
    )


def standing_scope_of(form: dict[str, Any]) -> Scope:
    """What a standing grant gives."""
    return Scope(
        organisation_id=form["organisation_id"],
        practitioner_id=form["practitioner"],
        purpose=form["purpose"],
        categories=frozenset(form["categories"]),
        record_period=period_of(form["record_period"]) or Period(),
        expires_at=form["expires_at"],
        uses=uses_of(form["frequency"]),
        labels=frozenset(form["labels"]),
        record_ids=frozenset(form["record_ids"]) if form["record_ids"] is not None else None,
        mode=form["mode"],
    )


def notice_of(form: dict[str, Any]) -> Answer:
    """The text that was on the screen, and nothing else that could be answered."""
    return Answer(form["notice"]["version"], form["notice"]["locale"])


def preview_view(seen: Preview) -> dict[str, Any]:
    """What somebody would see."""
    records = [
        {"id": each.id, "category": each.category, "occurred_on": each.occurred_on.text}
        for each in seen.newest
    ]
    return {"counts": seen.counts, "total": sum(seen.counts.values()), "records": records}


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
        "record_ids": None if scope.record_ids is None else sorted(scope.record_ids),
        "mode": scope.mode,
    }


def request_view(request: ConsentRequest, state: str, organisation: dict[str, Any]) -> dict[str, Any]:
    """A request as the citizen sees it."""
    own = {name: getattr(request, name) for name in ("id", "version", "reason", "in_visit", "created_at")}
    own |= {"state": state, "closes_at": request.closes_at, "grant_id": request.grant_id}
    return own | scope_view(request.scope, organisation)


def grant_view(grant: Grant, state: str, organisation: dict[str, Any]) -> dict[str, Any]:
    """A grant as the citizen sees it."""
    names = ("id", "version", "granted_at", "ended_at", "request_id", "kind")
    own = {name: getattr(grant, name) for name in names}
    own |= {"state": state, "held_back": list(grant.held_back), "replaced_by": grant.successor_id}
    return own | scope_view(grant.scope, organisation)


def history_view(grant: Grant, reader_id: str) -> list[dict[str, Any]]:
    """What happened to a grant, oldest first. Of who did it a reader learns only whether it was they."""
    return [
        {"event": each.event, "at": each.at, "reason": each.reason, "by_me": each.by == reader_id}
        for each in grant.history
    ]


def reviewed_view(found: Reviewed, due: bool) -> dict[str, Any]:
    """What a review says of a grant beside the grant itself."""
    return {
        "last_used_at": found.last_used_at,
        "review_due_at": found.review_due_at,
        "review_due": due,
    }
