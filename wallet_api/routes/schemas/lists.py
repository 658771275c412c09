"""Pages and small answers."""

from __future__ import annotations

from marshmallow import Schema, fields

from wallet_api.routes.schemas.base import Day, Instant, page_of
from wallet_api.routes.schemas.consents import ConsentRequestSchema, GrantSchema

ConsentRequestPage = page_of(ConsentRequestSchema, "ConsentRequestPage", "Requests.")


GrantPage = page_of(GrantSchema, "GrantPage", "Grants.")


class ReceiptSchema(Schema):
    """A signed receipt."""

    receipt = fields.String(metadata={"description": "compact JWS, ES256 over RFC 8785 JSON"})


class VisitCodeSchema(Schema):
    """A one-time code."""

    visit_code = fields.String()
    expires_at = Instant()


class OrganisationSchema(Schema):
    """Who is who."""

    id = fields.String()
    name_vi = fields.String()
    name_en = fields.String()
    kind = fields.String()
    facility_code = fields.String(allow_none=True)


OrganisationPage = page_of(OrganisationSchema, "OrganisationPage", "Organisations.")


class CodeSchema(Schema):
    """One code with its names."""

    code = fields.String()
    vi = fields.String()
    en = fields.String()


CodePage = page_of(CodeSchema, "CodePage", "A code list.", id=fields.String(), source=fields.String())


class KeySetSchema(Schema):
    """A JWK set."""

    keys = fields.List(fields.Dict(keys=fields.String(), values=fields.String()))


class LogEntrySchema(Schema):
    """One line of who looked."""

    id = fields.String()
    at = Instant()
    action = fields.String()
    decision = fields.String()
    reason = fields.String()
    actor_kind = fields.String()
    actor = fields.Dict()
    organisation = fields.Dict(allow_none=True)
    purpose = fields.String(allow_none=True)
    grant_id = fields.String(allow_none=True)
    categories = fields.List(fields.String())
    record_count = fields.Integer(allow_none=True)
    text = fields.String(metadata={"description": "the line in the reader's language"})


LogPage = page_of(LogEntrySchema, "LogPage", "Who looked, newest first.")


class SessionSchema(Schema):
    """Where somebody is signed in."""

    id = fields.String()
    client = fields.String()
    created_at = Instant()
    last_used_at = Instant()
    current = fields.Boolean()


SessionPage = page_of(SessionSchema, "SessionPage", "Sessions.")


class IdentifierSchema(Schema):
    """A number, masked."""

    kind = fields.String()
    masked = fields.String()


class CitizenSchema(Schema):
    """A person's profile."""

    id = fields.String()
    name = fields.String()
    birth_date = Day()
    sex = fields.String()
    province = fields.String(allow_none=True)
    identifiers = fields.List(fields.Nested(IdentifierSchema))


class GuardianshipSchema(Schema):
    """A guardian and a dependent."""

    id = fields.String()
    guardian_id = fields.String()
    dependent_id = fields.String()
    relation = fields.String()
    state = fields.String()
    valid_from = Day()
    valid_to = Day(allow_none=True)


class FamilyMemberSchema(GuardianshipSchema):
    """A guardianship with the other person's name."""

    name = fields.String()
    role = fields.String(metadata={"description": "dependent | guardian: what the other is to the caller"})


FamilyPage = page_of(FamilyMemberSchema, "FamilyPage", "Family.")
