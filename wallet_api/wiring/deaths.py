"""What a death does to the rest of the wallet, and how a mistake is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from consent.co_consent import CoConsentService, signed_for
from consent.errors import GrantNotFound, GrantNotInForce
from consent.model import Actor, Evidence, Grant
from wallet_api.identity.deaths import Death, DeathDesk, Stopped
from wallet_api.identity.errors import StaleVersion, Taken
from wallet_api.identity.model import Guardianship, Review
from wallet_api.identity.service import Identity
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import Db
from wallet_api.stores.deaths import MongoDeaths
from wallet_api.stores.restrictions import MongoRestrictions

T = TypeVar("T")
_MANY = 100
_TRIES = 5
DIED = "person_died"
GUARDIAN_DIED = "guardian_died"
"""Why a grant is suspended, in its history."""


@dataclass(frozen=True)
class WalletEffects:
    """`identity.deaths.Effects` over the whole wallet."""

    identity: Identity
    consent: CoConsentService
    restrictions: MongoRestrictions
    replan: Callable[[str], object]
    now: Callable[[], datetime]

    def shut(self, death: Death) -> None:
        """End the sessions, close the book to every organisation, stop the reminders."""
        _again(lambda: self.identity.people.record_death(death.citizen_id, death.died_on))
        self.restrictions.set(death.citizen_id, _hold(death), on=True)
        self.replan(death.citizen_id)

    def open(self, death: Death) -> None:
        """Let the person sign in, the book be read and reminders be planned again."""
        self.restrictions.set(death.citizen_id, _hold(death), on=False)
        _again(lambda: self.identity.people.record_alive(death.citizen_id))
        self.replan(death.citizen_id)

    def found(self, death: Death) -> Death:
        """The death with every grant and relation that is in force now added to those it names."""
        relations = [one for one in self.identity.family.of(death.citizen_id) if one.state == "active"]
        known = {each.grant_id for each in death.grants}
        grants = [each for each in self._in_force(death, relations) if each.id not in known]
        stopped = [Stopped(each.citizen_id, each.id, each.holds_until) for each in grants]
        named = dict.fromkeys([*death.relations, *(one.id for one in relations)])
        return replace(death, grants=(*death.grants, *stopped), relations=tuple(named))

    def stop(self, death: Death) -> None:
        """End the relations it names and suspend the grants; who is left without a guardian is reviewed."""
        family, now = self.identity.family, self.now()
        for relation_id in death.relations:
            if not _again(partial(family.end_by_death, relation_id)):
                continue
            ward = family.get(relation_id).dependent_id
            if ward != death.citizen_id:
                self.replan(ward)
                if not family.guardians_of(ward, now):
                    self.identity.reviews.add(Review(new_id(), "guardian_died", ward, now))
        for each in death.grants:
            why = DIED if each.citizen_id == death.citizen_id else GUARDIAN_DIED
            self.consent.suspend(each.citizen_id, each.grant_id, why, death.history[-1].by)

    def put_back(self, death: Death) -> None:
        """Let the relations stand and the grants work again that ended or stopped by this alone."""
        family = self.identity.family
        for relation_id in death.relations:
            try:
                if _again(partial(family.put_back, relation_id)):
                    self.replan(family.get(relation_id).dependent_id)
            except Taken:
                continue  # somebody recorded the relation anew meanwhile: it stands
        for each in death.grants:
            self._resume(each, death.citizen_id, death.history[-1].by)

    def _resume(self, stopped: Stopped, signer: str, by: str) -> None:
        try:
            grant = self.consent.grant(stopped.citizen_id, stopped.grant_id)
        except GrantNotFound:
            return
        ward = stopped.citizen_id != signer
        if ward and not self.identity.family.acts_for(signer, stopped.citizen_id, self.now()):
            return  # custody ended meanwhile, and with it what was signed
        last = grant.history[-1]
        if (last.event, last.reason) not in {
            ("consent:grant:suspended", why) for why in (DIED, GUARDIAN_DIED)
        }:
            return  # it was ended, or confirmed or suspended by somebody, since
        evidence = Evidence(by, "self", "", "", self.now(), "", "death_reversed")
        actor = Actor(evidence, self.identity.people.facts(stopped.citizen_id).born)
        try:
            self.consent.resume(stopped.citizen_id, stopped.grant_id, actor, stopped.holds_until)
        except GrantNotInForce:
            return  # it ran out, or somebody ended it in this moment

    def _in_force(self, death: Death, relations: list[Guardianship]) -> Iterator[Grant]:
        """Every grant of the person, and those that the person signed for whom they acted for."""
        yield from self._granted(death.citizen_id)
        for one in relations:
            if one.guardian_id == death.citizen_id:
                for grant in self._granted(one.dependent_id):
                    if signed_for(grant, death.citizen_id):
                        yield grant

    def _granted(self, citizen_id: str) -> Iterator[Grant]:
        before: tuple[datetime, str] | None = None
        while page := self.consent.grants(citizen_id, _MANY, before):
            yield from (each for each in page if each.state_at(self.now()) == "granted")
            before = page[-1].granted_at, page[-1].id


def build_deaths(
    db: Db,
    cipher: CitizenCipher,
    identity: Identity,
    consent: CoConsentService,
    replan: Callable[[str], object],
    now: Callable[[], datetime],
    restrictions: MongoRestrictions,
) -> DeathDesk:
    """The desk of one wallet."""
    effects = WalletEffects(identity, consent, restrictions, replan, now)
    return DeathDesk(MongoDeaths(db, cipher), effects, now)


def _hold(death: Death) -> str:
    """For whose sake the book is closed: of two deaths reported one after the other each has its own."""
    return f"death:{death.id}"


def _again(act: Callable[[], T]) -> T:
    """Try once more what somebody else changed in the same moment."""
    for _ in range(_TRIES - 1):
        try:
            return act()
        except StaleVersion:
            continue
    return act()
