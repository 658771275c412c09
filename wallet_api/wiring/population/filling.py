"""Seals one shard of made-up people and writes it through the stores, so that a second time changes nothing.

What is written is what registering, filing, granting and planning would have left behind. Reports on
intakes are left out: they are a sender's, and no citizen's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from consent.codes import LABELS
from consent.model import ConsentRequest, Grant
from notifications.campaigns.standing import PersonRow, row_of
from notifications.model import CitizenFacts, DueItem, Preferences
from notifications.planner import plan
from notifications.programmes import load_programmes
from notifications.reminders import Keys, Reminder, copy_of, next_review, offset_now, reminders_for, shard_of
from notifications.rules import stamp_of
from notifications.schedule import Programme
from wallet_api.audit.chain import canonical
from wallet_api.identity.ages import AGES
from wallet_api.identity.model import Citizen, Guardianship, Identifier, Profile
from wallet_api.infra.clock import VIETNAM
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import KeyStore
from wallet_api.infra.crypto.wrapped_keys import MemoryWrappedKeys, WrappedKey
from wallet_api.infra.mongo import Db
from wallet_api.records.bundle import FORMAT
from wallet_api.records.labels import labels_of
from wallet_api.records.model import PartialDate, Record, Source
from wallet_api.records.types import record_types
from wallet_api.stores.audience import MongoPeople
from wallet_api.stores.audit_log import MongoAuditLog
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.consents import MongoConsents
from wallet_api.stores.due_items import MongoDueItems
from wallet_api.stores.guardianships import MongoGuardianships
from wallet_api.stores.identities import MongoCitizens
from wallet_api.stores.records import MongoRecords
from wallet_api.stores.reminders import MongoReminders
from wallet_api.wiring.care import CARE, care_of
from wallet_api.wiring.population.books import Entry, book_of
from wallet_api.wiring.population.chance import chance, id_of
from wallet_api.wiring.population.consents import consents_of
from wallet_api.wiring.population.people import Someone, end_of_guardianship, people_of
from wallet_api.wiring.population.traces import log_rows
from wallet_api.wiring.record_ids import fingerprint_with, record_id_with
from wallet_api.wiring.reminding import reminder_keys

REGISTRAR: Final = id_of("registrar")
_CLASSES: Final = ("profile", "clinical", "reminders")
_REVIEWED: Final = 0.2
"""The share of people whom the run of the day has reached already: their reminders are planned."""
_KNOWN_LABELS: Final = frozenset(LABELS.codes)


@dataclass(frozen=True)
class Made:
    """A shard in the words of the domain, before anything is sealed."""

    people: Sequence[Someone]
    citizens: Sequence[Citizen]
    guardianships: Sequence[Guardianship]
    newest: Sequence[Record]
    past: Sequence[Record]
    consents: Sequence[tuple[ConsentRequest, Grant | None]]
    plans: Sequence[tuple[str, Sequence[DueItem], date | None]]
    reminders: Sequence[Reminder]

    def holds(self) -> dict[str, int]:
        """How much of each there is."""
        return {
            "citizens": len(self.citizens),
            "records": len(self.newest),
            "earlier versions": len(self.past),
            "guardianships": len(self.guardianships),
            "grants": sum(grant is not None for _, grant in self.consents),
            "reminders": len(self.reminders),
        }


class Maker:
    """Turns the pure population into the values of the domain, named as this database names them."""

    def __init__(self, blind: BlindIndex, seed: int, day: date) -> None:
        self._seed = seed
        self._day = day
        self._record_id: Callable[..., str] = record_id_with(blind)
        self._fingerprint = fingerprint_with(blind)
        self._keys: Keys = reminder_keys(blind)
        self._programmes: tuple[Programme, ...] = tuple(load_programmes())
        self._by_id = {each.id: each for each in self._programmes}
        self.stamp = stamp_of(self._programmes, day)

    def make(self, shard: int, size: int) -> Made:
        """The first `size` people of a shard with all that is theirs."""
        everybody = people_of(self._seed, shard, self._day)
        people = everybody[:size]
        newest: list[Record] = []
        past: list[Record] = []
        consents: list[tuple[ConsentRequest, Grant | None]] = []
        plans: list[tuple[str, Sequence[DueItem], date | None]] = []
        reminders: list[Reminder] = []
        for one in people:
            book = [self._versions(one.id, entry) for entry in book_of(self._seed, shard, one, self._day)]
            newest += [versions[-1] for versions in book]
            past += [each for versions in book for each in versions[:-1]]
            consents += consents_of(self._seed, shard, one, self._day)
            told = [everybody[place].id for place in one.guardians if place < size]
            items, review_on, planned = self._planned(shard, one, [each[-1] for each in book], told)
            plans.append((one.id, items, review_on))
            reminders += planned
        families = [each for one in people for each in _guardianships(one, everybody[:size])]
        citizens = [_citizen(one, self._day) for one in people]
        return Made(people, citizens, families, newest, past, consents, plans, reminders)

    def _versions(self, citizen_id: str, entry: Entry) -> list[Record]:
        first = entry.versions[0][0]
        source_id = f"{first['resourceType']}|{first['id']}"
        record_id = self._record_id(entry.provider.id, FORMAT, source_id, citizen_id)
        return [
            self._record(record_id, citizen_id, number, entry, dict(resource), came)
            for number, (resource, came) in enumerate(entry.versions, 1)
        ]

    def _record(
        self,
        record_id: str,
        citizen_id: str,
        version: int,
        entry: Entry,
        resource: dict[str, Any],
        came: datetime,
    ) -> Record:
        kind = record_types()[resource["resourceType"]]  # those made here are claimed by no other type
        return Record(
            id=record_id,
            citizen_id=citizen_id,
            version=version,
            category=kind.category(resource),
            occurred_on=PartialDate(kind.occurred(resource) or ""),
            recorded_at=came,
            source=Source(entry.provider.id, entry.practitioner, FORMAT, came),
            resource=resource,
            # Whole numbers, texts and lists alone: in that range this is RFC 8785, as the intake writes it.
            fingerprint=self._fingerprint(citizen_id, canonical(resource)),
            labels=labels_of(resource, _KNOWN_LABELS),
            reason="resent_by_source" if version > 1 else None,
        )

    def _planned(
        self, shard: int, one: Someone, book: Iterable[Record], guardians: Sequence[str]
    ) -> tuple[tuple[DueItem, ...], date | None, list[Reminder]]:
        facts = CitizenFacts(one.id, one.born, one.sex, one.province.code, one.deceased_on is not None)
        care = [each for record in book if record.category in CARE for each in care_of(record)]
        items = plan(facts, care, self._programmes, self._day)
        later = next_review(items, self._day, self._by_id)
        owed = any(offset_now(item, self._day, self._by_id[item.programme_id].offsets) for item in items)
        if not owed:
            return items, later, []
        if chance(self._seed, "reviewed", shard, one.place).random() > _REVIEWED:
            return items, self._day, []
        told = [one.id] if one.age_on(self._day) >= AGES.own_account else sorted(guardians)
        wanted = reminders_for(items, self._day, self._by_id, Preferences())
        planned = [
            copy_of(self._keys, one.id, who, item, offset, self._day)
            for who in told
            for item, offset in wanted
        ]
        return items, later, planned


class Filler:
    """Writes shards into one database. Each process has its own."""

    def __init__(self, db: Db, keys: KeyStore, now: Callable[[], datetime], seed: int, day: date) -> None:
        self._db = db
        self._keys = keys
        self._now = now
        self._blind = BlindIndex(keys)
        # Rows of an audience are sealed for their shard, with keys that all processes share.
        self._shared = CitizenCipher(MongoCitizenKeys(db), keys, now)
        self._maker = Maker(self._blind, seed, day)
        self._seed = seed
        self._day = day

    def fill(self, shard: int, size: int, *, again: bool) -> dict[str, int]:
        """Make, seal and write the first `size` people of a shard; what it holds.

        `again`: it may have been begun before. Then what is there stays, and what is missing is added.
        """
        made = self._maker.make(shard, size)
        staged = StagedKeys(MongoCitizenKeys(self._db))
        if again:
            staged.recall([one.id for one in made.people])
        cipher = CitizenCipher(staged, self._keys, self._now)
        for one in made.people:
            for kind in _CLASSES:
                cipher.keys.for_sealing(one.id, kind)
        staged.keep()  # durable before anything that is sealed with them
        self._write(made, cipher, again=again)
        rows = log_rows(self._seed, shard, self._day, made.people, made.newest, made.consents)
        MongoAuditLog(self._db).load(rows, again=again)
        return made.holds() | {"log entries": len(rows)}

    def _count(self, made: Made, *, again: bool) -> None:
        """Put everybody into audiences and coverage; counters only ever move with a row that is new."""
        people = MongoPeople(self._db, self._shared, self._blind)
        plans = {citizen_id: items for citizen_id, items, _ in made.plans}
        rows = [_audience_row(one, plans.get(one.id, ())) for one in made.people]
        if not again:
            people.load(rows)
            return
        for row in rows:
            people.put(row)

    def _write(self, made: Made, cipher: CitizenCipher, *, again: bool) -> None:
        db, blind = self._db, self._blind
        MongoRecords(db, cipher, blind).load(made.newest, made.past)
        MongoDueItems(db, cipher).load(made.plans, self._maker.stamp)
        MongoReminders(db, cipher, blind).load(made.reminders)
        self._count(made, again=again)
        MongoGuardianships(db, cipher).load(made.guardianships)
        requests = [request for request, _ in made.consents]
        MongoConsents(db, cipher, blind).load(requests, [grant for _, grant in made.consents if grant])
        # Last, so that nobody is found before their book is whole.
        MongoCitizens(db, cipher, blind).load(made.citizens)


def _audience_row(one: Someone, items: Sequence[DueItem]) -> PersonRow:
    facts = CitizenFacts(one.id, one.born, one.sex, one.province.code, one.deceased_on is not None)
    return row_of(facts, shard_of(one.id), items)


class StagedKeys(MemoryWrappedKeys):
    """Citizen keys made in memory and kept in one go, over the rows that are durable already."""

    def __init__(self, durable: MongoCitizenKeys) -> None:
        super().__init__()
        self._durable = durable
        self._fresh: list[WrappedKey] = []

    def recall(self, citizen_ids: Sequence[str]) -> None:
        """Take in what an earlier, broken-off run has kept: its keys stay the keys."""
        for key in self._durable.kept_for(citizen_ids, _CLASSES):
            super().add(key)

    def find(self, citizen_id: str, retention_class: str) -> WrappedKey | None:
        """A key that is staged, or a durable one of an organisation."""
        found = super().find(citizen_id, retention_class)
        if found is not None or retention_class in _CLASSES:
            return found
        return self._durable.find(citizen_id, retention_class)

    def add(self, key: WrappedKey) -> bool:
        """Stage a new key."""
        added = super().add(key)
        if added:
            self._fresh.append(key)
        return added

    def keep(self) -> None:
        """Make the staged keys durable."""
        self._durable.load(self._fresh)
        self._fresh = []


def _citizen(one: Someone, day: date) -> Citizen:
    numbers = []
    if one.number is not None:
        numbers.append(Identifier("national_id", one.number))
    if one.insurance is not None:
        numbers.append(Identifier("insurance_number", one.insurance))
    joined = max(one.born + timedelta(days=1), date(2024, 6, 1) + timedelta(days=one.place % 300))
    return Citizen(
        id=one.id,
        profile=Profile(one.name, one.born, one.sex, one.phone, one.province.code),
        identifiers=tuple(numbers),
        deceased_on=one.deceased_on,
        created_at=datetime.combine(min(joined, day), time(7), VIETNAM).astimezone(UTC),
    )


def _guardianships(one: Someone, among: Sequence[Someone]) -> list[Guardianship]:
    adult = one.tie == "adult"
    return [
        Guardianship(
            id=id_of("guardianship", guardian.id, one.id),
            guardian_id=guardian.id,
            dependent_id=one.id,
            relation=one.tie,
            state="active",
            evidence_kind="court_order" if adult else "birth_certificate",
            valid_from=date(2025, 7, 1) if adult else one.born,
            valid_to=end_of_guardianship(one),
            verified_by=REGISTRAR,
        )
        for guardian in among
        if guardian.place in one.guardians
    ]


def content_of(made: Made) -> bytes:
    """A shard's contents as text that two runs with the same seed, day and keys have in common."""
    return json.dumps([vars(made)], default=str, sort_keys=True, ensure_ascii=False).encode()
