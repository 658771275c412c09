"""The planner's view of hundreds of citizens at once: a handful of reads for a batch, not a handful a person.

What is answered is what `wiring.care` answers one by one; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from consent.predicate import own_eyes
from notifications.model import Care, CitizenFacts
from wallet_api.identity.ages import AGES, has_reached
from wallet_api.identity.people import People
from wallet_api.infra.clock import vn_day
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.mongo import Db
from wallet_api.stores.guardianships import MongoGuardianships
from wallet_api.stores.identities import MongoCitizens
from wallet_api.stores.records import MongoRecords
from wallet_api.stores.restrictions import MongoRestrictions
from wallet_api.wiring.care import LASTING, BookCare, UnrestrictedRecipients, care_of


class CareOfMany(BookCare):
    """`BookCare` that reads many books together."""

    def __init__(
        self, people: People, records: MongoRecords, citizens: MongoCitizens, now: Callable[[], datetime]
    ) -> None:
        super().__init__(people, records, now)
        self._books, self._citizens = records, citizens

    def facts_of_many(self, citizen_ids: Collection[str]) -> Mapping[str, CitizenFacts]:
        """`facts` by citizen; unknown ones are absent."""
        found = self._citizens.many(citizen_ids)
        return {
            each.id: CitizenFacts(
                each.id,
                each.profile.birth_date,
                each.profile.sex,
                each.profile.province,
                each.deceased_on is not None,
                commune=each.profile.commune,
                continues_in=each.continues_in,
                joined=each.joined,
            )
            for each in found.values()
        }

    def care_of_many(self, citizen_ids: Collection[str]) -> Mapping[str, Sequence[Care]]:
        """`care` by citizen; those without any are absent."""
        found: dict[str, list[Care]] = {}
        for record in self._books.of_categories_of_many(citizen_ids, LASTING, own_eyes(), self._recent()):
            found.setdefault(record.citizen_id, []).extend(care_of(record))
        return found


class RecipientsOfMany:
    """`UnrestrictedRecipients` that asks for many together."""

    def __init__(
        self,
        inner: UnrestrictedRecipients,
        db: Db,
        cipher: CitizenCipher,
        blind: BlindIndex,
        now: Callable[[], datetime],
    ) -> None:
        self._inner, self._now = inner, now
        self._citizens = MongoCitizens(db, cipher, blind)
        self._guardianships = MongoGuardianships(db, cipher)
        self._restrictions = MongoRestrictions(db)

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        """Whom to tell today."""
        return self._inner.who_is_reminded(citizen_id)

    def reminded_of_many(self, citizen_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        """The same by citizen; who has nobody is absent."""
        today = vn_day(self._now())
        people = self._citizens.many(citizen_ids).values()
        living = [each for each in people if each.deceased_on is None]
        grown = {each.id for each in living if has_reached(each.profile.birth_date, AGES.own_account, today)}
        told: dict[str, list[str]] = {each: [each] for each in grown}
        for one in self._guardianships.of_dependents([e.id for e in living if e.id not in grown]):
            if one.stands_on(today):
                told.setdefault(one.dependent_id, []).append(one.guardian_id)
        still = self._restrictions.holding(citizen_ids)
        return {each: sorted(set(who)) for each, who in told.items() if each not in still}
