"""`seed`: demo people into a development database."""

from __future__ import annotations

import argparse

from wallet_api.cli.opened import dev_settings, opened_database, opened_services
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.wiring.demo import demo_marked, seed_demo


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "seed",
        help="make the demo people, organisations and books (development)",
        description="Make what is missing of the demonstration in an embedded database that is empty or was "
        "made for it. `run` does this by itself the first time.",
    )
    parser.set_defaults(do=_seed)


def _seed(_: argparse.Namespace) -> int:
    settings = dev_settings("seed")
    if not settings.embedded:
        raise CannotDo("Demo people go into the embedded database alone: unset WALLET_MONGO_URI.")
    with opened_database(settings) as database:
        if not demo_marked(database):
            raise CannotDo("The database holds data that is no demonstration; nothing was changed.")
    with opened_services(settings) as (services, database):
        seed_demo(services, database, settings, tell)
    tell("Done.")
    return 0
