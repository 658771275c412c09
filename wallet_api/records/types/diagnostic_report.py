"""DiagnosticReport: reports on laboratory work and images."""

from __future__ import annotations

from wallet_api.records.types import Fault, RecordType, Resource, Words
from wallet_api.records.types._fields import always, first_of, needs_code, needs_status

_STATUS = frozenset(
    {
        "registered",
        "partial",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "appended",
        "cancelled",
        "entered-in-error",
        "unknown",
    }
)


def _faults(resource: Resource) -> list[Fault]:
    return [*needs_status(resource, _STATUS), *needs_code(resource, "code")]


TYPE = RecordType(
    "DiagnosticReport",
    always("lab_result"),
    first_of("effectiveDateTime", "effectivePeriod.start", "issued"),
    _faults,
    Words("Phiếu kết quả", "Report"),
    frozenset({"lab_result"}),
)
