"""What an intake of several people asks of the stores: a command for all of them, not one for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime

from notifications.model import Care, CitizenFacts, DueItem
from notifications.planning import Planning
from notifications.ports import Unit as PlanUnit
from notifications.reminders import Reminder
from notifications.rules import Stamp
from wallet_api.identity.errors import BadIdentifier
from wallet_api.identity.identifiers import look_up_key
from wallet_api.identity.model import IdentifierKind
from wallet_api.identity.people import People
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.mongo import Db
from wallet_api.records.bundle import Person
from wallet_api.records.intake_of_many import Writing
from wallet_api.records.model import Intake, PartialDate, Record
from wallet_api.records.parked import Parcel
from wallet_api.records.ports import HiddenFor, Match, Unit
from wallet_api.records.safety import SafetyDesk
from wallet_api.stores import records as record_store
from wallet_api.stores import reminding
from wallet_api.stores.book_fronts import Looked
from wallet_api.stores.due_items import NewPlan
from wallet_api.stores.followed_plans import FollowedDueItems
from wallet_api.stores.identities import MongoCitizens
from wallet_api.stores.intakes import MongoIntakes
from wallet_api.stores.records import MongoRecords
from wallet_api.stores.reminders import MongoReminders
from wallet_api.wiring.care_of_many import CareOfMany
from wallet_api.wiring.intake_books import Reference, numbered


class BooksTogether:
    """`records.intake_of_many.Together` over MongoDB."""

    def __init__(
        self,
        db: Db,
        cipher: CitizenCipher,
        blind: BlindIndex,
        people: People,
        records: MongoRecords,
        safety: SafetyDesk,
        planning: Planning,
        reference: Reference,
        now: Callable[[], datetime],
    ) -> None:
        self._stores = db, cipher, blind
        self._citizens = MongoCitizens(db, cipher, blind)
        self._keys = cipher.keys
        self._records = records
        self._safety = safety
        self._planning = planning
        self._reference = reference
        self._care = CareOfMany(people, records, self._citizens, now)

    def match(self, people: Sequence[Person]) -> Match:
        """A search that knows the answer for the numbers of these."""
        asked = set[tuple[IdentifierKind, str]]()
        for each in people:
            for kind, value in each.identifiers:
                with suppress(BadIdentifier):  # told when it is searched for
                    asked.add(self._number(kind, value, each.birth_date))
        owners = self._citizens.owners_of_many(asked)
        born = {
            each.id: each.profile.birth_date for each in self._citizens.many(set(owners.values())).values()
        }

        def match(kind: str, value: str, day: PartialDate, stand_in: str) -> str | None:
            whose = owners.get(self._number(kind, value, day))
            if whose is None or whose not in born:
                return None
            return whose if day.first_day <= born[whose] <= day.last_day else None

        return match

    def prepare(self, books: Collection[str]) -> None:
        """Open the keys that filing and planning seal with."""
        self._keys.prepare_many(books, record_store.RETENTION_CLASS, reminding.RETENTION_CLASS)

    def hidden_for(self, books: Collection[str]) -> HiddenFor:
        """From whom what is filed now is hidden at once."""
        return self._safety.hidden_for_many(books)

    def begin(self, books: Collection[str], unit: Unit) -> Writing:
        """Begin to write into these books."""
        records = _Gathered(self._records, self._records.looked_into(books, unit))
        intakes = _Reports(*self._stores[:2])
        changed: list[str] = []

        def finish() -> None:
            self._records.save_many(records.saved, records.looked, unit)
            self._plan(changed, records, unit)
            intakes.add_many(intakes.added, unit)

        return Writing(records, intakes, lambda book, _: changed.append(book), finish)

    def settle(self, books: Collection[str]) -> None:
        """Hide what a flag covers that came in between."""
        self._safety.settle_many(books)

    def _number(self, kind: str, value: str, born: PartialDate) -> tuple[IdentifierKind, str]:
        whose, number = numbered(kind, value, born, self._reference)
        return whose, look_up_key(whose, number)

    def _plan(self, books: Sequence[str], written: _Gathered, unit: Unit) -> None:
        if not books:
            return
        db, cipher, blind = self._stores
        facts = self._care.facts_of_many(books)
        plans = _Plans(db, cipher)
        ports = replace(
            self._planning.ports,
            care=_Care(self._care, written, {each: facts.get(each) for each in books}),
            due=plans,
            reminders=_Remembered(db, cipher, blind).reading(books),
        )
        planning = self._planning.through(ports)
        for each in books:
            planning.replan(each, unit)
        plans.replace_many(list(plans.made.values()), unit)


class _Gathered:
    """`records.ports.Filing` that keeps what is saved until all of it is."""

    def __init__(self, records: MongoRecords, looked: Looked) -> None:
        self._records = records
        self.looked = looked
        self.saved: list[Record] = []

    def save(self, records: Sequence[Record], unit: Unit) -> None:
        """Keep each, later."""
        self.saved += records

    def newest(self, citizen_id: str, record_ids: Sequence[str], unit: Unit) -> dict[str, Record]:
        """The newest versions of those there are; in a book that holds nothing, none."""
        return {} if self.is_fresh(citizen_id) else self._records.newest(citizen_id, record_ids, unit)

    def is_fresh(self, citizen_id: str) -> bool:
        """Whether the book held nothing before this."""
        return citizen_id in self.looked.fresh


class _Reports(MongoIntakes):
    """Reports kept until all are there; what fits nobody is parked at once, and nothing else is sealed."""

    def __init__(self, db: Db, cipher: CitizenCipher) -> None:
        super().__init__(db, cipher)
        self.added: list[Intake] = []

    def add(self, intake: Intake, unit: Unit = None) -> None:
        """Keep a report, later."""
        self.added.append(intake)

    def park(
        self,
        intake: Intake,
        body: bytes,
        unit: Unit = None,
        *,
        keep: bool = True,
        parcel: Parcel | None = None,
    ) -> None:
        """Keep what fits nobody. Nobody measures this from outside, so that else nothing need be done."""
        if keep:
            super().park(intake, body, unit, parcel=parcel)


class _Plans(FollowedDueItems):
    """Plans kept until all are made."""

    def __init__(self, db: Db, cipher: CitizenCipher) -> None:
        super().__init__(db, cipher)
        self.made: dict[str, NewPlan] = {}

    def replace(
        self,
        citizen_id: str,
        items: Sequence[DueItem],
        review_on: date | None,
        unit: PlanUnit | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        """Put the new plan in place of the old one, later."""
        self.made[citizen_id] = NewPlan(citizen_id, items, review_on, stamp)


class _Remembered(MongoReminders):
    """Reminders of several people, read together."""

    def reading(self, citizen_ids: Collection[str]) -> _Remembered:
        """Read those of these people now."""
        found = self.of_citizens(citizen_ids)
        self._known = {each: found.get(each, []) for each in citizen_ids}
        return self

    def of_citizen(self, citizen_id: str) -> list[Reminder]:
        """All reminders about a citizen, as they were read."""
        known = self._known.get(citizen_id)
        return super().of_citizen(citizen_id) if known is None else known


class _Care:
    """`notifications.ports.CareHistory` over what was read and written here, and the stores for all else."""

    def __init__(
        self, inner: CareOfMany, written: _Gathered, facts: Mapping[str, CitizenFacts | None]
    ) -> None:
        self._inner = inner
        self._written = written
        self._facts = facts

    def facts(self, citizen_id: str, unit: PlanUnit | None = None) -> CitizenFacts | None:
        """What planning needs of a person, or None for an unknown one."""
        return self._facts[citizen_id] if citizen_id in self._facts else self._inner.facts(citizen_id, unit)

    def care(self, citizen_id: str, unit: PlanUnit | None = None) -> Sequence[Care]:
        """What the newest versions of the records say."""
        if not self._written.is_fresh(citizen_id):
            return self._inner.care(citizen_id, unit)
        return self._inner.care_in(each for each in self._written.saved if each.citizen_id == citizen_id)
