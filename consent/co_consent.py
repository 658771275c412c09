"""Consent that takes two yeses: a child's own and that of who represents it (Law 91/2025/QH15 Art. 24).

The first yes is kept on the request and gives nothing. The second forms the grant, with both kept as its
evidence and no more in it than both agreed to. A refusal by any of them closes the request, whoever had
said yes before. A grant that an age or the end of a custody has suspended is confirmed the same way.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from consent.errors import (
    CoConsentRequired,
    FirstSignatureMissing,
    GrantNotSuspended,
    RequestClosed,
    ScopeWidened,
    StaleVersion,
)
from consent.lifecycle import Journal, no_journal, notice_shown
from consent.model import (
    Actor,
    Answer,
    ConsentRequest,
    Evidence,
    Grant,
    Scope,
    Signature,
    Step,
)
from consent.rules import answered, narrowed
from consent.service import ConsentService
from consent.signatures import (
    attestable,
    counted,
    holds_until,
    in_common,
    missing,
    role_of,
    roles_needed,
)

_TRIES = 3


class CoConsentService(ConsentService):
    """The acts of a child and of who represents it, and of the practitioner who hears a child's yes."""

    # --- a request -------------------------------------------------------------------------------------

    def sign(self, citizen_id: str, request_id: str, answer: Answer, actor: Actor) -> ConsentRequest:
        """Say yes first, to all or part of what is asked. It gives nothing until the other yes is there.

        Signing again takes the place of one's own earlier yes.

        Raises:
            RequestNotFound, RequestClosed, ScopeWidened, UnknownCode, NoticeOutdated: as `approve`.
            CoConsentRequired: the other has signed already: look at that and co-approve; or this person's
                yes is not one of those needed.
        """
        now = self._now()
        request = self._answerable(citizen_id, request_id, now)
        mine = self._signature(request.scope, answer, actor, now)
        earlier = counted(request.signatures, actor, now)
        if not missing((*earlier, mine), actor.subject_born, now):
            raise CoConsentRequired("subject")
        return self._keep(request, (*_of_others(request.signatures, actor), mine), mine.role, now)

    def complete(
        self,
        citizen_id: str,
        request_id: str,
        answer: Answer,
        actor: Actor,
        journal: Journal = no_journal,
        grant_id: str | None = None,
    ) -> Grant:
        """Say yes as the second: what all agreed to is granted. `journal` and `grant_id` as in `approve`.

        Raises:
            FirstSignatureMissing: the other yes is not there, or does not count any more.
            UnknownCode: what they agreed to has nothing in common. Others: as `approve`.
        """
        now = self._now()
        request = self._answerable(citizen_id, request_id, now)
        mine = self._signature(request.scope, answer, actor, now)
        signatures = (*counted(request.signatures, actor, now), mine)
        if len(signatures) < 2 or missing(signatures, actor.subject_born, now):
            raise FirstSignatureMissing(request_id)
        scope = in_common(each.scope for each in signatures)
        self.check(scope)
        self._check_room(citizen_id, scope.organisation_id, now)
        grant = replace(
            self._new_grant(request, scope, mine.notice, actor, now, grant_id or self._new_id()),
            signatures=signatures,
            holds_until=holds_until(actor.subject_born, now, signatures),
        )
        # Of all who answer at once one gets past this line, so that the log tells of one grant; a refusal
        # that comes after it still wins, because it changes the request once more.
        signed = replace(request, version=request.version + 1, signatures=signatures)
        claimed = self._save(signed, request)
        journal(grant)
        granted = answered(claimed, "granted", actor, now, grant_id=grant.id)
        try:
            self._consents.approve(granted, grant, expected=claimed.version)
        except StaleVersion as why:
            raise RequestClosed(request_id) from why
        return grant

    def attest(
        self, citizen_id: str, request_id: str, born: date | None, answer: Answer, heard: Evidence
    ) -> bool:
        """Keep a child's yes that a practitioner heard face to face; whether there was anything to keep.

        It never forms a grant: whoever asks for access cannot be the one whose word opens it. A request that
        was granted and whose grant is suspended keeps it for the confirmation of the grant.

        Raises:
            NoticeOutdated, UnknownCode: the text read to the child is not the one in force.
        """
        now = self._now()
        for _ in range(_TRIES):
            request = self._consents.request(citizen_id, request_id)
            if request is None:
                return False
            shown = notice_shown(request.scope.purpose, answer)
            if born is None or not attestable(born, now):
                return False
            mine = Signature("child", heard, shown, request.scope, now)
            try:
                return self._attested(request, mine, now)
            except (StaleVersion, RequestClosed):
                continue  # somebody acted at the same time: look again, for the asker is told nothing of it
        return False

    # --- a grant that is suspended ---------------------------------------------------------------------

    def confirm_suspended(
        self, citizen_id: str, grant_id: str, answer: Answer, actor: Actor, journal: Journal = no_journal
    ) -> Grant:
        """Say that a suspended grant shall work again. With the last yes needed it does.

        Of `answer` only the notice shown is read. `journal` is told right before it works again.

        Raises:
            GrantNotFound; NoticeOutdated; GrantNotSuspended: it works, or is over; CoConsentRequired: this
            person's yes is not one of those needed; StaleVersion: it changed meanwhile.
        """
        now = self._now()
        grant = self.grant(citizen_id, grant_id)
        if grant.state_at(now) != "suspended":
            raise GrantNotSuspended(grant_id)
        mine = self._signature(grant.scope, _as_is(answer), actor, now)
        signatures = (*counted(grant.pending, actor, now), mine)
        if missing(signatures, actor.subject_born, now):
            return self._await(grant, signatures, actor.evidence.person_id, mine.role, now)
        self.check(grant.scope)
        step = Step("consent:grant:resumed", actor.evidence.person_id, now, mine.role)
        again = replace(
            grant,
            state="granted",
            version=grant.version + 1,
            notice=mine.notice,
            evidence=mine.evidence,
            signatures=signatures if len(signatures) > 1 else (),
            pending=(),
            holds_until=holds_until(actor.subject_born, now, signatures),
            history=(*grant.history, step),
        )
        journal(again)
        self._consents.hold(again, expected=grant.version)
        return again

    def suspend_signed_by(self, citizen_id: str, person_id: str, reason: str) -> list[Grant]:
        """Suspend every grant that this representative signed for the citizen, at once; those suspended."""
        standings = self._consents.standings_of(citizen_id)
        live = {each.id for standing in standings.values() for each in standing.live}
        return [
            self.suspend(citizen_id, grant.id, reason, person_id)
            for grant in self._consents.grants_named(citizen_id, live)
            if grant.state_at(self._now()) == "granted" and signed_for(grant, person_id)
        ]

    def _attested(self, request: ConsentRequest, mine: Signature, now: datetime) -> bool:
        citizen_id = request.citizen_id
        if request.open_at(now):
            signatures = (*_but_of(request.signatures, citizen_id), mine)
            self._keep(request, signatures, mine.evidence.channel, now)
            return True
        grant = self._consents.grant(citizen_id, request.grant_id) if request.grant_id else None
        while grant is not None and grant.successor_id is not None:
            grant = self._consents.grant(citizen_id, grant.successor_id)
        if grant is None or grant.state_at(now) != "suspended":
            return False
        mine = replace(mine, scope=grant.scope)
        signatures = (*_but_of(grant.pending, citizen_id), mine)
        self._await(grant, signatures, mine.evidence.attested_by or "", mine.evidence.channel, now)
        return True

    def _await(
        self, grant: Grant, signatures: tuple[Signature, ...], by: str, how: str, now: datetime
    ) -> Grant:
        step = Step("consent:grant:signed", by, now, how)
        waits = replace(grant, version=grant.version + 1, pending=signatures, history=(*grant.history, step))
        # A store takes `holds_until` for the instant it is held from: what is suspended stays so.
        self._consents.hold(waits, expected=grant.version)
        return waits

    def _signature(self, asked: Scope, answer: Answer, actor: Actor, now: datetime) -> Signature:
        born = actor.subject_born
        role = role_of(actor.evidence, born, now)
        if role not in roles_needed(born, now):
            raise CoConsentRequired("subject")
        scope = narrowed(asked, answer)
        if exceeded := scope.exceeds(asked):
            raise ScopeWidened(exceeded)
        return Signature(role, actor.evidence, notice_shown(asked.purpose, answer), scope, now)

    def _keep(
        self, request: ConsentRequest, signatures: tuple[Signature, ...], how: str, now: datetime
    ) -> ConsentRequest:
        evidence = signatures[-1].evidence
        step = Step("consent:request:signed", evidence.attested_by or evidence.person_id, now, how)
        signed = replace(
            request,
            version=request.version + 1,
            signatures=signatures,
            history=(*request.history, step),
        )
        return self._save(signed, request)


def signed_for(grant: Grant, person_id: str) -> bool:
    """Whether somebody's yes as a representative is part of what a grant rests on."""
    made = grant.signatures or (grant,)
    return any(each.evidence.relation == "guardian" and each.evidence.person_id == person_id for each in made)


def _of_others(signatures: tuple[Signature, ...], actor: Actor) -> tuple[Signature, ...]:
    return _but_of(signatures, actor.evidence.person_id)


def _but_of(signatures: tuple[Signature, ...], person_id: str) -> tuple[Signature, ...]:
    return tuple(each for each in signatures if each.evidence.person_id != person_id)


def _as_is(answer: Answer) -> Answer:
    return Answer(answer.notice_version, answer.locale)
