"""Each wrapped citizen key names how it is wrapped, so that a managed key service can take over.

Side by side: old code leaves the name away when it adds a key, and keeps it when it rewraps one; new code
takes a key without a name to be wrapped in the first way, and writes the name. When no old code is left,
the database itself refuses a key without a name.
"""

from collections.abc import Iterator
from itertools import islice

from wallet_api.infra.migrations import Part
from wallet_api.infra.mongo import Db

WHAT = "wrapped keys name their format"
COLLECTION = "citizen_keys"
FORMAT = "gcm-1"
BATCH = 200


def expand(db: Db) -> None:
    """Nothing has to be there first: to old code the name is one more field that it does not read."""


def backfill(db: Db, after: str | None) -> Iterator[Part]:
    """Name the format of every key that has none, in the order of ids; each key is changed at most once."""
    asked = {} if after is None else {"_id": {"$gt": after}}
    rows = db[COLLECTION].find(asked, {"format": 1}).sort("_id", 1)
    while batch := list(islice(rows, BATCH)):
        lacking = [each["_id"] for each in batch if "format" not in each]
        if lacking:
            still = {"_id": {"$in": lacking}, "format": {"$exists": False}}
            db[COLLECTION].update_many(still, {"$set": {"format": FORMAT}})
        yield Part(len(batch), batch[-1]["_id"])


def contract(db: Db) -> None:
    """Name what old code added behind the backfill, then let the database refuse keys without a name."""
    db[COLLECTION].update_many({"format": {"$exists": False}}, {"$set": {"format": FORMAT}})
    schema = {"required": ["format"], "properties": {"format": {"bsonType": "string"}}}
    db.command("collMod", COLLECTION, validator={"$jsonSchema": schema})


def size(db: Db) -> int:
    """How many keys there are."""
    return db[COLLECTION].estimated_document_count()
