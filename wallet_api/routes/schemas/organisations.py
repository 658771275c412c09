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
    verified = fields.Boolean(metadata={"description": "a registrar has seen that it is who it says"})
    looks_like = fields.String(
        allow_none=True, metadata={"description": "the name of another that its own could be taken for"}
    )
    merged_into = fields.String(
        allow_none=True,
        metadata={"description": "its successor, by name; a consent given to the one is none for the other"},
    )


OrganisationPage = page_of(OrganisationSchema, "OrganisationPage", "Organisations.")
