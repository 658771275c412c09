"""`backup` and `backup-keys`: the database in one place, the wrapped keys in another."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wallet_api.cli.opened import opened_database, settings_here
from wallet_api.cli.progress import Progress
from wallet_api.cli.screen import tell, warn
from wallet_api.infra.clock import clock_from
from wallet_api.infra.mongo import Db
from wallet_api.settings import Settings
from wallet_api.wiring import open_keys
from wallet_api.wiring.backups import Safekeeping


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    data = commands.add_parser(
        "backup",
        help="write the database, without its keys, into a folder",
        description="Write every collection into a new folder below DIR, with digests, counts and signed "
        "checkpoints of the access log, while the wallet goes on serving. It opens nothing without "
        "`backup-keys`, which is to be run right after it, into another place.",
    )
    data.add_argument("--to", type=Path, required=True, metavar="DIR", help="where database backups lie")
    data.set_defaults(do=_backup)
    keys = commands.add_parser(
        "backup-keys",
        help="write the wrapped citizen keys into another folder",
        description="Write the wrapped citizen keys into a new folder below DIR, and delete those there that "
        "are older than 31 days. They open with the key-encryption keys alone, which are kept apart again.",
    )
    keys.add_argument("--to", type=Path, required=True, metavar="DIR", help="where key backups lie")
    keys.set_defaults(do=_backup_keys)


@contextmanager
def safekeeping(settings: Settings) -> Iterator[tuple[Safekeeping, Db]]:
    """What makes and restores backups, over this environment's database, with progress bars."""
    bars: list[Progress] = []

    def bar(what: str, total: int) -> Callable[[int], None]:
        for each in bars:
            each.end()
        bars[:] = [Progress(what, total)]
        return bars[0].add

    with opened_database(settings) as database:
        yield (
            Safekeeping(database, open_keys(settings), clock_from(settings), settings.keys_dir, bar),
            database,
        )
        for each in bars:
            each.end()


def _backup(options: argparse.Namespace) -> int:
    with safekeeping(settings_here()) as (keeper, _):
        made = keeper.back_up(options.to)
    tell(
        f"{made.documents} documents in {made.folder}, of one moment ({made.consistency})."
        if made.consistency != "ordered"
        else f"{made.documents} documents in {made.folder}, read one collection after the other."
    )
    tell("Now run `backup-keys` into another place: this backup opens nothing by itself.")
    if made.log_faults:
        warn(f"The access log was not whole: {', '.join(made.log_faults)}. Run `audit verify`.")
        return 1
    tell(f"The access log was whole: {made.log_rows} entries, signed for.")
    return 0


def _backup_keys(options: argparse.Namespace) -> int:
    with safekeeping(settings_here()) as (keeper, _):
        folder, count, gone = keeper.back_up_keys(options.to)
    tell(f"{count} wrapped keys in {folder}; {gone} older than 31 days deleted.")
    return 0
