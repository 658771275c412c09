"""The one seam between the embedded database and a real MongoDB: only the URI differs, the client never."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pymongo
from pymongo import IndexModel, MongoClient, ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from wallet_api.infra.embedded import server_at
from wallet_api.settings import Settings

T = TypeVar("T")
Document = dict[str, Any]
Db = Database[Document]
"""The wallet's database, for signatures in modules that may not import the driver."""

DATABASE_ERRORS: tuple[type[Exception], ...] = (PyMongoError,)
"""What a database that is gone, slow or refusing raises, for those who may not know the driver."""

_TIMEOUT_MS = 3000  # for one operation, retries included
_INDEX_BUILD = 600.0  # seconds; building an index over a grown collection takes its time
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


def connect(settings: Settings) -> Database[Document]:
    """The wallet's database; an embedded one is joined or started first.

    Connects lazily, so call it in each process after any fork. Raises EmbeddedError.
    """
    uri = server_at(settings.embedded_path).uri if settings.embedded else settings.mongo_uri
    return open_database(uri, settings.database)


def open_database(uri: str, name: str) -> Database[Document]:
    """Database `name` at `uri`, with journaled majority writes, reads from the primary and aware UTC times.

    An operation fails after 3 s, its retries included, whatever the fault.
    """
    client: MongoClient[Document] = MongoClient(
        uri,
        w="majority",
        journal=True,
        readPreference="primary",
        retryWrites=True,
        retryReads=True,
        timeoutMS=_TIMEOUT_MS,
        heartbeatFrequencyMS=1000,
        tz_aware=True,
    )
    return client[name]


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


def transaction(db: Database[Document], work: Callable[[ClientSession], T]) -> T:
    """Run `work` in one transaction with journaled majority commit, all or nothing, and give back its result.

    `work` passes the session to every operation and may be run again after a write conflict, so it changes
    nothing but the database. What it raises (DuplicateKeyError too) undoes the transaction and comes out.
    """
    with db.client.start_session() as session, pymongo.timeout(_TIMEOUT_MS / 1000):
        return session.with_transaction(
            work,
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern("majority", j=True),
            read_preference=ReadPreference.PRIMARY,
        )
