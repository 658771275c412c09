"""Is the database in the shape this code needs? In development it is brought into it, elsewhere refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from wallet_api.infra.migrations import (
    LEDGER,
    Applied,
    Runner,
    SchemaTooOld,
    Stage,
    applied,
    check_schema,
    missing_indexes,
)
from wallet_api.infra.mongo import Db, ensure_indexes
from wallet_api.migrations import MIGRATIONS, NEEDS
from wallet_api.settings import Settings
from wallet_api.wiring.indexes import ALL_INDEXES


def migrations_of(db: Db, now: Callable[[], datetime], tell: Callable[[str], None]) -> Runner:
    """The runner of this release's migrations, which creates missing indexes first."""
    return Runner(db, MIGRATIONS, now, tell, first=lambda found: ensure_indexes(found, ALL_INDEXES))


def ready_schema(settings: Settings, db: Db, now: Callable[[], datetime]) -> None:
    """Let this code start on this database, or say why not.

    Development brings an older database up to date by itself. Raises MigrationError, IndexConflict.
    """
    refuse_half_restored(db)
    ledger = applied(db)
    if settings.dev and any(_behind(ledger, each.number) for each in MIGRATIONS):
        migrations_of(db, now, lambda _: None).run()
        ledger = applied(db)
    check_schema(ledger, MIGRATIONS, NEEDS)
    if settings.dev:
        ensure_indexes(db, ALL_INDEXES)
        return
    missing = missing_indexes(db, ALL_INDEXES)
    if missing:
        raise SchemaTooOld(f"The database lacks the index {missing[0]}: run `python -m wallet_api migrate`.")


def refuse_half_restored(db: Db) -> None:
    """Raise SchemaTooOld for a database whose restore was never finished."""
    if db[LEDGER].find_one({"_id": "restore"}) is not None:
        raise SchemaTooOld(
            "A restore into this database was not finished: run it again from the same backup."
        )


def _behind(ledger: Mapping[int, Applied], number: int) -> bool:
    return number not in ledger or ledger[number].stage < Stage.BACKFILLED
