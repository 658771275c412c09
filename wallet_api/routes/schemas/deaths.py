"""Deaths as they are reported, listed and decided."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import fields

from wallet_api.identity.deaths import RULES, Death, DeathDecision, DeathState
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
from wallet_api.routes.schemas.heirs import HeirSchema

LISTS = (*get_args(DeathState), "due")


class DeathForm(StrictSchema):
    """A death, and the paper that says so."""

    national_id = Text(longest=12, required=True, metadata={"pattern": "^[0-9]{12}$"})
    birth_date = Day(required=True, metadata={"description": "of the person, as on the paper"})
    died_on = Day(required=True)
    evidence_kind = Code(RULES.evidence_kinds, required=True)
    paper_number = Text(longest=60, required=True)


class DeathDecisionForm(StrictSchema):
    """What a second person says of it. To refuse and to reverse takes a reason."""

    decision = Code(get_args(DeathDecision), required=True)
    reason = Code(sorted({*RULES.refusal_reasons, *RULES.reversal_reasons}), load_default=None)


class DeathsQuery(PageQuery):
    """Which deaths. `due`: the book need not be kept any more."""

    state = Code(LISTS, load_default="reported")


class DeathSchema(ReplySchema):
    """A report of a death. It names nobody."""

    id = fields.String()
    state = Code(get_args(DeathState))
    done = fields.Boolean(metadata={"description": "what follows from the state is carried out"})
    reported_at = Instant()
    keep_until = Day(metadata={"description": "the last day on which the book must be kept"})


class DeceasedSchema(ReplySchema):
    """Whom it is about."""

    name = fields.String()
    birth_date = Day()


class WardSchema(ReplySchema):
    """Somebody the person acted for."""

    citizen_id = fields.String()
    guardians = fields.Integer(metadata={"description": "who still acts for them; 0 needs a guardian"})


class StepSchema(ReplySchema):
    """What was done by whom."""

    event = fields.String()
    by = fields.String()
    at = Instant()
    reason = fields.String(allow_none=True)


class DeathCaseSchema(DeathSchema):
    """A report with what a reviewer compares."""

    person = fields.Nested(DeceasedSchema)
    died_on = Day()
    evidence_kind = Code(RULES.evidence_kinds)
    paper_number = fields.String()
    wards = fields.List(fields.Nested(WardSchema))
    heirs = fields.List(fields.Nested(HeirSchema))
    history = fields.List(fields.Nested(StepSchema))


DeathPage = page_of(DeathSchema, "DeathPage", "Reports of deaths, the oldest first.")


def death_view(found: Death) -> dict[str, Any]:
    """A report ready to be written."""
    names = ("id", "state", "done", "keep_until")
    return {name: getattr(found, name) for name in names} | {"reported_at": found.history[0].at}


def case_view(
    found: Death, person: dict[str, Any], wards: list[dict[str, Any]], heirs: list[dict[str, Any]]
) -> dict[str, Any]:
    """A report with what a reviewer compares."""
    names = ("died_on", "evidence_kind", "paper_number", "history")
    more = {name: getattr(found, name) for name in names}
    return death_view(found) | more | {"person": person, "wards": wards, "heirs": heirs}
