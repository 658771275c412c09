"""`seed`: demo people, or a whole made-up population, into a development database."""

from __future__ import annotations

import argparse
import sys

from wallet_api.cli.opened import dev_settings, opened_database, opened_services
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.settings import Settings
from wallet_api.wiring.demo import demo_marked, seed_demo
from wallet_api.wiring.population.run import OtherPopulation, Outcome, Progress, populate

_BAR = 30


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "seed",
        help="make the demo people, or a population of synthetic citizens (development)",
        description="Make what is missing of the demonstration in an embedded database that is empty or was "
        "made for it; `run` does this by itself the first time. With --citizens: fill the database with that "
        "many synthetic citizens, their families, books, consents and plans; broken off and given again, it "
        "goes on. All of them are made up.",
    )
    parser.add_argument("--citizens", type=int, metavar="N", help="how many synthetic citizens to have")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same people (1)")
    parser.add_argument("--yes", action="store_true", help="do not ask before filling")
    parser.set_defaults(do=_seed)


def _seed(options: argparse.Namespace) -> int:
    settings = dev_settings("seed")
    if options.citizens is not None:
        return _populate(settings, options.citizens, options.seed, options.yes)
    if not settings.embedded:
        raise CannotDo("Demo people go into the embedded database alone: unset WALLET_MONGO_URI.")
    _marked(settings)
    with opened_services(settings) as (services, database):
        seed_demo(services, database, settings, tell)
    tell("Done.")
    return 0


def _marked(settings: Settings) -> None:
    with opened_database(settings) as database:
        if not demo_marked(database):
            raise CannotDo("The database holds data that is no demonstration; nothing was changed.")


def _populate(settings: Settings, citizens: int, seed: int, sure: bool) -> int:
    if citizens < 1:
        raise CannotDo("--citizens is a whole number from 1.")
    if not sure and not _agreed(
        f"Fill the database {settings.database!r} with {citizens:,} made-up citizens?"
    ):
        raise CannotDo("Nothing was changed; --yes says yes beforehand.")
    _marked(settings)
    with opened_services(settings) as (services, database):
        try:
            outcome = populate(settings, services, database, citizens, seed, _shown)
        except OtherPopulation as why:
            raise CannotDo(str(why)) from why
    _tell_outcome(outcome)
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _shown(progress: Progress) -> None:
    share = min(progress.citizens / progress.wanted, 1.0)
    bar = "#" * round(share * _BAR)
    line = (
        f"[{bar:<{_BAR}}] {share:6.1%}  {progress.citizens:,} of {progress.wanted:,} citizens  "
        f"{progress.rate:.0f}/s  {_minutes(progress.left)} to go"
    )
    if sys.stdout.isatty():
        sys.stdout.write(f"\r{line}\x1b[K" + ("\n" if share >= 1 else ""))
        sys.stdout.flush()
    else:
        tell(line)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _tell_outcome(outcome: Outcome) -> None:
    tell(
        "The database holds " + ", ".join(f"{count:,} {name}" for name, count in outcome.holds.items()) + "."
    )
    fresh = outcome.fresh["citizens"]
    if fresh:
        people, records = fresh / outcome.seconds, outcome.fresh["records"] / outcome.seconds
        took = _minutes(outcome.seconds)
        tell(f"Made {fresh:,} citizens in {took} min: {people:.0f} citizens/s, {records:.0f} records/s.")
    else:
        tell("Nothing was missing.")
