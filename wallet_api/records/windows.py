"""What one viewer may see of one book and why, and how the access log tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from consent.decision import Decision, decide_guardian, decide_own
from consent.model import Relation
from consent.predicate import Predicate
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent, DetailValue
from wallet_api.records.model import Record


@dataclass(frozen=True)
class Viewer:
    """Who looks, as the log is to name them."""

    kind: ActorKind
    id: str
    request_id: str
    client_id: str
    organisation_id: str | None = None
    practitioner_id: str | None = None


@dataclass(frozen=True)
class Window:
    """What one viewer may see of one book, and why. `others`: the books that continue in it, seen as one."""

    citizen_id: str
    viewer: Viewer
    decision: Decision
    purpose: str | None = None
    others: tuple[str, ...] = ()

    @property
    def predicate(self) -> Predicate:
        """What may be seen."""
        return self.decision.predicate


def window_of_person(
    viewer: Viewer, citizen_id: str, relation: Relation, others: tuple[str, ...] = ()
) -> Window:
    """A citizen's window on the own book, or on that of somebody they are known to act for."""
    decision = decide_own() if relation == "self" else decide_guardian(acts_for=True)
    return Window(citizen_id, viewer, decision, None, others)


def look_event(window: Window, action: Action, at: datetime) -> AuditEvent:
    """The log's words for a decision about a look."""
    viewer, decision = window.viewer, window.decision
    grants = decision.grant_ids
    return AuditEvent(
        at=at,
        request_id=viewer.request_id,
        action=action,
        actor_kind=viewer.kind,
        actor_id=viewer.id,
        decision="permit" if decision.permit else "refuse",
        reason=decision.reason,
        citizen_id=window.citizen_id,
        organisation_id=viewer.organisation_id,
        practitioner_id=viewer.practitioner_id,
        acting_for=window.citizen_id if decision.reason == "guardian" else None,
        purpose=window.purpose,
        grant_id=grants[0] if grants else None,
        client_id=viewer.client_id,
    )


def log_look(
    log: AccessLog,
    window: Window,
    action: Action,
    at: datetime,
    shown: list[Record],
    detail: Mapping[str, DetailValue] = MappingProxyType({}),
) -> None:
    """Write durably that these records are about to be shown; `detail` says more of the look.

    Raises:
        LogUnavailable: it could not be written; nothing may be shown.
    """
    for whose in sorted({record.citizen_id for record in shown} & set(window.others)):
        # Each book's log tells of its own records: parted again, each person has the line of what was theirs.
        theirs = [record for record in shown if record.citizen_id == whose]
        log_look(log, replace(window, citizen_id=whose, others=()), action, at, theirs, detail)
    shown = [record for record in shown if record.citizen_id not in window.others]
    categories = tuple(sorted({record.category for record in shown}))
    event = replace(look_event(window, action, at), record_count=len(shown), categories=categories)
    # Which one it was decides later whether a companion may know of the look.
    one = {"record": shown[0].id} if action is Action.RECORD_READ and len(shown) == 1 else {}
    log.append(replace(event, detail={**detail, **one}))
