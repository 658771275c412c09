"""Numbered migrations: the database changes shape while old and new code serve side by side.

A migration has three steps. `expand` adds what the old code does not mind. `backfill` brings what is stored
into the new shape, in batches that may be repeated. `contract` takes away what only old code needs: it is
run by itself, when no old code is left. What was done is written down in `schema_migrations`, a document a
migration, with the digest of its file: one that was applied is never edited, another follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Final

import pymongo
from pymongo.errors import DuplicateKeyError

from wallet_api.infra.lease import Lease
from wallet_api.infra.mongo import Db, Index

LEDGER: Final = "schema_migrations"
_STEP_SECONDS: Final = 3600.0  # a step may take its time; each write in it is short


class MigrationError(Exception):
    """Root of what stops a migration, or a start; the message is one sentence for whoever runs it."""

    code: ClassVar[str] = "migration_error"


class SchemaTooOld(MigrationError):
    """The database lacks what this code needs."""

    code = "schema_too_old"


class SchemaTooNew(MigrationError):
    """The database no longer has what this code needs: a newer release has finished with it."""

    code = "schema_too_new"


class MigrationChanged(MigrationError):
    """The file of an applied migration is not the one that was applied."""

    code = "migration_changed"


class MigrationTaken(MigrationError):
    """Another runner has taken over; this one changed nothing after that."""

    code = "migration_taken"


class Stage(IntEnum):
    """How far a migration has come."""

    ABSENT = 0
    EXPANDED = 1
    BACKFILLED = 2
    CONTRACTED = 3


@dataclass(frozen=True)
class Part:
    """A batch that is done: how many documents it looked at, and the key of the last one."""

    seen: int
    last: str


@dataclass(frozen=True)
class Migration:
    """One migration, as its file says it. `size` estimates how many documents the backfill will look at."""

    number: int
    what: str
    checksum: str
    expand: Callable[[Db], None]
    backfill: Callable[[Db, str | None], Iterator[Part]]
    contract: Callable[[Db], None]
    size: Callable[[Db], int]

    @property
    def name(self) -> str:
        """Four digits, as in the name of its file."""
        return f"{self.number:04d}"


@dataclass(frozen=True)
class Applied:
    """What the ledger says of one migration. `ending` from the moment its contract step began."""

    number: int
    checksum: str
    stage: Stage
    ending: bool
    done: int
    after: str | None


def applied(db: Db) -> dict[int, Applied]:
    """The ledger, by number; numbers this code does not know included."""
    found = db[LEDGER].find({"number": {"$exists": True}})
    return {
        each["number"]: Applied(
            each["number"],
            each["checksum"],
            Stage(each["stage"]),
            bool(each.get("ending")),
            int(each.get("done", 0)),
            each.get("after"),
        )
        for each in found
    }


def check_schema(
    ledger: Mapping[int, Applied], known: Sequence[Migration], needs: Mapping[int, Stage]
) -> None:
    """Refuse a database that this code must not serve from.

    Raises:
        SchemaTooNew: a migration unknown here has begun to take away what older code needs.
        MigrationChanged: a known one was applied from another file.
        SchemaTooOld: one has not come as far as `needs` says.
    """
    numbers = {each.number for each in known}
    for number, entry in sorted(ledger.items()):
        if number not in numbers and entry.ending:
            raise SchemaTooNew(
                f"The database was changed by a newer release (migration {number:04d}, finished for good): "
                "start that release or a later one."
            )
    for each in known:
        known_as = ledger.get(each.number)
        if known_as is not None and known_as.checksum != each.checksum:
            raise MigrationChanged(
                f"Migration {each.name} is not the one that was applied: its file was edited afterwards."
            )
        if (known_as.stage if known_as else Stage.ABSENT) < needs.get(each.number, Stage.EXPANDED):
            raise SchemaTooOld(
                f"The database lacks migration {each.name} ({each.what}): run `python -m wallet_api migrate`."
            )


def missing_indexes(db: Db, indexes: Iterable[Index]) -> list[str]:
    """Declared indexes that are not there, as 'collection.name'."""
    missing, there = [], dict[str, frozenset[str]]()
    for index in indexes:
        if index.collection not in there:
            there[index.collection] = frozenset(db[index.collection].index_information())
        name = index.model().document["name"]
        if name not in there[index.collection]:
            missing.append(f"{index.collection}.{name}")
    return missing


class Runner:
    """Runs migrations under a lease: one runner works, others wait for it and say so."""

    def __init__(
        self,
        db: Db,
        known: Sequence[Migration],
        now: Callable[[], datetime],
        tell: Callable[[str], None],
        *,
        first: Callable[[Db], None] = lambda _: None,
        lease_seconds: float = 15.0,
    ) -> None:
        self._db = db
        self._known = known
        self._now = now
        self._tell = tell
        self._first = first
        self._lease = Lease(db[LEDGER], lease_seconds)

    def run(self, to: int | None = None, *, contract: bool = False) -> None:
        """Expand and backfill up to `to`; with `contract` also take away what old code needed.

        May be killed at any moment and run again. Raises MigrationError.
        """
        with pymongo.timeout(_STEP_SECONDS), self._lease.held(self._tell):
            self._check_files()
            if not set(self._db.list_collection_names()) - {LEDGER}:
                self._begin_empty(to)
            self._first(self._db)
            for each in self._known:
                if to is None or each.number <= to:
                    self._run(each, contract)

    def _begin_empty(self, to: int | None) -> None:
        # Nothing is stored yet, so nothing has to be brought into a new shape.
        self._first(self._db)
        for each in self._known:
            if to is None or each.number <= to:
                each.expand(self._db)
                self._note(each, stage=Stage.BACKFILLED, done=0)

    def _check_files(self) -> None:
        check_schema(applied(self._db), self._known, {each.number: Stage.ABSENT for each in self._known})

    def _run(self, each: Migration, contract: bool) -> None:
        entry = applied(self._db).get(each.number)
        stage = entry.stage if entry else Stage.ABSENT
        if stage < Stage.EXPANDED:
            self._tell(f"{each.name} {each.what}: adding what is new")
            each.expand(self._db)
            self._note(each, stage=Stage.EXPANDED)
        if stage < Stage.BACKFILLED:
            self._backfill(each, entry)
        if contract and stage < Stage.CONTRACTED:
            self._tell(f"{each.name} {each.what}: taking away what only older code needs")
            self._note(each, ending=True)
            each.contract(self._db)
            self._note(each, stage=Stage.CONTRACTED)

    def _backfill(self, each: Migration, entry: Applied | None) -> None:
        done, after = (entry.done, entry.after) if entry else (0, None)
        total = max(each.size(self._db), done)
        if done:
            self._tell(f"{each.name} {each.what}: going on after {done} of about {total}")
        for part in each.backfill(self._db, after):
            done += part.seen
            self._note(each, done=done, after=part.last)
            self._tell(f"{each.name} {each.what}: {done} of about {max(total, done)}")
        self._note(each, stage=Stage.BACKFILLED)

    def _note(self, each: Migration, **what: Any) -> None:
        """Write down how far it is, unless another runner holds the lease by now."""
        if not self._lease.still_held():
            raise MigrationTaken("Another runner has taken the migrations over; this one stops.")
        if "stage" in what:
            what |= {"stage": int(what["stage"]), f"at.{Stage(what['stage']).name.lower()}": self._now()}
        fresh = {"number": each.number, "checksum": each.checksum, "what": each.what}
        start = {} if "stage" in what else {"stage": int(Stage.ABSENT)}
        try:
            self._db[LEDGER].update_one(
                {"_id": each.name}, {"$set": what, "$setOnInsert": fresh | start}, upsert=True
            )
        except DuplicateKeyError as why:  # two upserts at once; only one of them may hold the lease
            raise MigrationTaken("Another runner has taken the migrations over; this one stops.") from why
