"""The values consent is made of. All frozen; nothing here reads a clock or a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

RequestState = Literal["requested", "granted", "refused", "expired"]
GrantState = Literal["granted", "suspended", "withdrawn", "superseded", "ended"]
GrantKind = Literal["consent", "standing", "assisted", "emergency"]
"""What a grant came from: a request the person answered in the app; the person's own wish without a request;
an attested answer at the station; or an emergency, in which nobody was asked."""
AccessMode = Literal["VIEW", "STORE"]
"""VIEW: look, inside an access session, and keep nothing. STORE: keep a copy too, to be erased in the end."""
Relation = Literal["self", "guardian"]
SignerRole = Literal["self", "child", "representative"]
"""Whose yes it is: that of a person of full age, of a child of seven or more, or of who represents one."""


@dataclass(frozen=True)
class Period:
    """Inclusive Vietnamese days; None is an open end."""

    first: date | None = None
    last: date | None = None

    def contains(self, first: date, last: date) -> bool:
        """Whether the days first..last lie wholly inside."""
        return (self.first is None or self.first <= first) and (self.last is None or last <= self.last)

    def within(self, other: Period) -> bool:
        """Whether every day of this period is a day of the other."""
        starts = other.first is None or (self.first is not None and self.first >= other.first)
        ends = other.last is None or (self.last is not None and self.last <= other.last)
        return starts and ends


@dataclass(frozen=True)
class Scope:
    """What is asked for or given, on every dimension.

    `practitioner_id` None means whoever is on the organisation's roster. `labels` are the restricted
    labels that are opened too: empty means that no restricted record is. `uses` None means no limit.
    `record_ids` None means that no single records are named: those of the other dimensions are meant; else
    only these, as far as the other dimensions include them.
    """

    organisation_id: str
    practitioner_id: str | None
    purpose: str
    categories: frozenset[str]
    record_period: Period
    expires_at: datetime
    uses: int | None = None
    labels: frozenset[str] = frozenset()
    record_ids: frozenset[str] | None = None
    mode: AccessMode = "VIEW"

    def exceeds(self, asked: Scope) -> tuple[str, ...]:
        """The dimensions on which this scope gives more than `asked`; empty means it is within it."""
        checks = {
            "organisation": self.organisation_id == asked.organisation_id,
            "practitioner": asked.practitioner_id is None or self.practitioner_id == asked.practitioner_id,
            "purpose": self.purpose == asked.purpose,
            "categories": self.categories <= asked.categories,
            "record_period": self.record_period.within(asked.record_period),
            "expires_at": self.expires_at <= asked.expires_at,
            "frequency": asked.uses is None or (self.uses is not None and self.uses <= asked.uses),
            "labels": self.labels <= asked.labels,
            "record_ids": asked.record_ids is None
            or (self.record_ids is not None and self.record_ids <= asked.record_ids),
            "mode": self.mode == "VIEW" or asked.mode == "STORE",
        }
        return tuple(name for name, inside in checks.items() if not inside)

    def narrowed_from(self, asked: Scope) -> tuple[str, ...]:
        """The dimensions on which this scope gives less than `asked`: what the citizen held back."""
        return tuple(sorted(set(asked.exceeds(self))))


@dataclass(frozen=True)
class Step:
    """One line of an append-only history: what happened, by whom, when."""

    event: str
    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True)
class ConsentRequest:
    """A proposal by a provider organisation. It gives nothing until the citizen signs it."""

    id: str
    citizen_id: str
    scope: Scope
    requested_by: str
    reason: str
    state: RequestState
    version: int
    created_at: datetime
    closes_at: datetime
    in_visit: bool
    grant_id: str | None = None
    history: tuple[Step, ...] = ()
    signatures: tuple[Signature, ...] = ()
    """The yeses given so far where more than one is needed; the answer is complete with the last."""

    def open_at(self, now: datetime) -> bool:
        """Whether it can still be answered."""
        return self.state == "requested" and now < self.closes_at

    def state_at(self, now: datetime) -> RequestState:
        """The state the citizen sees: an unanswered request expires by itself."""
        return "expired" if self.state == "requested" and now >= self.closes_at else self.state


@dataclass(frozen=True)
class Evidence:
    """How a decision was made: who, in which relation, how the person was authenticated, on what.

    A practitioner decides nothing for a person, but opens an emergency, and answers for it.
    """

    person_id: str
    relation: Relation | Literal["practitioner"]
    session_id: str
    client_id: str
    authenticated_at: datetime
    assurance: str
    channel: str = "app"
    attested_by: str | None = None
    """The practitioner who attests what the person said face to face; None: the person signed themselves."""


@dataclass(frozen=True)
class NoticeShown:
    """The exact text the person saw."""

    version: str
    locale: str
    sha256: str


@dataclass(frozen=True)
class Signature:
    """One of the two yeses a child's consent needs: whose, how it was given, and to how much of it all."""

    role: SignerRole
    evidence: Evidence
    notice: NoticeShown
    scope: Scope
    at: datetime


@dataclass(frozen=True)
class Grant:
    """A consent in force or over. A change is a new version; its history only grows."""

    id: str
    citizen_id: str
    request_id: str | None
    scope: Scope
    state: GrantState
    version: int
    granted_at: datetime
    notice: NoticeShown
    evidence: Evidence
    held_back: tuple[str, ...] = ()
    ended_at: datetime | None = None
    end_reason: str | None = None
    history: tuple[Step, ...] = ()
    kind: GrantKind = "consent"
    successor_id: str | None = None
    """The narrower grant that took its place, if one did."""
    holds_until: datetime | None = None
    """From this instant on the grant is suspended by itself: a child's next age boundary. None: never."""
    signatures: tuple[Signature, ...] = ()
    """Every yes behind it where more than one was needed; else `evidence` alone is."""
    pending: tuple[Signature, ...] = ()
    """While it is suspended: the yeses given so far to confirming it."""

    @property
    def unended(self) -> bool:
        """Whether nothing has ended it for good: it may work, or be suspended, or have run out by itself."""
        return self.state in ("granted", "suspended")

    def state_at(self, now: datetime) -> GrantState:
        """The state the citizen sees: a grant ends, or is suspended, by itself when its time has come."""
        if not self.unended:
            return self.state
        if now >= self.scope.expires_at:
            return "ended"
        over = self.holds_until is not None and now >= self.holds_until
        return "suspended" if over else self.state


@dataclass(frozen=True)
class LiveGrant:
    """What a decision needs of a grant that has not been withdrawn.

    From `holds_until` on it is suspended; a grant suspended by an act has the instant of that act here.
    """

    id: str
    scope: Scope
    uses_left: int | None
    holds_until: datetime | None = None
    used_at: datetime | None = None
    """When a use was last counted; None: never."""


@dataclass(frozen=True)
class Standing:
    """How one citizen and one organisation stand: read in one piece, so it cannot be torn.

    `epoch` grows with every grant, narrowing, withdrawal and block: equal epochs mean nothing ended
    in between. `known` says that the organisation was granted something at some time. `hidings` grows with
    everything the citizen hides: what was read under a smaller number may hold what is hidden now.
    `restricted` says that the processing of the citizen's data is restricted, for every organisation.
    """

    epoch: int = 0
    live: tuple[LiveGrant, ...] = ()
    blocked: bool = False
    known: bool = False
    hidings: int = 0
    restricted: bool = False


@dataclass(frozen=True)
class Licence:
    """What an organisation may ask for and write at all, whatever a citizen agrees to."""

    purposes: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Actor:
    """Who acts on a citizen's consents, with the evidence that goes into the grant."""

    evidence: Evidence
    subject_born: date
    representatives: frozenset[str] = frozenset()
    """Who may act for the subject at this moment: whose earlier yes still counts."""


@dataclass(frozen=True)
class Answer:
    """What the citizen chose on the approval screen; None keeps what was asked."""

    notice_version: str
    locale: str
    categories: frozenset[str] | None = None
    record_period: Period | None = None
    expires_at: datetime | None = None
    uses: int | None = None
    uses_given: bool = False
    labels: frozenset[str] | None = None
    record_ids: frozenset[str] | None = None
    mode: AccessMode | None = None


@dataclass(frozen=True)
class RecordFacts:
    """What of a record may decide who sees it: never its clinical content."""

    category: str
    first_day: date
    last_day: date
    organisation_id: str | None
    labels: frozenset[str] = frozenset()
    hidden_from: frozenset[str] = frozenset()
    more: Mapping[str, str] = field(default_factory=dict)
    record_id: str = ""
