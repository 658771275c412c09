"""Copies of books on phones begin anew once nobody changes a book without telling them.

Side by side: the first page of a book has a history of its changes (`changes`, `mark`) once new code has
written to it. What old code writes takes it away, and new code then lets every copy begin anew. But what old
code only hides, or shows again, touches the record alone, and no copy is told of it. When no old code is
left, every book gets a mark that no copy knows: what phones had fetched meanwhile is fetched once more.
"""

from collections.abc import Iterator
from itertools import islice

from wallet_api.infra.ids import new_id
from wallet_api.infra.migrations import Part
from wallet_api.infra.mongo import Db

WHAT = "copies begin anew"
COLLECTION = "book_fronts"
BATCH = 200


def expand(db: Db) -> None:
    """Nothing has to be there first: a book without a history has a mark that follows from its version."""


def backfill(db: Db, after: str | None) -> Iterator[Part]:
    """What was changed before there was a history cannot be told, and need not be: copies begin whole."""
    return iter(())


def contract(db: Db) -> None:
    """Give every book a mark that no copy knows. Once more costs each phone one more full fetch."""
    rows = db[COLLECTION].find({}, {"_id": 1}).sort("_id", 1)
    while batch := [each["_id"] for each in islice(rows, BATCH)]:
        mark = new_id()
        begun = {"mark": mark, "changes": {"base": mark, "steps": []}}
        db[COLLECTION].update_many({"_id": {"$in": batch}}, {"$set": begun})


def size(db: Db) -> int:
    """Nothing to look at."""
    return 0
