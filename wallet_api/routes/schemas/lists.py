"""Pages and small answers."""

from __future__ import annotations

from typing import get_args

from marshmallow import fields

from wallet_api.audit.model import ActorKind, Decision
from wallet_api.identity.model import GuardianshipState, IdentifierKind, Relation, Sex
from wallet_api.routes.schemas.base import Code, Day, Instant, ReplySchema, page_of
from wallet_api.routes.schemas.consents import ConsentRequestSchema, GrantSchema, ReviewedGrantSchema

ConsentRequestPage = page_of(ConsentRequestSchema, "ConsentRequestPage", "Requests.")


GrantPage = page_of(GrantSchema, "GrantPage", "Grants.")


GrantReviewPage = page_of(
    ReviewedGrantSchema, "GrantReviewPage", "Who still has access, longest unreviewed first."
)


class ReceiptSchema(ReplySchema):
    """A signed receipt."""

    receipt = fields.String(metadata={"description": "compact JWS, ES256 over RFC 8785 JSON"})


class VisitCodeSchema(ReplySchema):
    """A one-time code."""

    visit_code = fields.String()
    qr = fields.String(metadata={"description": "what to show as a QR picture; taken wherever the code is"})
    expires_at = Instant()


class CodeSchema(ReplySchema):
    """One code with its names."""

    code = fields.String()
    vi = fields.String()
    en = fields.String()


CodePage = page_of(CodeSchema, "CodePage", "A code list.", id=fields.String(), source=fields.String())


class KeySetSchema(ReplySchema):
    """A JWK set."""

    keys = fields.List(fields.Dict(keys=fields.String(), values=fields.String()))


class ActorSchema(ReplySchema):
    """Who acted, by name."""

    name = fields.String()


class NamesSchema(ReplySchema):
    """An organisation's names."""

    id = fields.String()
    name_vi = fields.String()
    name_en = fields.String()


class LogEntrySchema(ReplySchema):
    """One line of who looked."""

    id = fields.String()
    at = Instant()
    action = fields.String()
    decision = Code(get_args(Decision))
    reason = fields.String()
    actor_kind = Code(tuple(ActorKind))
    actor = fields.Nested(ActorSchema)
    organisation = fields.Nested(NamesSchema, allow_none=True)
    purpose = fields.String(allow_none=True)
    grant_id = fields.String(allow_none=True)
    categories = fields.List(fields.String())
    record_count = fields.Integer(allow_none=True)
    text = fields.String(metadata={"description": "the line in the reader's language"})


LogPage = page_of(LogEntrySchema, "LogPage", "Who looked, newest first.")


class SessionSchema(ReplySchema):
    """Where somebody is signed in."""

    id = fields.String()
    client = fields.String()
    created_at = Instant()
    last_used_at = Instant()
    current = fields.Boolean()


SessionPage = page_of(SessionSchema, "SessionPage", "Sessions.")


class IdentifierSchema(ReplySchema):
    """A number, masked."""

    kind = Code(get_args(IdentifierKind))
    masked = fields.String()


class CitizenSchema(ReplySchema):
    """A person's profile."""

    id = fields.String()
    name = fields.String()
    birth_date = Day()
    sex = Code(get_args(Sex))
    province = fields.String(allow_none=True)
    identifiers = fields.List(fields.Nested(IdentifierSchema))
    books = fields.List(
        fields.String(),
        metadata={
            "description": "Ids of books that continue in this one since a merge. Records are read as one; "
            "consents, the deny list and the access log of each are found under its own id."
        },
    )


class GuardianshipSchema(ReplySchema):
    """A guardian and a dependent."""

    id = fields.String()
    guardian_id = fields.String()
    dependent_id = fields.String()
    relation = Code(get_args(Relation))
    state = Code(get_args(GuardianshipState))
    valid_from = Day()
    valid_to = Day(allow_none=True)


class FamilyMemberSchema(GuardianshipSchema):
    """A guardianship with the other person's name."""

    name = fields.String()
    role = Code(("dependent", "guardian"), metadata={"description": "what the other person is to the caller"})
