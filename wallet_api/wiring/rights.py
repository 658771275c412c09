"""The desk for rights requests, over the database, the sessions and the consents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from consent.model import Actor, Evidence
from consent.service import ConsentService
from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action, ActorKind, AuditEvent
from wallet_api.identity.service import Identity
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db
from wallet_api.rights.desk import Journal, RightsDesk
from wallet_api.rights.model import Erasure, RightsRequest
from wallet_api.stores.erasures import MongoErasures
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.stores.rights import MongoRightsRequests

_MANY = 100


class WalletCarrying:
    """`rights.desk.Carrying` over the whole wallet."""

    def __init__(
        self,
        erasures: MongoErasures,
        restrictions: MongoRestrictions,
        identity: Identity,
        consent: ConsentService,
        now: Callable[[], datetime],
    ) -> None:
        self._erasures = erasures
        self._restrictions = restrictions
        self._identity = identity
        self._consent = consent
        self._now = now
        self.has_records = erasures.has_records
        self.destroy_keys = erasures.destroy_keys
        self.delete = erasures.delete
        self.sweep = erasures.sweep

    def restrict(self, citizen_id: str, request_id: str, *, on: bool) -> None:
        """Refuse every provider's reading, or no longer for the sake of this request."""
        self._restrictions.set(citizen_id, request_id, on=on)

    def end_sessions(self, citizen_id: str) -> None:
        """Sign the person out everywhere."""
        self._identity.sessions.end_all(citizen_id)

    def bury(self, request: RightsRequest, erasure: Erasure) -> None:
        """Keep the tombstone."""
        self._erasures.bury(request, erasure, self._now())

    def withdraw_all(self, request: RightsRequest) -> None:
        """End every consent of the person, in the name of who asked."""
        evidence = Evidence(
            person_id=request.asked_by,
            relation=request.relation,
            session_id="",
            client_id="",
            authenticated_at=request.asked_at,
            assurance="",
            channel="rights_request",
        )
        born = self._identity.people.facts(request.citizen_id).born
        before: tuple[datetime, str] | None = None
        while page := self._consent.grants(request.citizen_id, _MANY, before):
            for grant in page:
                if grant.state_at(self._now()) in _STANDING:
                    self._consent.withdraw(request.citizen_id, grant.id, None, Actor(evidence, born))
            before = page[-1].granted_at, page[-1].id


_STANDING = frozenset({"granted", "suspended"})


def build_rights(
    db: Db,
    cipher: CitizenCipher,
    identity: Identity,
    consent: ConsentService,
    log: AccessLog,
    now: Callable[[], datetime],
) -> RightsDesk:
    """The desk of one wallet."""
    carrying = WalletCarrying(MongoErasures(db, cipher), MongoRestrictions(db), identity, consent, now)
    return RightsDesk(MongoRightsRequests(db, cipher), carrying, now, new_id, _settling(log, now))


def _settling(log: AccessLog, now: Callable[[], datetime]) -> Journal:
    """Logs what the worker goes on with by itself."""

    def journal(request: RightsRequest) -> None:
        log.append(
            AuditEvent(
                at=now(),
                request_id=new_id(),
                action=Action.DATA_ERASED,
                actor_kind=ActorKind.SYSTEM,
                actor_id="worker",
                decision="permit",
                reason=request.state,
                citizen_id=request.citizen_id,
                detail=request.log_detail(),
            )
        )

    return journal
