"""Health cards as they are wanted and as they are handed over."""

from __future__ import annotations

from marshmallow import fields, validate

from wallet_api.records.health_card import LONGEST_JWS, MOST_DOSES
from wallet_api.routes.schemas.base import Code, Instant, ReplySchema, StrictSchema
from wallet_api.routes.schemas.shares import RecordId


class HealthCardForm(StrictSchema):
    """Which vaccinations: those named, or all that a card can tell."""

    kind = Code(("immunization",), required=True)
    record_ids = fields.List(
        RecordId(), load_default=None, allow_none=True, validate=validate.Length(min=1, max=MOST_DOSES)
    )


class HealthCardSchema(ReplySchema):
    """One card, whole in itself: the signed card, and its QR code as text and as pictures."""

    card = fields.String(
        metadata={"description": f"compact JWS (ES256, DEFLATE) of at most {LONGEST_JWS} characters"}
    )
    qr = fields.String(metadata={"description": "what the QR code says: shc:/ and digits"})
    svg = fields.String(metadata={"description": "the QR code as an SVG document"})
    png = fields.String(metadata={"description": "the QR code as a PNG, in base64"})
    record_ids = fields.List(fields.String(), metadata={"description": "what stands on it, oldest first"})


class HealthCardsSchema(ReplySchema):
    """Cards of one book. `left_out`: doses a card cannot tell, for want of a CVX code, say."""

    issuer = fields.String(metadata={"description": "keys are at /.well-known/jwks.json below it"})
    issued_at = Instant()
    cards = fields.List(fields.Nested(HealthCardSchema))
    left_out = fields.List(fields.String())
