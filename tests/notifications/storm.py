"""A storm over the way out: an HTTP/2 receiver that misbehaves, workers that die, clocks that jump."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bench.push_ground import service_account
from bench.receiver import Receiver, Said
from notifications.channels.fcm import FcmSettings
from notifications.channels.fcm_curl import CurlChannel
from notifications.memory_brakes import MemoryTokens
from notifications.outgoing import Batch, BatchState, Push
from notifications.pacing import Pacer, Rate
from tests.notifications.receiving import ANSWERS, receiving
from tests.notifications.stage import DAY, Stage

WORDS = ("quota-37", "unavailable", "internal", "cut", "hang", "gateway", "garbage")
SHARD = 3


class Died(Exception):
    """A worker that was killed with a batch in its hands."""


@dataclass
class Storm:
    """A receiver's moods, and what it took: by address the ids that were shown."""

    chance: random.Random
    gone: frozenset[str]
    rough: float
    shown: dict[str, list[str]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, body: bytes) -> Said:
        message = json.loads(body)["message"]
        with self.lock:
            word = self._word(message["fid"])
            self.answers[word] += 1
            # What was taken and then cut off was shown all the same: the worst case for a repeat.
            if word in ("fine", "cut", "hang"):
                self.shown.setdefault(message["fid"], []).append(message["data"]["nid"])
        return ANSWERS[word]

    def _word(self, address: str) -> str:
        if address in self.gone:
            return "gone"
        return self.chance.choice(WORDS) if self.chance.random() < self.rough else "fine"


@dataclass(frozen=True)
class Outcome:
    """What the storm left behind."""

    people: int
    lost: int
    wrong: int
    repeats: int
    deaths: int
    goaways: int
    gone_left: int
    answers: dict[str, int]


def weather(folder: Path, people: int, batch: int, seed: int, rough: float = 0.02) -> Outcome:
    """Send to so many people through it; clocks jump, workers die, and two of them take turns."""
    chance = random.Random(seed)
    stage = Stage(DAY)
    stage.clock.turn(DAY, 8)
    for number in range(people):
        stage.device(f"p{number}")
    gone = frozenset(f"fid-of-phone-of-p{n}" for n in range(people) if n % 10 < 3)
    for first in range(0, people, batch):
        now = stage.clock()
        ids = range(first, min(first + batch, people))
        pushes = tuple(Push(f"p{n}", f"{n:032x}", (), alert=True) for n in ids)
        stage.outbox.add(Batch(f"b{first}", SHARD, "push.v1", pushes, now, now + timedelta(days=30)))
    storm = Storm(chance, gone, rough)
    receiver = Receiver(verdict=storm.judge, goaway_after=60)
    with receiving(folder, receiver) as url:
        settings = FcmSettings("demo", url, timeout_s=0.3, latency_s=0.05, ca_file=folder / "receiver.crt")
        sender = CurlChannel(settings, service_account(url), stage.clock)
        stage.delivery._channel = stage.delivery._settling._channel = sender
        tokens = MemoryTokens()
        deaths = _until_calm(stage, sender, tokens, chance)
        sender.close()
    living = {f"fid-of-phone-of-p{n}": f"{n:032x}" for n in range(people)}
    living = {address: nid for address, nid in living.items() if address not in gone}
    return Outcome(
        people=people,
        lost=len(living.keys() - storm.shown.keys()),
        wrong=sum(set(ids) != {living.get(address)} for address, ids in storm.shown.items()),
        repeats=sum(len(ids) - 1 for ids in storm.shown.values()),
        deaths=deaths,
        goaways=receiver.goaways,
        gone_left=sum(bool(stage.devices.of_citizen(f"p{n}")) for n in range(people) if n % 10 < 3),
        answers=dict(storm.answers),
    )


def _until_calm(stage: Stage, sender: CurlChannel, tokens: MemoryTokens, chance: random.Random) -> int:
    deaths, usual = 0, sender.deliver
    pacers = [Pacer(tokens, "fcm", Rate(), stage.clock, lambda _: None) for _ in range(2)]
    for turn in range(2000):
        if all(b.state in (BatchState.DONE, BatchState.DEAD) for b in stage.outbox._kept.values()):
            return deaths
        stage.delivery._pacer = pacers[turn % 2]
        dying = chance.random() < 0.05

        def deliver(envelopes, dying=dying):  # type: ignore[no-untyped-def]  # the channel's own, or a death
            found = usual(envelopes)
            if dying:
                raise Died
            return found

        sender.deliver = deliver  # type: ignore[method-assign]
        try:
            stage.delivery.deliver(SHARD)
        except Died:
            deaths += 1
        # Clocks jump: mostly ahead, now and then back.
        stage.clock.at += timedelta(seconds=chance.choice((1, 20, 20, 130, 130, -40)))
        stage.outbox.sweep(stage.clock())
        _replay(stage)
    raise AssertionError("the storm does not end")


def _replay(stage: Stage) -> None:
    for batch in list(stage.outbox._kept.values()):
        if batch.state is BatchState.DEAD:
            stage.outbox.revive(batch, stage.clock(), batch.until)
