"""The desk for rights requests, over the database, the sessions and the consents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
        books: Callable[[str], tuple[str, ...]],
    ) -> None:
        """`books`: all books of the person whose book is named, since merges; an erasure reaches each."""
        self._erasures = erasures
        self._restrictions = restrictions
        self._identity = identity
        self._consent = consent
        self._now = now
        self._books = books

    def restrict(self, citizen_id: str, request_id: str, *, on: bool) -> None:
        """Refuse every provider's reading, or no longer for the sake of this request."""
        self._restrictions.set(citizen_id, request_id, on=on)

    def end_sessions(self, citizen_id: str) -> None:
        """Sign the person out everywhere."""
        for each in self._books(citizen_id):
            self._identity.sessions.end_all(each)

    def has_records(self, citizen_id: str) -> bool:
        """Whether the person has medical records, in any book."""
        return any(map(self._erasures.has_records, self._books(citizen_id)))

    def destroy_keys(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Destroy the keys of these classes, of every book."""
        for each in self._books(citizen_id):
            self._erasures.destroy_keys(each, classes)

    def delete(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Delete what was sealed in these classes, of every book."""
        for each in self._books(citizen_id):
            self._erasures.delete(each, classes)

    def sweep(self, citizen_id: str, classes: tuple[str, ...]) -> None:
        """Delete what was sealed with a key that is no more, of every book."""
        for each in self._books(citizen_id):
            self._erasures.sweep(each, classes)

    def bury(self, request: RightsRequest, erasure: Erasure) -> None:
        """Keep a tombstone for each book: a database restored from before finds each by itself."""
        self._erasures.bury(request, erasure, self._now())
        for each in set(self._books(request.citizen_id)) - {request.citizen_id}:
            stone = replace(erasure, tombstone=f"{erasure.tombstone}:{each}")
            self._erasures.bury(replace(request, citizen_id=each), stone, self._now())

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
        actor = Actor(evidence, self._identity.people.facts(request.citizen_id).born)
        for each in self._books(request.citizen_id):
            self._withdraw_all_of(each, actor)

    def _withdraw_all_of(self, citizen_id: str, actor: Actor) -> None:
        before: tuple[datetime, str] | None = None
        while page := self._consent.grants(citizen_id, _MANY, before):
            for grant in page:
                if grant.state_at(self._now()) in _STANDING:
                    self._consent.withdraw(citizen_id, grant.id, None, actor)
            before = page[-1].granted_at, page[-1].id


_STANDING = frozenset({"granted", "suspended"})


def build_rights(
    db: Db,
    cipher: CitizenCipher,
    identity: Identity,
    consent: ConsentService,
    log: AccessLog,
    now: Callable[[], datetime],
    restrictions: MongoRestrictions,
    books: Callable[[str], tuple[str, ...]],
) -> RightsDesk:
    """The desk of one wallet."""
    carrying = WalletCarrying(MongoErasures(db, cipher), restrictions, identity, consent, now, books)
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
