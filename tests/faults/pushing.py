"""F2 and F9: push worker, broker and FCM fail in every way; each reminder is shown once, and says nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import requests

from notifications.outgoing import Device
from tests.faults.figures import note
from tests.faults.plant import Plant, eventually, patiently
from wallet_api.infra.machine import free_port
from wallet_api.sandbox.conditions import put_demo_marker
from wallet_api.wiring.demo import sandbox_credentials

EVENING = datetime(2026, 11, 20, 12, 40, tzinfo=UTC)  # 19:40 in Vietnam: everybody's hour has come
BORN = date(2026, 9, 1)
MIX = ("hang-", "quota1-", "ok-", "broken1-", "gone-", "busy1-", "hang-")
"""First words of addresses: how the receiver answers them. `1` means once, then ok."""
LEASE = 3.0
"""Minutes after which what a dead worker held goes back into the queue."""


class Sending:
    """A receiver, parents whose children are due, and workers that a test may kill."""

    def __init__(self, plant: Plant, **broker: str) -> None:
        self.plant, self._broker = plant, broker
        self._port = free_port()
        self.workers: list[subprocess.Popen[bytes]] = []
        self.owed: dict[str, str] = {}
        self.gone: set[str] = set()
        self.secrets: list[str] = []

    def start_receiver(self) -> None:
        put_demo_marker(self.plant.world.db)
        command = [sys.executable, "-m", "wallet_api.sandbox.push", "--port", str(self._port)]
        self.plant.start("push", [*command, "--retry-after", "1", "--hang-seconds", "1"], **self._sandbox())

    def await_receiver(self) -> None:
        assert eventually(self._answers, 60), self.plant.log("push").read_text()

    def families(self, count: int) -> None:
        """Parents with one phone each, and a child who is owed doses."""
        world = self.plant.world
        world.clock.set_to(EVENING)
        for number in range(count):
            parent = world.person(f"Phụ Huynh {number}")
            child = world.person(f"Bé Mật {number}", BORN)
            world.guard(parent, child)
            word = MIX[number % len(MIX)]
            address = f"{word}{number}-phone"
            if word == "gone-":
                self.gone.add(address)
            else:
                self.owed[address] = parent.id
            world.services.reminding.devices.register(
                Device(f"phone-{number}", parent.id, "token", address, "android", world.now())
            )
            self.secrets += [parent.name, child.name, parent.number, child.number, parent.id, child.id]

    def start_worker(self) -> None:
        command = [sys.executable, "-m", "tests.faults.quick_worker"]
        told = {"WALLET_LOG_LEVEL": "INFO"} | self._sandbox() | self._broker
        self.workers.append(self.plant.start("worker", command, **told))

    def kill_a_worker(self) -> None:
        victim = self.workers.pop(0)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()

    def end_workers(self) -> None:
        while self.workers:
            self.kill_a_worker()

    def received(self) -> list[dict[str, Any]]:
        answer = requests.get(f"http://127.0.0.1:{self._port}/received", timeout=30)
        return list(answer.json())

    def shown(self) -> dict[str, list[str]]:
        """For each address, the ids of what its lock screen was given, in order; one id shows once."""
        seen: dict[str, list[str]] = {}
        for each in self.received():
            if each["status"] == 200:
                seen.setdefault(each["address"], []).append(each["body"]["message"]["data"]["nid"])
        return seen

    def hangs(self) -> int:
        """How often a worker had to wait for the receiver: it is in the midst of sending then."""
        return sum(each["address"].startswith("hang-") for each in self.received())

    def events(self) -> list[dict[str, Any]]:
        """What the workers said."""
        lines = self.plant.log("worker").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self._port}/", timeout=1).ok
        except requests.RequestException:
            return False

    def _sandbox(self) -> dict[str, str]:
        return {
            "WALLET_FCM_ENDPOINT": f"http://127.0.0.1:{self._port}",
            "WALLET_FCM_CREDENTIALS": str(sandbox_credentials(self.plant.world.settings)),
        }


def send_through_failures(
    sending: Sending, fault: str, families: int, harm: Callable[[int], object], times: int
) -> None:
    """Send to so many families; each harm comes while a batch is being sent. All is shown once."""
    sending.start_receiver()
    sending.families(families)
    sending.await_receiver()
    sending.start_worker()
    for turn in range(times):
        before = sending.hangs()
        assert eventually(lambda before=before: sending.hangs() > before, 120), _state(sending)
        harm(turn)
        sending.plant.world.forward(minutes=LEASE)
    sending.start_worker()
    limit = time.monotonic() + 180
    while not sending.owed.keys() <= sending.shown().keys() or _phones(sending) > len(sending.owed):
        assert time.monotonic() < limit, _state(sending)
        sending.plant.world.forward(seconds=20)  # retries fall due
        time.sleep(0.5)
    _judge(sending, fault, times)
    sending.end_workers()


def _judge(sending: Sending, fault: str, times: int) -> None:
    shown, sent = sending.shown(), sending.received()
    repeats = sum(len(ids) - 1 for ids in shown.values())
    twice = {address: ids for address, ids in shown.items() if len(set(ids)) != 1}
    text = json.dumps(sent, ensure_ascii=False)
    told = [each for each in sending.secrets if each in text]
    wrong = [each for each in (_wrong_inbox(sending, a, set(ids)) for a, ids in shown.items()) if each]
    answers = {status: sum(each["status"] == status for each in sent) for status in (200, 404, 429, 500, 503)}
    returned = sum(each.get("count", 0) for each in sending.events() if each["event"] == "leases_ran_out")
    more = (
        f"pushes by answer {answers}, {repeats} repeated under their id, {returned} batches of dead workers"
    )
    note(fault, times, lost=len(sending.owed.keys() - shown.keys()), half=len(twice) + len(wrong), more=more)
    assert twice == {} and wrong == [] and told == []
    assert not sending.gone & shown.keys()
    assert _phones(sending) == len(sending.owed), "a phone that is gone was not forgotten"


def _wrong_inbox(sending: Sending, address: str, ids: set[str]) -> str:
    """What a push points at is there, and nothing of it twice."""
    with patiently(sending.plant.world.db):
        kept = sending.plant.world.services.reminding.inbox.page(sending.owed[address], 50)
    said = [(each.subject_id, each.title, each.body) for each in kept]
    whole = ids <= {each.nid for each in kept} and len(said) == len(set(said))
    return "" if whole else f"{address}: {len(said)} messages, {len(set(said))} different"


def _phones(sending: Sending) -> int:
    with patiently(sending.plant.world.db):
        return len(list(sending.plant.world.db["devices"].find({}, {"_id": 1})))


def _state(sending: Sending) -> str:
    figures = sending.plant.world.services.reminding.figures()
    log = sending.plant.log("worker").read_text()[-1500:]
    return f"missing {sorted(sending.owed.keys() - sending.shown().keys())}, {figures}, {log}"


def spoil_the_broker(folder: Path, chance: random.Random) -> None:
    """Messages vanish, and half a message lies about."""
    for each in folder.glob("*.msg"):
        if chance.random() < 0.5:
            each.unlink(missing_ok=True)
    torn = folder / f"{time.monotonic_ns() // 1_000_000}_torn.celery.msg"
    torn.write_bytes(b'{"body": "half')


def worker_harm(sending: Sending) -> Callable[[int], None]:
    """A worker is killed while it sends and replaced, and the broker's files are spoiled."""
    chance, messages = random.Random(2026), sending.plant.folder / "broker" / "messages"

    def harm(_: int) -> None:
        sending.kill_a_worker()
        spoil_the_broker(messages, chance)
        sending.start_worker()

    return harm
