"""A worker over real stores, with a channel that writes to a file. Run as a program by the tests."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pymongo.database import Database

from notifications.dead_letters import DeadLetters
from notifications.delivery import Delivery
from notifications.dispatch import Dispatch, DispatchPorts
from notifications.model import Care, CitizenFacts
from notifications.outgoing import Answer, Device, Envelope, Outcome
from notifications.planning import Planning, PlanningPorts
from notifications.programmes import load_programmes
from notifications.reminders import Keys
from notifications.templates import load_texts
from wallet_api import tasks
from wallet_api.context import Upkeep
from wallet_api.infra.clock import clock_from
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.logs import JsonLines
from wallet_api.infra.mongo import connect, ensure_indexes
from wallet_api.settings import Settings
from wallet_api.stores import (
    brakes,
    devices,
    due_items,
    inbox,
    outbox,
    preferences,
    push_days,
    rebuilds,
    reminders,
    walks,
)
from wallet_api.stores.citizen_keys import MongoCitizenKeys
from wallet_api.stores.reminding import MongoUnits
from wallet_api.wiring.upkeep import build_upkeep

BORN = date(2026, 9, 1)
MODULES = (brakes, devices, due_items, inbox, outbox, preferences, push_days, rebuilds, reminders, walks)


def settings_of(folder: Path) -> Settings:
    return Settings.from_env(
        {"WALLET_ENV": "dev", "WALLET_DATA_DIR": str(folder), "WALLET_CLOCK_FILE": str(folder / "clock")}
    )


class OneChild:
    """The care and the recipients of one child with one parent."""

    def facts(self, citizen_id: str, unit: object | None = None) -> CitizenFacts | None:
        return CitizenFacts("child", BORN, "female", "79") if citizen_id == "child" else None

    def care(self, citizen_id: str, unit: object | None = None) -> Sequence[Care]:
        return ()

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        return ("parent",)


class FileChannel:
    """Writes every push as a line; in `hang` mode it never answers."""

    name = "file"
    template = "push.v1"

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder, self._mode = folder, mode

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        if envelopes and self._mode == "hang":
            (self._folder / "hanging").touch()
            time.sleep(60)
        with (self._folder / "pushes").open("a", encoding="ascii") as file:
            file.writelines(f"{each.nid} {each.address.installation_id}\n" for each in envelopes)
        return [Outcome(each.address, Answer.ACCEPTED) for each in envelopes]


class Idle:
    """The parts of a wallet that have nothing to do here."""

    @property
    def feed(self) -> Idle:
        return self

    @property
    def sender(self) -> Idle:
        return self

    def tell_rest(self) -> int:
        return 0

    def settle(self) -> int:
        return 0

    def sweep(self) -> int:
        return 0

    def due(self, limit: int) -> Sequence[Any]:
        return ()

    def live(self) -> Sequence[str]:
        return ()

    def make_next(self) -> None:
        return None

    def forget(self) -> int:
        return 0


@dataclass(frozen=True)
class Reminding:
    planning: Planning
    dispatch: Dispatch
    delivery: Callable[[], Delivery]
    outbox: outbox.MongoOutbox
    reminders: reminders.MongoReminders
    devices: devices.MongoDevices
    inbox: inbox.MongoInbox
    dead_letters: DeadLetters
    upkeep: Upkeep
    campaigns: Idle = field(default_factory=Idle)
    follow: Callable[[], int] = lambda: 0


@dataclass(frozen=True)
class Services:
    now: Callable[[], datetime]
    reminding: Reminding
    db: Database[dict[str, Any]]
    emergencies: Idle = field(default_factory=Idle)
    rights: Idle = field(default_factory=Idle)
    telling: Idle = field(default_factory=Idle)
    exports: Idle = field(default_factory=Idle)


def build(settings: Settings, mode: str = "send") -> Services:
    now, db, one = clock_from(settings), connect(settings), OneChild()
    ensure_indexes(db, [index.unswept() for module in MODULES for index in module.INDEXES])
    keystore = FileKeyStore(settings.keys_dir, create=True)
    cipher, blind = CitizenCipher(MongoCitizenKeys(db), keystore, now), BlindIndex(keystore)
    kept = reminders.MongoReminders(db, cipher, blind)
    chosen = preferences.MongoPreferences(db, cipher)
    plans = due_items.MongoDueItems(db, cipher)
    read = PlanningPorts(one, plans, kept, one, chosen, MongoUnits(db))
    write = DispatchPorts(
        inbox.MongoInbox(db, cipher),
        outbox.MongoOutbox(db, cipher),
        devices.MongoDevices(db, cipher, blind),
        push_days.MongoPushDays(db),
    )
    keys = Keys(b"a secret of the test")
    planning = Planning(read, load_programmes(), keys, now)
    texts = load_texts()
    dispatch = Dispatch(
        planning, read, write, texts=texts, push_template="push.v1", keys=keys, new_id=new_id, now=now
    )

    def delivery() -> Delivery:
        return Delivery(
            planning,
            read,
            write,
            channel=FileChannel(settings.data_dir, mode),
            brakes=brakes.MongoBrakes(db),
            alert=lambda code, template, counts: None,
            now=now,
            random=lambda: 0.0,
        )

    given_up = DeadLetters(write.outbox, kept, MongoUnits(db), now)
    parts = (planning, dispatch, delivery, write.outbox, kept, write.devices, write.inbox, given_up)
    return Services(now, Reminding(*parts, build_upkeep(db, planning, plans, kept, now)), db)


def seed(services: Services) -> None:
    """A child who is owed doses today, and a parent with one phone."""
    phone = Device("inst-of-parent", "parent", "fid", "fid-of-parent", "android", services.now())
    services.reminding.devices.register(phone)
    services.reminding.planning.replan("child")


def main(folder: str, mode: str) -> int:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    logging.getLogger("wallet").setLevel("INFO")
    tasks.EVERY.update(dict.fromkeys(tasks.EVERY, 1.0))
    if mode.startswith("loop"):
        first, last = (int(each) for each in mode.removeprefix("loop:").split("-"))
        ready = Path(folder) / f"ready-{os.getpid()}"
        return tasks.run_loop(settings_of(Path(folder)), build, range(first, last + 1), ready.touch)
    return tasks.run_worker(settings_of(Path(folder)), lambda settings: build(settings, mode))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
