"""A whole reminder system in memory, with a clock to turn and a provider to script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

from notifications import (
    Delivery,
    Dispatch,
    DispatchPorts,
    Keys,
    Planning,
    PlanningPorts,
    load_programmes,
    load_texts,
)
from notifications.days import VN
from notifications.memory import (
    MemoryDueItems,
    MemoryInbox,
    MemoryOutbox,
    MemoryPreferences,
    MemoryReminders,
    run_alone,
)
from notifications.memory_brakes import MemoryBrakes
from notifications.memory_devices import MemoryDevices
from notifications.model import Care, CitizenFacts, GivenDose
from notifications.outgoing import Answer, Batch, Device, Envelope, Outcome
from notifications.push_days import MemoryPushDays
from notifications.reading import Reading
from notifications.reminders import SHARDS, Reminder


class Clock:
    def __init__(self, day: date) -> None:
        self.turn(day, 0)

    def turn(self, day: date, hour: int) -> None:
        self.at = datetime.combine(day, time(hour), VN).astimezone(UTC)

    def __call__(self) -> datetime:
        return self.at


class Records:
    """Facts and care as the records would give them."""

    def __init__(self) -> None:
        self.people: dict[str, CitizenFacts] = {}
        self.given: dict[str, list[Care]] = {}

    def facts(self, citizen_id: str, unit: object | None = None) -> CitizenFacts | None:
        return self.people.get(citizen_id)

    def care(self, citizen_id: str, unit: object | None = None) -> Sequence[Care]:
        return list(self.given.get(citizen_id, ()))


class Guardians:
    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {}

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        return self.of.get(citizen_id, [citizen_id])


class ScriptedChannel:
    """Answers by installation id; remembers what it was given."""

    name = "fcm"
    template = "push.v1"

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.retry_after: float | None = None
        self.sent: list[Envelope] = []
        self.on_send: Callable[[], object] = lambda: None

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        self.on_send()
        self.sent += envelopes
        return [self._answer(envelope) for envelope in envelopes]

    def _answer(self, envelope: Envelope) -> Outcome:
        answer = self.answers.get(envelope.address.installation_id, Answer.ACCEPTED)
        return Outcome(envelope.address, answer, retry_after=self.retry_after)


class Stage:
    def __init__(self, day: date = date(2026, 11, 20)) -> None:
        self.clock, self.records, self.guardians = Clock(day), Records(), Guardians()
        self.due, self.reminders, self.preferences = MemoryDueItems(), MemoryReminders(), MemoryPreferences()
        self.inbox, self.outbox, self.devices = MemoryInbox(), MemoryOutbox(), MemoryDevices()
        self.brakes, self.channel = MemoryBrakes(), ScriptedChannel()
        self.alerts: list[tuple[str, str, Mapping[str, int]]] = []
        self.keys = Keys(b"secret of the stage")
        numbers = count()
        read = PlanningPorts(
            self.records, self.due, self.reminders, self.guardians, self.preferences, run_alone
        )
        write = DispatchPorts(self.inbox, self.outbox, self.devices, MemoryPushDays())
        self.planning = Planning(read, load_programmes(), self.keys, self.clock)
        self.dispatch = Dispatch(
            self.planning,
            read,
            write,
            texts=load_texts(),
            push_template="push.v1",
            keys=self.keys,
            new_id=lambda: f"batch-{next(numbers)}",
            now=self.clock,
        )
        self.delivery = Delivery(
            self.planning,
            read,
            write,
            channel=self.channel,
            brakes=self.brakes,
            alert=lambda *told: self.alerts.append(told),
            now=self.clock,
            random=lambda: 0.5,
        )
        self.reading = Reading(self.inbox, self.reminders, self.clock)

    def person(self, name: str, born: date, *told: str) -> None:
        """A citizen with guardians (none: told themself)."""
        self.records.people[name] = CitizenFacts(name, born, "female")
        if told:
            self.guardians.of[name] = list(told)
        self.planning.replan(name)

    def device(self, owner: str, name: str = "") -> Device:
        name = name or f"phone-of-{owner}"
        return self.devices.register(Device(name, owner, "fid", f"fid-of-{name}", "android", self.clock()))

    def give(self, name: str, vaccine: str, day: date) -> None:
        record = f"{vaccine}@{day}"
        self.records.given.setdefault(name, []).append(GivenDose(vaccine, None, day, record))
        self.planning.replan(name)

    def send_all(self) -> int:
        """Deliver every batch that is due now; return how many pushes left in all so far."""
        for shard in range(SHARDS):
            while self.delivery.deliver(shard) is not None:
                pass
        return len(self.channel.sent)

    def a_day(self, day: date, hour: int = 20) -> int:
        """Plan a day at midnight and send late in its window."""
        self.clock.turn(day, 0)
        self.dispatch.plan_day(day)
        self.clock.turn(day, hour)
        self.clock.at += timedelta(minutes=59)
        return self.send_all()

    def batch(self, batch_id: str) -> Batch:
        """A batch in any state: the port shows only what can be claimed."""
        return self.outbox._kept[batch_id]

    def of(self, name: str) -> list[Reminder]:
        return sorted(
            self.reminders.of_citizen(name), key=lambda r: (r.series_id, r.dose, r.offset, r.recipient_id)
        )

    def states(self, name: str) -> list[tuple[str, str, str]]:
        return [(f"{r.series_id}/{r.dose}", r.offset, r.state.value) for r in self.of(name)]


DAY = date(2026, 11, 20)
BABY = date(2026, 2, 20)  # 9 months old on DAY: measles and IPV 2 fall due


def full_baby(stage: Stage, name: str = "baby", *told: str) -> None:
    """A child whose doses up to 9 months are all given, so that only measles is due on DAY."""
    stage.person(name, BABY, *(told or ("mother",)))
    for vaccine, days in {
        "hepb_mono": [date(2026, 2, 20)],
        "bcg": [date(2026, 2, 21)],
        "dtwp_hepb_hib": [date(2026, 4, 20), date(2026, 5, 20), date(2026, 6, 20)],
        "bopv": [date(2026, 4, 20), date(2026, 5, 20), date(2026, 6, 20)],
        "ipv": [date(2026, 7, 20)],
    }.items():
        for day in days:
            stage.give(name, vaccine, day)


def ready(day: date = DAY) -> Stage:
    stage = Stage(day)
    full_baby(stage)
    stage.device("mother")
    return stage
