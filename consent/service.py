"""Asking, granting, refusing, narrowing, withdrawing: the life of a consent, over ports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consent.codes import REFUSAL_REASONS
from consent.errors import RequestClosed, RequestNotFound, ScopeWidened, StaleVersion, UnknownCode
from consent.lifecycle import MOST_LIVE_GRANTS, GrantLifecycle, Journal, no_journal, notice_shown
from consent.model import Actor, Answer, ConsentRequest, Grant, NoticeShown, Scope, Step
from consent.notices import Notice, notice_for
from consent.ports import Before, Spend
from consent.rules import answered, narrowed
from consent.signatures import check_alone, holds_until

__all__ = ["MOST_LIVE_GRANTS", "ConsentService", "Journal", "Proposal"]
REQUEST_STAYS_OPEN = timedelta(days=7)
VISIT_REQUEST_STAYS_OPEN = timedelta(minutes=30)


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


class ConsentService(GrantLifecycle):
    """The acts on requests, and those on grants with them. Deciding a read is `access.py`."""

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

    def requests(
        self, citizen_id: str, limit: int = 100, before: Before | None = None
    ) -> list[ConsentRequest]:
        """Who asks, newest first. What a blocked organisation asks is not shown, and takes no place."""
        blocked = frozenset(self._consents.blocked_by(citizen_id))
        return self._consents.requests_of(citizen_id, limit, blocked, before)

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
        journal: Journal = no_journal,
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
        check_alone(actor, now)
        scope = narrowed(request.scope, answer)
        if exceeded := scope.exceeds(request.scope):
            raise ScopeWidened(exceeded)
        self.check(scope)
        self._check_room(citizen_id, scope.organisation_id, now)
        notice = notice_shown(scope.purpose, answer)
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
        notice: NoticeShown,
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
            notice=notice,
            evidence=actor.evidence,
            held_back=scope.narrowed_from(request.scope),
            holds_until=holds_until(actor.subject_born, now),
            history=(Step("consent:grant:created", actor.evidence.person_id, now),),
        )
