"""What a registrar says became of an account."""

from __future__ import annotations

from wallet_api.routes.schemas.base import Code, ReplySchema, StrictSchema, Text

CHANGES = ("lock", "unlock")
EVIDENCE = ("call", "counter", "court_order")


class AccountChangeForm(StrictSchema):
    """A change of an account, and what it rests on."""

    national_id = Text(longest=12, required=True, metadata={"pattern": "^[0-9]{12}$"})
    change = Code(CHANGES, required=True)
    evidence_kind = Code(EVIDENCE, required=True)


class AccountChangeSchema(ReplySchema):
    """A change that was made."""

    change = Code(CHANGES)
