"""What an access-log event says. Ids, codes and names of categories; never a clinical value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Final, Literal

Decision = Literal["permit", "refuse"]
DetailValue = str | int | bool

_MAX_TEXT: Final = 200
_MAX_DETAIL: Final = 16
_MAX_CATEGORIES: Final = 64
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MAX_INTEGER: Final = 2**53 - 1  # what RFC 8785 can write


class Action(StrEnum):
    """Everything that is logged. The tag is public, stored for ever and never reworded."""

    RECORD_READ = "record:read"
    RECORD_SEARCHED = "record:searched"
    RECORD_WRITTEN = "record:written"
    RECORD_CORRECTED = "record:corrected"
    RECORD_EXPORTED = "record:exported"
    RECORD_HIDDEN = "record:hidden"
    RECORD_SHOWN = "record:shown"
    FORECAST_READ = "forecast:read"
    INTAKE_RECEIVED = "intake:received"
    INTAKE_MATCHED = "intake:matched"
    INTAKE_QUEUED = "intake:queued"
    INTAKE_READ = "intake:read"
    CONSENT_REQUESTED = "consent:requested"
    CONSENT_SEEN = "consent:seen"
    CONSENT_GRANTED = "consent:granted"
    CONSENT_REFUSED = "consent:refused"
    CONSENT_CANCELLED = "consent:cancelled"
    CONSENT_EXPIRED = "consent:expired"
    CONSENT_WITHDRAWN = "consent:withdrawn"
    CONSENT_RECEIPT_READ = "consent:receipt_read"
    CONSENT_SIGNED = "consent:signed"
    CONSENT_ATTESTED = "consent:attested"
    CONSENT_ASSISTED = "consent:assisted"
    CONSENT_SUSPENDED = "consent:suspended"
    CONSENT_RESUMED = "consent:resumed"
    VISIT_CODE_ISSUED = "visit_code:issued"
    VISIT_CODE_USED = "visit_code:used"
    ACCESS_STARTED = "access:started"
    ACCESS_ENDED = "access:ended"
    EMERGENCY_OPENED = "emergency:opened"
    EMERGENCY_REVIEWED = "emergency:reviewed"
    LOG_READ = "log:read"
    SESSION_STARTED = "session:started"
    SESSION_REFRESHED = "session:refreshed"
    SESSION_STEPPED_UP = "session:stepped_up"
    SESSION_ENDED = "session:ended"
    SESSION_THEFT_SUSPECTED = "session:theft_suspected"
    SIGN_IN_REFUSED = "sign_in:refused"
    TOKEN_ISSUED = "token:issued"  # noqa: S105 - a tag, not a secret
    TOKEN_REFUSED = "token:refused"  # noqa: S105 - a tag, not a secret
    TOKEN_REVOKED = "token:revoked"  # noqa: S105 - a tag, not a secret
    ACCOUNT_CREATED = "account:created"
    ACCOUNT_CHANGED = "account:changed"
    ACCOUNT_CLOSED = "account:closed"
    BIRTH_REGISTERED = "birth:registered"
    NUMBER_LINKED = "number:linked"
    DEATH_REPORTED = "death:reported"
    DEATH_READ = "death:read"
    DEATH_REFUSED = "death:refused"
    DEATH_REVERSED = "death:reversed"
    MERGE_PROPOSED = "merge:proposed"
    MERGE_READ = "merge:read"
    MERGE_STOPPED = "merge:stopped"
    BOOKS_MERGED = "books:merged"
    BOOKS_PARTED = "books:parted"
    HEIR_PROPOSED = "heir:proposed"
    HEIR_DECIDED = "heir:decided"
    GUARDIANSHIP_CLAIMED = "guardianship:claimed"
    GUARDIANSHIP_OBJECTED = "guardianship:objected"
    GUARDIANSHIP_STARTED = "guardianship:started"
    GUARDIANSHIP_ENDED = "guardianship:ended"
    GUARDIANSHIP_REFUSED = "guardianship:refused"
    GUARDIANSHIP_EVIDENCE = "guardianship:evidence"
    SAFETY_FLAG_SET = "safety_flag:set"
    SAFETY_FLAG_LIFTED = "safety_flag:lifted"
    PUSH_ADDRESS_ADDED = "push_address:added"
    PUSH_ADDRESS_REMOVED = "push_address:removed"
    REMINDER_READ = "reminder:read"
    REMINDER_PLANNED = "reminder:planned"
    REMINDER_SENT = "reminder:sent"
    REMINDER_SETTINGS_CHANGED = "reminder:settings_changed"
    CAMPAIGN_PREPARED = "campaign:prepared"
    CAMPAIGN_SENT = "campaign:sent"
    COVERAGE_READ = "coverage:read"
    SHARE_MADE = "share:made"
    SHARE_VIEWED = "share:viewed"
    SHARE_REVOKED = "share:revoked"
    RIGHTS_REQUESTED = "rights:requested"
    RIGHTS_ANSWERED = "rights:answered"
    RIGHTS_READ = "rights:read"
    RIGHTS_ACKNOWLEDGED = "rights:acknowledged"
    RIGHTS_EXTENDED = "rights:extended"
    RIGHTS_COMPLETED = "rights:completed"
    RIGHTS_REFUSED = "rights:refused"
    RIGHTS_TAKEN_BACK = "rights:taken_back"
    CORRECTION_REQUESTED = "correction:requested"
    CORRECTION_EVIDENCE = "correction:evidence"
    CORRECTION_READ = "correction:read"
    CORRECTION_ANSWERED = "correction:answered"
    DISPUTE_OPENED = "dispute:opened"
    DISPUTE_TAKEN_BACK = "dispute:taken_back"
    DISPUTE_READ = "dispute:read"
    DISPUTE_DECIDED = "dispute:decided"
    ORGANISATION_BLOCKED = "organisation:blocked"
    ORGANISATION_UNBLOCKED = "organisation:unblocked"
    ORGANISATION_CHANGED = "organisation:changed"
    ROSTER_CHANGED = "roster:changed"
    REVIEW_DECIDED = "review:decided"
    KEY_CREATED = "key:created"
    KEY_DESTROYED = "key:destroyed"
    DATA_ERASED = "data:erased"
    ERASURE_ATTESTED = "erasure:attested"
    ERASURE_OVERDUE = "erasure:overdue"
    ERASURES_READ = "erasures:read"
    BREACH_OPENED = "breach:opened"
    BREACH_READ = "breach:read"
    BREACH_ASSESSED = "breach:assessed"
    BREACH_NOTIFIED = "breach:notified"
    BREACH_CLOSED = "breach:closed"
    REBUILD_ASKED = "rebuild:asked"
    REBUILD_READ = "rebuild:read"
    REBUILD_DECIDED = "rebuild:decided"


class ActorKind(StrEnum):
    """Who acted."""

    CITIZEN = "citizen"
    PRACTITIONER = "practitioner"
    ORGANISATION = "organisation"
    OPS = "ops"
    LINK = "link"
    """Whoever holds a share link; `actor_id` is the share's."""
    SYSTEM = "system"


@dataclass(frozen=True)
class AuditEvent:
    """One thing that was done or refused. `citizen_id` is the person whose data it concerns.

    `at` is cut to milliseconds UTC, which is what the database keeps. `acting_for` names the citizen a
    guardian acted for; `categories` are names only; `detail` holds codes, ids and counts under
    snake_case names. Raises ValueError for anything the log could not store or must not hold.
    """

    at: datetime
    request_id: str
    action: Action
    actor_kind: ActorKind
    actor_id: str
    decision: Decision
    reason: str
    citizen_id: str | None = None
    organisation_id: str | None = None
    practitioner_id: str | None = None
    acting_for: str | None = None
    purpose: str | None = None
    grant_id: str | None = None
    client_id: str | None = None
    record_count: int | None = None
    categories: tuple[str, ...] = ()
    detail: Mapping[str, DetailValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("an event needs an aware time")
        at = self.at.astimezone(UTC)
        # The fields of a frozen object; one event is made for every read, so this is as short as it can be.
        self.__dict__.update(
            at=at.replace(microsecond=at.microsecond // 1000 * 1000),
            action=Action(self.action),
            actor_kind=ActorKind(self.actor_kind),
            categories=tuple(sorted(self.categories)),
            detail=MappingProxyType(dict(self.detail)),
        )
        self._check()

    def to_json(self) -> dict[str, object]:
        """Return the event as the JSON that is hashed and stored; what is absent is left out."""
        values = zip(_PLAIN, _plain_values(self), strict=True)
        out: dict[str, object] = {name: value for name, value in values if value is not None}
        out["action"], out["actor_kind"] = self.action.value, self.actor_kind.value
        out["at"] = instant_text(self.at)
        out["categories"] = list(self.categories)
        out["detail"] = dict(self.detail)
        return out

    def _check(self) -> None:
        # A row the store cannot take would stop every later one, so it is refused before it is queued.
        if self.decision not in ("permit", "refuse"):
            raise ValueError("a decision is permit or refuse")
        if len(self.detail) > _MAX_DETAIL or len(self.categories) > _MAX_CATEGORIES:
            raise ValueError("an event holds at most 16 details and 64 categories")
        if not all(_NAME.fullmatch(name) for name in self.detail) or None in self.detail.values():
            raise ValueError("details are named in snake_case and are not empty")
        for value in (*_plain_values(self), *self.categories, *self.detail.values()):
            if value is not None:
                _check_value(value)


_FIELDS: Final = tuple(one.name for one in fields(AuditEvent))
_PLAIN: Final = tuple(name for name in _FIELDS if name not in ("at", "categories", "detail"))
_plain_values: Final = attrgetter(*_PLAIN)


def instant_text(instant: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC with milliseconds."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_from_json(body: Mapping[str, object]) -> AuditEvent:
    """Read an event back from what `to_json` wrote. Raises ValueError when it is not one."""
    known = dict(body)
    try:
        known["at"] = datetime.fromisoformat(str(known["at"]))
        known["categories"] = tuple(known.get("categories", ()))  # type: ignore[arg-type]  # checked by the event
        return AuditEvent(**known)  # type: ignore[arg-type]  # the event checks its own fields
    except (KeyError, TypeError) as error:
        raise ValueError("not an access-log event") from error


def _check_value(value: object) -> None:
    if isinstance(value, str):
        if len(value) > _MAX_TEXT or "\x00" in value:
            raise ValueError("an event text is too long or holds NUL")
        if not value.isascii():
            value.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
    elif isinstance(value, int):
        if abs(value) > _MAX_INTEGER:
            raise ValueError("an event number is out of range")
    else:
        raise ValueError("an event holds texts, whole numbers and yes or no")
