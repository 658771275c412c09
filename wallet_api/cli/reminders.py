"""`reminders plan` and `reminders send`: what the worker does, once, now, without a broker."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from wallet_api.cli.opened import opened_services, settings_here
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.infra.clock import vn_day


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    parser = commands.add_parser("reminders", help="plan or send reminders once, now, without a broker")
    acts = parser.add_subparsers(title="what to do", required=True, metavar="ACT")
    plan = acts.add_parser(
        "plan",
        help="review and queue what is due today",
        description="Review everybody whose day has come and queue what is due today (Vietnamese day): inbox "
        "messages at once, pushes for later. Doing it twice sends nothing twice.",
    )
    plan.set_defaults(do=_plan)
    send = acts.add_parser(
        "send",
        help="send the pushes whose time has come",
        description="Send every queued push whose time has come, batch by batch, and say what the channel "
        "answered.",
    )
    send.set_defaults(do=_send)


def _plan(_: argparse.Namespace) -> int:
    with opened_services(settings_here()) as (services, _database):
        day = vn_day(services.now())
        report = services.reminding.dispatch.plan_day(day)
    tell(f"{day}: " + ", ".join(f"{name} {count}" for name, count in asdict(report).items()))
    return 0


def _send(_: argparse.Namespace) -> int:
    batches, answers = 0, dict[str, int]()
    settings = settings_here()
    if settings.fcm_credentials is None or not settings.fcm_credentials.is_file():
        raise CannotDo("WALLET_FCM_CREDENTIALS names no service account file, so nothing can be pushed.")
    with opened_services(settings) as (services, _database):
        delivery = services.reminding.delivery()
        for shard in sorted(services.reminding.outbox.ready(services.now())):
            while (done := delivery.deliver(shard)) is not None:
                batches += 1
                for name, count in done.answers.items():
                    answers[name] = answers.get(name, 0) + count
                tell(f"batch {done.batch_id[:8]}: {done.state.value}")
    told = ", ".join(f"{name} {count}" for name, count in sorted(answers.items())) or "nothing to send"
    tell(f"{batches} batches: {told}")
    return 0
