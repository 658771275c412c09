"""Circumstances that reminders depend on: employee, pupil. Filed with check-ups, whose data set asks for the
same as the group of the person (DOI_TUONG). Pregnancy has its own category."""

from __future__ import annotations

from typing import Final

from wallet_api.records.types import RecordType, Resource, Words, observation
from wallet_api.records.types._fields import always, codings

SYSTEM: Final = "urn:health-wallet:circumstance"


def _claims(resource: Resource) -> bool:
    stated = any(system == SYSTEM for system, _ in codings(resource.get("code")))
    return stated and not observation.is_pregnancy(resource)


TYPE = RecordType(
    "Observation",
    always("checkup"),
    observation.TYPE.occurred,
    observation.TYPE.faults,
    Words("Hoàn cảnh", "Circumstance"),
    frozenset({"checkup"}),
    name="Observation.circumstance",
    claims=_claims,
)
