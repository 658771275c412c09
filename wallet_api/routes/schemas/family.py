"""Families: asking to act for somebody, proving it, and what a registrar makes of it."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import fields

from wallet_api.identity.evidence import EvidenceFile
from wallet_api.identity.guardianship import RULES
from wallet_api.identity.model import Guardianship, Relation
from wallet_api.routes.schemas.base import Code, Day, Instant, ReplySchema, StrictSchema, page_of
from wallet_api.routes.schemas.consents import NumberMeantSchema
from wallet_api.routes.schemas.lists import FamilyMemberSchema, GuardianshipSchema


class ClaimSchema(StrictSchema):
    """Whom somebody asks to act for: number and birth date, as on the evidence. It gives nothing."""

    dependent = fields.Nested(NumberMeantSchema, required=True)
    birth_date = Day(required=True)
    relation = Code(get_args(Relation), required=True)
    evidence_kind = Code(RULES.evidence_kinds, required=True)


class EndingSchema(StrictSchema):
    """Why it ends; may be left out."""

    reason = Code(RULES.end_reasons, load_default=None)


class RefusingSchema(StrictSchema):
    """Why it is not confirmed."""

    reason = Code(RULES.refusal_reasons, required=True)


class EvidenceFileSchema(ReplySchema):
    """A file sent as proof. Its content is never shown in place."""

    id = fields.String()
    media_type = fields.String()
    size = fields.Integer(metadata={"description": "bytes"})
    received_at = Instant()


class RelativeSchema(FamilyMemberSchema):
    """A guardianship as those it concerns see it."""

    dependent_id = fields.String(allow_none=True, metadata={"description": "null while the request waits"})
    name = fields.String(
        allow_none=True, metadata={"description": "null until a registrar has confirmed who is who"}
    )
    evidence_kind = fields.String()
    claimed_at = Instant(allow_none=True)
    reason = fields.String(allow_none=True, metadata={"description": "why it was refused or ended"})


RelativePage = page_of(RelativeSchema, "FamilyPage", "Family.")


class ComingGuardianshipSchema(ReplySchema):
    """A guardianship that was asked for and does not stand yet, as those who may object see it."""

    id = fields.String()
    relation = Code(get_args(Relation))
    evidence_kind = fields.String()
    claimed_at = Instant()
    begins_on = Day(allow_none=True, metadata={"description": "null until a registrar has confirmed it"})
    guardian_name = fields.String(
        allow_none=True, metadata={"description": "null until a registrar has confirmed who is who"}
    )
    objected = fields.Boolean()


ComingPage = page_of(ComingGuardianshipSchema, "ComingGuardianshipPage", "Guardianships asked for.")


class PartySchema(ReplySchema):
    """Somebody named in a guardianship, as a registrar compares them with the evidence."""

    id = fields.String()
    name = fields.String(allow_none=True, metadata={"description": "null: nobody whom the claim fits"})
    birth_date = Day(allow_none=True)


class GuardianshipFileSchema(GuardianshipSchema):
    """A guardianship with its evidence, for a registrar."""

    evidence_kind = fields.String()
    claimed_at = Instant(allow_none=True)
    reason = fields.String(allow_none=True)
    objected = fields.Boolean(metadata={"description": "somebody concerned spoke against it: look again"})
    guardian = fields.Nested(PartySchema)
    dependent = fields.Nested(PartySchema)
    files = fields.List(fields.Nested(EvidenceFileSchema))


def relation_view(found: Guardianship) -> dict[str, Any]:
    """A guardianship without names."""
    names = ("id", "guardian_id", "dependent_id", "relation", "state", "valid_from", "valid_to")
    more = ("evidence_kind", "claimed_at", "reason")
    return {each: getattr(found, each) for each in (*names, *more)}


def file_view(found: EvidenceFile) -> dict[str, Any]:
    """What is told of a file."""
    return {each: getattr(found, each) for each in ("id", "media_type", "size", "received_at")}
