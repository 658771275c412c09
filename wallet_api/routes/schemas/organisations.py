"""Organisations as others see them."""

from __future__ import annotations

from marshmallow import fields

from wallet_api.routes.schemas.base import Code, ReplySchema, page_of

ORGANISATION_KINDS = ("hospital", "commune_station", "clinic", "insurer", "research", "other")


class OrganisationSchema(ReplySchema):
    """Who is who."""

    id = fields.String()
    name_vi = fields.String()
    name_en = fields.String()
    kind = Code(ORGANISATION_KINDS)
    facility_code = fields.String(
        allow_none=True, metadata={"description": "five characters; null where there is none"}
    )


OrganisationPage = page_of(OrganisationSchema, "OrganisationPage", "Organisations.")
