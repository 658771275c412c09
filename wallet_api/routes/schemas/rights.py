"""Rights requests as they are sent in, and as the person and the desk see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from marshmallow import fields

from wallet_api.infra.clock import vn_day
from wallet_api.rights.model import Relation, RightsRequest
from wallet_api.rights.processing import GROUNDS, Activity
from wallet_api.rights.rules import RULES
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Flag,
    Instant,
    PageQuery,
    ReplySchema,
    StrictSchema,
    Text,
    page_of,
)

LONGEST_TEXT = 2000
_SEEN = {
    "vi": {
        "received": "Chúng tôi đã nhận yêu cầu và sẽ xác nhận chậm nhất ngày {acknowledge_by}.",
        "acknowledged": "Yêu cầu được thực hiện chậm nhất ngày {carry_out_by}.",
        "carrying_out": "Dữ liệu đang được xóa; việc xóa không thể dừng lại.",
        "completed": "Yêu cầu đã được thực hiện.",
        "refused": "Yêu cầu bị từ chối: {refusal}. Bạn có quyền khiếu nại.",
        "cancelled": "Bạn đã hủy yêu cầu này.",
        "lifted": "Hạn chế đã được gỡ bỏ theo yêu cầu của bạn.",
    },
    "en": {
        "received": "We have received it and will acknowledge it by {acknowledge_by}.",
        "acknowledged": "It will be carried out by {carry_out_by}.",
        "carrying_out": "The data is being erased; this cannot be stopped.",
        "completed": "It was carried out.",
        "refused": "It was refused: {refusal}. You may complain.",
        "cancelled": "You took it back.",
        "lifted": "The restriction was lifted at your request.",
    },
}


class RightsForm(StrictSchema):
    """What somebody asks for; `details` in their own words, kept sealed."""

    kind = Code(RULES.kinds, required=True)
    details = Text(longest=LONGEST_TEXT, allow_none=True, load_default=None)


class RightsCancellationForm(StrictSchema):
    """Nothing to say."""


class AcknowledgementForm(StrictSchema):
    """The request is taken on; `with_others` when processors or third parties must act too."""

    with_others = Flag(required=True)
    note = Text(longest=LONGEST_TEXT, allow_none=True, load_default=None)


class ExtensionForm(StrictSchema):
    """More time, and why; the person reads it."""

    note = Text(longest=LONGEST_TEXT, required=True)


class CompletionForm(StrictSchema):
    """It is done, or for an erasure: do it."""

    note = Text(longest=LONGEST_TEXT, allow_none=True, load_default=None)


class RightsRefusalForm(StrictSchema):
    """Why not: a reason the law knows, and what there is to say to it."""

    code = Code(RULES.refusals, required=True)
    note = Text(longest=LONGEST_TEXT, allow_none=True, load_default=None)


class RightsQuery(PageQuery):
    """Which requests: those with something still to be done, or those that ended."""

    state = Code(("open", "ended"), load_default="open")


class RightsRefusalSchema(ReplySchema):
    """Why it was refused, with the law."""

    code = fields.String()
    text = fields.String()
    law = fields.String()


class DataClassSchema(ReplySchema):
    """Data of one retention class, with the law that lets it go or keeps it, and until when it is kept."""

    code = fields.String()
    text = fields.String()
    law = fields.String()
    until = fields.String(allow_none=True)


class ErasureSchema(ReplySchema):
    """What is erased, and what the law keeps: that is restricted, and no provider reads it any more."""

    erased = fields.List(fields.Nested(DataClassSchema))
    kept = fields.List(fields.Nested(DataClassSchema))
    settles_at = Instant(
        allow_none=True, metadata={"description": "when the last copy in memory is gone; null before that"}
    )


class RightsStepSchema(ReplySchema):
    """A line of history."""

    event = fields.String()
    at = Instant()
    note = fields.String(allow_none=True)


class RightsRequestSchema(ReplySchema):
    """A request with its legal time limits: the last Vietnamese day for each."""

    id = fields.String()
    version = fields.Integer()
    kind = Code(RULES.kinds)
    kind_text = fields.String()
    state = Code(RULES.states)
    state_text = fields.String()
    text = fields.String(metadata={"description": "where it stands, in plain words"})
    asked_at = Instant()
    relation = Code(get_args(Relation), metadata={"description": "who asked"})
    details = fields.String(allow_none=True)
    acknowledge_by = Day()
    carry_out_by = Day()
    extended = fields.Boolean()
    with_others = fields.Boolean()
    overdue = fields.Boolean()
    refusal = fields.Nested(RightsRefusalSchema, allow_none=True)
    erasure = fields.Nested(ErasureSchema, allow_none=True)
    history = fields.List(fields.Nested(RightsStepSchema))


class OpsRightsStepSchema(RightsStepSchema):
    """A line of history, with who took the step."""

    by = fields.String()


class OpsRightsRequestSchema(RightsRequestSchema):
    """A request as the desk sees it: of whom by internal id, and the next day that counts."""

    citizen_id = fields.String()
    due_on = Day()
    law = fields.String()
    history = fields.List(fields.Nested(OpsRightsStepSchema))


RightsPage = page_of(RightsRequestSchema, "RightsPage", "Requests, newest first.")
OpsRightsPage = page_of(
    OpsRightsRequestSchema,
    "OpsRightsPage",
    "Requests, nearest deadline first.",
    overdue=fields.Integer(metadata={"description": "how many open requests are overdue, on any page"}),
)


class CopySchema(ReplySchema):
    """Everything the wallet holds about a person that the reader may see. Streamed; `complete` comes last."""

    made_at = Instant()
    citizen = fields.Dict(metadata={"description": "the profile, identifiers masked"})
    records = fields.Dict(metadata={"description": "a FHIR R4 Bundle of type collection"})
    provenance = fields.List(fields.Dict(), metadata={"description": "where each record came from"})
    consents = fields.List(fields.Dict(), metadata={"description": "every grant, newest first"})
    shares = fields.List(fields.Dict(), metadata={"description": "share links and who came, newest first"})
    access_log = fields.List(fields.Dict(), metadata={"description": "who looked, newest first"})
    correction_requests = fields.List(fields.Dict(), metadata={"description": "with answers, newest first"})
    disputes = fields.List(fields.Dict(), metadata={"description": "records said not to be one's own"})
    complete = fields.Boolean()


def rights_view(request: RightsRequest, now: datetime, language: str) -> dict[str, Any]:
    """A request ready to be written, its clocks as they stand and its codes in words."""
    own = ("id", "version", "kind", "state", "asked_at", "relation", "details")
    clocks = ("acknowledge_by", "carry_out_by", "extended", "with_others")
    view = {name: getattr(request, name) for name in (*own, *clocks)}
    return view | {
        "kind_text": getattr(request.rule, language),
        "state_text": getattr(RULES.states[request.state], language),
        "text": _told(request, language),
        "overdue": request.overdue(vn_day(now)),
        "refusal": _refusal(request, language),
        "erasure": _erasure(request, language),
        "history": [{"event": s.event, "at": s.at, "note": s.reason, "by": s.by} for s in request.history],
    }


def ops_rights_view(request: RightsRequest, now: datetime, language: str) -> dict[str, Any]:
    """A request as the desk sees it."""
    more = {"citizen_id": request.citizen_id, "due_on": request.due_on, "law": request.rule.source}
    return rights_view(request, now, language) | more


def _told(request: RightsRequest, language: str) -> str:
    refusal = _refusal(request, language)
    return _SEEN[language][request.state].format(
        acknowledge_by=f"{request.acknowledge_by:%d/%m/%Y}",
        carry_out_by=f"{request.carry_out_by:%d/%m/%Y}",
        refusal=refusal["text"] if refusal else "",
    )


def _refusal(request: RightsRequest, language: str) -> dict[str, str] | None:
    if request.refusal is None:
        return None
    found = RULES.refusals[request.refusal]
    return {"code": request.refusal, "text": getattr(found, language), "law": found.source}


def _erasure(request: RightsRequest, language: str) -> dict[str, Any] | None:
    erasure = request.erasure
    if erasure is None:
        return None

    def told(names: tuple[str, ...]) -> list[dict[str, Any]]:
        rules = ((name, RULES.classes[name]) for name in names)
        return [
            {"code": name, "text": getattr(rule, language), "law": rule.source, "until": rule.until}
            for name, rule in rules
        ]

    return {"erased": told(erasure.erased), "kept": told(erasure.kept), "settles_at": erasure.settles_at}


class FlowAbroadSchema(ReplySchema):
    """Data that leaves the country: where to, what, and the file on it."""

    where = fields.String()
    data = fields.String()
    file = fields.String()


class ActivitySchema(ReplySchema):
    """One kind of processing, with its ground and the law it rests on."""

    id = fields.String()
    purpose = fields.String()
    ground = fields.String()
    ground_text = fields.String()
    legal_reference = fields.String()
    subjects = fields.List(fields.String())
    data = fields.List(fields.String())
    recipients = fields.List(fields.String())
    retention = fields.String()
    third_country = fields.Nested(FlowAbroadSchema, allow_none=True)
    measures = fields.List(fields.String())


ProcessingPage = page_of(
    ActivitySchema, "ProcessingPage", "The register of processing.", read=fields.String()
)


def activity_view(activity: Activity, language: str) -> dict[str, Any]:
    """One kind of processing ready to be written."""
    more = {"purpose": activity.purpose[language], "ground_text": GROUNDS[activity.ground][language]}
    return vars(activity) | more
