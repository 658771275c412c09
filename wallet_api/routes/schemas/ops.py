"""What ops send and see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, get_args

from marshmallow import ValidationError, fields, validate

from consent.codes import CATEGORIES, PURPOSES
from notifications.campaigns.disclosure import SMALLEST
from notifications.rounds import CONFIDENCES, Confidence
from notifications.rules import version_of
from notifications.schedule import Kind, Programme, ProgrammeStatus
from wallet_api.identity.model import OrganisationStatus
from wallet_api.routes.schemas.base import Code, Day, ReplySchema, StrictSchema, Text, page_of
from wallet_api.routes.schemas.lists import GuardianshipSchema
from wallet_api.routes.schemas.organisations import ORGANISATION_KINDS
from wallet_api.routes.schemas.published import ID_PATTERN, TEXT_PATTERN

_ID = {"pattern": ID_PATTERN}
_WRITTEN = {"followed": "followed_by_dose"}
EVIDENCE = ("birth_certificate", "court_order", "residence_register", "adoption_decision")


class ProgrammeSchema(ReplySchema):
    """One programme."""

    id = fields.String()
    kind = Code(get_args(Kind))
    title_vi = fields.String()
    title_en = fields.String()
    status = Code(get_args(ProgrammeStatus))
    version = fields.String(metadata={"description": "digest of its rules: another one means other plans"})
    state = Code(("to_come", "in_force", "ended"), metadata={"description": "of today, by its validity"})
    confidence = Code(
        CONFIDENCES,
        allow_none=True,
        metadata={"description": "of a periodic programme; doses and bands have each their own"},
    )
    sources = fields.List(fields.String())
    valid_from = Day()
    valid_to = Day(allow_none=True)


class DoseSchema(ReplySchema):
    """One dose. Only what is `found` in its source is pushed; the rest is shown as "ask your station"."""

    dose = fields.Integer()
    confidence = Code(get_args(Confidence))
    sources = fields.List(fields.String())


class SeriesSchema(ReplySchema):
    """One series of doses."""

    id = fields.String()
    title_vi = fields.String()
    title_en = fields.String()
    doses = fields.List(fields.Nested(DoseSchema))


class ProgrammeDetailSchema(ProgrammeSchema):
    """One programme with its series."""

    series = fields.List(fields.Nested(SeriesSchema))


ProgrammePage = page_of(
    ProgrammeSchema,
    "ProgrammePage",
    "Programmes.",
    rules=fields.String(metadata={"description": "version of all rules together, as each plan is marked"}),
)


_COUNT = {"description": "null: too few people to tell"}


class FunnelSchema(ReplySchema):
    """Reminders of one programme since counting began, and doses on record within 30 days of one."""

    programme = fields.String()
    planned = fields.Integer(allow_none=True, metadata=_COUNT)
    sent = fields.Integer(allow_none=True, metadata=_COUNT)
    opened = fields.Integer(allow_none=True, metadata=_COUNT)
    followed_by_dose = fields.Integer(allow_none=True, metadata=_COUNT)


class DeliverySchema(ReplySchema):
    """Counts only."""

    reminders = fields.Dict(keys=fields.String(), values=fields.Integer())
    batches = fields.Dict(keys=fields.String(), values=fields.Integer())
    pushes = fields.Dict(keys=fields.String(), values=fields.Integer())
    funnel = fields.List(fields.Nested(FunnelSchema))


class RunForm(StrictSchema):
    """Nothing to choose: a run is always of today."""


class RunSchema(ReplySchema):
    """A run that was queued."""

    day = Day()
    state = Code(("queued",))


class OrganisationForm(StrictSchema):
    """A provider organisation."""

    name_vi = Text(required=True)
    name_en = Text(required=True)
    kind = Code(ORGANISATION_KINDS, required=True)
    facility_code = Text(longest=5, load_default=None, metadata={"pattern": "^[0-9A-Z]{5}$"})
    gln = Text(longest=13, load_default=None, metadata={"pattern": "^[0-9]{13}$"})
    purposes = fields.List(Code(PURPOSES.codes), required=True)
    read_categories = fields.List(Code(CATEGORIES.codes), required=True)
    write_categories = fields.List(Code(CATEGORIES.codes), required=True)


class RegisteredSchema(ReplySchema):
    """A registered organisation."""

    id = fields.String()
    name_vi = fields.String()
    name_en = fields.String()
    kind = fields.String()
    facility_code = fields.String(allow_none=True)
    gln = fields.String(allow_none=True)
    status = Code(get_args(OrganisationStatus))
    version = fields.Integer(metadata={"description": "what `If-Match` names, in quotes"})
    verified = fields.Boolean()
    looks_like = fields.String(allow_none=True)
    merged_into = fields.String(allow_none=True)


_COORDINATE = {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}
_POINT: dict[str, Any] = {"crv": {"type": "string", "enum": ["P-256"]}, "x": _COORDINATE, "y": _COORDINATE}
_MODULUS: dict[str, Any] = {
    "n": {"type": "string", "pattern": "^[A-Za-z0-9_-]{342,684}$"},
    "e": {"type": "string", "enum": ["AQAB"]},
}


def _key_of(kind: str, alg: str, members: dict[str, Any]) -> dict[str, Any]:
    told = {
        "kty": {"type": "string", "enum": [kind]},
        "kid": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": TEXT_PATTERN},
        "use": {"type": "string", "enum": ["sig"]},
        "alg": {"type": "string", "enum": [alg]},
    }
    needed = ["kid", "kty", *members, *(["alg"] if kind == "RSA" else [])]
    return {"type": "object", "required": needed, "additionalProperties": False, "properties": told | members}


_JWK_SET: dict[str, Any] = {
    "type": "object",
    "required": ["keys"],
    "additionalProperties": False,
    "properties": {
        "keys": {
            "type": "array",
            "minItems": 1,
            "maxItems": 8,
            "items": {"oneOf": [_key_of("EC", "ES256", _POINT), _key_of("RSA", "RS256", _MODULUS)]},
            "description": "At least one EC key, which the system proves itself with. An RSA key of 2048 to "
            "4096 bits only signs check-up messages; its `alg` is `RS256`.",
        }
    },
}


class JwkSet(fields.Field[dict[str, Any]]):
    """A public JWK set of at most eight keys; only the members of a public P-256 or RSA key are taken."""

    _MEMBERS = frozenset({"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"})

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"json_schema": _JWK_SET}, **options)

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> dict[str, Any]:
        keys = value.get("keys") if isinstance(value, dict) and set(value) == {"keys"} else None
        if not isinstance(keys, list) or not 0 < len(keys) <= 8:
            raise ValidationError("A JWK set holds 1 to 8 keys.")
        for key in keys:
            texts = isinstance(key, dict) and all(isinstance(each, str) for each in key.values())
            if not texts or not set(key) <= self._MEMBERS:
                raise ValidationError("Only public keys, please.")
        return {"keys": keys}


class KeysForm(StrictSchema):
    """Public keys of an organisation's system."""

    jwks = JwkSet(required=True)


class KeysSchema(ReplySchema):
    """A registered client system."""

    client_id = fields.String()


class RosterForm(StrictSchema):
    """A practitioner on a roster."""

    id = fields.String(required=True, validate=validate.Regexp(r"\A[A-Za-z0-9._-]{3,40}\Z"))
    name = Text(required=True)
    role = Text(longest=40, required=True)
    valid_from = Day(required=True)
    valid_to = Day(load_default=None)


class RosterSchema(ReplySchema):
    """A practitioner on a roster."""

    id = fields.String()
    name = fields.String()
    role = fields.String()
    valid_from = Day()
    valid_to = Day(allow_none=True)


class GuardianshipForm(StrictSchema):
    """A guardianship seen in evidence."""

    guardian_id = Text(longest=26, required=True, metadata=_ID)
    dependent_id = Text(longest=26, required=True, metadata=_ID)
    relation = Code(("minor", "adult"), required=True)
    evidence_kind = Code(EVIDENCE, required=True)
    valid_from = Day(required=True)


GuardianshipPage = page_of(GuardianshipSchema, "GuardianshipPage", "Guardianships.")


def programme_view(found: Programme, today: date) -> dict[str, Any]:
    """A programme ready to be written."""
    state = "in_force" if found.in_force(today) else "to_come" if today < found.valid_from else "ended"
    names = ("id", "kind", "status", "valid_from", "valid_to")
    titles = {"title_vi": found.title["vi"], "title_en": found.title.get("en", found.title["vi"])}
    sure = {"confidence": found.rounds.confidence if found.rounds is not None else None}
    told = sure | {"version": version_of(found), "state": state, "sources": list(found.source)}
    return {name: getattr(found, name) for name in names} | titles | told


def programme_detail(found: Programme, today: date) -> dict[str, Any]:
    """A programme with its series ready to be written."""
    series = [
        {
            "id": each.id,
            "title_vi": each.title["vi"],
            "title_en": each.title.get("en", each.title["vi"]),
            "doses": [
                {"dose": d.dose, "confidence": d.confidence, "sources": list(d.source)} for d in each.doses
            ],
        }
        for each in found.series
    ]
    return programme_view(found, today) | {"series": series}


def funnel_view(found: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """The funnels ready to be written; a count of 1 to 9 is not told."""
    return [
        {"programme": programme}
        | {
            _WRITTEN.get(what, what): None if 0 < count < SMALLEST else count
            for what, count in counts.items()
        }
        for programme, counts in sorted(found.items())
    ]
