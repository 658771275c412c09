"""A town on the embedded database, planned by processes that may be killed.

`python -m tests.planner.town URI DATABASE FOLDER PEOPLE MINUTES WORK` plans a day or takes a rebuild on, as a
process of its own; MINUTES is how much later than the others it believes it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pymongo.database import Database

from notifications import Delivery, Dispatch, DispatchPorts, Keys, Planning, PlanningPorts, load_texts
from notifications.model import Care, CitizenFacts
from notifications.outgoing import Device
from notifications.programmes import load_programmes
from notifications.reminders import SHARDS, Reminder
from tests.notifications.stage import Clock, ScriptedChannel
from tests.planner.changing import DAY, without
from wallet_api.context import Upkeep
from wallet_api.infra.crypto.blind import BlindIndex
from wallet_api.infra.crypto.envelope import CitizenCipher
from wallet_api.infra.crypto.keystore import FileKeyStore
from wallet_api.infra.ids import new_id
from wallet_api.infra.mongo import end_left_transactions, ensure_indexes, open_database
from wallet_api.stores import (
    brakes,
    citizen_keys,
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
from wallet_api.stores.reminding import MongoUnits
from wallet_api.wiring.upkeep import build_upkeep

STORES = (
    brakes,
    citizen_keys,
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
KEYS = Keys(b"a secret of the town")


class Families:
    """Two children to each parent; the children's care and who is told of it."""

    def __init__(self, people: int) -> None:
        self.people = {
            f"child-{n}": CitizenFacts(f"child-{n}", DAY - timedelta(days=40 + 61 * n % 1900), "female")
            for n in range(people)
        }

    def facts(self, citizen_id: str, unit: object | None = None) -> CitizenFacts | None:
        return self.people.get(citizen_id)

    def care(self, citizen_id: str, unit: object | None = None) -> Sequence[Care]:
        return ()

    def who_is_reminded(self, citizen_id: str) -> Sequence[str]:
        return [f"parent-{int(citizen_id.rpartition('-')[2]) // 2}"]


class Town:
    """Everything that plans and sends, over one database."""

    def __init__(
        self, db: Database[dict[str, Any]], folder: Path, people: int, programmes: Any = None
    ) -> None:
        self.db, self.clock, self.families = db, Clock(DAY), Families(people)
        ensure_indexes(db, [index.unswept() for module in STORES for index in module.INDEXES])
        keystore = FileKeyStore(folder / "keys", create=True)
        cipher = CitizenCipher(citizen_keys.MongoCitizenKeys(db), keystore, self.clock)
        blind = BlindIndex(keystore)
        self.due = due_items.MongoDueItems(db, cipher)
        self.reminders = reminders.MongoReminders(db, cipher, blind)
        chosen, units = preferences.MongoPreferences(db, cipher), MongoUnits(db)
        self.devices, self.inbox = devices.MongoDevices(db, cipher, blind), inbox.MongoInbox(db, cipher)
        read = PlanningPorts(self.families, self.due, self.reminders, self.families, chosen, units)
        write = DispatchPorts(
            self.inbox, outbox.MongoOutbox(db, cipher), self.devices, push_days.MongoPushDays(db)
        )
        self.outbox = write.outbox
        self.planning = Planning(read, programmes or load_programmes(), KEYS, self.clock)
        texts = load_texts()
        self.dispatch = Dispatch(
            self.planning,
            read,
            write,
            texts=texts,
            push_template="push.v1",
            keys=KEYS,
            new_id=new_id,
            now=self.clock,
        )
        self.channel = ScriptedChannel()
        self.delivery = Delivery(
            self.planning,
            read,
            write,
            channel=self.channel,
            brakes=brakes.MongoBrakes(db),
            alert=lambda code, template, counts: None,
            now=self.clock,
            random=lambda: 0.5,
        )
        self.upkeep: Upkeep = build_upkeep(db, self.planning, self.due, self.reminders, self.clock)

    def move_in(self) -> None:
        """Everybody is planned, and every parent has a phone."""
        for child in self.families.people:
            self.planning.replan(child)
        for parent in {who for child in self.families.people for who in self.families.who_is_reminded(child)}:
            phone = Device(f"phone-of-{parent}", parent, "fid", f"fid-{parent}", "android", self.clock())
            self.devices.register(phone)

    def all_reminders(self) -> list[Reminder]:
        """Every reminder of everybody."""
        return [each for child in self.families.people for each in self.reminders.of_citizen(child)]

    def send_all(self) -> list[str]:
        """Deliver everything late in the evening; who got a push, once for each push."""
        self.clock.turn(DAY, 20)
        self.clock.at += timedelta(minutes=59)
        for shard in range(SHARDS):
            while self.delivery.deliver(shard) is not None:
                pass
        return [each.address.citizen_id for each in self.channel.sent]


def changed_rules() -> Any:
    """The rules after the change: one series less."""
    return without("je")


def plan_a_day(town: Town, day: date) -> None:
    """What the beat has done each quarter of a minute."""
    town.dispatch.plan_day(day)


def rebuild(town: Town) -> None:
    """What workers do of a rebuild, page by page, until it has ended or others hold the rest."""
    while town.upkeep.rebuilding.step(page=3):
        sys.stdout.write("page\n")
        sys.stdout.flush()


def main(uri: str, name: str, folder: str, people: str, minutes: str, work: str) -> None:
    """One process. As every process of the product does, it first ends what killed ones left open."""
    programmes = changed_rules() if work == "rebuild" else None
    town = Town(open_database(uri, name), Path(folder), int(people), programmes)
    end_left_transactions(town.db, Path(folder) / "transactions")
    town.clock.at += timedelta(minutes=int(minutes))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    if work == "rebuild":
        rebuild(town)
    else:
        plan_a_day(town, DAY)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
