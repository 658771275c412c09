"""Reading a whole database out of one moment, and putting it into an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from wallet_api.infra.archive import FileEntry, documents, write_file
from wallet_api.infra.migrations import LEDGER
from wallet_api.stores.audit_log import rows_of
from wallet_api.stores.citizen_keys import COLLECTION as KEYS
from wallet_api.stores.consents import standing_id
from wallet_api.stores.erasures import TOMBSTONES

Document = dict[str, Any]
_SECONDS: Final = 6 * 3600.0
_PART: Final = 500
_PROBE: Final = "backup_probe"
_LAST: Final = ("grants", "standings", "audit_log")
"""Read in this order after all others, for databases without snapshots: a grant may then stand that has
ended, and `settle` takes it off; and the log knows of everything that the rest tells."""


def names_to_keep(db: Database[Document], transient: frozenset[str]) -> list[str]:
    """The collections a backup holds, in the order they are read.

    Wrapped keys are backed up apart, and with them who was erased: both must be newer than the data.
    """
    kept = set(db.list_collection_names()) - transient - {KEYS, TOMBSTONES}
    return [*sorted(kept - set(_LAST)), *(each for each in _LAST if each in kept)]


def about(db: Database[Document], names: Iterable[str]) -> int:
    """About how many documents these collections hold."""
    return sum(db[name].estimated_document_count() for name in names)


@contextmanager
def one_moment(db: Database[Document]) -> Iterator[tuple[ClientSession | None, str]]:
    """A session in which every collection is read as it was at one moment, and how that is reached.

    Tried out, not believed: `snapshot` (a snapshot session of a replica set), else `transaction`, else
    `ordered`, in which the collections are read one after the other.
    """
    with pymongo.timeout(_SECONDS):
        with db.client.start_session(snapshot=True) as session:
            if _stands_still(db, session):
                yield session, "snapshot"
                return
        with db.client.start_session() as session:
            session.start_transaction(read_concern=ReadConcern("snapshot"))
            if _stands_still(db, session):
                yield session, "transaction"
                return
            with suppress(PyMongoError):
                session.abort_transaction()
        yield None, "ordered"


def _stands_still(db: Database[Document], session: ClientSession) -> bool:
    """Whether the session goes on seeing the old value of a document that is changed meanwhile."""
    probe = db[LEDGER]
    try:
        probe.update_one({"_id": _PROBE}, {"$inc": {"turn": 1}}, upsert=True)
        before = probe.find_one({"_id": _PROBE}, session=session)
        probe.update_one({"_id": _PROBE}, {"$inc": {"turn": 1}})
        return before is not None and probe.find_one({"_id": _PROBE}, session=session) == before
    except PyMongoError:
        return False


def dump(
    db: Database[Document],
    session: ClientSession | None,
    name: str,
    folder: Path,
    seen: Callable[[bytes, int], None],
) -> FileEntry:
    """Write one collection as it was at the moment of the session, byte for byte."""
    blocks = db[name].find_raw_batches({}, session=session)
    return write_file(folder, name, _bytes_of(blocks), seen)


def _bytes_of(blocks: Iterable[Any]) -> Iterator[bytes]:
    # The driver's stubs call a raw batch a document; it is the bytes of many.
    return (bytes(each) for each in blocks)


class LogPlaces:
    """How far each log reached in what was written: fed with the blocks of the access log."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def __call__(self, block: bytes, count: int) -> None:
        """Take in one block."""
        for row in (row for found in bson.decode_all(block) for row in rows_of(found)):
            self.last[row.log_id] = max(self.last.get(row.log_id, -1), row.seq)


def filled(db: Database[Document]) -> str | None:
    """A collection that holds something, if one does; an unfinished restore does not count."""
    if db[LEDGER].find_one({"_id": "restore"}) is not None:
        return None
    return next((name for name in sorted(db.list_collection_names()) if db[name].find_one({})), None)


def begin_restore(db: Database[Document], made_at: str) -> None:
    """Mark the database as one that must not be served from, and clear away what a restore before it left."""
    with pymongo.timeout(_SECONDS):
        db[LEDGER].update_one({"_id": "restore"}, {"$set": {"from": made_at}}, upsert=True)
        clear(db, but=LEDGER)
        db[LEDGER].delete_many({"_id": {"$ne": "restore"}})


def end_restore(db: Database[Document]) -> None:
    """Take the mark away: the database may be served from."""
    for name in ("lease", _PROBE, "restore"):  # the mark last
        db[LEDGER].delete_one({"_id": name})


def clear(db: Database[Document], but: str | None = None) -> None:
    """Drop every collection."""
    with pymongo.timeout(_SECONDS):
        for name in db.list_collection_names():
            if name != but:
                db.drop_collection(name)


def load(db: Database[Document], folder: Path, name: str, seen: Callable[[int], None]) -> int:
    """Put one collection of a backup into the database, byte for byte; how many documents."""
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    target = db.get_collection(name, codec_options=raw)
    rows, done = documents(folder, name), 0
    if name == LEDGER:
        rows = (each for each in rows if each["_id"] not in ("lease", "restore", _PROBE))
    with pymongo.timeout(_SECONDS):
        while part := list(islice(rows, _PART)):
            target.insert_many(part, ordered=False)
            done += len(part)
            seen(len(part))
    return done


def settle(db: Database[Document]) -> int:
    """Take grants off their standings that have ended by the grants themselves; how many.

    None in a backup of one moment. The epoch is raised, as by every end of a grant.
    """
    ended = 0
    with pymongo.timeout(_SECONDS):
        for standing in db["standings"].find({"live.0": {"$exists": True}}):
            live = [each["id"] for each in standing["live"]]
            asked = {"citizen_id": standing["citizen_id"], "_id": {"$in": live}}
            active = {each["_id"] for each in db["grants"].find(asked) if each["state"] == "granted"}
            ended += _take_off(db, standing, [each for each in live if each not in active])
    return ended


def _take_off(db: Database[Document], standing: Document, over: Sequence[str]) -> int:
    if over:
        key = standing_id(standing["citizen_id"], standing["organisation_id"])
        change = {"$pull": {"live": {"id": {"$in": list(over)}}}, "$inc": {"epoch": 1}}
        db["standings"].update_one({"_id": key}, change)
    return len(over)
