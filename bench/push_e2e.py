"""push_e2e: pushes a second from the outbox of the embedded database to a receiver and back.

Batches are claimed, stop conditions asked, addresses looked up and opened, pushes encoded, sent and settled.
A worker is a fresh one: it holds nobody's key yet. `bare` sends alerts of their own, which need a device and
nothing else: by a worker for each of two cores, which share the shards, and by one alone. `with_reminders`
sends what a day sends: reminders of made-up people with books and guardians, every stop condition asked
again, some of whom have chosen hours and language.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final

from bench.figure import Figure, at_least
from bench.ground import environment
from bench.push_ground import channel_to
from notifications.ahead import OneAhead
from notifications.channels.fcm_curl import CurlChannel
from notifications.days import vn_day
from notifications.delivery import Delivery
from notifications.model import Preferences
from notifications.outgoing import Batch, Device, Push
from notifications.reminders import SHARDS, Reminder, State, copy_of
from notifications.settling import Delivered
from wallet_api.context import Services
from wallet_api.identity.ages import AGES
from wallet_api.infra.clock import VIETNAM
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.embedded import server_at
from wallet_api.infra.ids import new_id
from wallet_api.infra.machine import free_port
from wallet_api.infra.mongo import BATCH_TIMEOUT_MS, Db, connect
from wallet_api.settings import Settings
from wallet_api.stores.brakes import MongoBrakes
from wallet_api.wiring import build_services
from wallet_api.wiring.population.filling import Filler, Made, Maker
from wallet_api.wiring.population.people import SHARD

WORKERS: Final = 2
BATCH: Final = 500
BATCHES: Final = 20
IN_TURN: Final = 8
SEED: Final = 1
SHARDS_OF_PEOPLE: Final = 8
_AT_MOST: Final = 2  # reminders a push
_CHOSEN: Final = 0.2  # the share of people who have chosen anything
_MOST: Final = 1000  # batches of a shard
_SPAWN: Final = get_context("spawn")


def bare(folder: Path, sender: CurlChannel, url: str, kind: str) -> Iterator[Figure]:
    """One device each, no reminders: by two workers; by one, a batch ahead as it sends and one after the
    other."""
    with _database(folder / "bare") as settings:
        with _worker(settings) as (db, services):
            now = services.now()
            people = [f"citizen-{number}" for number in range((3 * BATCHES + 2 * IN_TURN) * BATCH)]
            _give_devices(services, people, now)
            pushes = [Push(who, f"{number:032x}", (), alert=True) for number, who in enumerate(people)]
            of_one, of_two = pushes[: (BATCHES + IN_TURN) * BATCH], pushes[(2 * BATCHES + IN_TURN) * BATCH :]
            known = pushes[len(of_one) : -len(of_two)]
            _queue(services, sender, known, now)
            held = _rate(lambda: _ahead(_delivery(db, services, sender), services))
            _queue(services, sender, of_two, now)
        together = _together(folder, settings, url)
        with _worker(settings) as (db, services):
            _queue(services, sender, of_one, now)
            delivery = _delivery(db, services, sender)
            in_turn = _rate(lambda: [delivery.deliver(number) for number in range(IN_TURN)])
            cpu = time.process_time()
            told = _rate(lambda: _ahead(delivery, services))
            spent = (time.process_time() - cpu) / (BATCHES * BATCH) * 1000
    yield at_least(f"push_e2e ({kind})", together, f"pushes/s, {WORKERS} workers", 3000)
    yield Figure("push_e2e_one", told, "pushes/s, one worker")
    yield Figure("push_e2e_held", held, "pushes/s, one worker, everybody's key held since less than a minute")
    yield Figure("push_e2e_in_turn", in_turn, "pushes/s, one worker, no batch prepared while another is sent")
    yield Figure("push_e2e_cpu", spent, "seconds of one worker's process for 1,000")


def _together(folder: Path, settings: Settings, url: str) -> float:
    """Pushes a second by workers that begin at once, until the last of them is done.

    Each has sent a few batches before, as a worker has that is there since yesterday.
    """
    begin, answers = _SPAWN.Barrier(WORKERS), _SPAWN.SimpleQueue()
    workers = [
        _SPAWN.Process(target=_work, args=(folder, settings, url, number, begin, answers.put))
        for number in range(WORKERS)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
        if each.exitcode:
            raise AssertionError(f"a worker ended with {each.exitcode}")
    done: list[tuple[int, float, float]] = [answers.get() for _ in workers]
    return sum(each[0] for each in done) / (max(each[2] for each in done) - min(each[1] for each in done))


def _work(
    folder: Path,
    settings: Settings,
    url: str,
    number: int,
    begin: Barrier,
    tell: Callable[[tuple[int, float, float]], None],
) -> None:
    """Tell what one worker sent of its shards, and between when, by the machine's clock."""
    with _worker(settings) as (db, services):
        delivery = _delivery(db, services, channel_to(folder, url, 0))
        for shard in range(number, IN_TURN, WORKERS):
            delivery.deliver(shard)
        begin.wait(60)
        began = time.monotonic()
        done = _ahead(delivery, services, range(number, SHARDS, WORKERS))
        tell((_accepted(done), began, time.monotonic()))


def with_reminders(folder: Path, sender: CurlChannel, kind: str) -> Iterator[Figure]:
    """A day's batches. They are asked for at half past eight in the evening: everybody's window is open."""
    with _database(folder / "day") as settings:
        with _worker(settings) as (db, services):
            now = vn_evening(services.now())
            count, pushes = _a_day(db, services, now)
            _queue(services, sender, pushes, now)
        with _worker(settings) as (db, services):
            evening = replace(services, now=lambda: now)
            told = _rate(lambda: _ahead(_delivery(db, evening, sender), evening))
    yield Figure(
        f"push_e2e_reminders ({kind})",
        told,
        f"pushes/s of {len(pushes):,} for {count:,} reminders, each stop condition asked again",
    )


def vn_evening(now: datetime) -> datetime:
    """Half past eight of this day in Vietnam."""
    return now.astimezone(VIETNAM).replace(hour=20, minute=30, second=0, microsecond=0).astimezone(now.tzinfo)


@contextmanager
def _database(folder: Path) -> Iterator[Settings]:
    folder.mkdir()
    database = server_at(folder / "db")
    try:
        yield Settings.from_env(environment(folder, free_port()))
    finally:
        database.stop(grace=0)


@contextmanager
def _worker(settings: Settings) -> Iterator[tuple[Db, Services]]:
    db = connect(settings, BATCH_TIMEOUT_MS)  # as a worker has it
    services = build_services(settings, db)
    try:
        yield db, services
    finally:
        services.log.close()
        db.client.close()


def _give_devices(services: Services, people: Sequence[str], now: datetime) -> None:
    services.reminding.devices.load(  # type: ignore[attr-defined]  # the store of the wiring
        [Device(f"inst-{who}", who, "fid", f"fid-of-{who}" + "x" * 120, "android", now) for who in people]
    )


def _queue(services: Services, sender: CurlChannel, pushes: Sequence[Push], now: datetime) -> None:
    for number, first in enumerate(range(0, len(pushes), BATCH)):
        part = tuple(pushes[first : first + BATCH])
        until = now + timedelta(days=1)
        services.reminding.outbox.add(Batch(new_id(), number % SHARDS, sender.template, part, now, until))


def _delivery(db: Db, services: Services, sender: CurlChannel) -> Delivery:
    usual = services.reminding.dispatch
    return Delivery(
        services.reminding.planning,
        usual._read,
        usual._write,
        channel=sender,
        brakes=MongoBrakes(db),
        alert=lambda code, template, told: None,
        now=services.now,
        random=random.random,
    )


def _ahead(
    delivery: Delivery, services: Services, shards: Collection[int] = range(SHARDS)
) -> list[Delivered]:
    """As a worker does it: look which shards have something due, then send one batch ahead."""
    told: list[Delivered] = []
    ready = services.reminding.outbox.ready(services.now())
    OneAhead(delivery, _MOST).send(sorted(set(ready) & set(shards)), told.append)
    return told


def _rate(send: Callable[[], Sequence[Delivered | None]]) -> float:
    """Pushes a second. Raises AssertionError when one was not accepted."""
    began = time.perf_counter()
    done = send()
    took = time.perf_counter() - began
    return _accepted(done) / took


def _accepted(done: Sequence[Delivered | None]) -> int:
    """How many were. Raises AssertionError when one was not."""
    answers = Counter[str]()
    for each in done:
        answers.update({} if each is None else each.answers)
    if not answers or set(answers) != {"accepted"}:
        raise AssertionError(f"a push was not sent: {answers}")
    return answers.total()


def _a_day(db: Db, services: Services, now: datetime) -> tuple[int, list[Push]]:
    """Fill in people with books and families, and queue what they could be reminded of: one push a reader."""
    day = vn_day(now)
    filler, maker = (
        Filler(db, services.keys, services.now, SEED, day),
        Maker(BlindIndex(services.keys), SEED, day),
    )
    owed: dict[str, list[Reminder]] = defaultdict(list)
    for shard in range(SHARDS_OF_PEOPLE):
        filler.fill(shard, SHARD, again=False)
        for each in _reminders_of(services, maker.make(shard, SHARD), now):
            if len(owed[each.recipient_id]) < _AT_MOST:
                owed[each.recipient_id].append(each)
    reminding, chance = services.reminding, random.Random(SEED)  # noqa: S311 - made-up choices
    reminders = [each for mine in owed.values() for each in mine]
    reminding.reminders.load(reminders)  # type: ignore[attr-defined]  # the store of the wiring
    reminding.reminders.move([each.id for each in reminders], [State.PLANNED], State.QUEUED)
    _give_devices(services, list(owed), now)
    for who in owed:
        if chance.random() < _CHOSEN:
            reminding.preferences.save(who, Preferences(window=(7, 22), locale="en"))
    pushes = [
        Push(who, reminding.keys.digest(who, day), tuple(each.id for each in mine))
        for who, mine in sorted(owed.items())
    ]
    return len(reminders), pushes


def _reminders_of(services: Services, made: Made, now: datetime) -> Iterator[Reminder]:
    day = vn_day(now)
    programmes = {each.id: each for each in services.reminding.programmes}
    guardians: dict[str, list[str]] = defaultdict(list)
    for one in made.guardianships:
        if one.stands_on(day):
            guardians[one.dependent_id].append(one.guardian_id)
    items = {citizen_id: found for citizen_id, found, _ in made.plans}
    for person in made.people:
        grown = person.age_on(day) >= AGES.own_account
        told = [] if person.deceased_on else [person.id] if grown else guardians[person.id]
        for item in [each for each in items[person.id] if each.remindable]:
            offset = programmes[item.programme_id].offsets[0]
            for who in told:
                yield copy_of(services.reminding.keys, person.id, who, item, offset, day)
