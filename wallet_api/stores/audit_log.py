"""The access log in MongoDB: one document for each group of rows stored together, never changed or deleted.

A group begins with the row that its `_id` names (log and number). Its heading repeats what its rows say, for
the indexes: the people they are about, and the newest entry id. Before groups, each row was a document of its
own, with the event's fields beside its place; such documents stay as they are and are read beside the groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

import pymongo
from pymongo import DESCENDING, WriteConcern
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from wallet_api.audit.chain import NOTED_EVERY, AuditRow
from wallet_api.audit.model import instant_text
from wallet_api.audit.ports import LogExtent
from wallet_api.infra.mongo import Index

Document = dict[str, Any]
_COLLECTION: Final = "audit_log"
GROUP_ROWS: Final = 200
"""At most so many rows are one document; 200 of the largest there can be stay below the 16 MiB of one."""
GROUP_SPAN: Final = timedelta(seconds=10)
"""The rows of one document lie at most this far apart in time: how far a page of entries looks back up."""
_PAGE_ROWS: Final = 1000
_LOAD_SECONDS: Final = 300.0  # one part, on a small machine under load
_SINGLE_FIELDS: Final = ("_id", "entry_id", "log_id", "seq", "prev", "hash")
_NOTED_WITHIN: Final = GROUP_ROWS + NOTED_EVERY
_SMALL_GROUP: Final = 16
"""Most groups have fewer rows: where the row with the peaks is looked for first."""
_ROW_FIELDS: Final = frozenset({"seq", "prev", "hash", "event"})

INDEXES = (
    Index(_COLLECTION, ("citizens", "newest")),  # an entry id begins with the time
    Index(_COLLECTION, ("newest",)),  # everybody's entries of a while: who is concerned by a breach
    Index(_COLLECTION, ("citizen_id", "entry_id")),  # rows that are documents of their own
)


class MongoAuditLog:
    """`AuditStore` over pymongo. A group's `_id` is the place of its first row, so no place is taken twice.

    A log has one writer, which stores a group again from the same row on. Two groups that overlapped all the
    same would be named by the verification.
    """

    def __init__(self, db: Database[Document]) -> None:
        # Majority reads: rows counted as present must not be rolled back under the rows that follow them.
        self._log = db[_COLLECTION].with_options(
            write_concern=WriteConcern("majority", j=True), read_concern=ReadConcern("majority")
        )

    def append(self, rows: Sequence[AuditRow]) -> None:
        """Store rows in order, journaled and by majority; any exception means "not known"."""
        self._log.insert_many([group_of(each) for each in _grouped(rows)], ordered=True)

    def load(self, rows: Sequence[AuditRow], *, again: bool) -> None:
        """Store one whole log in parts; `again`: less what an earlier, broken-off run stored of it."""
        with pymongo.timeout(_LOAD_SECONDS):
            there = self.present(rows[0].log_id, 0, rows[-1].seq) if rows and again else 0
        for first in range(there, len(rows), _PAGE_ROWS):
            with pymongo.timeout(_LOAD_SECONDS):
                self.append(rows[first : first + _PAGE_ROWS])

    def present(self, log_id: str, first: int, last: int) -> int:
        """Count the rows of a log with first <= seq <= last."""
        around = _between(log_id, max(first - GROUP_ROWS + 1, 0), last)
        found = self._log.find(around, {"seq": 1, "rows.seq": 1})
        return sum(first <= seq <= last for each in found for seq in _places(each) if isinstance(seq, int))

    def entries(self, citizen_id: str, before: str | None, limit: int) -> tuple[AuditRow, ...]:
        """Return up to `limit` entries about a citizen, newest first, older than entry `before`."""
        found = [*self._in_groups(citizen_id, before, limit), *self._single(citizen_id, before, limit)]
        return tuple(sorted(found, key=_entry_id, reverse=True)[:limit])

    def logs(self) -> Mapping[str, LogExtent]:
        """Return every log and how far it reaches (reads everything: for verification only)."""
        extents: dict[str, LogExtent] = {}
        for found in self._log.find({}, {"log_id": 1, "seq": 1, "rows.seq": 1}):
            log_id = str(found.get("log_id"))
            for seq in _places(found):
                extents[log_id] = extents.get(log_id, LogExtent()).with_row(seq)
        return extents

    def rows(self, log_id: str, last: int) -> Iterator[AuditRow]:
        """Yield the rows of a log in the order of seq, up to `last`.

        A row that its group's heading belies comes without its hash, so that the verification names it.
        """
        for first in range(0, last + 1, _PAGE_ROWS):
            page = self._log.find(_between(log_id, first, min(first + _PAGE_ROWS - 1, last)))
            for found in page.sort("_id"):
                yield from (row for row in _checked(found) if not _is_beyond(row.seq, last))

    def of_organisation(self, organisation_id: str, first: str, past: str) -> Iterator[Mapping[str, object]]:
        """Yield events of an organisation whose entry ids lie in first <= id < past.

        Reads the log without an index: one more would slow every read of every record down, for a question
        that is hardly ever asked.
        """
        late = {"$gte": first, "$lt": _beyond(past)}
        groups = self._log.find({"rows.event.organisation_id": organisation_id, "newest": late})
        own = {"organisation_id": organisation_id, "entry_id": {"$gte": first, "$lt": past}}
        for row in (row for found in chain(groups, self._log.find(own)) for row in rows_of(found)):
            if first <= row.entry_id < past and row.event.get("organisation_id") == organisation_id:
                yield row.event

    def window(
        self, first: str, past: str, after: str | None, limit: int
    ) -> tuple[tuple[AuditRow, ...], str | None]:
        """Return a part of everybody's entries with first <= id < past, and what to name as `after` next.

        Rows that are documents of their own, from before groups, come with the last part.
        """
        start: Document = {"$gte": first} if after is None else {"$gt": after}
        groups = list(
            self._log.find({"newest": start | {"$lt": _beyond(past)}}).sort("newest", 1).limit(limit)
        )
        more = len(groups) == limit
        own = () if more else self._log.find({"entry_id": {"$gte": first, "$lt": past}})
        rows = (row for found in chain(groups, own) for row in rows_of(found))
        shown = tuple(row for row in rows if first <= row.entry_id < past)
        return shown, str(groups[-1]["newest"]) if more else None

    def run_up_to(self, log_id: str, last: int) -> Sequence[AuditRow]:
        """Return rows up to `last`, from the latest one whose writer noted the peaks before it."""
        rows: list[AuditRow] = []
        for back in (last % NOTED_EVERY + _SMALL_GROUP, _NOTED_WITHIN):  # every id that is asked for costs
            near = self._log.find(_between(log_id, max(last - back, 0), last)).sort("_id")
            rows = [row for found in near for row in rows_of(found) if not _is_beyond(row.seq, last)]
            for index in reversed(range(len(rows))):
                if rows[index].peaks is not None:
                    return rows[index:]
        return list(self.rows(log_id, last)) if rows else rows

    def _in_groups(self, citizen_id: str, before: str | None, limit: int) -> list[AuditRow]:
        """The newest entries older than `before`: groups overlap in time, so their rows are merged."""
        found: list[AuditRow] = []
        bound = None if before is None else _beyond(before)
        while True:
            page = list(self._log.aggregate(entries_pipeline(citizen_id, bound, limit + 1)))
            for group in page:
                if len(found) >= limit and found[limit - 1].entry_id > group["newest"]:
                    return found  # what follows is older still
                found += (each for each in rows_of(group) if before is None or each.entry_id < before)
                found.sort(key=_entry_id, reverse=True)
            if len(page) <= limit:
                return found
            bound = page[-1]["newest"]

    def _single(self, citizen_id: str, before: str | None, limit: int) -> Iterator[AuditRow]:
        asked: Document = {"citizen_id": citizen_id}
        if before is not None:
            asked["entry_id"] = {"$lt": before}
        found = self._log.find(asked).sort("entry_id", DESCENDING).limit(limit)
        return (row for each in found for row in rows_of(each))


def entries_pipeline(citizen_id: str, bound: str | None, limit: int) -> list[Document]:
    """Find the newest groups with rows about a citizen, with these rows only."""
    asked: Document = {"citizens": citizen_id}
    if bound is not None:
        asked["newest"] = {"$lt": bound}
    about = {"$eq": ["$$row.event.citizen_id", citizen_id]}
    theirs = {"$filter": {"input": "$rows", "as": "row", "cond": about}}
    kept = {"log_id": 1, "newest": 1, "rows": theirs}
    return [{"$match": asked}, {"$sort": {"newest": -1}}, {"$limit": limit}, {"$project": kept}]


def group_of(rows: Sequence[AuditRow]) -> Document:
    """Rows that follow one another, as the one document they are stored in."""
    return _heading(rows) | {"rows": [_row_document(row) for row in rows]}


def _row_document(row: AuditRow) -> Document:
    kept: Document = {"seq": row.seq, "prev": row.prev, "hash": row.hash, "event": dict(row.event)}
    return kept if row.peaks is None else kept | {"peaks": row.peaks}


def rows_of(found: Document) -> list[AuditRow]:
    """The rows in a document of the log, a group or a single row, as they stand there."""
    if "rows" not in found:
        return [_single_row(found)]
    rows = found["rows"] if isinstance(found["rows"], list) else []
    return [_group_row(str(found.get("log_id")), each) for each in rows]


def _grouped(rows: Sequence[AuditRow]) -> Iterator[Sequence[AuditRow]]:
    times = [datetime.fromisoformat(str(row.event["at"])) for row in rows]
    first, oldest, newest = 0, times[0], times[0]
    for index, at in enumerate(times):
        oldest, newest = min(oldest, at), max(newest, at)
        if newest - oldest > GROUP_SPAN or index - first == GROUP_ROWS:
            yield rows[first:index]
            first, oldest, newest = index, at, at
    yield rows[first:]


def _heading(rows: Sequence[AuditRow]) -> Document:
    first = rows[0]
    return {
        "_id": _place(first.log_id, first.seq),
        "log_id": first.log_id,
        "citizens": sorted({str(row.event["citizen_id"]) for row in rows if "citizen_id" in row.event}),
        "newest": max(row.entry_id for row in rows),
    }


def _checked(found: Document) -> list[AuditRow]:
    """The rows of a document, those without a hash that a reader would not meet, or meet elsewhere."""
    rows = rows_of(found)
    if "rows" not in found or not rows:
        return rows
    heading = {name: value for name, value in found.items() if name != "rows"}
    if heading == _heading(rows):
        return rows
    listed = found.get("citizens")
    people = set(map(str, listed)) if isinstance(listed, list) else set()
    unlisted = [str(each.event.get("citizen_id", "")) not in {"", *people} for each in rows]
    if not any(unlisted):
        unlisted[-1] = True
    return [replace(row, hash=b"") if bad else row for row, bad in zip(rows, unlisted, strict=True)]


def _places(found: Document) -> list[object]:
    if "rows" not in found:
        return [found.get("seq")]
    rows = found["rows"] if isinstance(found["rows"], list) else []
    return [each.get("seq") if isinstance(each, dict) else None for each in rows] or [None]


def _between(log_id: str, first: int, last: int) -> Document:
    # Places are listed, not ranged over: the embedded database scans everything for a range of ids.
    return {"_id": {"$in": [_place(log_id, seq) for seq in range(first, last + 1)]}}


def _place(log_id: str, seq: object) -> str:
    return f"{log_id}~{seq:012d}" if isinstance(seq, int) else f"{log_id}~{seq}"


def _beyond(before: str) -> str:
    """What the newest entry of every group with an entry older than `before` is older than."""
    at = datetime.fromisoformat(before.split("~")[0])
    try:
        return instant_text(at + GROUP_SPAN + timedelta(milliseconds=1))
    except OverflowError:
        return "~"  # later than every time


def _is_beyond(seq: object, last: int) -> bool:
    # Of a spoiled row the number may be anything; the verification is to meet it.
    return isinstance(seq, int) and seq > last


def _entry_id(row: AuditRow) -> str:
    return row.entry_id


def _group_row(log_id: str, found: object) -> AuditRow:
    # A row that somebody spoiled must reach the verification, which names it.
    known = isinstance(found, dict) and found.keys() - {"peaks"} == _ROW_FIELDS
    if not isinstance(found, dict) or not known or not isinstance(found["event"], dict):
        return AuditRow("", log_id, -1, b"", b"", {})
    event, seq = found["event"], found["seq"]
    entry = f"{event.get('at')}~{_place(log_id, seq)}"
    peaks = _bytes(found["peaks"]) if "peaks" in found else None
    return AuditRow(entry, log_id, seq, _bytes(found["prev"]), _bytes(found["hash"]), event, peaks)


def _single_row(found: Document) -> AuditRow:
    event = {name: value for name, value in found.items() if name not in _SINGLE_FIELDS}
    if isinstance(event.get("at"), datetime):
        event["at"] = instant_text(event["at"])
    return AuditRow(
        entry_id=str(found.get("entry_id")),
        log_id=str(found.get("log_id")),
        seq=found.get("seq", -1),
        prev=_bytes(found.get("prev")),
        hash=_bytes(found.get("hash")),
        event=event,
    )


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
