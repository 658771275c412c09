"""The desk for what fits nobody, over the people there are; and filing it when who it fits comes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.identity.errors import BadIdentifier, CitizenUnknown
from wallet_api.identity.people import People
from wallet_api.infra.clock import vn_day
from wallet_api.infra.ids import new_id
from wallet_api.records.bundle import OF_MOTHER
from wallet_api.records.parked import Parked
from wallet_api.records.parking import Journal, Owner, ParkingDesk


def owner_with(people: People) -> Callable[[str, str], Owner | None]:
    """Finds whose number it is, or once was."""

    def owner(kind: str, value: str) -> Owner | None:
        if kind == OF_MOTHER:  # a newborn that nobody registered has no number
            return None
        try:
            whose = people.whose(kind, value)  # type: ignore[arg-type]  # the bundle reader names the kinds
            return None if whose is None else Owner(whose, people.facts(whose).born)
        except (BadIdentifier, CitizenUnknown):
            return None

    return owner


def settle_with(
    desk: ParkingDesk, people: People, log: AccessLog, now: Callable[[], datetime]
) -> Callable[[str], object]:
    """Files what waited for somebody who was added or changed just now."""

    def settle(citizen_id: str) -> None:
        found, today = people.citizen(citizen_id), vn_day(now())
        numbers = [(one.kind, one.value) for one in found.identifiers if one.valid_on(today)]
        desk.settle(citizen_id, numbers, found.profile.birth_date, _journal(log, now))

    return settle


def _journal(log: AccessLog, now: Callable[[], datetime]) -> Journal:
    def write(parked: Parked, citizen_id: str | None) -> None:
        event = AuditEvent(
            at=now(),
            request_id=new_id(),
            action=Action.INTAKE_MATCHED,
            actor_kind=ActorKind.SYSTEM,
            actor_id="parking",
            decision="permit",
            reason="fits",
            citizen_id=citizen_id,
            organisation_id=parked.organisation_id,
            record_count=parked.rows,
            detail={"intake": parked.id},
        )
        log.append(event)

    return write
