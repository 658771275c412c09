"""DocumentReference: papers kept as files."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, concept_in, first_of, needs_status

_STATUS = frozenset({"current", "superseded", "entered-in-error"})


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS)]


TYPE = RecordType(
    "DocumentReference",
    always("document"),
    first_of("date"),
    _faults,
    Words("Giấy tờ", "Document"),
    frozenset({"document"}),
    about=concept_in("type"),
)
