"""The one seam between the embedded database and a real MongoDB: only the URI differs, the client never."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import pymongo
from bson import Binary
from pymongo import IndexModel, MongoClient, ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from wallet_api.infra.database_faults import PerhapsDone, meaning_of
from wallet_api.infra.embedded import server_at
from wallet_api.infra.unfinished import OpenTransactions, left_in
from wallet_api.settings import Settings

T = TypeVar("T")
Document = dict[str, Any]
Db = Database[Document]
"""The wallet's database, for signatures in modules that may not import the driver."""

DATABASE_ERRORS: tuple[type[Exception], ...] = (PyMongoError,)
"""What a database that is gone, slow or refusing raises, for those who may not know the driver."""

_TIMEOUT_MS = 3000  # for one operation, retries included
_FIRST_ANSWER = 3.0
BATCH_TIMEOUT_MS: Final = 20_000
"""The same for commands and workers: nobody waits for an answer, and a batch moves hundreds of documents."""
_LET_GO = 0.3  # seconds more for ending what failed
_INDEX_BUILD = 600.0  # seconds; building an index over a grown collection takes its time
_NEVER = 2**31 - 1  # seconds, the most a server takes: 68 years
_CONFLICTS = frozenset({85, 86})  # IndexOptionsConflict, IndexKeySpecsConflict


class IndexConflict(Exception):
    """A declared index exists with other properties; changing it is a migration's work."""

    code = "index_conflict"


@dataclass(frozen=True)
class Index:
    """One index a store needs.

    `keys`: field names, ascending, or (name, 1 | -1). `partial`: only documents that match are in it.
    `ttl`: a document goes this many seconds after the instant in the one key.
    """

    collection: str
    keys: tuple[str | tuple[str, int], ...]
    unique: bool = False
    partial: Mapping[str, Any] | None = None
    ttl: int | None = None

    def model(self) -> IndexModel:
        """The same in the driver's words; the name follows from the keys, as the server would choose it."""
        options: dict[str, Any] = {"unique": True} if self.unique else {}
        if self.partial is not None:
            options["partialFilterExpression"] = dict(self.partial)
        if self.ttl is not None:
            options["expireAfterSeconds"] = self.ttl
        return IndexModel([(key, 1) if isinstance(key, str) else key for key in self.keys], **options)

    def unswept(self) -> Index:
        """The same, but the database takes nothing away: it would by its own clock."""
        return self if self.ttl is None else replace(self, ttl=_NEVER)


def connect(settings: Settings, timeout_ms: int | None = None) -> Database[Document]:
    """The wallet's database; an embedded one is joined or started first. `timeout_ms` as in `open_database`.

    Connects lazily, so call it in each process after any fork. Raises EmbeddedError.
    """
    uri = server_at(settings.embedded_path).uri if settings.embedded else settings.mongo_uri
    return open_database(uri, settings.database, timeout_ms)


def open_database(uri: str, name: str, timeout_ms: int | None = None) -> Database[Document]:
    """Database `name` at `uri`, with journaled majority writes, reads from the primary and aware UTC times.

    An operation, or a transaction, fails after `timeout_ms` (3 s), its retries included, whatever the fault.
    Writes are repeated once by the driver unless the URI says `retryWrites=false`, as that of an embedded
    database does.
    """
    client: MongoClient[Document] = MongoClient(
        uri,
        w="majority",
        journal=True,
        readPreference="primary",
        retryReads=True,
        timeoutMS=timeout_ms or _TIMEOUT_MS,
        heartbeatFrequencyMS=1000,
        tz_aware=True,
    )
    return client[name]


def reached(db: Database[Document]) -> Database[Document]:
    """The same database, which has answered.

    Raises:
        PyMongoError: it did not within 3 s, however long its operations may take.
    """
    with pymongo.timeout(_FIRST_ANSWER):
        db.client.admin.command("ping")
    return db


def ensure_indexes(db: Database[Document], indexes: Iterable[Index]) -> None:
    """Create what is missing; safe to repeat, and from many processes at once.

    Raises:
        IndexConflict: one exists with the same keys or name but other properties.
    """
    wanted: dict[str, list[IndexModel]] = {}
    for index in indexes:
        wanted.setdefault(index.collection, []).append(index.model())
    with pymongo.timeout(_INDEX_BUILD):
        for collection, models in wanted.items():
            try:
                db[collection].create_indexes(models)
            except OperationFailure as fault:
                if fault.code not in _CONFLICTS:
                    raise
                raise IndexConflict(f"{collection}: an index differs from what is declared") from fault


def set_expiry(db: Database[Document], indexes: Iterable[Index]) -> None:
    """Have documents go when the declared indexes say, where an index that is there says otherwise."""
    for index in (each for each in indexes if each.ttl is not None):
        told = index.model().document
        found = db[index.collection].index_information().get(told["name"])
        if found is not None and found.get("expireAfterSeconds") not in (None, index.ttl):
            changed = {"name": told["name"], "expireAfterSeconds": index.ttl}
            db.command("collMod", index.collection, index=changed)


def transaction(db: Database[Document], work: Callable[[ClientSession], T]) -> T:
    """Run `work` in one transaction with journaled majority commit, all or nothing, and give back its result.

    `work` passes the session to every operation and may be run again after a write conflict, so it changes
    nothing but the database. What it raises (DuplicateKeyError too) undoes the transaction and comes out.

    Raises:
        PerhapsDone: it was run again and met a duplicate: of somebody else's, or of its own first try.
    """
    runs = 0

    def counted(session: ClientSession) -> T:
        nonlocal runs
        runs += 1
        return work(session)

    with db.client.start_session() as session, _noted(session):
        try:
            with pymongo.timeout(db.client.options.timeout or _TIMEOUT_MS / 1000):
                return session.with_transaction(
                    counted,
                    read_concern=ReadConcern("snapshot"),
                    write_concern=WriteConcern("majority", j=True),
                    read_preference=ReadPreference.PRIMARY,
                )
        except PyMongoError as fault:
            if fault.timeout or isinstance(fault, ConnectionFailure):
                _let_go(db, session)
            if runs > 1 and meaning_of(fault) == "clash":
                raise PerhapsDone(str(type(fault).__name__)) from fault
            raise


def _let_go(db: Database[Document], session: ClientSession) -> None:
    # No time was left to undo it, and what it touched would stay locked for a minute.
    with suppress(PyMongoError), pymongo.timeout(_LET_GO):
        db.client.admin.command("killSessions", [session.session_id])


def end_left_transactions(db: Database[Document], folder: Path) -> int:
    """End what killed processes left open, and tell how many; this process notes its own in `folder` now.

    What cannot be ended now is left to the next start, and to the database's own patience.
    """
    global _OPEN  # noqa: PLW0603 - one file a process, like the process itself
    if _OPEN is None or _OPEN.folder != folder:
        if _OPEN is not None:
            _OPEN.close()
        _OPEN = OpenTransactions(folder)
    ended = 0
    with suppress(PyMongoError):
        for sessions in left_in(folder):
            if sessions:
                db.client.admin.command("killSessions", [{"id": Binary(each, 4)} for each in sessions])
                ended += len(sessions)
    return ended


_OPEN: OpenTransactions | None = None


def _forget_in_fork() -> None:
    global _OPEN  # noqa: PLW0603 - the file, its lock and its places are the parent's
    if _OPEN is not None:
        _OPEN.close()
        _OPEN = OpenTransactions(_OPEN.folder)


os.register_at_fork(after_in_child=_forget_in_fork)


def _noted(session: ClientSession) -> AbstractContextManager[None]:
    return nullcontext() if _OPEN is None else _OPEN.noted(bytes(session.session_id["id"]))
