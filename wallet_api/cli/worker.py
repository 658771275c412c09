"""`worker`: plans, sends and repairs reminders until told to end."""

from __future__ import annotations

import argparse
import re

from notifications.reminders import SHARDS
from wallet_api.cli.local import ready_file
from wallet_api.cli.opened import settings_here
from wallet_api.cli.screen import CannotDo
from wallet_api.infra.logs import set_up_logs


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "worker",
        help="plan and send reminders until told to end",
        description="Take tasks from WALLET_BROKER_URL and send reminders through FCM. SIGTERM ends it after "
        "the task in hand. Any number may run; more workers send more.",
    )
    parser.add_argument(
        "--no-broker",
        action="store_true",
        help="do the same work in a plain loop, without WALLET_BROKER_URL",
    )
    parser.add_argument(
        "--shards",
        type=_shards,
        default=range(SHARDS),
        metavar="0-63",
        help="with --no-broker: the shards this worker plans and sends, like 0-15 or 3",
    )
    parser.set_defaults(do=_work)


def _work(options: argparse.Namespace) -> int:
    if (options.loop if options.no_broker else options.work) is None:
        raise CannotDo("This entry has no worker to start: use `python -m wallet_api worker`.")
    if not options.no_broker and options.shards != range(SHARDS):
        raise CannotDo("--shards goes with --no-broker: a broker hands out shards by itself.")
    settings = settings_here()
    set_up_logs(settings.log_level)
    said = ready_file(settings)

    def ready(**_: object) -> None:
        said.parent.mkdir(parents=True, exist_ok=True)
        said.touch()

    if options.no_broker:
        return int(options.loop(settings, options.shards, ready))
    # Loaded here alone: every command passes through this file, and only this one needs a broker.
    from celery.signals import worker_ready

    worker_ready.connect(ready, weak=False)
    return int(options.work(settings))


def _shards(text: str) -> range:
    """`0-15` or `3`, within 0 to 63."""
    found = re.fullmatch(r"([0-9]{1,2})(?:-([0-9]{1,2}))?", text)
    if found is None:
        raise argparse.ArgumentTypeError("a number or two with a dash, like 0-15")
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= last < SHARDS:
        raise argparse.ArgumentTypeError(f"shards are 0 to {SHARDS - 1}, the lower one first")
    return range(first, last + 1)
