"""Newborns as they are registered, and numbers as they are linked."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from marshmallow import fields

from wallet_api.identity.births import RULES
from wallet_api.identity.model import Sex
from wallet_api.routes.schemas.base import Code, Day, ReplySchema, StrictSchema, Text, Whole

_NUMBER = {"pattern": "^[0-9]{12}$"}
_REFERENCE = {"pattern": "^SS[A-Z2-7]{16}$"}
EVIDENCE = ("birth_certificate", "identity_card", "population_registry")


class MotherSchema(StrictSchema):
    """The mother, as on her paper."""

    national_id = Text(longest=12, required=True, metadata=_NUMBER)
    birth_date = Day(required=True)


class NewbornSchema(StrictSchema):
    """The child. A child without a name is called after its mother on the paper."""

    name = Text(longest=255, required=True)
    birth_date = Day(required=True)
    sex = Code(get_args(Sex), required=True)
    birth_order = Whole(
        1,
        RULES.most_born,
        load_default=1,
        metadata={"description": "which of those the mother bore that day: 2 for the second twin"},
    )
    province = Text(longest=2, load_default=None, metadata={"pattern": "^[0-9]{2}$"})


class PaperSchema(StrictSchema):
    """The paper that says whose child it is."""

    kind = Code(RULES.paper_kinds, required=True)
    number = Text(longest=60, required=True)


class BirthForm(StrictSchema):
    """A birth: who, whose, on which paper."""

    mother = fields.Nested(MotherSchema, required=True)
    newborn = fields.Nested(NewbornSchema, required=True)
    paper = fields.Nested(PaperSchema, required=True)


class BirthSchema(ReplySchema):
    """A registered newborn. The same whoever the mother is, and however often it is sent."""

    birth_reference = fields.String(
        metadata=_REFERENCE
        | {"description": "what records are sent under until the child has a number, and may be after"}
    )
    birth_date = Day()
    birth_order = fields.Integer()


class PersonNamedSchema(StrictSchema):
    """Who is meant: a newborn by its reference, or somebody by the number that is replaced."""

    birth_reference = Text(longest=18, metadata=_REFERENCE)
    national_id = Text(longest=12, metadata=_NUMBER)

    class Meta(StrictSchema.Meta):
        """What the document says of the whole."""

        published: ClassVar[dict[str, Any]] = {"minProperties": 1, "maxProperties": 1}


class NumberLinkForm(StrictSchema):
    """A number for a person, and what it rests on."""

    person = fields.Nested(PersonNamedSchema, required=True)
    birth_date = Day(required=True, metadata={"description": "of the person, as on the paper"})
    national_id = Text(longest=12, required=True, metadata=_NUMBER)
    evidence_kind = Code(EVIDENCE, required=True)
    since = Day(load_default=None, metadata={"description": "from which day it counts; today if left out"})


class NumberLinkSchema(ReplySchema):
    """A number that was linked."""

    changed = fields.Boolean(metadata={"description": "false: it was this person's already"})
    fits = fields.Boolean(
        metadata={"description": "whether century, sex and year in the number agree with the person"}
    )
