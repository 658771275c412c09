"""`worker`: plans, sends and repairs reminders until told to end."""

from __future__ import annotations

import argparse

from celery.signals import worker_ready

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
    parser.set_defaults(do=_work)


def _work(options: argparse.Namespace) -> int:
    if options.work is None:
        raise CannotDo("This entry has no worker to start: use `python -m wallet_api worker`.")
    settings = settings_here()
    set_up_logs(settings.log_level)
    said = ready_file(settings)

    def ready(**_: object) -> None:
        said.parent.mkdir(parents=True, exist_ok=True)
        said.touch()

    worker_ready.connect(ready, weak=False)
    return int(options.work(settings))
