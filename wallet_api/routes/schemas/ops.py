"""What ops send and see."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from consent.codes import CATEGORIES, PURPOSES
from notifications.schedule import Programme
from wallet_api.routes.schemas.base import Code, Day, StrictSchema, Text, page_of
from wallet_api.routes.schemas.lists import GuardianshipSchema

EVIDENCE = ("birth_certificate", "court_order", "residence_register", "adoption_decision")
ORGANISATION_KINDS = ("hospital", "commune_station", "clinic", "insurer", "research", "other")


class ProgrammeSchema(Schema):
    """One programme."""

    id = fields.String()
    kind = fields.String()
    title_vi = fields.String()
    title_en = fields.String()
    status = fields.String()
    sources = fields.List(fields.String())
    valid_from = Day()
    valid_to = Day(allow_none=True)


ProgrammePage = page_of(ProgrammeSchema, "ProgrammePage", "Programmes.")


class DeliverySchema(Schema):
    """Counts only."""

    reminders = fields.Dict(keys=fields.String(), values=fields.Integer())
    batches = fields.Dict(keys=fields.String(), values=fields.Integer())
    pushes = fields.Dict(keys=fields.String(), values=fields.Integer())


class RunForm(StrictSchema):
    """Nothing to choose: a run is always of today."""


class RunSchema(Schema):
    """A run that was queued."""

    day = Day()
    state = fields.String()


class OrganisationForm(StrictSchema):
    """A provider organisation."""

    name_vi = Text(required=True)
    name_en = Text(required=True)
    kind = Code(ORGANISATION_KINDS, required=True)
    facility_code = Text(longest=5, load_default=None)
    gln = Text(longest=13, load_default=None)
    purposes = fields.List(Code(PURPOSES.codes), required=True)
    read_categories = fields.List(Code(CATEGORIES.codes), required=True)
    write_categories = fields.List(Code(CATEGORIES.codes), required=True)


class RegisteredSchema(Schema):
    """A registered organisation."""

    id = fields.String()
    name_vi = fields.String()
    name_en = fields.String()
    kind = fields.String()
    facility_code = fields.String(allow_none=True)
    gln = fields.String(allow_none=True)
    status = fields.String()


class JwkSet(fields.Field[dict[str, Any]]):
    """A public JWK set of at most ten keys; only the members of a public EC key are taken."""

    _MEMBERS = frozenset({"kty", "crv", "x", "y", "kid", "use", "alg"})

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> dict[str, Any]:
        keys = value.get("keys") if isinstance(value, dict) and set(value) == {"keys"} else None
        if not isinstance(keys, list) or not 0 < len(keys) <= 10:
            raise ValidationError("A JWK set holds 1 to 10 keys.")
        for key in keys:
            texts = isinstance(key, dict) and all(isinstance(each, str) for each in key.values())
            if not texts or not set(key) <= self._MEMBERS:
                raise ValidationError("Only public EC keys, please.")
        return {"keys": keys}


class KeysForm(StrictSchema):
    """Public keys of an organisation's system."""

    jwks = JwkSet(required=True)


class KeysSchema(Schema):
    """A registered client system."""

    client_id = fields.String()


class RosterForm(StrictSchema):
    """A practitioner on a roster."""

    id = fields.String(required=True, validate=validate.Regexp(r"\A[A-Za-z0-9._-]{3,40}\Z"))
    name = Text(required=True)
    role = Text(longest=40, required=True)
    valid_from = Day(required=True)
    valid_to = Day(load_default=None)


class RosterSchema(Schema):
    """A practitioner on a roster."""

    id = fields.String()
    name = fields.String()
    role = fields.String()
    valid_from = Day()
    valid_to = Day(allow_none=True)


class GuardianshipForm(StrictSchema):
    """A guardianship seen in evidence."""

    guardian_id = Text(longest=26, required=True)
    dependent_id = Text(longest=26, required=True)
    relation = Code(("minor", "adult"), required=True)
    evidence_kind = Code(EVIDENCE, required=True)
    valid_from = Day(required=True)


GuardianshipPage = page_of(GuardianshipSchema, "GuardianshipPage", "Guardianships.")


def programme_view(found: Programme) -> dict[str, Any]:
    """A programme ready to be written."""
    names = ("id", "kind", "status", "valid_from", "valid_to")
    titles = {"title_vi": found.title["vi"], "title_en": found.title.get("en", found.title["vi"])}
    return {name: getattr(found, name) for name in names} | titles | {"sources": list(found.source)}
