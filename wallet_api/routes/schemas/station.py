"""What a practitioner attests at the station: a child's yes, or that of a person without a phone."""

from __future__ import annotations

from marshmallow import fields, validate

from consent.assisted import RULES
from consent.codes import CATEGORIES
from wallet_api.routes.schemas.base import Code, Day, Flag, PeriodSchema, StrictSchema
from wallet_api.routes.schemas.consents import NoticeShownSchema, NumberMeantSchema, code_set


class AssentSchema(StrictSchema):
    """What the practitioner who is named in the token vouches for."""

    notice = fields.Nested(NoticeShownSchema, required=True)
    heard_in_person = Flag(
        required=True,
        validate=validate.Equal(True),
        metadata={"description": "the child was there, was told what for, and said yes"},
    )


class AssistedConsentSchema(StrictSchema):
    """Consent of a person without a phone, given by word of mouth at the station."""

    citizen = fields.Nested(NumberMeantSchema, required=True)
    birth_date = Day(required=True, metadata={"description": "as on the document that was shown"})
    known_by = Code(RULES.documents, required=True, metadata={"description": "what identified the person"})
    categories = code_set(CATEGORIES, required=True)
    record_period = fields.Nested(PeriodSchema, load_default=None)
    notice = fields.Nested(NoticeShownSchema, required=True)
    heard_in_person = Flag(
        required=True,
        validate=validate.Equal(True),
        metadata={"description": "the text was read aloud and the person said yes"},
    )
