"""The values of the identity package. All frozen; days are Vietnamese calendar days, instants aware UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

CallerKind = Literal["citizen", "provider", "ops"]
ClientKind = Literal["app", "provider", "ops"]
IdentifierKind = Literal["national_id", "insurance_number", "birth_reference"]
Sex = Literal["male", "female", "other", "unknown"]
Role = Literal["operator", "reviewer", "registrar"]
Relation = Literal["minor", "adult"]
GuardianshipState = Literal["proposed", "active", "refused", "ended"]
OrganisationStatus = Literal["active", "suspended"]
ReviewKind = Literal[
    "birth_date_mismatch", "number_conflict", "account_conflict", "birth_date_changed", "guardian_died"
]

STEP_UP = timedelta(minutes=5)
LEEWAY = timedelta(seconds=30)
ROLES: frozenset[Role] = frozenset({"operator", "reviewer", "registrar"})


@dataclass(frozen=True)
class Caller:
    """Who is calling, as our own access token and the live session say.

    `subject_id` is the citizen id, the organisation id, or the ops person's id.
    """

    kind: CallerKind
    subject_id: str
    session_id: str
    client_id: str
    organisation_id: str | None = None
    practitioner_id: str | None = None
    roles: frozenset[Role] = frozenset()
    auth_time: datetime | None = None
    acr: str | None = None
    scope: str = ""
    """What a narrowed session may read; "": all that its kind may do."""
    books: tuple[str, ...] = ()
    """Of a citizen: other books that continue in their own since a merge."""

    def stepped_up(self, now: datetime) -> bool:
        """Whether the person authenticated within the last five minutes.

        Every sign-in of ours asks the provider for a new authentication, so `auth_time` is never that
        of an older one; refreshing a token does not move it.
        """
        if self.auth_time is None:
            return False
        return -LEEWAY <= now - self.auth_time <= STEP_UP


@dataclass(frozen=True)
class Profile:
    """What we know of a person. Attributes, never keys; sealed at rest."""

    name: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex = field(default="unknown", repr=False)
    phone: str | None = field(default=None, repr=False)
    province: str | None = field(default=None, repr=False)
    nationality: str = field(default="VN", repr=False)
    commune: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Identifier:
    """A number somebody is known by, with the days it is valid (inclusive; None is open)."""

    kind: IdentifierKind
    value: str = field(repr=False)
    valid_from: date | None = None
    valid_to: date | None = None

    def valid_on(self, day: date) -> bool:
        """Whether the number stands for the person on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )


@dataclass(frozen=True)
class MaskedIdentifier:
    """An identifier fit to be shown: all but the last four characters replaced by dots."""

    kind: IdentifierKind
    masked: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True)
class IdentifierOwner:
    """Whose number it is, and when."""

    citizen_id: str
    valid_from: date | None
    valid_to: date | None

    def valid_on(self, day: date) -> bool:
        """Whether the number stands for this citizen on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )


@dataclass(frozen=True)
class Account:
    """An account at a sign-in provider: the pair (issuer, subject) is the key to a person."""

    issuer: str
    subject: str = field(repr=False)


@dataclass(frozen=True)
class Citizen:
    """A person with a health book. `version` counts changes; `locked` keeps everybody from signing in."""

    id: str
    profile: Profile
    identifiers: tuple[Identifier, ...] = ()
    accounts: tuple[Account, ...] = ()
    deceased_on: date | None = None
    created_at: datetime | None = None
    version: int = 1
    locked: bool = False
    continues_in: str | None = None
    """The person in whose book this one continues since a merge: nobody is signed in as this one."""
    joined: tuple[str, ...] = ()
    """The books that continue in this one since merges."""

    @property
    def may_be_signed_in(self) -> bool:
        """Whether somebody may hold a session as this person: alive, not locked, not merged into another."""
        return self.deceased_on is None and not self.locked and self.continues_in is None


@dataclass(frozen=True)
class Facts:
    """What the planner and the age rules need."""

    born: date = field(repr=False)
    sex: Sex = field(repr=False)
    province: str | None = field(repr=False)
    deceased: bool = False
    commune: str | None = field(default=None, repr=False)
    continues_in: str | None = None
    joined: tuple[str, ...] = ()


@dataclass(frozen=True)
class Review:
    """Something about somebody's identity that a person must look at. Holds ids only."""

    id: str
    kind: ReviewKind
    citizen_id: str | None
    opened_at: datetime
    state: Literal["open", "closed"] = "open"


@dataclass(frozen=True)
class Licence:
    """What an organisation may do: for which purposes, and which record categories it may read and write."""

    purposes: frozenset[str] = frozenset()
    read_categories: frozenset[str] = frozenset()
    write_categories: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Organisation:
    """A provider organisation. The 5-character facility code and the 13-digit GLN are never mixed.

    `verified`: a registrar has seen that it is who it says. `looks_like` is the name of another that its own
    could be taken for. One that was merged into another has its id in `successor_id` and its name in
    `merged_into`, and stays suspended.
    """

    id: str
    name_vi: str
    name_en: str
    kind: str
    licence: Licence = Licence()
    facility_code: str | None = None
    gln: str | None = None
    status: OrganisationStatus = "active"
    version: int = 1
    verified: bool = False
    looks_like: str | None = None
    successor_id: str | None = None
    merged_into: str | None = None


@dataclass(frozen=True)
class Practitioner:
    """A member of an organisation's roster, with the days they belong to it (inclusive; None is open)."""

    id: str
    organisation_id: str
    name: str
    role: str
    valid_from: date
    valid_to: date | None = None

    def on_roster(self, day: date) -> bool:
        """Whether they belong to the organisation on that day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class Guardianship:
    """A dated relation with evidence: the guardian acts for the dependent."""

    id: str
    guardian_id: str
    dependent_id: str
    relation: Relation
    state: GuardianshipState
    evidence_kind: str
    valid_from: date
    valid_to: date | None = None
    verified_by: str | None = None
    version: int = 1
    claimed_at: datetime | None = None
    """When somebody asked for it in the app; None: a registrar recorded it."""
    reason: str | None = None
    """Why it was refused or ended: a code of `guardianship.json`."""
    objected_by: str | None = None
    """Who spoke against it in time; then a registrar decides anew, another one than who had confirmed it."""
    continues_in: str | None = None
    """Whose book the dependent's continues in since a merge, where the guardian acts for both."""

    @property
    def over(self) -> bool:
        """Whether it gives nothing any more and never will."""
        return self.state in ("refused", "ended")

    @property
    def alone(self) -> bool:
        """Whether the pair can have no other: it stands, or a registrar put it down to wait."""
        return self.state == "active" or (self.state == "proposed" and self.claimed_at is None)

    def contestable_on(self, day: date) -> bool:
        """Whether somebody concerned may speak against it: asked for in the app, it does not stand yet, and
        nobody has."""
        if self.claimed_at is None or self.objected_by is not None:
            return False
        return self.state == "proposed" or (self.state == "active" and day < self.valid_from)

    def stands_on(self, day: date) -> bool:
        """Whether the guardian may act on that day."""
        if self.state != "active" or day < self.valid_from:
            return False
        return self.valid_to is None or day <= self.valid_to


@dataclass(frozen=True)
class Session:
    """One place where a person is signed in. `version` moves when it ends; tokens name the version."""

    id: str
    kind: CallerKind
    subject_id: str
    client_id: str
    client_label: str
    created_at: datetime
    last_used_at: datetime
    auth_time: datetime
    acr: str
    roles: frozenset[Role] = frozenset()
    ended_at: datetime | None = None
    version: int = 1
    scope: str = ""
    """SMART scopes of a session that reads some types of resources alone; "": the whole of its kind."""
    books: tuple[str, ...] = ()
    """The books that continued in the citizen's own when it opened. A merge ends the sessions of both."""
