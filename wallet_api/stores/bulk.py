"""Many documents in few calls: reading them part by part, and filling a database with made-up people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import pymongo
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

Document = dict[str, Any]

ASKED_AT_ONCE: Final = 32
"""Long lists cost the embedded database more than in proportion: 250 ids 27 times as much as 50."""
ASKED_WHERE_FEW_ARE: Final = 64
"""The same where most are absent, as among those who have chosen anything: what is not found costs little."""
_PART: Final = 2_000  # documents in one call
_PART_SECONDS: Final = 300.0  # what one call may take: a small machine under load needs far more than 3 s
_DUPLICATE: Final = 11000


def in_parts(ids: Iterable[str], at_once: int = ASKED_AT_ONCE) -> Iterator[list[str]]:
    """Ids, each once and in order, in parts that one call may ask for."""
    left = iter(sorted(set(ids)))
    return iter(lambda: list(islice(left, at_once)), [])


def insert_new(collection: Collection[Document], documents: Sequence[Document]) -> int:
    """Insert the documents that are not there yet; how many were new. For filling, never for serving.

    One that is there (by `_id` or another unique key) stays as it is, so that doing it twice is once. Not in
    a transaction: whoever calls this does it again after a failure.
    """
    left, new = iter(documents), 0
    parts: Iterator[list[Document]] = iter(lambda: list(islice(left, _PART)), [])
    for part in parts:
        try:
            with pymongo.timeout(_PART_SECONDS):
                new += len(collection.insert_many(part, ordered=False).inserted_ids)
        except BulkWriteError as why:
            if any(each["code"] != _DUPLICATE for each in why.details["writeErrors"]):
                raise
            new += int(why.details["nInserted"])
    return new
