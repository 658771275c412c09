"""Merges of two books as they are proposed, listed, decided and objected to."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import fields, validate

from wallet_api.audit.model import Action, ActorKind
from wallet_api.identity.merge_traces import Seen, Side, Traces
from wallet_api.identity.merging import CLASHES, RULES, Merge, MergeDecision, MergeLine, MergeState
from wallet_api.identity.model import Sex
from wallet_api.routes.schemas.base import (
    Code,
    Day,
    Instant,
    PageQuery,
    ReplySchema,
    StrictSchema,
    Text,
    page_of,
)
from wallet_api.routes.schemas.lists import IdentifierSchema

SIDES = get_args(Side)


class MergedPersonForm(StrictSchema):
    """Whose book: exactly one number of theirs, and the birth date."""

    national_id = Text(longest=12, metadata={"pattern": "^[0-9]{12}$"})
    insurance_number = Text(longest=15)
    birth_reference = Text(longest=18)
    birth_date = Day(required=True)


class MergeForm(StrictSchema):
    """Two books that are said to be one person's, and the paper that says so."""

    surviving = fields.Nested(
        MergedPersonForm, required=True, metadata={"description": "in whose book the other continues"}
    )
    absorbed = fields.Nested(MergedPersonForm, required=True)
    reason = Code(RULES.reasons, required=True)
    evidence_kind = Code(RULES.evidence_kinds, required=True)
    paper_number = Text(longest=60, required=True)
    accepts = fields.List(
        Code(CLASHES),
        load_default=list,
        validate=validate.Length(max=len(CLASHES)),
        metadata={"description": "what speaks against it and the paper explains"},
    )


class MergeDecisionForm(StrictSchema):
    """What is decided. To refuse and to part takes a reason."""

    decision = Code(get_args(MergeDecision), required=True)
    reason = Code(sorted({*RULES.refusal_reasons, *RULES.parting_reasons}), load_default=None)


class MergesQuery(PageQuery):
    """Which merges."""

    state = Code(get_args(MergeState), load_default="proposed")


class MergeSchema(ReplySchema):
    """A merge. It names nobody."""

    id = fields.String()
    state = Code(get_args(MergeState))
    done = fields.Boolean(metadata={"description": "what follows from the state is carried out"})
    proposed_at = Instant()
    not_before = Day(metadata={"description": "the first day on which it can be confirmed"})


class MergeNoticeSchema(MergeSchema):
    """A merge as the person is told of it. Of the other book it says nothing."""

    side = Code(SIDES, metadata={"description": "which of the two this book is"})


class MergedPersonSchema(ReplySchema):
    """One of the two, as a reviewer compares them."""

    name = fields.String()
    birth_date = Day()
    sex = Code(get_args(Sex))
    identifiers = fields.List(fields.Nested(IdentifierSchema))


class MergeStepSchema(ReplySchema):
    """What was done by whom."""

    event = fields.String()
    by = fields.String()
    at = Instant()
    reason = fields.String(allow_none=True)


class MergeTraceSchema(ReplySchema):
    """A row of one of the access logs, without whose it is."""

    side = Code(SIDES)
    at = Instant()
    action = Code([each.value for each in Action])
    actor_kind = Code([each.value for each in ActorKind])
    organisation_id = fields.String(allow_none=True)
    record_count = fields.Integer()
    categories = fields.List(fields.String())


class MergeCaseSchema(MergeSchema):
    """A merge with what a reviewer compares, and what was seen while it was in force."""

    surviving = fields.Nested(MergedPersonSchema, allow_none=True)
    absorbed = fields.Nested(MergedPersonSchema, allow_none=True)
    clashes = fields.List(Code(CLASHES), metadata={"description": "what speaks against it today"})
    reason = Code(RULES.reasons)
    evidence_kind = Code(RULES.evidence_kinds)
    paper_number = fields.String()
    accepts = fields.List(Code(CLASHES))
    history = fields.List(fields.Nested(MergeStepSchema))
    looks = fields.List(
        fields.Nested(MergeTraceSchema),
        metadata={"description": "while it was in force: whom a breach notice may concern"},
    )
    writings = fields.List(
        fields.Nested(MergeTraceSchema),
        metadata={"description": "entered by the person meanwhile: whose they are is to be asked"},
    )
    whole = fields.Boolean(metadata={"description": "false: there is more than is listed"})


MergePage = page_of(MergeSchema, "MergePage", "Merges in one state, the oldest first.")
MergeNoticePage = page_of(MergeNoticeSchema, "MergeNoticePage", "Merges that concern a book.")


def merge_view(found: Merge) -> dict[str, Any]:
    """A merge ready to be written."""
    names = ("id", "state", "done", "not_before")
    return {name: getattr(found, name) for name in names} | {"proposed_at": found.history[0].at}


def notice_view(found: Merge, citizen_id: str) -> dict[str, Any]:
    """A merge as one of the two is told of it."""
    side = "surviving" if found.surviving_id == citizen_id else "absorbed"
    return merge_view(found) | {"side": side}


def merge_case_view(found: Merge, people: dict[str, Any], seen: Traces) -> dict[str, Any]:
    """A merge with what a reviewer compares."""
    grounds = found.grounds
    said = {name: getattr(grounds, name) for name in ("reason", "evidence_kind", "paper_number")}
    told = {
        "accepts": sorted(grounds.accepts),
        "history": [_step(each) for each in found.history],
        "looks": [_trace(each) for each in seen.looks],
        "writings": [_trace(each) for each in seen.writings],
        "whole": seen.whole,
    }
    return merge_view(found) | people | said | told


def _step(line: MergeLine) -> dict[str, Any]:
    # Who objected is one of the two, and ops need not learn which.
    by = "person" if line.event == "object" else line.by
    return {"event": line.event, "by": by, "at": line.at, "reason": line.reason}


def _trace(seen: Seen) -> dict[str, Any]:
    names = ("at", "action", "actor_kind", "organisation_id")
    event = {name: getattr(seen.event, name) for name in names}
    counted = {"record_count": seen.event.record_count or 0, "categories": list(seen.event.categories)}
    return {"side": seen.side} | event | counted
