"""Every collection exists before anything is stored.

A transaction that has to create a collection takes an exclusive lock and fails when two do it at once; and
what is to be sharded or validated must exist before it is filled.
"""

from collections.abc import Iterator
from contextlib import suppress

from pymongo.errors import CollectionInvalid

from wallet_api.infra.migrations import Part
from wallet_api.infra.mongo import Db

WHAT = "every collection up front"
NAMES = (
    "accounts",
    "audit_log",
    "authorization_codes",
    "brakes",
    "breaches",
    "citizen_keys",
    "citizens",
    "consent_requests",
    "devices",
    "due_items",
    "grants",
    "guardianships",
    "identifiers",
    "identity_reviews",
    "inbox",
    "intakes",
    "login_attempts",
    "oauth_clients",
    "organisations",
    "outbox",
    "outbox_figures",
    "parked_intakes",
    "practitioners",
    "record_versions",
    "records",
    "refresh_tokens",
    "reminder_preferences",
    "reminders",
    "sessions",
    "standings",
    "used_assertions",
    "visit_codes",
)


def expand(db: Db) -> None:
    """Create what is missing."""
    for name in sorted(set(NAMES) - set(db.list_collection_names())):
        with suppress(CollectionInvalid):  # somebody stored the first document in this very moment
            db.create_collection(name)


def backfill(db: Db, after: str | None) -> Iterator[Part]:
    """Nothing is stored in another shape."""
    return iter(())


def contract(db: Db) -> None:
    """Nothing goes away."""


def size(db: Db) -> int:
    """Nothing to look at."""
    return 0
