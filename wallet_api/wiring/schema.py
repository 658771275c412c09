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
from wallet_api.infra.mongo import Db, IndexConflict, ensure_indexes, set_expiry
from wallet_api.migrations import MIGRATIONS, NEEDS
from wallet_api.settings import Settings
from wallet_api.wiring.indexes import ALL_INDEXES


def migrations_of(
    settings: Settings, db: Db, now: Callable[[], datetime], tell: Callable[[str], None]
) -> Runner:
    """The runner of this release's migrations, which creates missing indexes first."""
    return Runner(db, MIGRATIONS, now, tell, first=lambda found: _ensure_for(settings, found))


def ready_schema(settings: Settings, db: Db, now: Callable[[], datetime]) -> None:
    """Let this code start on this database, or say why not.

    Development brings an older database up to date by itself. Raises MigrationError, IndexConflict.
    """
    refuse_half_restored(db)
    ledger = applied(db)
    if settings.dev and any(_behind(ledger, each.number) for each in MIGRATIONS):
        migrations_of(settings, db, now, lambda _: None).run()
        ledger = applied(db)
    check_schema(ledger, MIGRATIONS, NEEDS)
    if settings.dev:
        _ensure_for(settings, db)
        return
    missing = missing_indexes(db, ALL_INDEXES)
    if missing:
        raise SchemaTooOld(f"The database lacks the index {missing[0]}: run `python -m wallet_api migrate`.")


def _ensure_for(settings: Settings, db: Db) -> None:
    # Under a moved clock the database's own would take away what is still good, a minute later or two.
    wanted = [each.unswept() for each in ALL_INDEXES] if settings.clock_file else ALL_INDEXES
    try:
        ensure_indexes(db, wanted)
    except IndexConflict:
        if not settings.dev:
            raise
        set_expiry(db, wanted)  # it was run with the other kind of clock before
        ensure_indexes(db, wanted)


def refuse_half_restored(db: Db) -> None:
    """Raise SchemaTooOld for a database whose restore was never finished."""
    if db[LEDGER].find_one({"_id": "restore"}) is not None:
        raise SchemaTooOld(
            "A restore into this database was not finished: run it again from the same backup."
        )


def _behind(ledger: Mapping[int, Applied], number: int) -> bool:
    return number not in ledger or ledger[number].stage < Stage.BACKFILLED
