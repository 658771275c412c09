"""What holders owe when a consent to keep copies is over, and their signed word that it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from wallet_api.events.errors import BadAttestation, DutyNotFound
from wallet_api.events.model import Duty, Extent

Journal = Callable[[Duty], None]
"""Writes the act into the access log, durably, before it stands; what it raises stops the act."""


@dataclass(frozen=True)
class Attestation:
    """A holder's signed statement. `text` is the JWS itself, `key` the public key it verified with.

    Both are kept as they are, so that the proof outlives a change of the holder's keys.
    """

    id: str
    grant_id: str
    organisation_id: str
    client_id: str
    extent: Extent
    erased_at: datetime
    received_at: datetime
    text: str = field(repr=False)
    key: dict[str, str] = field(repr=False)


class ErasureDuties(Protocol):
    """What duties ask of their storage. They begin in the transaction that ends a grant."""

    def get(self, grant_id: str) -> Duty | None:
        """The duty that follows from one grant."""

    def of_organisation(self, organisation_id: str, after: tuple[date, str] | None, limit: int) -> list[Duty]:
        """What an organisation still owes, by (day it is owed by, grant id)."""

    def of_citizen(self, citizen_id: str, limit: int) -> list[Duty]:
        """All duties about one citizen, those that ended last first."""

    def owed_before(self, day: date | None, after: tuple[date, str] | None, limit: int) -> list[Duty]:
        """What anybody still owes, by (day, grant id); with a day: what was owed by an earlier one."""

    def overdue(self, day: date) -> int:
        """How many are still owed that were owed by an earlier day."""

    def attestation(self, attestation_id: str) -> Attestation | None:
        """A statement that was taken before."""

    def attest(self, attestation: Attestation) -> Duty:
        """Keep a statement and settle the duty by it, in one step; once, however often it is sent.

        Raises:
            DutyNotFound: there is none any more.
        """


class ErasureService:
    """Reads duties and takes statements."""

    def __init__(self, duties: ErasureDuties) -> None:
        self._duties = duties

    def owed(self, organisation_id: str, grant_id: str) -> Duty:
        """A duty of this organisation.

        Raises:
            DutyNotFound: there is none, or it is another's.
        """
        found = self._duties.get(grant_id)
        if found is None or found.organisation_id != organisation_id:
            raise DutyNotFound(grant_id)
        return found

    def taken(self, organisation_id: str, attestation_id: str) -> Duty | None:
        """The duty that a statement of this organisation has settled before, as it stands now."""
        found = self._duties.attestation(attestation_id)
        if found is None or found.organisation_id != organisation_id:
            return None
        return self._duties.get(found.grant_id)

    def attest(self, attestation: Attestation, journal: Journal) -> Duty:
        """Take a statement that was verified.

        Raises:
            DutyNotFound: this organisation owes no such erasure.
            BadAttestation: it tells of an erasure before the consent ended; copies were made after that.
        """
        duty = self.owed(attestation.organisation_id, attestation.grant_id)
        if attestation.erased_at < duty.ended_at.replace(microsecond=0):
            raise BadAttestation("erased_at")
        journal(duty.attested(attestation.extent, attestation.received_at))
        return self._duties.attest(attestation)

    def of_organisation(self, organisation_id: str, after: tuple[date, str] | None, limit: int) -> list[Duty]:
        """What an organisation still owes, the most pressing first."""
        return self._duties.of_organisation(organisation_id, after, limit)

    def of_citizen(self, citizen_id: str, limit: int = 100) -> list[Duty]:
        """All duties about one citizen, those that ended last first; those that were met too."""
        return self._duties.of_citizen(citizen_id, limit)

    def owed_before(self, day: date | None, after: tuple[date, str] | None, limit: int) -> list[Duty]:
        """What anybody still owes, the most pressing first; with a day, what was owed by an earlier one."""
        return self._duties.owed_before(day, after, limit)

    def overdue(self, day: date) -> int:
        """How many are still owed that were owed by an earlier day."""
        return self._duties.overdue(day)
