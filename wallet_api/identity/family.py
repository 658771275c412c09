"""Families: who acts for whom, since when, until when, on what evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from wallet_api.identity.ages import AGES, birthday
from wallet_api.identity.errors import (
    CitizenUnknown,
    GuardianshipRefused,
    GuardianshipUnknown,
    SecondPersonNeeded,
)
from wallet_api.identity.model import Guardianship, Relation
from wallet_api.identity.people import People
from wallet_api.identity.ports import GuardianshipStore
from wallet_api.infra.clock import vn_day


@dataclass(frozen=True)
class Claim:
    """What somebody says who asks to act for another.

    `dependent_id` is whoever number and birth date fit, or an id that is nobody's, the same for the same
    claim; `born` is the birth date given.
    """

    guardian_id: str
    dependent_id: str
    born: date
    relation: Relation
    evidence_kind: str
    id: str | None = None


BY_DEATH = "death"
"""Why a relation ended that a death ended; a code of `guardianship.json`."""


class Family:
    """Guardianships: proposed with evidence, confirmed by a registrar, ended by a day or by somebody."""

    def __init__(
        self,
        guardianships: GuardianshipStore,
        people: People,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._guardianships = guardianships
        self._people = people
        self._now = now
        self._new_id = new_id

    def acts_for(self, guardian_id: str, dependent_id: str, now: datetime) -> bool:
        """Whether the guardian may act for the dependent at that instant. One database operation.

        A minor's guardian loses it with the first second of the 18th birthday, Vietnamese time.
        """
        return self.standing(guardian_id, dependent_id, now) is not None

    def standing(self, guardian_id: str, dependent_id: str, now: datetime) -> Guardianship | None:
        """The relation by which the guardian may act for the dependent at that instant. As `acts_for`."""
        day, pair = vn_day(now), self._guardianships.for_pair(guardian_id, dependent_id)
        return next((one for one in pair if one.stands_on(day)), None)

    def books_of(self, guardian_id: str, dependent_id: str, now: datetime) -> tuple[str, ...] | None:
        """The other books of the dependent that the guardian may act for at that instant: those that continue
        in the one named since a merge. None: they do not act for the dependent. One database operation.

        A merge widens nobody's view: of each book the guardian is a guardian by a relation of its own.
        """
        standing = self.dependents_of(guardian_id, now)
        if not any(one.dependent_id == dependent_id for one in standing):
            return None
        return tuple(sorted({one.dependent_id for one in standing if one.continues_in == dependent_id}))

    def joined(self, guardianship_id: str, continues_in: str | None) -> None:
        """Note that the dependent's book continues in another's, or no longer. Again changes nothing.

        Raises:
            GuardianshipUnknown: there is no such relation. StaleVersion: somebody else changed it first.
        """
        found = self._get(guardianship_id)
        if found.continues_in != continues_in:
            self._save(replace(found, continues_in=continues_in), found)

    def guardians_of(self, dependent_id: str, now: datetime) -> list[Guardianship]:
        """The relations by which somebody may act for them at that instant."""
        day = vn_day(now)
        return [one for one in self._guardianships.of_dependent(dependent_id) if one.stands_on(day)]

    def dependents_of(self, guardian_id: str, now: datetime) -> list[Guardianship]:
        """The relations by which they may act for somebody at that instant."""
        day = vn_day(now)
        return [one for one in self._guardianships.of_guardian(guardian_id) if one.stands_on(day)]

    def of(self, citizen_id: str) -> list[Guardianship]:
        """Every relation the citizen is part of, in every state."""
        return [
            *self._guardianships.of_guardian(citizen_id),
            *self._guardianships.of_dependent(citizen_id),
        ]

    def waiting(self, limit: int = 100) -> list[Guardianship]:
        """Those a registrar has to look at."""
        return self._guardianships.proposed(limit)

    def propose(
        self, guardian_id: str, dependent_id: str, *, relation: Relation, evidence_kind: str, valid_from: date
    ) -> Guardianship:
        """Ask for a guardianship. It gives nothing until a registrar confirms it.

        Raises:
            CitizenUnknown: either person is unknown.
            GuardianshipRefused: oneself, a minor who is of full age, or a relation of the pair still stands.
        """
        last = self._checked(guardian_id, dependent_id, relation)
        if any(not one.over for one in self._guardianships.for_pair(guardian_id, dependent_id)):
            raise GuardianshipRefused("the pair already has a relation")
        fresh = Guardianship(
            self._new_id(), guardian_id, dependent_id, relation, "proposed", evidence_kind, valid_from, last
        )
        self._guardianships.add(fresh)
        return fresh

    def claim(self, claim: Claim) -> Guardianship:
        """Ask in the app to act for somebody. It gives nothing until a registrar has seen the evidence.

        Whoever asks learns nothing of whether the person exists: what is refused here follows from what they
        said themselves. A claim about nobody is kept like any other, and can only be refused.

        Raises:
            GuardianshipRefused: oneself; a minor who is of full age by the birth date given; or a relation
                of the pair stands.
        """
        guardian_id, dependent_id = claim.guardian_id, claim.dependent_id
        if guardian_id == dependent_id:
            raise GuardianshipRefused("nobody is their own guardian")
        today = vn_day(self._now())
        last = _last_day_of(claim.born) if claim.relation == "minor" else None
        if last is not None and last < today:
            raise GuardianshipRefused("the dependent is of full age")
        # Asking twice is not refused: it would tell whom two numbers belong to.
        if any(one.state == "active" for one in self._guardianships.for_pair(guardian_id, dependent_id)):
            raise GuardianshipRefused("the pair already has a relation")
        asked = Guardianship(
            id=claim.id or self._new_id(),
            guardian_id=guardian_id,
            dependent_id=dependent_id,
            relation=claim.relation,
            state="proposed",
            evidence_kind=claim.evidence_kind,
            valid_from=today,
            valid_to=last,
            claimed_at=self._now(),
        )
        self._guardianships.add(asked)
        return asked

    def establish(
        self,
        guardian_id: str,
        dependent_id: str,
        *,
        relation: Relation,
        evidence_kind: str,
        valid_from: date,
        verified_by: str,
        new_id: str | None = None,
    ) -> Guardianship:
        """A registrar has the evidence: the relation stands, in one write. A waiting one is confirmed.

        `new_id` names a relation that did not wait; else it gets a new id.

        Raises:
            CitizenUnknown: either person is unknown.
            GuardianshipRefused: oneself, a minor who is of full age, or a relation of the pair stands.
        """
        last = self._checked(guardian_id, dependent_id, relation)
        for one in self._guardianships.for_pair(guardian_id, dependent_id):
            if one.state == "proposed":
                return self.confirm(one.id, verified_by=verified_by)
            if one.state == "active":
                raise GuardianshipRefused("the pair already has a relation")
        fresh = Guardianship(
            new_id or self._new_id(),
            guardian_id,
            dependent_id,
            relation,
            "active",
            evidence_kind,
            valid_from,
            last,
            verified_by,
        )
        self._guardianships.add(fresh)
        return fresh

    def confirm(self, guardianship_id: str, *, verified_by: str, wait_days: int = 0) -> Guardianship:
        """A registrar has checked the evidence: the relation stands from its first day on.

        `wait_days`: it stands no sooner than so many Vietnamese days from today, so that others can object.
        What somebody objected to stands from today: it was looked at twice.

        Raises:
            GuardianshipUnknown: there is no such relation.
            GuardianshipRefused: it is not waiting, or is about nobody, or about a minor who is of age.
            SecondPersonNeeded: somebody objected to what this registrar had confirmed.
            StaleVersion: somebody else changed it first.
        """
        found = self._get(guardianship_id)
        if found.state != "proposed":
            raise GuardianshipRefused("only a proposed relation can be confirmed")
        if found.objected_by is not None and found.verified_by == verified_by:
            raise SecondPersonNeeded(found.id)
        last = self._standing_last(found)
        today, first = vn_day(self._now()), found.valid_from
        if found.objected_by is not None:
            first = today
        elif wait_days:
            first = max(first, today + timedelta(days=wait_days))
        stands = replace(found, state="active", verified_by=verified_by, valid_from=first, valid_to=last)
        return self._save(stands, found)

    def refuse(self, guardianship_id: str, *, verified_by: str, reason: str) -> Guardianship:
        """A registrar does not confirm it.

        Raises:
            GuardianshipUnknown: there is no such relation.
            GuardianshipRefused: it is not waiting.
            StaleVersion: somebody else changed it first.
        """
        found = self._get(guardianship_id)
        if found.state != "proposed":
            raise GuardianshipRefused("only a proposed relation can be refused")
        return self._save(replace(found, state="refused", verified_by=verified_by, reason=reason), found)

    def end(self, guardianship_id: str, reason: str | None = None) -> Guardianship:
        """End it now, whatever its dates; ending one that is over changes nothing.

        One that a death ended takes this reason too, so that it stays ended if the death was a mistake.

        Raises:
            GuardianshipUnknown: there is no such relation.
            StaleVersion: somebody else changed it first.
        """
        found = self._get(guardianship_id)
        if not found.over or (found.reason == BY_DEATH and reason not in (None, BY_DEATH)):
            today = vn_day(self._now())
            return self._save(replace(found, state="ended", valid_to=today, reason=reason), found)
        return found

    def end_by_death(self, guardianship_id: str) -> bool:
        """End it because one of the two died, its days kept, so that it can be put back; False: over already.

        Raises:
            GuardianshipUnknown: there is no such relation.
            StaleVersion: somebody else changed it first.
        """
        found = self._get(guardianship_id)
        if found.state != "active":
            return False
        self._save(replace(found, state="ended", reason=BY_DEATH), found)
        return True

    def put_back(self, guardianship_id: str) -> bool:
        """Let one stand again that ended by a death that was a mistake; False: it has not ended by one.

        Raises:
            GuardianshipUnknown: there is no such relation. Taken: the pair has another by now.
            StaleVersion: somebody else changed it first.
        """
        found = self._get(guardianship_id)
        if found.state != "ended" or found.reason != BY_DEATH:
            return False
        self._save(replace(found, state="active", reason=None), found)
        return True

    def get(self, guardianship_id: str) -> Guardianship:
        """One relation. Raises GuardianshipUnknown."""
        return self._get(guardianship_id)

    def _standing_last(self, found: Guardianship) -> date | None:
        try:
            last = self._last_day(found.dependent_id, found.relation)
        except CitizenUnknown as why:
            raise GuardianshipRefused("the relation is about nobody") from why
        if self._people.facts(found.dependent_id).deceased:
            raise GuardianshipRefused("the dependent has died")
        if last is not None and last < vn_day(self._now()):
            raise GuardianshipRefused("the dependent is of full age")
        return last

    def _checked(self, guardian_id: str, dependent_id: str, relation: Relation) -> date | None:
        """The last day such a relation would have."""
        if guardian_id == dependent_id:
            raise GuardianshipRefused("nobody is their own guardian")
        self._people.citizen(guardian_id)
        last = self._last_day(dependent_id, relation)
        if last is not None and last < vn_day(self._now()):
            raise GuardianshipRefused("the dependent is of full age")
        if self._people.facts(dependent_id).deceased:
            raise GuardianshipRefused("the dependent has died")
        return last

    def _last_day(self, dependent_id: str, relation: Relation) -> date | None:
        born = self._people.facts(dependent_id).born
        return _last_day_of(born) if relation == "minor" else None

    def _get(self, guardianship_id: str) -> Guardianship:
        found = self._guardianships.get(guardianship_id)
        if found is None:
            raise GuardianshipUnknown("no such guardianship")
        return found

    def _save(self, changed: Guardianship, found: Guardianship) -> Guardianship:
        changed = replace(changed, version=found.version + 1)
        self._guardianships.save(changed, expected=found.version)
        return changed


def _last_day_of(born: date) -> date:
    """The last day on which somebody represents a minor: the one before the 18th birthday."""
    return birthday(born, AGES.full_age) - timedelta(days=1)
