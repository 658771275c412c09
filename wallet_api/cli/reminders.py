"""`reminders`: what the worker does, once, now, without a broker; and the brakes it put on."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from notifications.channels.fcm_wire import PUSH_CHANNEL, PUSH_TEMPLATE
from notifications.sizing import Measured, Population, size
from wallet_api.cli import rebuilding
from wallet_api.cli.opened import opened_database, opened_services, settings_here
from wallet_api.cli.screen import CannotDo, tell
from wallet_api.infra.clock import clock_from, vn_day
from wallet_api.wiring.reminding import open_brakes

_USUAL = Population(100_000_000)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    parser = commands.add_parser("reminders", help="plan or send reminders once; see and release brakes")
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
    rebuilding.add(acts)
    status = acts.add_parser("status", help="whether pushes go out, or what holds them")
    status.set_defaults(do=_status)
    release = acts.add_parser(
        "release",
        help="let a stopped push text out again",
        description="Let the pushes of a template version out again. The worker stops one for good when FCM "
        "says that its payload is malformed (alert push_bad_payload): mend the cause first. What waited "
        "goes out, unless it is more than two days late.",
    )
    release.add_argument("template", help="the version, like push.v1")
    release.set_defaults(do=_release)

    _add_size(acts)


def _add_size(acts: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    size_ = acts.add_parser(
        "size",
        help="how many workers a population needs",
        description="Compute workers from rates measured on this kind of machine: `python -m bench push` "
        "prints pushes a second of one process end to end. Asks no database.",
    )
    size_.add_argument("--citizens", type=int, default=_USUAL.citizens)
    size_.add_argument("--pushes-per-second", type=float, required=True, help="push_e2e of one process")
    size_.add_argument("--plans-per-second", type=float, required=True, help="citizens reviewed by one")
    size_.add_argument("--reminders", type=float, default=_USUAL.reminders, help="a person and year")
    size_.add_argument("--phones", type=float, default=_USUAL.phones, help="a person")
    size_.add_argument("--window-hours", type=float, default=_USUAL.window_hours)
    size_.add_argument("--campaign-hours", type=float, default=_USUAL.campaign_hours)
    size_.set_defaults(do=_size)


def _size(options: argparse.Namespace) -> int:
    people = Population(
        citizens=options.citizens,
        reminders=options.reminders,
        phones=options.phones,
        window_hours=options.window_hours,
        campaign_hours=options.campaign_hours,
    )
    try:
        found = size(people, Measured(options.pushes_per_second, options.plans_per_second))
    except ValueError as why:
        raise CannotDo(f"That cannot be computed: {why}.") from None
    for line in (
        f"{people.citizens:,} citizens, {people.spare:.0%} of each worker kept free",
        f"an ordinary day: {found.everyday_pushes:,.1f} pushes/s over {people.window_hours:g} hours: "
        f"{found.everyday_workers} workers (never fewer than two)",
        f"a campaign to everybody beside it: {found.campaign_pushes:,.0f} pushes/s over "
        f"{people.campaign_hours:g} hours: {found.campaign_workers} workers, "
        f"{found.quotas} x the default FCM quota (WALLET_PUSH_RATE={9000 * found.quotas})",
        f"planning at night: {found.planning_workers} workers",
        f"each worker: {found.connections} connections to FCM at 0.2 s of latency",
    ):
        tell(line)
    return 0


def _plan(_: argparse.Namespace) -> int:
    with opened_services(settings_here()) as (services, _database):
        day = vn_day(services.now())
        report = services.reminding.dispatch.plan_day(day)
    tell(f"{day}: " + ", ".join(f"{name} {count}" for name, count in asdict(report).items()))
    return 0


def _send(_: argparse.Namespace) -> int:
    batches, answers = 0, dict[str, int]()
    with opened_services(settings_here()) as (services, _database):
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


def _status(_: argparse.Namespace) -> int:
    settings = settings_here()
    template, channel = PUSH_TEMPLATE, PUSH_CHANNEL
    with opened_database(settings) as database:
        brakes = open_brakes(database)
        stopped, until = brakes.stopped(template), brakes.paused_until(channel)
    tell(f"{template}: {'stopped until released' if stopped else 'goes out'}")
    held = until is not None and until > clock_from(settings)()
    tell(f"{channel}: {f'paused until {until:%Y-%m-%d %H:%M:%S} UTC' if held else 'not paused'}")
    return 0


def _release(options: argparse.Namespace) -> int:
    with opened_database(settings_here()) as database:
        brakes = open_brakes(database)
        if not brakes.stopped(options.template):
            raise CannotDo(f"{options.template} is not stopped.")
        brakes.release(options.template)
    tell(f"{options.template} goes out again.")
    return 0
