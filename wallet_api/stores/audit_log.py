"""The access log in MongoDB: one flat document a row, never changed, never deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pymongo
from pymongo import DESCENDING, WriteConcern
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from wallet_api.audit.chain import AuditRow
from wallet_api.audit.model import instant_text
from wallet_api.audit.ports import LogExtent
from wallet_api.infra.mongo import Index

_COLLECTION: Final = "audit_log"
_PAGE_ROWS: Final = 1000
_LOAD_SECONDS: Final = 300.0  # one part, on a small machine under load
_ROW_FIELDS: Final = ("_id", "entry_id", "log_id", "seq", "prev", "hash")

INDEXES = (Index(_COLLECTION, ("citizen_id", "entry_id")),)  # an entry id begins with the time


class MongoAuditLog:
    """`AuditStore` over pymongo. The `_id` is a row's place, log and number, so no place is taken twice."""

    def __init__(self, db: Database[dict[str, Any]]) -> None:
        # Majority reads: rows counted as present must not be rolled back under the rows that follow them.
        self._log = db[_COLLECTION].with_options(
            write_concern=WriteConcern("majority", j=True), read_concern=ReadConcern("majority")
        )

    def append(self, rows: Sequence[AuditRow]) -> None:
        """Store rows in order, journaled and by majority; any exception means "not known"."""
        self._log.insert_many([document_of(row) for row in rows], ordered=True)

    def load(self, rows: Sequence[AuditRow], *, again: bool) -> None:
        """Store one whole log in parts; `again`: less what an earlier, broken-off run stored of it."""
        with pymongo.timeout(_LOAD_SECONDS):
            there = self.present(rows[0].log_id, 0, rows[-1].seq) if rows and again else 0
        for first in range(there, len(rows), _PAGE_ROWS):
            with pymongo.timeout(_LOAD_SECONDS):
                self.append(rows[first : first + _PAGE_ROWS])

    def present(self, log_id: str, first: int, last: int) -> int:
        """Count the rows of a log with first <= seq <= last."""
        return sum(1 for _ in self._log.find(_between(log_id, first, last), {"seq": 1}))

    def entries(self, citizen_id: str, before: str | None, limit: int) -> tuple[AuditRow, ...]:
        """Return up to `limit` entries about a citizen, newest first, older than entry `before`."""
        asked: dict[str, Any] = {"citizen_id": citizen_id}
        if before is not None:
            asked["entry_id"] = {"$lt": before}
        found = self._log.find(asked).sort("entry_id", DESCENDING).limit(limit)
        return tuple(_row(each) for each in found)

    def logs(self) -> Mapping[str, LogExtent]:
        """Return every log and how far it reaches (reads everything: for verification only)."""
        extents: dict[str, LogExtent] = {}
        for found in self._log.find({}, {"log_id": 1, "seq": 1}):
            log_id = str(found.get("log_id"))
            extents[log_id] = extents.get(log_id, LogExtent()).with_row(found.get("seq"))
        return extents

    def rows(self, log_id: str, last: int) -> Iterator[AuditRow]:
        """Yield the rows of a log in the order of seq, up to `last`."""
        for first in range(0, last + 1, _PAGE_ROWS):
            page = self._log.find(_between(log_id, first, min(first + _PAGE_ROWS - 1, last)))
            yield from (_row(found) for found in page.sort("_id"))


def _between(log_id: str, first: int, last: int) -> dict[str, Any]:
    # Places are listed, not ranged over: the embedded database scans everything for a range of ids.
    return {"_id": {"$in": [_place(log_id, seq) for seq in range(first, last + 1)]}}


def _place(log_id: str, seq: int) -> str:
    return f"{log_id}~{seq:012d}"


def document_of(row: AuditRow) -> dict[str, Any]:
    """A row as it is stored."""
    document = dict(row.event)
    document["at"] = datetime.fromisoformat(str(row.event["at"]))
    document.update(_id=_place(row.log_id, row.seq), entry_id=row.entry_id)
    document.update(log_id=row.log_id, seq=row.seq, prev=row.prev, hash=row.hash)
    return document


def _row(found: dict[str, Any]) -> AuditRow:
    event = {name: value for name, value in found.items() if name not in _ROW_FIELDS}
    if isinstance(event.get("at"), datetime):
        event["at"] = instant_text(event["at"])
    return AuditRow(
        entry_id=str(found.get("entry_id")),
        log_id=found["log_id"],
        seq=found["seq"],
        prev=_bytes(found.get("prev")),
        hash=_bytes(found.get("hash")),
        event=event,
    )


def _bytes(value: object) -> bytes:
    # A row that somebody spoiled must reach the verification, which names it.
    return value if isinstance(value, bytes) else b""
