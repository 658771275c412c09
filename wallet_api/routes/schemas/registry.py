"""What registrars do with organisations that are registered: look, verify, narrow, suspend, merge."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from consent.codes import CATEGORIES, PURPOSES
from wallet_api.identity.model import Organisation
from wallet_api.routes.schemas.base import Code, ReplySchema, StrictSchema, Text
from wallet_api.routes.schemas.ops import RegisteredSchema
from wallet_api.routes.schemas.published import ID_PATTERN

LONGEST_REASON = 500
STEPS = ("keys", "roster", "verification")
_ID = {"pattern": ID_PATTERN}


class ReasonForm(StrictSchema):
    """Why."""

    reason = Text(longest=LONGEST_REASON, required=True)


class LicenceForm(StrictSchema):
    """What the organisation may do from now on. What is narrowed here ends within seconds, grants or not."""

    purposes = fields.List(Code(PURPOSES.codes), required=True)
    read_categories = fields.List(Code(CATEGORIES.codes), required=True)
    write_categories = fields.List(Code(CATEGORIES.codes), required=True)


class MergerForm(StrictSchema):
    """Which organisation takes over. Grants do not move; what was written can be read by the successor."""

    into = Text(longest=26, required=True, metadata=_ID)
    reason = Text(longest=LONGEST_REASON, required=True)


class LostKeyForm(StrictSchema):
    """Which key was lost; without one, every key of the client system."""

    kid = Text(longest=100, load_default=None)
    reason = Text(longest=LONGEST_REASON, required=True)


class LicenceSchema(ReplySchema):
    """What the organisation may do."""

    purposes = fields.List(fields.String())
    read_categories = fields.List(fields.String())
    write_categories = fields.List(fields.String())


class RegistryEntrySchema(RegisteredSchema):
    """An organisation as registrars see it."""

    licence = fields.Nested(LicenceSchema)
    missing = fields.List(
        Code(STEPS), metadata={"description": "what is still to be done before it can work with the wallet"}
    )


class RevokedSchema(ReplySchema):
    """What is left of a client system after a key was revoked."""

    client_id = fields.String()
    status = Code(("active", "suspended"))
    keys = fields.Integer(metadata={"description": "how many keys it has left"})


def entry_view(found: Organisation, missing: list[str]) -> dict[str, Any]:
    """An entry ready to be written."""
    names = ("id", "name_vi", "name_en", "kind", "facility_code", "gln", "status", "version", "verified")
    licence = {
        name: sorted(getattr(found.licence, name))
        for name in ("purposes", "read_categories", "write_categories")
    }
    own = {name: getattr(found, name) for name in (*names, "looks_like", "merged_into")}
    return own | {"licence": licence, "missing": missing}
