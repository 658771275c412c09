"""The access log is stored in groups: one document for the rows that were written together.

Side by side: no stored row changes its form. New code reads both forms; old code reads its own and writes
on in it, each process in logs of its own. When no old code is left, the database itself refuses any other
document in the log than a group, and with it any change of a row in the old form.
"""

from collections.abc import Iterator

from wallet_api.infra.migrations import Part
from wallet_api.infra.mongo import Db

WHAT = "the access log in groups"
COLLECTION = "audit_log"


def expand(db: Db) -> None:
    """Nothing has to be there first: the index of the groups is declared beside their store."""


def backfill(db: Db, after: str | None) -> Iterator[Part]:
    """A row of the log is never rewritten."""
    return iter(())


def contract(db: Db) -> None:
    """Let the database take groups only."""
    schema = {
        "required": ["log_id", "citizens", "newest", "rows"],
        "properties": {
            "log_id": {"bsonType": "string"},
            "citizens": {"bsonType": "array"},
            "newest": {"bsonType": "string"},
            "rows": {"bsonType": "array"},
        },
    }
    db.command("collMod", COLLECTION, validator={"$jsonSchema": schema})


def size(db: Db) -> int:
    """Nothing to look at."""
    return 0
