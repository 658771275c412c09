"""What campaigns are made of, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from marshmallow import ValidationError, fields, validate, validates_schema

from notifications.campaigns.audience import OLDEST, Audience
from notifications.campaigns.counting import Told
from notifications.campaigns.coverage import ELSEWHERE, Cell, Coverage
from notifications.campaigns.model import ENDED, KINDS, PER_MINUTE, Campaign, CampaignState
from notifications.campaigns.places import load_places
from notifications.campaigns.progress import Progress
from notifications.campaigns.standing import Wanted
from notifications.campaigns.texts import CampaignText, load_texts
from notifications.channels.fcm_wire import PUSH_TEMPLATE
from notifications.programmes import load_programmes
from wallet_api.routes.schemas.base import (
    Code,
    Digits,
    Flag,
    Instant,
    LimitQuery,
    ReplySchema,
    StrictSchema,
    Whole,
    page_of,
)

_PROGRAMMES: Final = load_programmes()
SERIES: Final = tuple(
    sorted(name for each in _PROGRAMMES for name in ([s.id for s in each.series] or [each.id]))
)
PROVINCES: Final = tuple(sorted(load_places().provinces))
_NAME = r"\A[a-z0-9][a-z0-9-]{2,59}\Z"
_MOST_YEARS: Final = 20
_COUNT = {"description": "null: too few people to tell"}


class AudienceForm(StrictSchema):
    """Everybody for whom all of this holds; or the people of a list, and then nothing else."""

    province = Code(PROVINCES, load_default=None)
    commune = fields.String(
        load_default=None,
        validate=validate.Regexp(r"\A[0-9]{5}\Z"),
        metadata={"pattern": "^[0-9]{5}$", "description": "Decision 19/2025/QĐ-TTg; with its province."},
    )
    age_from = Whole(0, OLDEST, load_default=0)
    age_to = Whole(0, OLDEST, load_default=OLDEST)
    sex = Code(("female", "male"), load_default=None)
    series = Code(SERIES, load_default=None)
    status = Code(get_args(Wanted), load_default=None)
    listed = Flag(load_default=False)


class CampaignForm(StrictSchema):
    """A draft. The name is for ops alone; leave people out of it."""

    name = fields.String(
        required=True,
        validate=validate.Regexp(_NAME),
        metadata={"pattern": "^[a-z0-9][a-z0-9-]{2,59}$", "maxLength": 60},
    )
    kind = Code(KINDS, required=True)
    template = Code(tuple(load_texts()), required=True)
    audience = fields.Nested(AudienceForm, required=True)
    per_minute = Whole(1, PER_MINUTE, load_default=PER_MINUTE)
    starts_at = Instant(load_default=None)


class CampaignQuery(LimitQuery):
    """Which campaigns."""

    state = Code(tuple(each.value for each in CampaignState), load_default=None)


class NoForm(StrictSchema):
    """Nothing to choose."""


class AudienceSchema(ReplySchema):
    """Who it is for."""

    province = fields.String(allow_none=True)
    commune = fields.String(allow_none=True)
    age_from = fields.Integer()
    age_to = fields.Integer()
    sex = fields.String(allow_none=True)
    series = fields.String(allow_none=True)
    status = fields.String(allow_none=True)
    listed = fields.Boolean()


class CampaignListSchema(ReplySchema):
    """What a list came to. `digest` stands for all its good rows in their order."""

    rows = fields.Integer()
    good = fields.Integer()
    bad = fields.Integer()
    duplicates = fields.Integer()
    digest = fields.String()
    whole = fields.Boolean()


class CampaignProgressSchema(ReplySchema):
    """Parts add up to `planned`; a count of 1 to 9 is null, and a second one beside it.

    A list's counts are cut to tens. `remaining` people are still to come, in about `minutes_left`.
    """

    planned = fields.Integer(allow_none=True, metadata=_COUNT)
    queued = fields.Integer(allow_none=True, metadata=_COUNT)
    accepted = fields.Integer(allow_none=True, metadata=_COUNT)
    opened = fields.Integer(allow_none=True, metadata=_COUNT)
    failed = fields.Integer(allow_none=True, metadata=_COUNT)
    cancelled = fields.Integer(allow_none=True, metadata=_COUNT)
    failures = fields.Dict(keys=fields.String(), values=fields.Integer(allow_none=True))
    left_out = fields.Dict(keys=fields.String(), values=fields.Integer(allow_none=True))
    remaining = fields.Integer(allow_none=True, metadata=_COUNT)
    minutes_left = fields.Integer(allow_none=True)
    followed_by_dose = fields.Integer(allow_none=True, metadata=_COUNT)


class CampaignStepSchema(ReplySchema):
    """One thing that was done."""

    event = fields.String()
    by = fields.String()
    at = Instant()
    reason = fields.String(allow_none=True)


class CampaignSchema(ReplySchema):
    """One campaign, and how far it has come."""

    id = fields.String()
    version = fields.Integer(metadata={"description": "what `If-Match` names, in quotes"})
    state = Code(tuple(each.value for each in CampaignState))
    name = fields.String()
    kind = Code(KINDS)
    template = fields.String()
    audience = fields.Nested(AudienceSchema)
    per_minute = fields.Integer()
    starts_at = Instant(allow_none=True)
    created_by = fields.String()
    created_at = Instant()
    approved_by = fields.String(allow_none=True)
    launched_at = Instant(allow_none=True)
    list_ = fields.Nested(CampaignListSchema, allow_none=True, data_key="list")
    progress = fields.Nested(CampaignProgressSchema)
    history = fields.List(fields.Nested(CampaignStepSchema))


CampaignPage = page_of(CampaignSchema, "CampaignPage", "Campaigns, newest first.")


class CampaignSampleSchema(ReplySchema):
    """What arrives: the words in the inbox, and the push, which is the same for every message."""

    locale = Code(("vi", "en"))
    title = fields.String()
    body = fields.String()


class CampaignPreviewSchema(ReplySchema):
    """About how many people it would go to today. Null with a reason where that may not be told."""

    people = fields.Integer(allow_none=True, metadata=_COUNT)
    sampled = fields.Boolean(metadata={"description": "a part of the people stands for all"})
    held_back = Code(("few", "too_like"), allow_none=True)
    needs_approval = fields.Boolean()
    push_template = fields.String()
    sample = fields.List(fields.Nested(CampaignSampleSchema))


class CoverageQuery(StrictSchema):
    """One series, at most twenty years of birth, one province or all."""

    series = Code(SERIES, required=True)
    born_from = Digits(1900, 2200, required=True)
    born_to = Digits(1900, 2200, required=True)
    province = Code((*PROVINCES, ELSEWHERE), load_default=None)

    @validates_schema
    def bounded(self, data: Mapping[str, Any], **_: Any) -> None:
        """A table of a size that is always the same work."""
        if not 0 <= data["born_to"] - data["born_from"] < _MOST_YEARS:
            raise ValidationError("Must be 1 to 20 years in their order.")


class CoverageCellSchema(ReplySchema):
    """People of one province and year of birth. `--` is a residence that is not known."""

    province = fields.String()
    born = fields.Integer()
    eligible = fields.Integer(allow_none=True, metadata=_COUNT)
    started = fields.Integer(allow_none=True, metadata=_COUNT)
    complete = fields.Integer(allow_none=True, metadata=_COUNT)


class CoverageSchema(ReplySchema):
    """Counts cut to tens; null where there are too few people, or a neighbour needs it."""

    series = fields.String()
    suppressed = fields.Integer()
    items = fields.List(fields.Nested(CoverageCellSchema))


def audience_of(form: Mapping[str, Any]) -> Audience:
    """The audience a form describes. Raises BadAudience."""
    return Audience(**form)


def campaign_view(found: Campaign, progress: Progress) -> dict[str, Any]:
    """A campaign ready to be written."""
    names = ("id", "version", "state", "name", "kind", "template", "per_minute", "starts_at", "created_by")
    more = ("created_at", "approved_by", "launched_at")
    return {
        **{name: getattr(found, name) for name in (*names, *more)},
        "state": found.state.value,
        "audience": found.audience.to_plain(),
        "list_": found.listed,
        "progress": _progress_view(found, progress),
        "history": [
            {"event": each.event, "by": each.by, "at": each.at, "reason": each.reason or None}
            for each in found.history
        ],
    }


def _progress_view(found: Campaign, told: Progress) -> dict[str, Any]:
    return {
        "planned": told.planned,
        **told.parts,
        "failures": told.failures,
        "left_out": told.left_out,
        "remaining": told.remaining,
        "minutes_left": None if found.state in ENDED else told.minutes_left,
        "followed_by_dose": told.followed,
    }


def preview_view(found: Campaign, told: Told, words: CampaignText) -> dict[str, Any]:
    """A preview ready to be written. How many decide about an approval is not told to the person."""
    many = told.people if told.people is not None else 0
    samples = [
        {"locale": locale, "title": each["title"], "body": each["body"]}
        for locale, each in sorted(words.words.items(), reverse=True)
    ]
    return {
        "people": told.people,
        "sampled": told.sampled,
        "held_back": told.held_back,
        "needs_approval": found.needs_approval(many),
        "push_template": PUSH_TEMPLATE,
        "sample": samples,
    }


def coverage_view(found: Coverage) -> dict[str, Any]:
    """A table ready to be written."""
    return {
        "series": found.series,
        "suppressed": found.suppressed,
        "items": [_cell(each) for each in found.cells],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    counts = {name: getattr(cell, name) for name in ("eligible", "started", "complete")}
    return {"province": cell.province, "born": cell.year} | counts
