"""The worker: tasks that plan, send and repair, and the beat that calls them.

The outbox is the truth; a task only says where to look. So a lost message costs one interval, and a message
seen twice, or two beats at once, change nothing. Tasks carry days and shard numbers, never people's data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Final

from celery import Celery, signals
from celery.beat import EmbeddedService, Scheduler

from notifications.delivery import Delivery
from wallet_api.context import Services
from wallet_api.infra.clock import vn_day
from wallet_api.infra.logs import say
from wallet_api.infra.queue import CAMPAIGNS_TASK, PLAN_TASK, make_queue
from wallet_api.settings import Settings

TODAY_TASK: Final = "wallet.plan_today"
WAKE_TASK: Final = "wallet.wake"
DELIVER_TASK: Final = "wallet.deliver_shard"
SWEEP_TASK: Final = "wallet.sweep"
EVENTS_TASK: Final = "wallet.push_events"
EXPORTS_TASK: Final = "wallet.make_exports"
CAMPAIGN_TASK: Final = "wallet.run_campaign"

EVERY: Final = {
    EXPORTS_TASK: 2.0,
    WAKE_TASK: 3.0,
    CAMPAIGNS_TASK: 5.0,
    EVENTS_TASK: 5.0,
    TODAY_TASK: 15.0,
    SWEEP_TASK: 30.0,
}
"""Seconds from one call of the beat to the next. Not the send times: those are in the outbox."""

_BATCHES_A_TASK: Final = 20  # then another shard has its turn
_TURNS_A_TASK: Final = 10  # of a campaign, then reminders have their turn
_PUSHED_AT_ONCE: Final = 16  # webhooks a worker speaks to side by side, so that one that hangs holds up none
_SWEEPS: Final = 40  # of some hundred consents each, before events are pushed
_STALE: Final = 60.0  # seconds after which a call nobody took is dropped: the beat has called again since


def celery_app(settings: Settings, services: Services, sender: Delivery) -> Celery:
    """The queue with all tasks and the beat schedule."""
    app = make_queue(settings)
    app.conf.update(
        beat_schedule={
            name: {"task": name, "schedule": every, "options": {"expires": _STALE}}
            for name, every in EVERY.items()
        },
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )
    _register(app, services, sender)
    return app


def _register(app: Celery, services: Services, sender: Delivery) -> None:
    @app.task(shared=False, name=PLAN_TASK)
    def plan_day(day: str) -> None:
        """Review and queue one day (ISO), then wake the senders."""
        report = services.reminding.dispatch.plan_day(date.fromisoformat(day))
        if report.planned or report.messages:
            say("day_planned", count=report.pushes)
        if report.failed:
            say("reviews_failed", logging.WARNING, count=report.failed)
        wake()

    @app.task(shared=False, name=TODAY_TASK)
    def plan_today() -> None:
        """The same for the day it is now in Vietnam, whenever this task was asked for."""
        plan_day(vn_day(services.now()).isoformat())

    @app.task(shared=False, name=WAKE_TASK)
    def wake() -> None:
        """Tell of emergencies that nobody told of yet, then have every shard delivered that is due."""
        told = services.emergencies.tell_rest()
        if told:
            say("emergencies_told", count=told)
        for shard in sorted(services.reminding.outbox.ready(services.now())):
            app.send_task(DELIVER_TASK, args=[shard], expires=_STALE)

    @app.task(shared=False, name=DELIVER_TASK)
    def deliver_shard(shard: int) -> None:
        """Send what is due in one shard, batch by batch."""
        for _ in range(_BATCHES_A_TASK):
            done = sender.deliver(shard)
            if done is None:
                return
            say(
                "batch_sent", batch_id=done.batch_id, state=done.state.value, count=sum(done.answers.values())
            )

    @app.task(shared=False, name=EVENTS_TASK)
    def push_events() -> None:
        """Push to webhooks what they were not sent yet."""
        _push_events(services)

    @app.task(shared=False, name=CAMPAIGNS_TASK)
    def run_campaigns() -> None:
        """Have every live campaign run, and let audiences and coverage follow some of the changed plans."""
        services.reminding.follow()
        for campaign_id in services.reminding.campaigns.live():
            app.send_task(CAMPAIGN_TASK, args=[campaign_id], expires=_STALE)

    @app.task(shared=False, name=CAMPAIGN_TASK)
    def run_campaign(campaign_id: str) -> None:
        """Make the messages of one campaign that its pace allows now, turn by turn."""
        made = 0
        for _ in range(_TURNS_A_TASK):
            turn = services.reminding.runner.turn(campaign_id)
            made += turn.made
            if not turn.again:
                break
        if made:
            say("campaign_run", campaign_id=campaign_id, count=made)
            wake()

    @app.task(shared=False, name=EXPORTS_TASK)
    def make_exports() -> None:
        """Make the file that has waited longest. One at a time: reminders wait meanwhile."""
        made = services.exports.make_next()
        if made is not None:
            say("export_made", state=made.state)

    @app.task(shared=False, name=SWEEP_TASK)
    def sweep() -> None:
        """Put the batches of dead workers back into the queue, and go on with erasures that were begun."""
        returned = services.reminding.outbox.sweep(services.now())
        if returned:
            say("leases_ran_out", count=returned)
        erased = services.rights.settle()
        if erased:
            say("erasures_done", count=erased)


def _push_events(services: Services) -> None:
    """Tell what ran out by itself, then push what organisations were not sent yet."""
    telling = services.telling
    for _ in range(_SWEEPS):
        if not telling.feed.sweep():
            break
    due = telling.sender.due(_PUSHED_AT_ONCE)
    if not due:
        return
    with ThreadPoolExecutor(len(due), thread_name_prefix="push-events") as pool:
        turns = [each for each in pool.map(telling.sender.turn, due) if each is not None]
    if turns:
        say("events_pushed", count=sum(each.sent for each in turns))


def run_worker(settings: Settings, build: Callable[[Settings], Services]) -> int:
    """Work until SIGTERM, then finish the task in hand and return the exit code.

    One thread works, because a channel belongs to one; more throughput is more processes. The beat runs
    beside it and keeps nothing on disk, so that a killed worker leaves nothing to repair. Logs are the
    caller's: Celery's own go through whatever is set up.

    Raises:
        Whatever `build` raises, BadChannel: a worker that cannot work or cannot send does not start.
    """
    services = build(settings)
    sender = services.reminding.delivery()
    signals.setup_logging.connect(_keep_logs, weak=False)
    logging.captureWarnings(True)
    app = celery_app(settings, services, sender)
    beat = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)
    worker = app.Worker(
        pool="threads",
        concurrency=1,
        quiet=True,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    beat.start()
    try:
        worker.start()
    finally:
        beat.stop()
    return int(worker.exitcode or 0)


def _keep_logs(**_: object) -> None:
    """Celery sets up logging only when nobody answers its signal; ours are set up already."""
