"""The life of a grant once it is there: given without a request, narrowed, suspended, withdrawn, reviewed.

Every change is a compare-and-set on the grant's version and adds a line to its history. What closes works
whatever came between; what opens is told to the journal first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from consent.errors import (
    GrantNotFound,
    GrantNotInForce,
    NoticeOutdated,
    OrganisationBlocked,
    ScopeWidened,
    StaleVersion,
    TooManyGrants,
)
from consent.model import Actor, Answer, ConsentRequest, Grant, GrantKind, NoticeShown, Scope, Step
from consent.notices import Notice, notice_for
from consent.periods import PERIODS
from consent.ports import Before, Consents, LicenceOf, NewId, Now
from consent.rules import check_codes, check_reason, check_scope, narrowed
from consent.signatures import check_alone, holds_until

MOST_LIVE_GRANTS = 30
"""Live grants of one citizen to one organisation; a standing and an access session must stay small."""

Journal = Callable[[Grant], None]
"""Writes a coming grant into the access log, durably."""


def no_journal(grant: Grant) -> None:
    """For use without a log."""


@dataclass(frozen=True)
class Reviewed:
    """A grant in force with what a citizen needs to judge whether it should stay."""

    grant: Grant
    last_used_at: datetime | None
    review_due_at: datetime

    def due_at(self, now: datetime) -> bool:
        """Whether the citizen should look at it again."""
        return now >= self.review_due_at


class GrantLifecycle:
    """The acts on grants, over ports. Holds no state."""

    def __init__(self, consents: Consents, licence_of: LicenceOf, now: Now, new_id: NewId) -> None:
        self._consents = consents
        self._licence_of = licence_of
        self._now = now
        self._new_id = new_id

    # --- looking ---------------------------------------------------------------------------------------

    def grants(self, citizen_id: str, limit: int = 100, before: Before | None = None) -> list[Grant]:
        """What this citizen granted, newest first by (time, id), from `before` on."""
        return self._consents.grants_of(citizen_id, limit, before)

    def grant(self, citizen_id: str, grant_id: str) -> Grant:
        """One grant of this citizen.

        Raises:
            GrantNotFound: absent or somebody else's.
        """
        found = self._consents.grant(citizen_id, grant_id)
        if found is None:
            raise GrantNotFound(grant_id)
        return found

    def held_by(self, request: ConsentRequest) -> Grant | None:
        """What its asker holds now of a granted request: the last of the grants that narrowed one another.

        None: withdrawn, run out, suspended, or the organisation blocked; which of these is not told.
        """
        if request.grant_id is None:
            return None
        grant = self.grant(request.citizen_id, request.grant_id)
        while grant.successor_id is not None:
            grant = self.grant(request.citizen_id, grant.successor_id)
        blocked = self._consents.standing(request.citizen_id, request.scope.organisation_id).blocked
        return grant if in_force(grant, self._now()) and not blocked else None

    def review(self, citizen_id: str, at: datetime | None = None) -> list[Reviewed]:
        """Who still has access at an instant, what is longest without review first.

        A review is due so many days after the grant was given or last confirmed (`periods.json`).
        """
        now = at or self._now()
        standings = self._consents.standings_of(citizen_id)
        used = {live.id: live.used_at for each in standings.values() for live in each.live}
        found = [each for each in self._consents.grants_named(citizen_id, used) if in_force(each, now)]
        looked = [
            Reviewed(each, used[each.id], _last_confirmed(each) + PERIODS.review_after) for each in found
        ]
        return sorted(looked, key=lambda each: (each.review_due_at, each.grant.id))

    # --- opening ---------------------------------------------------------------------------------------

    def check(self, scope: Scope) -> None:
        """Whether this may be asked or granted at all, before anything is spent on it.

        Raises:
            UnknownCode: purpose, category or label not on its list, or no category named.
            NotLicensed: the organisation may not have this.
        """
        check_scope(scope, self._licence_of(scope.organisation_id), self._now())

    def give(
        self,
        citizen_id: str,
        scope: Scope,
        answer: Answer,
        actor: Actor,
        journal: Journal = no_journal,
        grant_id: str | None = None,
        kind: GrantKind = "standing",
    ) -> Grant:
        """Grant without a request, to whom the citizen chose: a personal doctor or organisation.

        Of `answer` only the notice shown is read. `journal` and `grant_id` as in `approve`. The same id
        again makes no second grant.

        Raises:
            UnknownCode, NotLicensed, NoticeOutdated, CoConsentRequired, TooManyGrants: see their own words.
            OrganisationBlocked: it is on the citizen's deny list, which a grant never lifts.
        """
        now = self._now()
        check_alone(actor, now)
        self.check(scope)
        if self._consents.standing(citizen_id, scope.organisation_id).blocked:
            raise OrganisationBlocked(scope.organisation_id)
        self._check_room(citizen_id, scope.organisation_id, now)
        grant = Grant(
            id=grant_id or self._new_id(),
            citizen_id=citizen_id,
            request_id=None,
            scope=scope,
            state="granted",
            version=1,
            granted_at=now,
            notice=notice_shown(scope.purpose, answer),
            evidence=actor.evidence,
            history=(Step("consent:grant:created", actor.evidence.person_id, now),),
            kind=kind,
            holds_until=holds_until(actor.subject_born, now),
        )
        journal(grant)
        self._consents.give(grant)
        return grant

    def confirm(self, citizen_id: str, grant_id: str, actor: Actor) -> Grant:
        """Say in a review that a grant shall stay as it is. Opens nothing and prolongs nothing.

        Raises:
            GrantNotFound: absent or somebody else's. GrantNotInForce: over, suspended or changed meanwhile.
        """
        now = self._now()
        grant = self.grant(citizen_id, grant_id)
        if not in_force(grant, now):
            raise GrantNotInForce(grant_id)
        step = Step("consent:grant:confirmed", actor.evidence.person_id, now)
        kept = replace(grant, version=grant.version + 1, history=(*grant.history, step))
        self._save_open(kept, grant.version)
        return kept

    def resume(
        self,
        citizen_id: str,
        grant_id: str,
        actor: Actor,
        until: datetime | None = None,
        journal: Journal = no_journal,
    ) -> Grant:
        """Put a suspended grant in force again, until `until` at most; None: no such bound.

        Raises:
            GrantNotFound: absent or somebody else's. GrantNotInForce: it is not suspended.
        """
        now = self._now()
        grant = self.grant(citizen_id, grant_id)
        if grant.state_at(now) != "suspended":
            raise GrantNotInForce(grant_id)
        step = Step("consent:grant:resumed", actor.evidence.person_id, now)
        resumed = replace(
            grant,
            state="granted",
            version=grant.version + 1,
            holds_until=until,
            history=(*grant.history, step),
        )
        journal(resumed)
        self._save_open(resumed, grant.version)
        return resumed

    # --- closing ---------------------------------------------------------------------------------------

    def withdraw(self, citizen_id: str, grant_id: str, reason: str | None, actor: Actor) -> Grant:
        """End a grant. It has stopped working, everywhere, when this returns. Doing it twice is once.

        Raises:
            GrantNotFound: absent or somebody else's. UnknownCode: a reason that is on no list.
        """
        check_reason(reason)

        def withdrawn(grant: Grant, now: datetime) -> Grant:
            step = Step("consent:grant:withdrawn", actor.evidence.person_id, now, reason)
            history = (*grant.history, step)
            over = replace(grant, state="withdrawn", ended_at=now, end_reason=reason, history=history)
            return replace(over, version=grant.version + 1)

        return self._close(citizen_id, grant_id, withdrawn, self._consents.end)

    def suspend(self, citizen_id: str, grant_id: str, reason: str, by: str) -> Grant:
        """Stop a grant for the time being, everywhere, when this returns. Twice is once; over stays over.

        Raises:
            GrantNotFound: absent or somebody else's.
        """

        def suspended(grant: Grant, now: datetime) -> Grant | None:
            if grant.state_at(now) == "suspended":
                return None
            step = Step("consent:grant:suspended", by, now, reason)
            history = (*grant.history, step)
            held = replace(grant, state="suspended", holds_until=now, history=history)
            return replace(held, version=grant.version + 1)

        return self._close(citizen_id, grant_id, suspended, self._consents.hold)

    def narrow(
        self,
        citizen_id: str,
        grant_id: str,
        answer: Answer,
        expected: int,
        actor: Actor,
        journal: Journal = no_journal,
    ) -> Grant:
        """Take part of a grant back: a new, narrower grant takes its place in one step.

        `journal` as in `approve`.

        Raises:
            GrantNotFound; StaleVersion: not at version `expected`, or over; ScopeWidened; UnknownCode.
        """
        now = self._now()
        old = self.grant(citizen_id, grant_id)
        if old.version != expected or old.state_at(now) != "granted":
            raise StaleVersion(grant_id)
        scope = narrowed(old.scope, answer)
        if exceeded := scope.exceeds(old.scope):
            raise ScopeWidened(exceeded)
        if scope == old.scope:
            return old
        check_codes(scope, now)  # not the licence: taking back must work whatever became of it
        step = Step("consent:grant:narrowed", actor.evidence.person_id, now)
        new = replace(old, id=self._new_id(), scope=scope, version=1, granted_at=now, history=(step,))
        history = (*old.history, step)
        gone = replace(old, state="superseded", version=old.version + 1, ended_at=now, history=history)
        journal(new)
        self._consents.narrow(replace(gone, successor_id=new.id), new, expected=expected)
        return new

    # --- the deny list ---------------------------------------------------------------------------------

    def block(self, citizen_id: str, organisation_id: str, *, blocked: bool) -> None:
        """Put an organisation on the deny list, or take it off. Blocking stops reading at once."""
        self._consents.set_blocked(citizen_id, organisation_id, blocked=blocked)

    def blocked(self, citizen_id: str) -> list[str]:
        """The citizen's deny list."""
        return self._consents.blocked_by(citizen_id)

    def _save_open(self, grant: Grant, expected: int) -> None:
        try:
            self._consents.hold(grant, expected=expected)
        except StaleVersion as why:
            raise GrantNotInForce(grant.id) from why

    def _close(
        self,
        citizen_id: str,
        grant_id: str,
        change: Callable[[Grant, datetime], Grant | None],
        save: Callable[..., None],
    ) -> Grant:
        """Closing must not fail because of a change that came between: look again, and close that."""
        now = self._now()
        grant = self.grant(citizen_id, grant_id)
        while grant.unended:
            changed = change(grant, now)
            if changed is None:
                return grant
            try:
                save(changed, expected=grant.version)
            except StaleVersion:
                grant = self.grant(citizen_id, grant_id)
            else:
                return changed
        return grant

    def _check_room(self, citizen_id: str, organisation_id: str, now: datetime) -> None:
        live = self._consents.standing(citizen_id, organisation_id).live
        if sum(now < each.scope.expires_at for each in live) >= MOST_LIVE_GRANTS:
            raise TooManyGrants(organisation_id)


def in_force(grant: Grant, now: datetime) -> bool:
    """Whether the grant works at an instant, as far as it can tell by itself."""
    return grant.state_at(now) == "granted"


def notice_shown(purpose: str, answer: Answer) -> NoticeShown:
    """The text in force, if it is the one that was shown.

    Raises:
        NoticeOutdated: another version was shown. UnknownCode: there is no text for purpose or locale.
    """
    notice: Notice = notice_for(purpose, answer.locale)
    if notice.version != answer.notice_version:
        raise NoticeOutdated(notice.version)
    return NoticeShown(notice.version, notice.locale, notice.sha256)


def _last_confirmed(grant: Grant) -> datetime:
    looked = ("consent:grant:confirmed", "consent:grant:resumed")
    return max([grant.granted_at, *(each.at for each in grant.history if each.event in looked)])
