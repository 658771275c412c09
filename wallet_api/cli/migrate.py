"""`migrate`: bring the database into the shape this release needs, while older code goes on serving."""

from __future__ import annotations

import argparse

from wallet_api.cli.opened import opened_database, settings_here
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.infra.clock import clock_from
from wallet_api.infra.migrations import Stage, applied
from wallet_api.infra.mongo import Db
from wallet_api.migrations import MIGRATIONS, NEEDS
from wallet_api.wiring.schema import migrations_of


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "migrate",
        help="bring the database into the shape this release needs",
        description="Create missing indexes, add what is new and move what is stored into the new shape. "
        "Older code may go on serving meanwhile. May be killed and run again; a second runner waits.",
    )
    parser.add_argument("--status", action="store_true", help="only say what was done and what is to do")
    parser.add_argument("--to", type=int, metavar="N", help="stop after migration N")
    parser.add_argument(
        "--contract",
        action="store_true",
        help="also take away what only older releases need: when none of them runs any more",
    )
    parser.set_defaults(do=_migrate)


def _migrate(options: argparse.Namespace) -> int:
    settings = settings_here()
    if options.to is not None and options.to not in {each.number for each in MIGRATIONS}:
        raise CannotDo(f"There is no migration {options.to}: the last one is {len(MIGRATIONS)}.")
    with opened_database(settings) as database:
        if not options.status:
            runner = migrations_of(settings, database, clock_from(settings), tell)
            runner.run(options.to, contract=options.contract)
        behind = _show(database)
    return 1 if options.status and behind else 0


def _show(database: Db) -> bool:
    """Print every migration; whether this release must wait for one."""
    ledger, behind = applied(database), False
    for each in MIGRATIONS:
        entry = ledger.pop(each.number, None)
        stage = entry.stage if entry else Stage.ABSENT
        needed = stage < NEEDS.get(each.number, Stage.EXPANDED)
        behind = behind or needed
        more = ", this release needs it" if needed else ""
        tell(f"{each.name}  {stage.name.lower():10}  {each.what}{more}")
    for number, entry in sorted(ledger.items()):
        tell(f"{number:04d}  {entry.stage.name.lower():10}  of a newer release")
    return behind
