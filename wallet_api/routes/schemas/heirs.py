"""Heirs as they are proposed and decided, and what an heir is shown."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import fields

from wallet_api.identity.deaths import RULES
from wallet_api.identity.heirs import Heir, HeirDecision, HeirState
from wallet_api.routes.schemas.base import Code, Day, Instant, ReplySchema, StrictSchema, Text, page_of


class HeirForm(StrictSchema):
    """Who asks to see the summary of a dead person's book, and what shows the relation."""

    national_id = Text(
        longest=12,
        required=True,
        metadata={"pattern": "^[0-9]{12}$", "description": "the heir's number"},
    )
    birth_date = Day(required=True, metadata={"description": "the heir's"})
    relation = Code(RULES.heir_relations, required=True)
    evidence_kind = Code(RULES.heir_evidence, required=True)


class HeirDecisionForm(StrictSchema):
    """What a second person says of it."""

    decision = Code(get_args(HeirDecision), required=True)


class HeirSchema(ReplySchema):
    """An heir, as ops see it."""

    id = fields.String()
    state = Code(get_args(HeirState))
    relation = Code(RULES.heir_relations)
    evidence_kind = Code(RULES.heir_evidence)
    until = Instant(allow_none=True)


class BequestSchema(ReplySchema):
    """Whose summary the caller may see, and how long."""

    id = fields.String()
    name = fields.String(metadata={"description": "of the person who died"})
    relation = Code(RULES.heir_relations)
    until = Instant()


BequestPage = page_of(BequestSchema, "BequestPage", "Whose summary somebody may see as an heir.")


def heir_view(found: Heir) -> dict[str, Any]:
    """An heir ready to be written."""
    names = ("id", "state", "relation", "evidence_kind", "until")
    return {name: getattr(found, name) for name in names}
