"""Records in MongoDB: the newest version in `records`, every earlier one in `record_versions`.

In clear for indexing: whose, category, days, organisation, times, version. Sealed: everything clinical.
Labels are keyed tokens, so a dump names no disease.

Queries are two-staged: first what one index covers, then the reader's predicate. The embedded database
uses an index only for a flat first stage; MongoDB merges the two stages into one query.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from consent.predicate import Predicate
from wallet_api.infra.clock import system_now
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.records.changes import KEPT
from wallet_api.records.errors import StaleRecord
from wallet_api.records.front import Lines, Sections, front_lines, lines_of
from wallet_api.records.front_rules import SECTIONS
from wallet_api.records.model import Filter, PartialDate, Position, Record, Source
from wallet_api.records.ports import Recent
from wallet_api.stores.book_fronts import Looked, MongoFronts, Written, first_day_for
from wallet_api.stores.book_visibility import BookVisibility
from wallet_api.stores.bulk import in_parts, insert_new
from wallet_api.stores.compiled_predicate import CompiledPredicates, bounds_of, narrowed, plain_words

Document = dict[str, Any]
RETENTION_CLASS = "clinical"
_DUPLICATE = 11000

# Every index is paid for at each write, in the largest collection of all: a book is small enough to be read
# whole for its categories, and one record is found by its `_id`.
INDEXES = (
    Index("records", (("citizen_id", 1), ("first_day", -1), ("_id", -1))),
    Index("records", (("organisation_id", 1), ("recorded_at", -1))),
    Index("record_versions", (("citizen_id", 1), ("record_id", 1), ("version", -1))),
)


class MongoRecords(BookVisibility):
    """`records.ports.Records` over pymongo; a unit is a client session in a transaction.

    `kept`: how long the changes of a book are told one by one.
    """

    def __init__(
        self,
        db: Database[Document],
        cipher: CitizenCipher,
        blind: BlindIndex,
        now: Callable[[], datetime] = system_now,
        kept: timedelta = KEPT,
    ) -> None:
        super().__init__(db, MongoFronts(db, cipher, now, kept), self._record)
        self._versions = db["record_versions"]
        self._cipher = cipher
        self._blind = blind
        self._compiled = CompiledPredicates(blind)

    def save(self, records: Sequence[Record], unit: ClientSession | None) -> None:
        """Keep version 1, or put version n over n-1, which moves to the versions; front pages follow."""
        before = self._put(records, unit)
        for whose, written in _by_book(records, before).items():
            self._fronts.follow(whose, written, self._record, unit)

    def looked_into(self, citizen_ids: Collection[str], unit: ClientSession) -> Looked:
        """What there is of several books, as a transaction begins that writes into them."""
        return self._fronts.looked_into(citizen_ids, unit)

    def save_many(self, records: Sequence[Record], looked: Looked, unit: ClientSession) -> None:
        """`save` into several books in a few commands; nothing else may have written into them since."""
        written = _by_book(records, self._put(records, unit))
        if written:
            self._fronts.follow_many(written, looked, self._record, unit)

    def _put(self, records: Sequence[Record], unit: ClientSession | None) -> dict[str, Record]:
        """Write each; what stood before of those that were there."""
        new = [self._document(record) for record in records if record.version == 1]
        if new:
            try:
                self._records.insert_many(new, session=unit)
            except BulkWriteError as why:
                if all(each["code"] == _DUPLICATE for each in why.details["writeErrors"]):
                    raise StaleRecord("version") from why
                raise
        return {each.id: self._correct(each, unit) for each in records if each.version > 1}

    def _correct(self, record: Record, unit: ClientSession | None) -> Record:
        key = {"citizen_id": record.citizen_id, "_id": record.id, "version": record.version - 1}
        before = self._records.find_one(key, session=unit)
        if before is None:
            raise StaleRecord(record.id)
        self._versions.insert_one(_past(before), session=unit)
        if self._records.replace_one(key, self._document(record), session=unit).modified_count != 1:
            raise StaleRecord(record.id)
        return self._record(before)

    def load(self, newest: Sequence[Record], past: Sequence[Record] = ()) -> None:
        """Keep many whole records, each earlier version in `past`; those that are there already stay.

        For filling a database: nothing that follows from a record is done here.
        """
        insert_new(self._versions, [_past(self._document(each)) for each in past])
        insert_new(self._records, [self._document(each) for each in newest])
        self._fronts.load(newest)

    def newest(
        self, citizen_id: str, record_ids: Sequence[str], unit: ClientSession | None
    ) -> dict[str, Record]:
        """The newest versions of those there are, whoever may see them."""
        asked = {"_id": {"$in": sorted(set(record_ids))}}
        rows = self._records.find(asked, session=unit)
        return {found["_id"]: self._record(found) for found in rows if found["citizen_id"] == citizen_id}

    def page(
        self, citizen_id: str, predicate: Predicate, asked: Filter, after: Position | None, limit: int
    ) -> list[Record]:
        """At most `limit` admitted records after a position.

        Of a whole book, newest first, it looks first at as much as should do, for the embedded database reads
        and sorts all that its index finds; only where that was too little, because something is hidden, at
        the rest.
        """
        since = self._since(citizen_id, predicate, asked, after, limit)
        stages = self.page_pipeline(citizen_id, predicate, asked, after, limit, since)
        found = list(self._records.aggregate(stages))
        if since is not None and len(found) < limit:
            rest = self.page_pipeline(citizen_id, predicate, asked, after, limit - len(found), before=since)
            found += self._records.aggregate(rest)
        return [self._record(each) for each in found]

    def _since(
        self, citizen_id: str, predicate: Predicate, asked: Filter, after: Position | None, limit: int
    ) -> str | None:
        if asked != Filter() or _categories(predicate) is not None:
            return None  # how much there is of a part is not known
        months = self._fronts.months(citizen_id)
        return None if months is None else first_day_for(months, after, limit)

    def page_pipeline(
        self,
        citizen_id: str,
        predicate: Predicate,
        asked: Filter,
        after: Position | None,
        limit: int,
        since: str | None = None,
        before: str | None = None,
    ) -> list[Document]:
        """The query behind `page`, so that a test can explain it: the days `since` and `before` some."""
        # One upper bound, never two: `before` is never later than where the page before ended.
        days: Document = {"$lt": before} if before is not None else {}
        if before is None and after is not None:
            days = {"$lte": after.occurred}
            if asked.oldest_first:
                # On a descending key the embedded database leaves the bound itself out of `$gte`.
                days = {"$gt": (date.fromisoformat(after.occurred) - timedelta(days=1)).isoformat()}
        days |= {} if since is None else {"$gt": since}
        bounds = bounds_of(predicate)
        days = narrowed(days, bounds, predicate.decided_on)
        first: Document = {"citizen_id": citizen_id} | ({"first_day": days} if days else {})
        admitted = self._compiled.query_within(predicate, bounds)
        return [
            {"$match": first},
            {"$match": _all_of(admitted, *_asked(asked), *_after(after, asked))},
            {"$sort": dict.fromkeys(("first_day", "_id"), 1 if asked.oldest_first else -1)},
            {"$limit": limit},
        ]

    def get(self, citizen_id: str, record_id: str, predicate: Predicate) -> Record | None:
        """One record if the predicate admits it."""
        found = list(self._records.aggregate(self.get_pipeline(citizen_id, [record_id], predicate)))
        return self._record(found[0]) if found else None

    def get_pipeline(
        self, citizen_id: str, record_ids: Sequence[str], predicate: Predicate
    ) -> list[Document]:
        """The query behind `get`, so that a test can explain it."""
        named = record_ids[0] if len(record_ids) == 1 else {"$in": list(record_ids)}
        return [
            {"$match": {"_id": named}},
            {"$match": _all_of({"citizen_id": citizen_id}, self._compiled.query(predicate))},
        ]

    def versions(self, citizen_id: str, record_id: str, predicate: Predicate) -> list[Record]:
        """All versions, newest first, if the newest is admitted; an older one must be admitted as well."""
        newest = self.get(citizen_id, record_id, predicate)
        if newest is None:
            return []
        # Hiding is a state of the record, told by the newest version: one shown again is shown as a whole.
        of_old = predicate.hidden_or_not()
        past = self._versions.aggregate(
            [
                {"$match": {"citizen_id": citizen_id, "record_id": record_id}},
                {"$match": self._compiled.query(of_old)},
                {"$sort": {"version": -1}},
            ]
        )
        return [newest, *(self._record(each | {"_id": record_id}) for each in past)]

    def count(self, citizen_id: str, predicate: Predicate) -> dict[str, int]:
        """How many records of each category the predicate admits."""
        found = self._records.aggregate(
            [
                {"$match": {"citizen_id": citizen_id}},
                {"$match": self._compiled.query(predicate)},
                {"$group": {"_id": "$category", "count": {"$sum": 1}}},
            ]
        )
        return {each["_id"]: each["count"] for each in found}

    def admitted_ids(self, citizen_id: str, predicate: Predicate) -> frozenset[str]:
        """The ids of all admitted records; the whole book is looked through, and nothing of it opened."""
        stages = [
            {"$match": {"citizen_id": citizen_id}},
            {"$match": self._compiled.query(predicate)},
            {"$project": {"_id": 1}},
        ]
        return frozenset(each["_id"] for each in self._records.aggregate(stages))

    def of_categories(
        self,
        citizen_id: str,
        categories: Sequence[str],
        predicate: Predicate,
        unit: ClientSession | None = None,
        recent: Recent | None = None,
    ) -> list[Record]:
        """All admitted newest versions in these categories, and of `recent` those since its day."""
        stages = [
            {"$match": {"citizen_id": citizen_id}},
            {"$match": _all_of(_wanted(categories, recent), self._compiled.query(predicate))},
        ]
        return [self._record(each) for each in self._records.aggregate(stages, session=unit)]

    def of_categories_of_many(
        self,
        citizen_ids: Collection[str],
        categories: Sequence[str],
        predicate: Predicate,
        recent: Recent | None = None,
    ) -> list[Record]:
        """The same of many books: for the sender only."""
        found: list[Record] = []
        for part in in_parts(citizen_ids):
            stages = [
                {"$match": {"citizen_id": {"$in": part}}},
                {"$match": _all_of(_wanted(categories, recent), self._compiled.query(predicate))},
            ]
            rows = list(self._records.aggregate(stages))
            self._cipher.keys.open_many({row["citizen_id"] for row in rows}, RETENTION_CLASS)
            found += [self._record(each) for each in rows]
        return found

    def written_for(self, citizen_id: str, organisation_id: str, predicate: Predicate) -> list[Record]:
        """All admitted newest versions of what one organisation wrote into one book; all of it is read."""
        stages = [
            {"$match": {"citizen_id": citizen_id}},
            {"$match": _all_of({"organisation_id": organisation_id}, self._compiled.query(predicate))},
        ]
        return [self._record(each) for each in self._records.aggregate(stages)]

    def front(
        self, citizen_id: str, predicate: Predicate, today: date, sections: Sections = SECTIONS
    ) -> dict[str, Lines]:
        """The lines of a page over the admitted records. Costs the same for any book of which all is
        admitted."""
        front, allowed = self._fronts.get(citizen_id), _categories(predicate)
        if front is not None:
            chosen = front.chosen(today, allowed, sections)
            # Where all that it rests on is admitted, the same stands there of the admitted records alone.
            shown = {one.record_id for each in chosen.values() for one in each.pointers}
            rest = {one.record_id for each in chosen.values() for one in each.rests_on} - shown
            if self._all_admitted(citizen_id, rest, predicate):
                found = self.admitted(citizen_id, sorted(shown), predicate)
                if len(found) == len(shown):
                    return lines_of(chosen, found, sections)
        wanted = sorted({name for section in sections.values() for name in section.categories})
        return front_lines(self.of_categories(citizen_id, wanted, predicate), today, sections)

    def _all_admitted(self, citizen_id: str, ids: set[str], predicate: Predicate) -> bool:
        counted = {"$group": {"_id": None, "count": {"$sum": 1}}}
        stages = [*self.get_pipeline(citizen_id, sorted(ids), predicate), counted]
        found = list(self._records.aggregate(stages)) if ids else [{"count": 0}]
        return bool(found) and found[0]["count"] == len(ids)

    def admitted(self, citizen_id: str, record_ids: Sequence[str], predicate: Predicate) -> dict[str, Record]:
        """Those of these records that the predicate admits."""
        stages = self.get_pipeline(citizen_id, record_ids, predicate)
        found = self._records.aggregate(stages) if record_ids else ()
        return {each["_id"]: self._record(each) for each in found}

    def following(self, citizen_id: str, after: str, predicate: Predicate, limit: int) -> list[Record]:
        """At most `limit` admitted records whose ids come after one, in their order; reads the whole book."""
        stages: list[Document] = [
            {"$match": {"citizen_id": citizen_id}},
            {"$match": _all_of({"_id": {"$gt": after}}, self._compiled.query(predicate))},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
        ]
        return [self._record(each) for each in self._records.aggregate(stages)]

    def written_by(self, organisation_id: str, limit: int) -> list[tuple[str, str]]:
        """(citizen, record) of what the organisation wrote last, newest first."""
        stages: list[Document] = [
            {"$match": {"organisation_id": organisation_id}},
            # Two stages: where somebody came later, the author goes on reading what it wrote of nobody.
            {"$match": {"late": {"$nin": [True]}}},
            {"$sort": {"recorded_at": -1}},
            {"$limit": limit},
            {"$project": {"citizen_id": 1}},
        ]
        return [(each["citizen_id"], each["_id"]) for each in self._records.aggregate(stages)]

    def _document(self, record: Record) -> Document:
        sealed = {
            "resource": dict(record.resource),
            "labels": sorted(record.labels),
            "practitioner": record.source.practitioner,
            "reason": record.reason,
        }
        return {
            "_id": record.id,
            "citizen_id": record.citizen_id,
            "version": record.version,
            "category": record.category,
            "plain": plain_words(record),
            "occurred_on": record.occurred_on.text,
            "first_day": record.occurred_on.first_day.isoformat(),
            "last_day": record.occurred_on.last_day.isoformat(),
            "recorded_at": record.recorded_at,
            "received_at": record.source.received_at,
            "organisation_id": record.source.organisation_id,
            "format": record.source.format,
            "labels": [self._blind.label_token(label) for label in sorted(record.labels)],
            "hidden_from": sorted(record.hidden_from),
            "self_reported": record.self_reported,
            "late": record.late,
            "fingerprint": record.fingerprint,
            "content": self._cipher.seal_json(_place(record.citizen_id, record.id, record.version), sealed),
        }

    def _record(self, found: Mapping[str, Any]) -> Record:
        place = _place(found["citizen_id"], found["_id"], found["version"])
        content = self._cipher.open_json(place, found["content"])
        return Record(
            id=found["_id"],
            citizen_id=found["citizen_id"],
            version=found["version"],
            category=found["category"],
            occurred_on=PartialDate(found["occurred_on"]),
            recorded_at=found["recorded_at"].astimezone(UTC),
            source=Source(
                found["organisation_id"],
                content["practitioner"],
                found["format"],
                found["received_at"].astimezone(UTC),
            ),
            resource=content["resource"],
            fingerprint=found["fingerprint"],
            labels=frozenset(content["labels"]),
            hidden_from=frozenset(found["hidden_from"]),
            self_reported=found["self_reported"],
            reason=content["reason"],
            late=found.get("late", False),
        )


def _categories(predicate: Predicate) -> frozenset[str] | None:
    """The categories of which anything may be admitted; None for all."""
    named = [each.categories for each in predicate.clauses]
    if None in named:
        return None
    return frozenset(one for each in named if each is not None for one in each)


def _wanted(categories: Sequence[str], recent: Recent | None) -> Document:
    """These categories, and of the recent ones what began on its day or later."""
    wanted: Document = {"category": {"$in": list(categories)}}
    if recent is None:
        return wanted
    since = {"category": {"$in": list(recent.categories)}, "first_day": {"$gte": recent.since.isoformat()}}
    return {"$or": [wanted, since]}


def _by_book(records: Sequence[Record], before: Mapping[str, Record]) -> dict[str, list[Written]]:
    books: dict[str, list[Written]] = {each: [] for each in sorted({each.citizen_id for each in records})}
    for each in records:
        books[each.citizen_id].append((before.get(each.id), each))
    return books


def _past(document: Document) -> Document:
    """A version as it is kept once a later one has taken its place."""
    return document | {"_id": f"{document['_id']}:{document['version']}", "record_id": document["_id"]}


def _place(citizen_id: str, record_id: str, version: int) -> Place:
    return Place(citizen_id, RETENTION_CLASS, "records", record_id, "content", version)


def _all_of(*conditions: Document) -> Document:
    return conditions[0] if len(conditions) == 1 else {"$and": list(conditions)}


def _asked(asked: Filter) -> list[Document]:
    wanted: list[Document] = []
    if asked.categories is not None:
        wanted.append({"category": {"$in": sorted(asked.categories)}})
    if asked.first is not None:
        wanted.append({"first_day": {"$gte": asked.first.isoformat()}})
    if asked.last is not None:
        wanted.append({"last_day": {"$lte": asked.last.isoformat()}})
    return wanted


def _after(after: Position | None, asked: Filter) -> list[Document]:
    if after is None:
        return []
    beyond = "$gt" if asked.oldest_first else "$lt"
    other_day = {"first_day": {beyond: after.occurred}}
    return [{"$or": [other_day, {"first_day": after.occurred, "_id": {beyond: after.record_id}}]}]
