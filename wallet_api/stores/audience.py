"""Who there is for campaigns and coverage, in MongoDB: a sealed row a person, and counters that follow it.

In clear are a shard and keyed tokens of the places people live in: a dump tells no age and no dose. Rows are
sealed for their shard, like batches of pushes, since an audience is found by opening many of them. They can
be made anew from the plans at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.database import Database

from notifications.campaigns.coverage import ELSEWHERE
from notifications.campaigns.ports import SeriesTotals
from notifications.campaigns.standing import PersonRow
from notifications.ports import Unit
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher, Place
from wallet_api.infra.mongo import Index
from wallet_api.stores.bulk import insert_new
from wallet_api.stores.reminding import RETENTION_CLASS, Document, MongoUnits

COLLECTION: Final = "audience"
COUNTERS: Final = "coverage"
STRIPES: Final = 4
"""Documents a cohort's counters are spread over, so that two doses at once seldom wait for each other."""

# A range comes last in its index, and a range over `_id` would be a scan.
INDEXES = (
    Index(COLLECTION, ("shard", "citizen_id")),
    Index(COLLECTION, ("shard", "province", "citizen_id")),
    Index(COLLECTION, ("shard", "commune", "citizen_id")),
    Index(COUNTERS, ("province", "born")),
)


class MongoPeople:
    """`notifications.campaigns.ports.People` over pymongo."""

    def __init__(self, db: Database[Document], cipher: CitizenCipher, blind: BlindIndex) -> None:
        self._db = db
        self._units = MongoUnits(db)
        self._cipher = cipher
        self._blind = blind

    def put(self, row: PersonRow, unit: Unit | None = None) -> PersonRow | None:
        """Put a row in the place of the last, and move the counters by what differs."""

        def work(session: ClientSession) -> PersonRow | None:
            found = self._db[COLLECTION].find_one({"_id": row.citizen_id}, session=session)
            old = None if found is None else _row(self._cipher, found)
            if old == row:
                return old
            fresh = self._document(row, 1 if found is None else found["revision"] + 1)
            self._db[COLLECTION].replace_one({"_id": row.citizen_id}, fresh, upsert=True, session=session)
            _count(self._db, _difference(old, row), session)
            return old

        return self._units.within(unit, work)

    def forget(self, citizen_id: str, unit: Unit | None = None) -> None:
        """Take a person out of audiences and counters."""
        self._units.within(unit, lambda session: forget(self._db, self._cipher, citizen_id, session))

    def load(self, rows: Sequence[PersonRow]) -> None:
        """Put the rows of many new people; those there stay. For filling a database, once for each shard."""
        insert_new(self._db[COLLECTION], [self._document(row, 1) for row in rows])
        counts: Counter[tuple[str, str]] = Counter()
        for row in rows:
            counts.update(_parts(row))
        _count(self._db, counts, None)

    def page(
        self, shard: int, province: str | None, commune: str | None, after: str, limit: int
    ) -> list[PersonRow]:
        """People of a shard and place with an id past `after`, ordered by id."""
        asked: Document = {"shard": shard}
        if commune is not None:
            asked["commune"] = self._token("commune", commune)
        elif province is not None:
            asked["province"] = self._token("province", province)
        asked["citizen_id"] = {"$gt": after}
        found = self._db[COLLECTION].find(asked).sort("citizen_id", 1).limit(limit)
        return [_row(self._cipher, each) for each in found]

    def of(self, citizen_ids: Collection[str]) -> dict[str, PersonRow]:
        """The rows of these people, by id."""
        found = self._db[COLLECTION].find({"_id": {"$in": sorted(citizen_ids)}})
        return {each["_id"]: _row(self._cipher, each) for each in found}

    def totals(
        self, series: str, provinces: Collection[str], years: Collection[int]
    ) -> dict[tuple[str, int], SeriesTotals]:
        """Totals by province and year of birth, from the counters."""
        names = [_counter(p, y, stripe) for p in provinces for y in years for stripe in range(STRIPES)]
        found: dict[tuple[str, int], SeriesTotals] = {}
        wanted = {"province": 1, "born": 1, f"series.{series}": 1}
        for each in self._db[COUNTERS].find({"_id": {"$in": names}}, wanted):
            told = each.get("series", {}).get(series, {})
            cell = (each["province"], each["born"])
            one = SeriesTotals(told.get("eligible", 0), told.get("started", 0), told.get("complete", 0))
            found[cell] = found.get(cell, SeriesTotals()) + one
        return found

    def _document(self, row: PersonRow, revision: int) -> Document:
        return {
            "_id": row.citizen_id,
            "citizen_id": row.citizen_id,
            "shard": row.shard,
            "province": self._token("province", row.province),
            "commune": self._token("commune", row.commune),
            "revision": revision,
            "content": self._cipher.seal_json(
                place_of({"_id": row.citizen_id, "shard": row.shard, "revision": revision}), row.to_plain()
            ),
        }

    def _token(self, what: str, code: str | None) -> str | None:
        return None if code is None else self._blind.label_token(f"audience {what}: {code}")


def place_of(found: Mapping[str, Any]) -> Place:
    """Where the content of a row belongs."""
    owner = f"audience-{found['shard']}"
    return Place(owner, RETENTION_CLASS, COLLECTION, found["_id"], "content", found["revision"])


def forget(
    db: Database[Document], cipher: CitizenCipher, citizen_id: str, session: ClientSession | None = None
) -> None:
    """Delete a person's row and take it off the counters. One who has none is forgotten already."""
    found = db[COLLECTION].find_one({"_id": citizen_id}, session=session)
    if found is None:
        return
    unchanged = {"_id": citizen_id, "revision": found["revision"]}
    if db[COLLECTION].delete_one(unchanged, session=session).deleted_count:
        counts = Counter({name: -count for name, count in _parts(_row(cipher, found)).items()})
        _count(db, counts, session)


def _row(cipher: CitizenCipher, found: Mapping[str, Any]) -> PersonRow:
    told = cipher.open_json(place_of(found), bytes(found["content"]))
    return PersonRow.from_plain(found["_id"], found["shard"], told)


def _difference(old: PersonRow | None, new: PersonRow) -> Counter[tuple[str, str]]:
    counts = _parts(new)
    if old is not None:
        counts.subtract(_parts(old))
    return counts


def _parts(row: PersonRow) -> Counter[tuple[str, str]]:
    """What a person counts for: (document, field), once each. Nothing once they have died."""
    if row.deceased:
        return Counter()
    where = _counter(row.province or ELSEWHERE, row.born.year, row.shard % STRIPES)
    return Counter((where, f"series.{name}.{what}") for name, what in _standings(row))


def _standings(row: PersonRow) -> Iterable[tuple[str, str]]:
    for name, standing in row.series.items():
        if standing.eligible:
            yield name, "eligible"
            yield from ((name, "started") for _ in range(standing.given > 0))
            yield from ((name, "complete") for _ in range(standing.complete))


def _count(db: Database[Document], counts: Counter[tuple[str, str]], session: ClientSession | None) -> None:
    by_document: dict[str, dict[str, int]] = {}
    for (where, name), count in counts.items():
        if count:
            by_document.setdefault(where, {})[name] = count
    for where, changes in sorted(by_document.items()):
        province, born, _ = where.split("|")
        change = {"$inc": changes, "$setOnInsert": {"province": province, "born": int(born)}}
        db[COUNTERS].update_one({"_id": where}, change, upsert=True, session=session)


def _counter(province: str, year: int, stripe: int) -> str:
    return f"{province}|{year}|{stripe}"
