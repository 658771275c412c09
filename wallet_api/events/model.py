"""What an organisation holds and was told, and the events that follow from a change. All pure.

For each grant there is one `Holding`: what its organisation was last told about it. An event is told only
where the holding changes, and carries its new version, so whoever keeps the newest version of each grant has
the truth, whatever was lost, doubled or came late. Why something ended is never told: withdrawn, expired and
blocked are one word.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from consent.model import ConsentRequest, Grant, LiveGrant
from wallet_api.events.rules import RULES
from wallet_api.infra.clock import VIETNAM, vn_day
from wallet_api.infra.crypto.framing import framed
from wallet_api.infra.ids import id_from_bytes

EventType = Literal[
    "consent_granted",
    "consent_narrowed",
    "consent_suspended",
    "consent_ended",
    "erasure_due",
    "erasure_overdue",
    "request_closed",
    "record_disputed",
    "record_restored",
    "record_removed",
]
HoldingState = Literal["granted", "suspended", "ended"]
DutyState = Literal["owed", "own_erased", "erased"]
Extent = Literal["own_copies", "everything"]
OF_RECORDS: Final[frozenset[EventType]] = frozenset({"record_disputed", "record_restored", "record_removed"})
"""Told to the author of a record that somebody said is not theirs: hidden, shown again, hidden for good."""


@dataclass(frozen=True)
class Event:
    """One line of an organisation's feed. `about` is a grant, the request of `request_closed`, or a record.

    `position` is its place in the feed, from 1; 0 while it has none yet.
    """

    id: str
    organisation_id: str
    citizen_id: str
    type: EventType
    about: str
    version: int
    at: datetime
    request_id: str | None = None
    successor_id: str | None = None
    expires_at: datetime | None = None
    holds_until: datetime | None = None
    erase_by: date | None = None
    position: int = 0


@dataclass(frozen=True)
class Terms:
    """What of a grant concerns its holder: until when, whether copies are kept, which request it answers."""

    grant_id: str
    organisation_id: str
    citizen_id: str
    expires_at: datetime
    holds_until: datetime | None
    keeps: bool
    request_id: str | None = None

    def state_at(self, at: datetime) -> HoldingState:
        """Whether it works at that instant, going by time alone."""
        if at >= self.expires_at:
            return "ended"
        return "suspended" if self.holds_until is not None and at >= self.holds_until else "granted"


@dataclass(frozen=True)
class Holding:
    """What an organisation was last told about a grant. `owed_by`: by which day something must be erased."""

    terms: Terms
    state: HoldingState
    version: int
    owed_by: date | None = None

    @property
    def due_at(self) -> datetime | None:
        """When something is to be told that follows from time alone; None if nothing is."""
        if self.state == "ended":
            return None if self.owed_by is None else day_begins(self.owed_by + timedelta(days=1))
        if self.state == "suspended" or self.terms.holds_until is None:
            return self.terms.expires_at
        return min(self.terms.expires_at, self.terms.holds_until)


@dataclass(frozen=True)
class Duty:
    """An erasure that a holder owes since a grant ended. `successor_id`: what that one covers may be kept.

    Days are Vietnamese, the last on which it is in time: `erase_by` for the holder's own copies,
    `others_by` for those of its processors and third parties.
    """

    grant_id: str
    organisation_id: str
    citizen_id: str
    ended_at: datetime
    erase_by: date
    others_by: date
    state: DutyState = "owed"
    successor_id: str | None = None
    attested_at: datetime | None = None

    @property
    def owed_by(self) -> date | None:
        """The last day for what is owed next; None when nothing is."""
        return {"owed": self.erase_by, "own_erased": self.others_by, "erased": None}[self.state]

    def overdue(self, now: datetime) -> bool:
        """Whether something is owed whose last day has passed."""
        return self.owed_by is not None and vn_day(now) > self.owed_by

    def attested(self, extent: Extent, at: datetime) -> Duty:
        """The duty after a statement; one that says less than an earlier one changes nothing."""
        if self.state == "erased" or (self.state == "own_erased" and extent == "own_copies"):
            return self
        return replace(self, state="erased" if extent == "everything" else "own_erased", attested_at=at)


@dataclass(frozen=True)
class Told:
    """What a change comes to: the new holding, the events that tell of it, and a duty that begins or goes."""

    holding: Holding
    events: tuple[Event, ...]
    duty: Duty | None = None
    lifts_duty: bool = False


def terms_of(grant: Grant) -> Terms:
    """What of a grant concerns its holder."""
    scope = grant.scope
    return Terms(
        grant.id,
        scope.organisation_id,
        grant.citizen_id,
        scope.expires_at,
        grant.holds_until,
        scope.mode == "STORE",
        grant.request_id,
    )


def terms_of_live(live: LiveGrant, citizen_id: str, request_id: str | None) -> Terms:
    """The same of a grant as its standing knows it."""
    scope = live.scope
    return Terms(
        live.id,
        scope.organisation_id,
        citizen_id,
        scope.expires_at,
        live.holds_until,
        scope.mode == "STORE",
        request_id,
    )


def shown(holding: Holding | None, terms: Terms, at: datetime) -> Told | None:
    """Tell of a grant that is in force or suspended at `at`: new, resumed, or under other time limits.

    None when nothing would be new to its holder.
    """
    state = terms.state_at(at)
    if state == "ended":
        return None if holding is None else over(holding, at)
    before = holding or Holding(terms, "ended", 0)
    if holding is not None:
        terms = replace(terms, request_id=terms.request_id or holding.terms.request_id)
    after = Holding(terms, state, before.version + 1)
    if holding is not None and (holding.terms, holding.state) == (terms, state):
        return None
    kind: EventType = "consent_granted" if state == "granted" else "consent_suspended"
    return Told(after, (_event(after, kind, at),), lifts_duty=before.state == "ended" and holding is not None)


def over(holding: Holding, at: datetime, successor_id: str | None = None) -> Told | None:
    """Tell of an end, for whatever reason; None when it was told before. Copies must go from now on."""
    if holding.state == "ended":
        return None
    kind: EventType = "consent_ended" if successor_id is None else "consent_narrowed"
    after = replace(holding, state="ended", version=holding.version + 1)
    if not holding.terms.keeps:
        return Told(after, (_event(after, kind, at, successor_id=successor_id),))
    terms, (erase_by, others_by) = holding.terms, RULES.erase_by(vn_day(at))
    duty = Duty(
        terms.grant_id,
        terms.organisation_id,
        terms.citizen_id,
        at,
        erase_by,
        others_by,
        successor_id=successor_id,
    )
    after = replace(after, owed_by=duty.owed_by)
    ended = _event(after, kind, at, successor_id=successor_id, erase_by=erase_by)
    return Told(after, (ended, _event(after, "erasure_due", at, erase_by=erase_by)), duty)


def by_itself(holding: Holding, now: datetime) -> Told | None:
    """What time alone brings by `now`: the next of suspension, expiry and an erasure that is overdue."""
    due = holding.due_at
    if due is None or now < due:
        return None
    if holding.state == "ended":
        # Told once; what is owed stays owed, and says so wherever it is asked for.
        after = replace(holding, owed_by=None)
        return Told(after, (_event(after, "erasure_overdue", due, erase_by=holding.owed_by),))
    if due >= holding.terms.expires_at:
        return over(holding, due)
    return shown(holding, holding.terms, due)


def closed(request: ConsentRequest) -> Event:
    """What is told when the time of a request is over: it was refused, not answered, or for nobody."""
    return Event(
        id=event_id(request.id, 1, "request_closed"),
        organisation_id=request.scope.organisation_id,
        citizen_id=request.citizen_id,
        type="request_closed",
        about=request.id,
        version=1,
        at=request.closes_at,
    )


def of_record(
    kind: EventType, organisation_id: str, citizen_id: str, record_id: str, version: int, at: datetime
) -> Event:
    """What is told to the author of a record. `version` counts what became of it, without gaps."""
    return Event(
        id=event_id(record_id, version, kind),
        organisation_id=organisation_id,
        citizen_id=citizen_id,
        type=kind,
        about=record_id,
        version=version,
        at=at,
    )


def event_id(about: str, version: int, kind: EventType) -> str:
    """The id of an event: its meaning, so that telling it twice is once. It tells nothing about the grant."""
    return id_from_bytes(hashlib.sha256(framed("event", about, version, kind)).digest()[:16])


def day_begins(day: date) -> datetime:
    """The first instant of a Vietnamese day."""
    return datetime.combine(day, time(), VIETNAM)


def _event(
    holding: Holding,
    kind: EventType,
    at: datetime,
    *,
    successor_id: str | None = None,
    erase_by: date | None = None,
) -> Event:
    terms = holding.terms
    works = holding.state != "ended"
    # An overdue erasure has the version of the end it follows from: it changes nothing about the grant.
    return Event(
        id=event_id(terms.grant_id, holding.version, kind),
        organisation_id=terms.organisation_id,
        citizen_id=terms.citizen_id,
        type=kind,
        about=terms.grant_id,
        version=holding.version,
        at=at,
        request_id=terms.request_id if works else None,
        successor_id=successor_id,
        expires_at=terms.expires_at if works else None,
        holds_until=terms.holds_until if works else None,
        erase_by=erase_by,
    )
