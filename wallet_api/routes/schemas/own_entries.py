"""What people enter into their own book."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from consent.codes import LABELS
from notifications.conditions import kinds
from wallet_api.records.own_entries import REASONS, Entry
from wallet_api.records.own_kinds import own_kinds
from wallet_api.routes.schemas.base import Code, Number, StrictSchema, Text

_NUMBERS = ("value", "systolic", "diastolic")
_STATED = ", ".join(kinds().stated)


class OwnEntryForm(StrictSchema):
    """A value somebody measured, what an old paper of theirs says, or a circumstance of theirs.

    `blood_pressure` takes `systolic` and `diastolic`, every other measurement `value`; what papers say takes
    `text`, and a vaccination its CVX `code` if it is known. A `circumstance` takes its `code` (`employee`,
    `pupil`, `pregnant` ...), `occurred_on` for its first day (of a pregnancy: of the last period) and, once
    known, `until` for its last: reminders follow from it.
    """

    kind = Code(own_kinds().names, required=True)
    occurred_on = Text(
        longest=10,
        required=True,
        metadata={"description": "YYYY, YYYY-MM or YYYY-MM-DD, as known"},
    )
    value = Number(load_default=None)
    systolic = Number(load_default=None)
    diastolic = Number(load_default=None)
    unit = Text(longest=20, load_default=None, metadata={"description": "UCUM: the unit of the kind"})
    text = Text(longest=300, load_default=None)
    code = Text(
        longest=20,
        load_default=None,
        metadata={"description": f"CVX, for a vaccination; for a circumstance one of {_STATED}"},
    )
    until = Text(
        longest=10,
        load_default=None,
        metadata={"description": "the last day of a circumstance: YYYY, YYYY-MM or YYYY-MM-DD"},
    )
    labels = fields.List(
        Code(LABELS.codes), load_default=list, metadata={"description": "what is to be restricted, and why"}
    )


class OwnCorrectionForm(OwnEntryForm):
    """The whole entry as it should be, and why it changes."""

    reason = Code(REASONS, required=True)


def entry_of(form: dict[str, Any]) -> Entry:
    """The entry that a form holds."""
    numbers = {name: form[name] for name in _NUMBERS if form[name] is not None}
    more = {name: form[name] for name in ("kind", "occurred_on", "unit", "text", "code", "until")}
    return Entry(**more, numbers=numbers, labels=frozenset(form["labels"]))
