"""Break-glass: a practitioner opens the smallest set of a book in an emergency, and answers for it later.

The grant is like any other and lives in the same standing: one hour, one practitioner, purpose BTG, no
restricted record, nothing hidden. It comes into force together with its review item or not at all. Whoever
is meant, an access is opened, kept and reviewed the same way: about nobody, and about somebody who blocks
the organisation, it is opened on a book that nobody has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

from consent.emergency_rules import PURPOSE, RULES
from consent.errors import (
    EmergencyNotFound,
    EmergencyRightSuspended,
    NotLicensed,
    ReviewClosed,
    StaleVersion,
)
from consent.model import Evidence, Grant, NoticeShown, Period, Scope, Step
from consent.notices import notice_for
from consent.ports import Consents, LicenceOf, Now, Spend, Unit

Met = Literal["person", "blocked", "restricted", "nobody"]
"""Whom an emergency met: a person, one who blocks the organisation, one whose data is restricted, or nobody.
Never told the asker."""
ReviewState = Literal["open", "justified", "not_justified"]
Verdict = Literal["justified", "not_justified"]


@dataclass(frozen=True)
class Emergency:
    """One emergency access and its review. Its id is the id of its grant.

    `citizen_id` is whose book was opened; `told_id` is who is told of it, None when nobody was met.
    `earlier` counts the organisation's emergency accesses to the same book within the time of the rules.
    `suspends`: until it is lifted, this practitioner opens no further emergency at this organisation.
    """

    id: str
    citizen_id: str
    told_id: str | None
    met: Met
    organisation_id: str
    practitioner_id: str
    reason_code: str
    reason: str
    opened_at: datetime
    expires_at: datetime
    review_by: datetime
    earlier: int = 0
    state: ReviewState = "open"
    version: int = 1
    suspends: bool = False
    told_at: datetime | None = None
    history: tuple[Step, ...] = ()

    def overdue(self, now: datetime) -> bool:
        """Whether its review should have been decided by now."""
        return self.state == "open" and now >= self.review_by


class Emergencies(Protocol):
    """Emergency accesses with their reviews. Every change is a compare-and-set, durable when it returns."""

    def add(self, emergency: Emergency, unit: Unit) -> None:
        """Keep a new one, in the unit its grant comes into force in."""

    def get(self, emergency_id: str) -> Emergency | None:
        """One access."""

    def save(self, emergency: Emergency, *, expected: int) -> None:
        """Put a new version in the place of `expected`.

        Raises:
            StaleVersion: the stored version is another.
        """

    def earlier(self, citizen_id: str, organisation_id: str, since: datetime) -> int:
        """How often the organisation opened that book since then. One operation, found or not."""

    def suspended(self, organisation_id: str, practitioner_id: str) -> bool:
        """Whether a review took the right from this practitioner there, and nobody gave it back."""

    def running(self, organisation_id: str, practitioner_id: str, now: datetime) -> list[Emergency]:
        """The accesses of this practitioner whose time is not over."""

    def queue(self, state: ReviewState | None, limit: int) -> list[Emergency]:
        """Accesses to look at: those to be decided soonest first, or the newest first in other states."""

    def overdue(self, now: datetime) -> int:
        """How many should have been decided by now."""

    def untold(self, limit: int) -> list[Emergency]:
        """Those about somebody who was not told yet, oldest first."""

    def mark_told(self, emergency_id: str, at: datetime) -> None:
        """They were told. The first time stays."""


Journal = Callable[[Emergency], None]
"""Writes an access into the access log, durably, before it is in force; what it raises stops it."""


@dataclass(frozen=True)
class Need:
    """A practitioner's wish to open a book in an emergency.

    `person_id` is whom the number or code names, None for nobody; `nobody_id` is the id that nobody has and
    that stands in for whom nobody may find.
    """

    id: str
    organisation_id: str
    practitioner_id: str
    person_id: str | None
    nobody_id: str
    reason_code: str
    reason: str
    session_id: str
    client_id: str


class EmergencyService:
    """Opens emergencies, has them reviewed, takes the right away and gives it back."""

    def __init__(
        self,
        emergencies: Emergencies,
        consents: Consents,
        licence_of: LicenceOf,
        restricted: Callable[[str], bool],
        now: Now,
    ) -> None:
        """`restricted`: whether somebody's data may not be used now, found by one look for whoever it is."""
        self._emergencies = emergencies
        self._restricted = restricted
        self._consents = consents
        self._licence_of = licence_of
        self._now = now

    def check_right(self, organisation_id: str, practitioner_id: str) -> None:
        """Whether this practitioner may break the glass there at all. Nothing depends on who is meant.

        Raises:
            NotLicensed: the organisation may not. EmergencyRightSuspended: this practitioner may not now.
        """
        licence = self._licence_of(organisation_id)
        if PURPOSE not in licence.purposes or RULES.categories.isdisjoint(licence.categories):
            raise NotLicensed(organisation_id)
        if self._emergencies.suspended(organisation_id, practitioner_id):
            raise EmergencyRightSuspended(practitioner_id)

    def open(self, need: Need, journal: Journal, spend: Spend | None = None) -> Emergency:
        """Open the smallest set of a book for one hour, with its review item: both or neither.

        `journal` writes the access log first; `spend` uses up what showed who is meant, a visit code.

        Raises:
            VisitCodeInvalid: what `spend` raises; nothing was opened.
        """
        now = self._now()
        met = self._met(need)
        book = need.person_id if met == "person" and need.person_id else need.nobody_id
        emergency = Emergency(
            id=need.id,
            citizen_id=book,
            told_id=need.person_id,
            met=met,
            organisation_id=need.organisation_id,
            practitioner_id=need.practitioner_id,
            reason_code=need.reason_code,
            reason=need.reason,
            opened_at=now,
            expires_at=now + RULES.lasts,
            review_by=now + RULES.review_within,
            earlier=self._emergencies.earlier(book, need.organisation_id, now - RULES.repeat),
            history=(Step("emergency:opened", need.practitioner_id, now, need.reason_code),),
        )
        journal(emergency)

        def along(unit: Unit) -> None:
            self._emergencies.add(emergency, unit)
            if spend is not None:
                spend(unit)

        self._consents.give(_grant(emergency, need), along)
        return emergency

    def get(self, emergency_id: str) -> Emergency:
        """One access. Raises EmergencyNotFound."""
        found = self._emergencies.get(emergency_id)
        if found is None:
            raise EmergencyNotFound(emergency_id)
        return found

    def queue(self, state: ReviewState | None, limit: int) -> list[Emergency]:
        """What reviewers are to look at, what is due soonest first."""
        return self._emergencies.queue(state, limit)

    def overdue(self) -> int:
        """How many should have been decided by now."""
        return self._emergencies.overdue(self._now())

    def decide(self, emergency_id: str, verdict: Verdict, reason: str, by: str) -> Emergency:
        """Say whether an access was justified. If not, all this practitioner has open there is over at once,
        and nothing new is opened until the suspension is lifted. Deciding the same twice is once.

        Raises:
            EmergencyNotFound; ReviewClosed: it was decided otherwise, or by somebody else.
        """
        now, found = self._now(), self.get(emergency_id)
        if found.state != "open":
            if (found.state, _decided_by(found)) == (verdict, by):
                return found
            raise ReviewClosed(emergency_id)
        decided = replace(
            found,
            state=verdict,
            suspends=verdict == "not_justified",
            version=found.version + 1,
            history=(*found.history, Step(f"emergency:{verdict}", by, now, reason)),
        )
        self._save(decided, found)
        if decided.suspends:
            for each in self._emergencies.running(found.organisation_id, found.practitioner_id, now):
                self._end(each, by, now)
        return decided

    def lift(self, emergency_id: str, reason: str, by: str) -> Emergency:
        """Give the practitioner the right back that this review took.

        Raises:
            EmergencyNotFound; ReviewClosed: this review suspends nobody.
        """
        now, found = self._now(), self.get(emergency_id)
        if not found.suspends:
            raise ReviewClosed(emergency_id)
        lifted = replace(
            found,
            suspends=False,
            version=found.version + 1,
            history=(*found.history, Step("emergency:lifted", by, now, reason)),
        )
        self._save(lifted, found)
        return lifted

    def _met(self, need: Need) -> Met:
        """Two looks, at what the person has or at what nobody has: the work does not tell which it was."""
        whose = need.person_id or need.nobody_id
        blocked = self._consents.standing(whose, need.organisation_id).blocked
        restricted = self._restricted(whose)
        if need.person_id is None:
            return "nobody"
        return "blocked" if blocked else "restricted" if restricted else "person"

    def _save(self, new: Emergency, old: Emergency) -> None:
        try:
            self._emergencies.save(new, expected=old.version)
        except StaleVersion as why:
            raise ReviewClosed(old.id) from why

    def _end(self, emergency: Emergency, by: str, now: datetime) -> None:
        grant = self._consents.grant(emergency.citizen_id, emergency.id)
        while grant is not None and grant.unended:
            step = Step("consent:grant:ended", by, now, "not_justified")
            over = replace(
                grant,
                state="ended",
                version=grant.version + 1,
                ended_at=now,
                end_reason="not_justified",
                history=(*grant.history, step),
            )
            try:
                self._consents.end(over, expected=grant.version)
            except StaleVersion:
                grant = self._consents.grant(emergency.citizen_id, emergency.id)
            else:
                return


def _decided_by(found: Emergency) -> str | None:
    verdicts = ("emergency:justified", "emergency:not_justified")
    return next((step.by for step in found.history if step.event in verdicts), None)


def _grant(emergency: Emergency, need: Need) -> Grant:
    """The grant of an emergency: nobody consented, so the evidence is who opened it, from which system."""
    now, notice = emergency.opened_at, notice_for(PURPOSE, "vi")
    return Grant(
        id=emergency.id,
        citizen_id=emergency.citizen_id,
        request_id=None,
        scope=Scope(
            organisation_id=emergency.organisation_id,
            practitioner_id=emergency.practitioner_id,
            purpose=PURPOSE,
            categories=RULES.categories,
            record_period=Period(),
            expires_at=emergency.expires_at,
        ),
        state="granted",
        version=1,
        granted_at=now,
        notice=NoticeShown(notice.version, notice.locale, notice.sha256),
        evidence=Evidence(
            person_id=emergency.practitioner_id,
            relation="practitioner",
            session_id=need.session_id,
            client_id=need.client_id,
            authenticated_at=now,
            assurance="",
            channel="emergency",
        ),
        history=(Step("consent:grant:emergency", emergency.practitioner_id, now, emergency.reason_code),),
        kind="emergency",
    )
