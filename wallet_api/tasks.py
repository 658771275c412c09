"""The worker: tasks that plan, send and repair, and the beat that calls them.

The outbox is the truth; a task only says where to look. So a lost message costs one interval, and a message
seen twice, or two beats at once, change nothing. Tasks carry days and shard numbers, never people's data.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Final

from celery import Celery, signals
from celery.beat import EmbeddedService, Scheduler

from notifications.ahead import OneAhead
from notifications.delivery import Delivered, Delivery
from notifications.reminders import SHARDS
from wallet_api.context import Services
from wallet_api.infra.clock import vn_day
from wallet_api.infra.logs import say, say_error
from wallet_api.infra.queue import CAMPAIGNS_TASK, PLAN_TASK, make_queue
from wallet_api.settings import Settings

TODAY_TASK: Final = "wallet.plan_today"
WAKE_TASK: Final = "wallet.wake"
DELIVER_TASK: Final = "wallet.deliver_shard"
SWEEP_TASK: Final = "wallet.sweep"
EVENTS_TASK: Final = "wallet.push_events"
EXPORTS_TASK: Final = "wallet.make_exports"
PLANS_TASK: Final = "wallet.keep_plans"
CAMPAIGN_TASK: Final = "wallet.run_campaign"

EVERY: Final = {
    EXPORTS_TASK: 2.0,
    WAKE_TASK: 3.0,
    CAMPAIGNS_TASK: 5.0,
    EVENTS_TASK: 5.0,
    PLANS_TASK: 5.0,
    TODAY_TASK: 15.0,
    SWEEP_TASK: 30.0,
}
"""Seconds from one call of the beat to the next. Not the send times: those are in the outbox."""

_BATCHES_A_TASK: Final = 20  # then another shard has its turn
_TURNS_A_TASK: Final = 10  # of a campaign, then reminders have their turn
_PUSHED_AT_ONCE: Final = 16  # webhooks a worker speaks to side by side, so that one that hangs holds up none
_SWEEPS: Final = 40  # of some hundred consents each, before events are pushed
_PLANS_SECONDS: Final = 2.0  # of each call for the stored plans: reminders wait meanwhile
_IDLE: Final = 0.5  # seconds until the loop looks again when nothing was due
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
    _register(app, Duties(services, sender))
    return app


class Duties:
    """What a worker does, whoever calls it: a task of the queue or the loop without one."""

    def __init__(self, services: Services, sender: Delivery) -> None:
        self._services = services
        self._sender = OneAhead(sender, _BATCHES_A_TASK)

    def plan(self, day: date, shards: Iterable[int] | None = None) -> None:
        """Review and queue one day, of these shards or of all."""
        plan_day = self._services.reminding.dispatch.plan_day
        report = plan_day(day) if shards is None else plan_day(day, shards)
        if report.planned or report.messages:
            say("day_planned", count=report.pushes)
        if report.failed:
            say("reviews_failed", logging.WARNING, count=report.failed)

    def today(self) -> date:
        """The day it is now in Vietnam."""
        return vn_day(self._services.now())

    def due(self) -> list[int]:
        """Tell of emergencies that nobody told of yet; the shards in which something is due, letters last."""
        told = self._services.emergencies.tell_rest()
        if told:
            say("emergencies_told", count=told)
        return sorted(self._services.reminding.outbox.ready(self._services.now()))

    def deliver(self, shards: Iterable[int], over: Callable[[], bool] = lambda: False) -> int:
        """Send what is due in these shards, some batches of each; how many. Once `over` none is begun."""
        return self._sender.send(shards, _tell_sent, over)

    def push_events(self) -> None:
        """Push to webhooks what they were not sent yet."""
        _push_events(self._services)

    def make_exports(self) -> None:
        """Make the file that has waited longest. One at a time: reminders wait meanwhile."""
        made = self._services.exports.make_next()
        if made is not None:
            say("export_made", state=made.state)

    def campaigns(self) -> Sequence[str]:
        """Every live campaign; audiences and coverage follow some of the changed plans first."""
        self._services.reminding.follow()
        return self._services.reminding.campaigns.live()

    def run_campaign(self, campaign_id: str) -> int:
        """Make the messages of one campaign that its pace allows now, turn by turn; how many."""
        made = 0
        for _ in range(_TURNS_A_TASK):
            turn = self._services.reminding.runner.turn(campaign_id)
            made += turn.made
            if not turn.again:
                break
        if made:
            say("campaign_run", campaign_id=campaign_id, count=made)
        return made

    def run_campaigns(self) -> None:
        """The same for every campaign, one after the other."""
        for campaign_id in self.campaigns():
            self.run_campaign(campaign_id)

    def keep_plans(self) -> None:
        """Take rebuilds and the check of the night a little further: no more than a worker may do."""
        upkeep = self._services.reminding.upkeep
        left = upkeep.rebuilding.bounds.a_second * EVERY[PLANS_TASK]
        until = time.monotonic() + _PLANS_SECONDS
        while left > 0 and time.monotonic() < until:
            done = upkeep.rebuilding.step() or upkeep.nightly.step()
            if not done:
                return
            left -= done

    def sweep(self) -> None:
        """Put the batches of dead workers back into the queue, and go on with erasures that were begun."""
        returned = self._services.reminding.outbox.sweep(self._services.now())
        if returned:
            say("leases_ran_out", count=returned)
        erased = self._services.rights.settle()
        if erased:
            say("erasures_done", count=erased)
        forgotten = self._services.reminding.dead_letters.forget()
        if forgotten:
            say("dead_letters_forgotten", count=forgotten)


def _tell_sent(done: Delivered) -> None:
    count = sum(done.answers.values())
    say("batch_sent", batch_id=done.batch_id, state=done.state.value, count=count)


def _register(app: Celery, duties: Duties) -> None:
    @app.task(shared=False, name=PLAN_TASK)
    def plan_day(day: str) -> None:
        """Review and queue one day (ISO), then wake the senders."""
        duties.plan(date.fromisoformat(day))
        wake()

    @app.task(shared=False, name=TODAY_TASK)
    def plan_today() -> None:
        """The same for the day it is now in Vietnam, whenever this task was asked for."""
        plan_day(duties.today().isoformat())

    @app.task(shared=False, name=WAKE_TASK)
    def wake() -> None:
        """Have every shard delivered that is due. A task carries a shard number and nothing else."""
        for shard in duties.due():
            app.send_task(DELIVER_TASK, args=[shard], expires=_STALE)

    @app.task(shared=False, name=DELIVER_TASK)
    def deliver_shard(shard: int) -> None:
        """Send what is due in one shard."""
        duties.deliver([shard])

    @app.task(shared=False, name=CAMPAIGNS_TASK)
    def run_campaigns() -> None:
        """Have every campaign run that is scheduled or running."""
        for campaign_id in duties.campaigns():
            app.send_task(CAMPAIGN_TASK, args=[campaign_id], expires=_STALE)

    @app.task(shared=False, name=CAMPAIGN_TASK)
    def run_campaign(campaign_id: str) -> None:
        """Run one campaign a little further, then wake the senders."""
        if duties.run_campaign(campaign_id):
            wake()

    for name, work in (
        (EVENTS_TASK, duties.push_events),
        (EXPORTS_TASK, duties.make_exports),
        (PLANS_TASK, duties.keep_plans),
        (SWEEP_TASK, duties.sweep),
    ):
        app.task(shared=False, name=name)(_called(work))


def _called(work: Callable[[], None]) -> Callable[[], None]:
    def task() -> None:
        work()

    return task


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


def run_loop(
    settings: Settings,
    build: Callable[[Settings], Services],
    shards: Sequence[int] = range(SHARDS),
    ready: Callable[[], object] = lambda: None,
) -> int:
    """The same work without a broker, for some shards: until SIGTERM, then finish the batch in hand.

    Any number may run, over the same shards or others: the outbox gives each batch to one of them. Webhooks,
    exports and sweeps belong to no shard, and doing them twice is once.
    """
    services = build(settings)
    duties, over = Duties(services, services.reminding.delivery()), threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: over.set())
    mine = frozenset(shards) | {SHARDS + each for each in shards}
    every: dict[str, Callable[[], object]] = {
        EXPORTS_TASK: duties.make_exports,
        EVENTS_TASK: duties.push_events,
        CAMPAIGNS_TASK: duties.run_campaigns,
        PLANS_TASK: duties.keep_plans,
        TODAY_TASK: lambda: duties.plan(duties.today(), shards),
        SWEEP_TASK: duties.sweep,
    }
    next_at = dict.fromkeys(every, 0.0)
    ready()
    while not over.is_set():
        for name, work in every.items():
            if time.monotonic() >= next_at[name] and not over.is_set():
                next_at[name] = time.monotonic() + EVERY[name]
                _carefully(work)
        if not _carefully(lambda: _turn(duties, mine, over)):
            over.wait(_IDLE)
    return 0


def _turn(duties: Duties, mine: frozenset[int], over: threading.Event) -> int:
    """One round over the shards that have something due; how many batches went out."""
    return duties.deliver([each for each in duties.due() if each in mine], over.is_set)


def _carefully(work: Callable[[], object]) -> object:
    """As a task of the queue would fail: heard of, and tried again at its next turn."""
    try:
        return work()
    except Exception as why:  # whatever is wrong with one duty, the others must go on
        say_error("duty_failed", why)
        return None


def _keep_logs(**_: object) -> None:
    """Celery sets up logging only when nobody answers its signal; ours are set up already."""
