"""Requests to correct a record and disputes, as they are sent in and as each side sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, get_args

from marshmallow import ValidationError, fields, validates_schema

from wallet_api.corrections.model import Correction, Decision, Dispute, EvidenceFile, Line, Party, Relation
from wallet_api.corrections.rules import LIMIT, RULES
from wallet_api.infra.clock import vn_day
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Instant,
    PageQuery,
    ReplySchema,
    StrictSchema,
    Text,
    Whole,
    page_of,
)
from wallet_api.routes.schemas.family import EvidenceFileSchema
from wallet_api.routes.schemas.organisations import OrganisationSchema

LONGEST_TEXT = 2000
_LAST_VERSION = 2**31 - 1
Name = Callable[[Line], str | None]
"""The name of whoever wrote a line of history, as far as its reader may know it."""


class CorrectionForm(StrictSchema):
    """What is wrong with one version of a record; `details` in the person's own words, kept sealed."""

    record_id = Text(longest=100, required=True)
    record_version = Whole(1, _LAST_VERSION, required=True)
    kind = Code(RULES.kinds, required=True)
    details = Text(longest=LONGEST_TEXT, required=True)


class AnswerForm(StrictSchema):
    """`corrected` names the newer version that is right, `refused` the reason. `note` is read as it is."""

    outcome = Code(("corrected", "refused"), required=True)
    corrected_version = Whole(1, _LAST_VERSION, allow_none=True, load_default=None)
    refusal = Code(RULES.refusals, allow_none=True, load_default=None)
    note = Text(longest=LONGEST_TEXT, allow_none=True, load_default=None)

    @validates_schema
    def _check(self, form: dict[str, Any], **_: Any) -> None:
        """Exactly what the outcome calls for."""
        named = {"corrected": "corrected_version", "refused": "refusal"}
        for outcome, name in named.items():
            given, called_for = form.get(name) is not None, form["outcome"] == outcome
            if called_for and not given:
                raise ValidationError("Missing data for this outcome.", name)
            if given and not called_for:
                raise ValidationError("Unknown field for this outcome.", name)


class CorrectionQuery(PageQuery):
    """Which requests: those that wait for an answer, or those that have one."""

    state = Code(("open", "answered"), load_default="open")


class NotMineForm(StrictSchema):
    """Nothing to say: the path names the record."""


class MismatchQuery(PageQuery):
    """Which disputes: those that wait for a decision, or those that are over."""

    state = Code(("open", "ended"), load_default="open")


class DecisionForm(StrictSchema):
    """`keep`: it is theirs and is shown again. `remove`: nobody but its author sees it any more."""

    decision = Code(get_args(Decision), required=True)
    reason = Code(sorted({*RULES.keep_reasons, *RULES.remove_reasons}), required=True)

    @validates_schema
    def _check(self, form: dict[str, Any], **_: Any) -> None:
        """A reason that fits the decision."""
        if form["reason"] not in RULES.reasons(form["decision"]):
            raise ValidationError("Must be one of the reasons for this decision.", "reason")


class HistoryLineSchema(ReplySchema):
    """A line of history: which party did what, and when."""

    event = fields.String()
    party = Code(
        ("person", *get_args(Party)),
        metadata={"description": "person: to an organisation, whether or not a guardian acted"},
    )
    name = fields.String(allow_none=True, metadata={"description": "of a practitioner who answered"})
    at = Instant()


class CorrectionAnswerSchema(ReplySchema):
    """What the organisation answered."""

    corrected_version = fields.Integer(allow_none=True)
    refusal = Code(RULES.refusals, allow_none=True)
    refusal_text = fields.String(allow_none=True)
    note = fields.String(allow_none=True)


class AskedCorrectionSchema(ReplySchema):
    """A request as the organisation sees it: of its own record, and nothing more of the person."""

    id = fields.String()
    version = fields.Integer()
    record_id = fields.String(metadata={"description": "as its reader knows the record"})
    record_version = fields.Integer()
    kind = Code(RULES.kinds)
    kind_text = fields.String()
    details = fields.String(allow_none=True, metadata={"description": "null once erased"})
    state = Code(RULES.states)
    state_text = fields.String()
    asked_at = Instant()
    answer_by = Day(metadata={"description": "the last Vietnamese day for an answer"})
    law = fields.String()
    overdue = fields.Boolean()
    answer = fields.Nested(CorrectionAnswerSchema, allow_none=True)
    files = fields.List(fields.Nested(EvidenceFileSchema))
    history = fields.List(fields.Nested(HistoryLineSchema))


class CorrectionSchema(AskedCorrectionSchema):
    """A request as whoever asked sees it."""

    organisation = fields.Nested(OrganisationSchema)
    relation = Code(get_args(Relation), metadata={"description": "who asked"})


CorrectionPage = page_of(CorrectionSchema, "CorrectionPage", "Requests, newest first.")
AskedCorrectionPage = page_of(
    AskedCorrectionSchema, "AskedCorrectionPage", "Requests, the nearest last day first."
)


class MismatchSchema(ReplySchema):
    """A record said to be somebody else's, as a reviewer sees it: nothing that is in it."""

    id = fields.String()
    version = fields.Integer()
    organisation = fields.Nested(OrganisationSchema, allow_none=True)
    category = fields.String()
    state = Code(RULES.dispute_states)
    state_text = fields.String()
    relation = Code(get_args(Relation), metadata={"description": "who said so"})
    opened_at = Instant()
    reason = fields.String(allow_none=True)
    reason_text = fields.String(allow_none=True)
    history = fields.List(fields.Nested(HistoryLineSchema))


class DisputeSchema(MismatchSchema):
    """A record said to be somebody else's, as whoever said so sees it."""

    record_id = fields.String()


DisputePage = page_of(DisputeSchema, "DisputePage", "Disputes, newest first.")
MismatchPage = page_of(MismatchSchema, "MismatchPage", "Disputes, the oldest first.")


def asked_view(
    found: Correction, files: Iterable[EvidenceFile], record_id: str, now: datetime, language: str, name: Name
) -> dict[str, Any]:
    """A request ready to be written, under the id its reader knows the record by."""
    plain = ("id", "version", "record_version", "kind", "details", "state", "asked_at", "answer_by")
    return {each: getattr(found, each) for each in plain} | {
        "record_id": record_id,
        "kind_text": RULES.kinds[found.kind][language],
        "state_text": RULES.states[found.state][language],
        "law": LIMIT.source,
        "overdue": found.overdue(vn_day(now)),
        "answer": _answer(found, language),
        "files": [file_view(each) for each in files],
        "history": [_nameless(each) for each in _history(found.history, name)],
    }


def correction_view(
    view: Mapping[str, Any], found: Correction, organisation: object, name: Name
) -> dict[str, Any]:
    """The same for whoever asked."""
    more = {"organisation": organisation, "relation": found.relation}
    return {**view, **more, "history": _history(found.history, name)}


def mismatch_view(found: Dispute, organisation: object, language: str) -> dict[str, Any]:
    """A dispute for a reviewer: codes, times, and who wrote the record."""
    plain = ("id", "version", "category", "state", "relation", "opened_at", "reason")
    return {each: getattr(found, each) for each in plain} | {
        "organisation": organisation,
        "state_text": RULES.dispute_states[found.state][language],
        "reason_text": _reason(found, language),
        "history": _history(found.history, lambda line: None),
    }


def dispute_view(found: Dispute, organisation: object, language: str) -> dict[str, Any]:
    """The same for whoever said so."""
    return mismatch_view(found, organisation, language) | {"record_id": found.record_id}


def file_view(found: EvidenceFile) -> dict[str, Any]:
    """What is told of a file."""
    return {each: getattr(found, each) for each in ("id", "media_type", "size", "received_at")}


def _answer(found: Correction, language: str) -> dict[str, Any] | None:
    answer = found.answer
    if answer is None:
        return None
    why = None if answer.refusal is None else RULES.refusals[answer.refusal][language]
    return {**vars(answer), "refusal_text": why}


def _reason(found: Dispute, language: str) -> str | None:
    if found.reason is None:
        return None
    decision = "keep" if found.state == "kept" else "remove"
    return RULES.reasons(decision)[found.reason][language]


def _nameless(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line for the organisation: who of a family asked is none of its business."""
    return {**line, "party": "person"} if line["party"] in get_args(Relation) else {**line}


def _history(lines: Iterable[Line], name: Name) -> list[dict[str, Any]]:
    return [{"event": each.event, "party": each.party, "name": name(each), "at": each.at} for each in lines]
