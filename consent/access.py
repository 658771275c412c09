"""Reading under consent: opening an access session, authorising a read, and the withdrawal fence.

The fence: `authorise` reads the standing when the read begins; `still_holds` reads it again right
before the answer is handed over. `end` of the store makes the grant's end visible to every read that
starts after it. So no read that starts after a withdrawal's answer gets data, and one that was under
way is stopped if its answer had not been handed over yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consent.decision import Ask, Decision, decide
from consent.errors import AccessRefused, ConsentEnded, NotCovered
from consent.model import AccessMode, Grant, LiveGrant, Scope, Standing
from consent.ports import Consents, LicenceOf, Now

SESSION_LASTS = timedelta(minutes=30)
_UNCOVERED = frozenset(
    {
        "other_purpose",
        "other_practitioner",
        "nothing_in_common",
        "not_licensed",
        "no_practitioner",
        "used_up",
        "view_only",
    }
)


@dataclass(frozen=True)
class AccessSession:
    """One counted use: everything a later read needs to be decided anew, and nothing that permits it."""

    citizen_id: str
    organisation_id: str
    practitioner_id: str
    purpose: str
    grant_ids: frozenset[str]
    expires_at: datetime
    mode: AccessMode = "VIEW"


def _untold(session: AccessSession) -> None:
    """Nobody has to be told."""


@dataclass(frozen=True)
class Act:
    """One request to open a session, by whatever number of attempts. Without an id each attempt counts."""

    id: str | None = None
    begun: Callable[[AccessSession], None] = _untold


_NO_ACT = Act()


@dataclass(frozen=True)
class Fence:
    """Under which epoch and grants a read was permitted; checked again before its answer leaves."""

    session: AccessSession
    epoch: int
    grant_ids: tuple[str, ...]
    hidings: int = 0


@dataclass(frozen=True)
class AtStake:
    """What a grant opens now, what all grants for its purpose open, and what they would without it.

    Each is decided as a read is.
    """

    alone: Decision
    together: Decision
    without: Decision


ANYBODY = "anybody"
"""Stands for whoever is on the roster: only a grant that names no practitioner covers this one."""


@dataclass(frozen=True)
class Permission:
    """A permitted read with its fence."""

    decision: Decision
    fence: Fence


class ReadRefused(Exception):
    """A refusal on its way to the access log: `decision` is for the log, `told` is for the caller."""

    def __init__(self, decision: Decision, told: ConsentEnded | NotCovered | AccessRefused) -> None:
        super().__init__(decision.reason)
        self.decision = decision
        self.told = told


class AccessService:
    """Decides reads of provider organisations. Holds no state and caches nothing."""

    def __init__(self, consents: Consents, licence_of: LicenceOf, now: Now) -> None:
        self._consents = consents
        self._licence_of = licence_of
        self._now = now

    def open_session(
        self,
        citizen_id: str,
        organisation_id: str,
        practitioner_id: str | None,
        purpose: str,
        act: Act = _NO_ACT,
        mode: AccessMode = "VIEW",
    ) -> AccessSession:
        """Count one use of every grant that covers the ask and hand out the session for it.

        `act` names the act, so that counting again counts nothing, and is told of the session before
        anything is counted: with what it was told, `reopen` finishes what was broken off.

        Raises:
            ReadRefused: no grant covers it, or another call took the last use.
        """
        now = self._now()
        standing = self._consents.standing(citizen_id, organisation_id)
        ask = Ask(organisation_id, practitioner_id, purpose, now, mode=mode)
        decision = decide(ask, standing, self._licence_of(organisation_id))
        if not decision.permit or practitioner_id is None:
            raise _refused(decision, standing, opening=True)
        wanted = frozenset(decision.grant_ids)
        ends = min(each.scope.expires_at for each in standing.live if each.id in wanted)
        expires_at = min(now + SESSION_LASTS, ends)
        asked = AccessSession(citizen_id, organisation_id, practitioner_id, purpose, wanted, expires_at, mode)
        act.begun(asked)
        return self._paid(asked, standing, act)

    def reopen(self, session: AccessSession, act: Act) -> AccessSession:
        """Open once more a session this act had begun: what was counted is not counted again.

        Raises:
            ReadRefused: it is over, or what it was opened under is not in force any more.
        """
        self.authorise(session)
        return self._paid(session, self._standing(session), act)

    def _paid(self, asked: AccessSession, standing: Standing, act: Act) -> AccessSession:
        paid = frozenset(
            grant
            for grant in sorted(asked.grant_ids)
            if self._consents.use(asked.citizen_id, asked.organisation_id, grant, act.id, self._now())
        )
        if not paid:
            raise _refused(Decision(reason="used_up"), standing, opening=True)
        return replace(asked, grant_ids=paid)

    def give_back(self, session: AccessSession, act: Act = _NO_ACT) -> None:
        """Undo the counting of a session that could not be handed out."""
        for grant_id in session.grant_ids:
            self._consents.unuse(session.citizen_id, session.organisation_id, grant_id, act.id)

    def at_stake(self, grant: Grant) -> AtStake:
        """What the organisation sees under a grant of this moment, and what it would lose with it."""
        scope = grant.scope
        standing = self._consents.standing(grant.citizen_id, scope.organisation_id)
        rest = tuple(each for each in standing.live if each.id != grant.id)
        mine = tuple(each for each in standing.live if each.id == grant.id)
        return AtStake(
            self.foresee(scope, replace(standing, live=mine)),
            self.foresee(scope, standing),
            self.foresee(scope, replace(standing, live=rest)),
        )

    def foresee(self, scope: Scope, standing: Standing | None = None) -> Decision:
        """How a read as this scope describes it would be decided now; by itself, as if it were granted."""
        granted = Standing(live=(LiveGrant("foreseen", scope, scope.uses),))
        ask = Ask(scope.organisation_id, scope.practitioner_id or ANYBODY, scope.purpose, self._now())
        return decide(ask, standing or granted, self._licence_of(scope.organisation_id))

    def authorise(self, session: AccessSession) -> Permission:
        """Decide a read inside a session, on the standing of this moment.

        Raises:
            ReadRefused: the session is over, or nothing it paid for is in force any more.
        """
        standing = self._standing(session)
        decision = self._decide(session, standing)
        if not decision.permit:
            raise _refused(decision, standing)
        fence = Fence(session, standing.epoch, decision.grant_ids, standing.hidings)
        return Permission(decision, fence)

    def still_holds(self, fence: Fence) -> bool:
        """Whether all a read was permitted under is still in force. Ask right before handing it over.

        An unchanged epoch answers at once; after a change the read is decided anew, so that another
        grant given meanwhile stops nobody.
        """
        session = fence.session
        standing = self._consents.settled_standing(session.citizen_id, session.organisation_id)
        if standing.hidings != fence.hidings:
            return False  # what was read may hold what the citizen has hidden since
        return standing.epoch == fence.epoch or self._covers(fence, standing)

    def begin_again(self, fence: Fence) -> bool:
        """Whether a read that does not hold any more may be asked for once more: its consent is in force."""
        session = fence.session
        return self._covers(
            fence, self._consents.settled_standing(session.citizen_id, session.organisation_id)
        )

    def _covers(self, fence: Fence, standing: Standing) -> bool:
        decision = self._decide(fence.session, standing)
        return decision.permit and set(fence.grant_ids) <= set(decision.grant_ids)

    def _standing(self, session: AccessSession) -> Standing:
        return self._consents.standing(session.citizen_id, session.organisation_id)

    def _decide(self, session: AccessSession, standing: Standing) -> Decision:
        now = self._now()
        if now >= session.expires_at:
            return Decision(reason="expired")
        who, paid = session.practitioner_id, session.grant_ids
        ask = Ask(session.organisation_id, who, session.purpose, now, paid, session.mode)
        return decide(ask, standing, self._licence_of(session.organisation_id))


def _refused(decision: Decision, standing: Standing, *, opening: bool = False) -> ReadRefused:
    if not standing.known:
        # Whoever was never granted anything is told that nothing is there.
        return ReadRefused(decision, AccessRefused("absent"))
    # Being blocked looks like a withdrawal, so nobody learns which of the two it was.
    if opening and standing.live and not standing.blocked and decision.reason in _UNCOVERED:
        return ReadRefused(decision, NotCovered(decision.reason))
    return ReadRefused(decision, ConsentEnded("ended"))
