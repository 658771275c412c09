"""The ports of the health book kept in memory: for tests, and for using this package without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from operator import gt, lt
from threading import RLock
from typing import TypeVar

from consent.predicate import Predicate
from wallet_api.infra.ids import new_id
from wallet_api.records.changes import History, Step, Touched
from wallet_api.records.errors import StaleRecord
from wallet_api.records.front import Lines, Sections, front_lines
from wallet_api.records.front_rules import SECTIONS
from wallet_api.records.model import SENDINGS, Filter, Intake, Position, Record, Sent
from wallet_api.records.parked import Parcel
from wallet_api.records.ports import Recent, Unit

T = TypeVar("T")
_EVER = datetime.min.replace(tzinfo=UTC)


class MemoryRecords:
    """`Records` in this process. One lock makes each call whole, and a unit holds it to its end."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._chains: dict[str, tuple[Record, ...]] = {}
        """The versions of each record, newest first."""
        self._histories: dict[str, History] = {}

    def in_unit(self, work: Callable[[Unit], T]) -> T:
        """Run `work`; if it fails, all is as it was."""
        with self._lock:
            before = dict(self._chains), dict(self._histories)
            try:
                return work(None)
            except BaseException:
                self._chains, self._histories = before
                raise

    def save(self, records: Sequence[Record], unit: Unit) -> None:
        """Keep each: version 1 as new, version n over n-1."""
        with self._lock:
            for record in records:
                before = self._chains.get(record.id, ())
                self._save(record)
                self._note(record, before[0].hidden_from if before else None)

    def _save(self, record: Record) -> None:
        with self._lock:
            chain = self._chains.get(record.id, ())
            whose = {each.citizen_id for each in chain}
            if len(chain) != record.version - 1 or not whose <= {record.citizen_id}:
                raise StaleRecord(record.id)
            self._chains[record.id] = (record, *chain)

    def newest(self, citizen_id: str, record_ids: Sequence[str], unit: Unit) -> dict[str, Record]:
        """The newest versions of those there are, whoever may see them."""
        chains = {record_id: self._chain(citizen_id, record_id) for record_id in record_ids}
        return {record_id: chain[0] for record_id, chain in chains.items() if chain}

    def page(
        self, citizen_id: str, predicate: Predicate, asked: Filter, after: Position | None, limit: int
    ) -> list[Record]:
        """At most `limit` admitted records after a position."""
        last = (after.occurred, after.record_id) if after is not None else None
        comes_later = gt if asked.oldest_first else lt
        found = [
            each
            for each in self._admitted(citizen_id, predicate)
            if _asked_for(each, asked) and (last is None or comes_later(_place(each), last))
        ]
        return sorted(found, key=_place, reverse=not asked.oldest_first)[:limit]

    def get(self, citizen_id: str, record_id: str, predicate: Predicate) -> Record | None:
        """One record if the predicate admits it."""
        found = self.newest(citizen_id, [record_id], None).get(record_id)
        return found if found is not None and predicate.admits(found.facts()) else None

    def versions(self, citizen_id: str, record_id: str, predicate: Predicate) -> list[Record]:
        """All versions, newest first, if the newest is admitted; an older one must be admitted as well."""
        newest = self.get(citizen_id, record_id, predicate)
        if newest is None:
            return []
        of_old = predicate.hidden_or_not()
        past = self._chain(citizen_id, record_id)[1:]
        return [newest, *(each for each in past if of_old.admits(each.facts()))]

    def count(self, citizen_id: str, predicate: Predicate) -> dict[str, int]:
        """How many records of each category the predicate admits."""
        return dict(Counter(each.category for each in self._admitted(citizen_id, predicate)))

    def admitted_ids(self, citizen_id: str, predicate: Predicate) -> frozenset[str]:
        """The ids of all admitted records."""
        return frozenset(each.id for each in self._admitted(citizen_id, predicate))

    def of_categories(
        self,
        citizen_id: str,
        categories: Sequence[str],
        predicate: Predicate,
        unit: Unit = None,
        recent: Recent | None = None,
    ) -> list[Record]:
        """All admitted newest versions in these categories, and of `recent` those since its day."""
        return [
            each
            for each in self._admitted(citizen_id, predicate)
            if each.category in categories or (recent is not None and recent.has(each))
        ]

    def written_for(self, citizen_id: str, organisation_id: str, predicate: Predicate) -> list[Record]:
        """All admitted newest versions of what one organisation wrote into one book."""
        found = self._admitted(citizen_id, predicate)
        return [each for each in found if each.source.organisation_id == organisation_id]

    def front(
        self, citizen_id: str, predicate: Predicate, today: date, sections: Sections = SECTIONS
    ) -> dict[str, Lines]:
        """The lines of a page over the admitted records."""
        return front_lines(self._admitted(citizen_id, predicate), today, sections)

    def written_by(self, organisation_id: str, limit: int) -> list[tuple[str, str]]:
        """(citizen, record) of what the organisation wrote last, newest first."""
        found = [each for each in self._newest() if each.source.organisation_id == organisation_id]
        found = [each for each in found if not each.late]
        found.sort(key=lambda each: each.recorded_at, reverse=True)
        return [(each.citizen_id, each.id) for each in found[:limit]]

    def set_hidden(
        self, citizen_id: str, record_id: str, audience: str, *, hidden: bool, unit: Unit = None
    ) -> bool:
        """Hide the record from an audience, or show it again."""
        with self._lock:
            chain = self._chain(citizen_id, record_id)
            if not chain:
                return False
            kept = chain[0].hidden_from - {audience}
            newest = replace(chain[0], hidden_from=kept | {audience} if hidden else kept)
            self._chains[record_id] = (newest, *chain[1:])
            if newest != chain[0]:
                self._note(newest, chain[0].hidden_from)
            return True

    def _note(self, record: Record, was: frozenset[str] | None) -> None:
        step = Step(new_id(), record.recorded_at, (Touched(record.id, was, record.hidden_from),))
        self._histories[record.citizen_id] = self.history(record.citizen_id).after(step, _EVER)

    def history(self, citizen_id: str) -> History:
        """The latest changes of a book."""
        return self._histories.get(citizen_id, History(""))

    def admitted(self, citizen_id: str, record_ids: Sequence[str], predicate: Predicate) -> dict[str, Record]:
        """Those of these records that the predicate admits."""
        return {each.id: each for each in self._admitted(citizen_id, predicate) if each.id in record_ids}

    def following(self, citizen_id: str, after: str, predicate: Predicate, limit: int) -> list[Record]:
        """At most `limit` admitted records whose ids come after one, in the order of ids."""
        found = [each for each in self._admitted(citizen_id, predicate) if each.id > after]
        return sorted(found, key=lambda each: each.id)[:limit]

    def hide_written(self, citizen_id: str, organisation_id: str, since: datetime, audience: str) -> None:
        """Hide all that the organisation filed from an instant on."""
        for each in self._written(citizen_id, organisation_id):
            if each.source.received_at >= since:
                self.set_hidden(citizen_id, each.id, audience, hidden=True)

    def show_written(self, citizen_id: str, organisation_id: str, audience: str) -> None:
        """Show it again."""
        for each in self._written(citizen_id, organisation_id):
            self.set_hidden(citizen_id, each.id, audience, hidden=False)

    def _written(self, citizen_id: str, organisation_id: str) -> list[Record]:
        mine = [each for each in self._newest() if each.citizen_id == citizen_id]
        return [each for each in mine if each.source.organisation_id == organisation_id]

    def _chain(self, citizen_id: str, record_id: str) -> tuple[Record, ...]:
        with self._lock:
            chain = self._chains.get(record_id, ())
        return chain if chain and chain[0].citizen_id == citizen_id else ()

    def _newest(self) -> list[Record]:
        with self._lock:
            return [chain[0] for chain in self._chains.values()]

    def _admitted(self, citizen_id: str, predicate: Predicate) -> list[Record]:
        mine = (each for each in self._newest() if each.citizen_id == citizen_id)
        return [each for each in mine if predicate.admits(each.facts())]


class MemoryIntakes:
    """`Intakes` in this process."""

    def __init__(self) -> None:
        self._kept: dict[str, Intake] = {}
        self.parked: dict[str, bytes] = {}
        """What fits nobody, by the id of its intake."""

    def add(self, intake: Intake, unit: Unit = None) -> None:
        """Keep a report."""
        self._kept[intake.id] = intake

    def get(self, organisation_id: str, intake_id: str) -> Intake | None:
        """One report of this organisation."""
        found = self._kept.get(intake_id)
        return found if found is not None and found.organisation_id == organisation_id else None

    def sent_of(self, visit: str) -> list[Sent]:
        """The rows of what was sent of a visit before."""
        found = [each for each in self._kept.values() if each.visit == visit]
        found.sort(key=lambda each: each.received_at, reverse=True)
        return [row for each in found[:SENDINGS] for row in each.sent]

    def park(
        self,
        intake: Intake,
        body: bytes,
        unit: Unit = None,
        *,
        keep: bool = True,
        parcel: Parcel | None = None,
    ) -> None:
        """Keep what fits nobody."""
        if keep:
            self.parked[intake.id] = body


def _place(record: Record) -> tuple[str, str]:
    return record.occurred_on.first_day.isoformat(), record.id


def _asked_for(record: Record, asked: Filter) -> bool:
    facts = record.facts()
    return (
        (asked.categories is None or facts.category in asked.categories)
        and (asked.first is None or facts.first_day >= asked.first)
        and (asked.last is None or facts.last_day <= asked.last)
    )
