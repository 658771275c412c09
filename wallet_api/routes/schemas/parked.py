"""What fits nobody, as reviewers see it: who sent it and what keeps it from fitting, never what is in it."""

from __future__ import annotations

from typing import Any, Final, get_args

from marshmallow import fields, validate

from wallet_api.records.parked import REASONS, Parked, State, Why, shown
from wallet_api.routes.schemas.base import Code, Day, Instant, PageQuery, ReplySchema, StrictSchema, page_of
from wallet_api.routes.schemas.lists import IdentifierSchema
from wallet_api.routes.schemas.organisations import OrganisationSchema

EVIDENCE: Final = ("sender_confirmed", "person_confirmed", "civil_status_register", "insurance_register")


class ParkedQuery(PageQuery):
    """Which: those that wait, those for which one reviewer has named a person, or decided ones."""

    state = Code(get_args(State), load_default="open")


class NamedPersonSchema(StrictSchema):
    """A person of the wallet, by number and whole birth date together."""

    national_id = fields.String(required=True, validate=validate.Regexp(r"\A[0-9]{12}\Z"))
    birth_date = Day(required=True)


class ReleaseForm(StrictSchema):
    """Whom it is about, and where that was seen."""

    citizen = fields.Nested(NamedPersonSchema, required=True)
    evidence = Code(EVIDENCE, required=True)


class RejectForm(StrictSchema):
    """Why it will never be filed."""

    reason = Code(REASONS, required=True)


class ParkedSchema(ReplySchema):
    """Something that fits nobody. Of the person only what tells two apart."""

    id = fields.String()
    version = fields.Integer()
    state = Code(get_args(State))
    organisation = fields.Nested(OrganisationSchema)
    format = fields.String()
    received_at = Instant()
    rows = fields.Integer(metadata={"description": "how many entries could be filed"})
    numbers = fields.List(fields.Nested(IdentifierSchema), metadata={"description": "none once decided"})
    birth_year = fields.Integer(allow_none=True, metadata={"description": "null once decided"})
    why = Code(
        get_args(Why), allow_none=True, metadata={"description": "what is wrong today; null once decided"}
    )
    evidence = Code(EVIDENCE, allow_none=True)
    reason = Code(REASONS, allow_none=True)
    decided_at = Instant(allow_none=True)


ParkedPage = page_of(ParkedSchema, "ParkedPage", "What fits nobody, the oldest first.")


def parked_view(found: Parked, why: Why | None, organisation: object) -> dict[str, Any]:
    """One of them for a reviewer."""
    plain = ("id", "version", "state", "format", "received_at", "rows", "evidence", "reason", "decided_at")
    person = found.person
    numbers = [] if person is None else person.identifiers
    return {each: getattr(found, each) for each in plain} | {
        "organisation": organisation,
        "numbers": [{"kind": kind, "masked": shown(value)} for kind, value in numbers],
        "birth_year": None if person is None else person.birth_date.first_day.year,
        "why": why,
    }
