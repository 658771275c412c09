"""`restore`: both backups into an empty database, proved whole before anybody is served from it."""

from __future__ import annotations

import argparse
from pathlib import Path

from wallet_api.cli.backup import safekeeping
from wallet_api.cli.opened import settings_here
from wallet_api.cli.screen import tell


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "restore",
        help="put a backup into an empty database",
        description="Check both backups to the byte, put them into an EMPTY database, recompute the access "
        "log against its signed checkpoints and open every sealed value. What fails leaves nothing behind.",
    )
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="DIR", help="of `backup`")
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="of `backup-keys`")
    parser.set_defaults(do=_restore)


def _restore(options: argparse.Namespace) -> int:
    with safekeeping(settings_here()) as (keeper, _):
        done = keeper.restore(options.source, options.keys)
    sealed = done.sealed
    tell(f"{done.documents} documents and {done.keys} wrapped keys restored.")
    tell(f"The access log is whole: {done.log_rows} entries, {done.checkpoints} signed checkpoints hold.")
    tell(
        f"{sealed.opened} sealed values open; {sealed.without_key} of "
        f"{len(sealed.owners_without_key)} owners have no key any more and stay closed."
    )
    if done.grants_ended:
        tell(f"{done.grants_ended} grants had ended while the backup was read; they were ended here too.")
    tell("Everybody has to sign in again. What was done after the backup is not in here: withdrawals too.")
    return 0
