"""The command line: one module a group of commands, each with `add(commands)`.

Exit codes: 0 done; 1 it could not be done, or what was checked does not hold; 2 the command or the
settings are wrong. A sentence on standard error says why.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from notifications.errors import BadChannel
from wallet_api.cli import (
    audit,
    backup,
    clients,
    importing,
    keys,
    migrate,
    openapi,
    reminders,
    restore,
    run,
    seed,
    story,
    token,
    worker,
)
from wallet_api.cli.screen import CannotDo, warn
from wallet_api.infra.archive import ArchiveError
from wallet_api.infra.crypto.errors import CryptoError
from wallet_api.infra.embedded import EmbeddedError
from wallet_api.infra.migrations import MigrationError
from wallet_api.infra.mongo import DATABASE_ERRORS, IndexConflict
from wallet_api.infra.processes import ProcessError
from wallet_api.settings import Settings, SettingsError
from wallet_api.wiring.backups import RestoreRefused

Work = Callable[[Settings], int]
Loop = Callable[[Settings, Sequence[int], Callable[[], object]], int]
"""Settings, the shards of a worker without a broker, and what to call when it works."""
_GROUPS = (
    run,
    story,
    worker,
    seed,
    token,
    clients,
    reminders,
    importing,
    audit,
    keys,
    migrate,
    backup,
    restore,
    openapi,
)
_REFUSALS = (
    CannotDo,
    BadChannel,
    ProcessError,
    EmbeddedError,
    CryptoError,
    ArchiveError,
    MigrationError,
    IndexConflict,
    RestoreRefused,
)


def command_line() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(
        prog="python -m wallet_api", description="The health wallet: start it, look after it, see it work."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in _GROUPS:
        group.add(commands)
    return parser


def main(argv: Sequence[str], *, work: Work | None = None, loop: Loop | None = None) -> int:
    """Run one command and return its exit code. The `worker` command starts `work`, or `loop`."""
    options = command_line().parse_args(argv)
    options.work, options.loop = work, loop
    try:
        return int(options.do(options))
    except SettingsError as why:
        for fault in why.faults:
            warn(f"{fault}.")
        return 2
    except _REFUSALS as why:
        warn(str(why))
        return 1
    except DATABASE_ERRORS as why:
        warn(f"The database does not answer ({type(why).__name__}): is WALLET_MONGO_URI right?")
        return 1
    except KeyboardInterrupt:
        warn("Stopped.")
        return 130
