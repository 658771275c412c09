"""What a registrar says became of an account."""

from __future__ import annotations

from wallet_api.routes.schemas.base import Code, Day, ReplySchema, StrictSchema, Text

CHANGES = ("lock", "unlock", "death")
EVIDENCE = ("call", "counter", "court_order", "death_certificate")


class AccountChangeForm(StrictSchema):
    """A change of an account, and what it rests on."""

    national_id = Text(longest=12, required=True, metadata={"pattern": "^[0-9]{12}$"})
    change = Code(CHANGES, required=True)
    evidence_kind = Code(EVIDENCE, required=True)
    died_on = Day(load_default=None, metadata={"description": "with a death, and only then"})


class AccountChangeSchema(ReplySchema):
    """A change that was made."""

    change = Code(CHANGES)
    died_on = Day(allow_none=True)
