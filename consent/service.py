"""Asking, granting, refusing, narrowing, withdrawing: the life of a consent, over ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consent.codes import REFUSAL_REASONS
from consent.errors import (
    GrantNotFound,
    NoticeOutdated,
    RequestClosed,
    RequestNotFound,
    ScopeWidened,
    StaleVersion,
    TooManyGrants,
    UnknownCode,
)
from consent.model import (
    Actor,
    Answer,
    ConsentRequest,
    Grant,
    NoticeShown,
    Scope,
    Step,
)
from consent.notices import Notice, notice_for
from consent.ports import Consents, LicenceOf, NewId, Now, Spend
from consent.rules import answered, check_actor, check_codes, check_scope, narrowed

REQUEST_STAYS_OPEN = timedelta(days=7)
VISIT_REQUEST_STAYS_OPEN = timedelta(minutes=30)
MOST_LIVE_GRANTS = 30
"""Live grants of one citizen to one organisation; a standing and an access session must stay small."""

Journal = Callable[[Grant], None]
"""Writes a coming grant into the access log, durably."""


def _no_journal(grant: Grant) -> None:
    """For use without a log."""


@dataclass(frozen=True)
class Proposal:
    """What an organisation puts before a citizen."""

    citizen_id: str
    scope: Scope
    requested_by: str
    reason: str
    in_visit: bool = False
    id: str | None = None
    """What to name the request; a new id if nothing is given. The same id again makes no second one."""
    spend: Spend | None = None
    """Spends, together with the request, what it was bought with: a visit code."""


class ConsentService:
    """The citizen's and the provider's acts on consents. Deciding a read is `access.py`."""

    def __init__(self, consents: Consents, licence_of: LicenceOf, now: Now, new_id: NewId) -> None:
        self._consents = consents
        self._licence_of = licence_of
        self._now = now
        self._new_id = new_id

    def propose(self, proposal: Proposal) -> ConsentRequest:
        """Put a request before the person meant, whoever that is and whatever that person blocks.

        The answer to the asker is the same for all, so nothing here depends on who is meant.

        Raises:
            UnknownCode: purpose, category or label not on its list, or no category named.
            NotLicensed: the organisation may not ask for this purpose or one of these categories.
            VisitCodeInvalid: the visit code was used by another request in the meantime.
        """
        now = self._now()
        self.check(proposal.scope)
        stays = VISIT_REQUEST_STAYS_OPEN if proposal.in_visit else REQUEST_STAYS_OPEN
        request = ConsentRequest(
            id=proposal.id or self._new_id(),
            citizen_id=proposal.citizen_id,
            scope=proposal.scope,
            requested_by=proposal.requested_by,
            reason=proposal.reason,
            state="requested",
            version=1,
            created_at=now,
            closes_at=now + stays,
            in_visit=proposal.in_visit,
            history=(Step("consent:request:created", proposal.requested_by, now),),
        )
        self._consents.add_request(request, proposal.spend)
        return request

    def check(self, scope: Scope) -> None:
        """Whether a request for this may be made at all, before anything is spent on it.

        Raises:
            UnknownCode, NotLicensed: as `propose`.
        """
        check_scope(scope, self._licence_of(scope.organisation_id), self._now())

    def request_of_organisation(
        self, organisation_id: str, citizen_id: str, request_id: str
    ) -> ConsentRequest:
        """A request as its asker may see it.

        Raises:
            RequestNotFound: absent, or another organisation's.
        """
        found = self._consents.request(citizen_id, request_id)
        if found is None or found.scope.organisation_id != organisation_id:
            raise RequestNotFound(request_id)
        return found

    def requests(self, citizen_id: str, limit: int = 100) -> list[ConsentRequest]:
        """Who asks, newest first. What a blocked organisation asks is not shown, and takes no place."""
        return self._consents.requests_of(citizen_id, limit, frozenset(self._consents.blocked_by(citizen_id)))

    def request(self, citizen_id: str, request_id: str) -> ConsentRequest:
        """One request put before this citizen.

        Raises:
            RequestNotFound: absent, somebody else's, or by an organisation the citizen blocks.
        """
        found = self._consents.request(citizen_id, request_id)
        if found is None or self._consents.standing(citizen_id, found.scope.organisation_id).blocked:
            raise RequestNotFound(request_id)
        return found

    def notice(self, purpose: str, locale: str) -> Notice:
        """The text to show before consenting.

        Raises:
            UnknownCode: there is no text for this purpose or locale.
        """
        return notice_for(purpose, locale)

    def approve(
        self,
        citizen_id: str,
        request_id: str,
        answer: Answer,
        actor: Actor,
        journal: Journal = _no_journal,
        grant_id: str | None = None,
    ) -> Grant:
        """Grant what was asked, or less; never more. `grant_id` names the grant; else it gets a new id.

        `journal` is told of the grant right before it comes into force; if it raises, nothing is granted.
        So the log may tell of a grant that then failed, but no grant is in force that the log lacks.

        Raises:
            RequestNotFound, RequestClosed, ScopeWidened, UnknownCode, NoticeOutdated,
            CoConsentRequired, TooManyGrants: see their own words.
        """
        now = self._now()
        request = self._answerable(citizen_id, request_id, now)
        check_actor(actor, now)
        scope = narrowed(request.scope, answer)
        if exceeded := scope.exceeds(request.scope):
            raise ScopeWidened(exceeded)
        self.check(scope)
        self._check_room(citizen_id, scope.organisation_id, now)
        notice = notice_for(scope.purpose, answer.locale)
        if notice.version != answer.notice_version:
            raise NoticeOutdated(notice.version)
        grant = self._new_grant(request, scope, notice, actor, now, grant_id or self._new_id())
        # Of all who answer at once one gets past this line, so that the log tells of one grant.
        claimed = self._save(replace(request, version=request.version + 1), request)
        journal(grant)
        granted = answered(claimed, "granted", actor, now, grant_id=grant.id)
        try:
            self._consents.approve(granted, grant, expected=claimed.version)
        except StaleVersion as why:
            raise RequestClosed(request_id) from why
        return grant

    def refuse(self, citizen_id: str, request_id: str, reason: str | None, actor: Actor) -> ConsentRequest:
        """Say no. To the asker this looks like an expired request.

        Raises:
            RequestNotFound, RequestClosed, UnknownCode: see their own words.
        """
        if reason is not None and reason not in REFUSAL_REASONS:
            raise UnknownCode("reason")
        now = self._now()
        request = self._answerable(citizen_id, request_id, now)
        return self._save(answered(request, "refused", actor, now, reason=reason), request)

    def grants(self, citizen_id: str, limit: int = 100) -> list[Grant]:
        """What this citizen granted, newest first."""
        return self._consents.grants_of(citizen_id, limit)

    def grant(self, citizen_id: str, grant_id: str) -> Grant:
        """One grant of this citizen.

        Raises:
            GrantNotFound: absent or somebody else's.
        """
        found = self._consents.grant(citizen_id, grant_id)
        if found is None:
            raise GrantNotFound(grant_id)
        return found

    def withdraw(self, citizen_id: str, grant_id: str, reason: str | None, actor: Actor) -> Grant:
        """End a grant. It has stopped working, everywhere, when this returns. Doing it twice is once.

        Raises:
            GrantNotFound: absent or somebody else's.
        """
        now = self._now()
        grant = self.grant(citizen_id, grant_id)
        while grant.state == "granted":
            step = Step("consent:grant:withdrawn", actor.evidence.person_id, now, reason)
            ended = replace(
                grant,
                state="withdrawn",
                version=grant.version + 1,
                ended_at=now,
                end_reason=reason,
                history=(*grant.history, step),
            )
            try:
                self._consents.end(ended, expected=grant.version)
            except StaleVersion:
                # A withdrawal must not fail because of a change that came between: look again and end that.
                grant = self.grant(citizen_id, grant_id)
            else:
                return ended
        return grant

    def narrow(
        self,
        citizen_id: str,
        grant_id: str,
        answer: Answer,
        expected: int,
        actor: Actor,
        journal: Journal = _no_journal,
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
        gone = replace(
            old, state="superseded", version=old.version + 1, ended_at=now, history=(*old.history, step)
        )
        journal(new)
        self._consents.narrow(gone, new, expected=expected)
        return new

    def block(self, citizen_id: str, organisation_id: str, *, blocked: bool) -> None:
        """Put an organisation on the deny list, or take it off. Blocking stops reading at once."""
        self._consents.set_blocked(citizen_id, organisation_id, blocked=blocked)

    def blocked(self, citizen_id: str) -> list[str]:
        """The citizen's deny list."""
        return self._consents.blocked_by(citizen_id)

    def _check_room(self, citizen_id: str, organisation_id: str, now: datetime) -> None:
        live = self._consents.standing(citizen_id, organisation_id).live
        if sum(now < each.scope.expires_at for each in live) >= MOST_LIVE_GRANTS:
            raise TooManyGrants(organisation_id)

    def _save(self, new: ConsentRequest, old: ConsentRequest) -> ConsentRequest:
        try:
            self._consents.save_request(new, expected=old.version)
        except StaleVersion as why:
            raise RequestClosed(old.id) from why
        return new

    def _answerable(self, citizen_id: str, request_id: str, now: datetime) -> ConsentRequest:
        request = self.request(citizen_id, request_id)
        if not request.open_at(now):
            raise RequestClosed(request_id)
        return request

    def _new_grant(
        self,
        request: ConsentRequest,
        scope: Scope,
        notice: Notice,
        actor: Actor,
        now: datetime,
        grant_id: str,
    ) -> Grant:
        return Grant(
            id=grant_id,
            citizen_id=request.citizen_id,
            request_id=request.id,
            scope=scope,
            state="granted",
            version=1,
            granted_at=now,
            notice=NoticeShown(notice.version, notice.locale, notice.sha256),
            evidence=actor.evidence,
            held_back=scope.narrowed_from(request.scope),
            history=(Step("consent:grant:created", actor.evidence.person_id, now),),
        )
