"""Letters to those whom a push does not reach: still unread after some hours, and an e-mail address given.

A letter says that something waits in the app, and no more. It is queued in the same breath as the end of the
push, so that no sweep over everybody's inbox is needed, and asked about again before it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from notifications.days import vn_day
from notifications.dispatch import DispatchPorts, counts
from notifications.errors import LeaseLost
from notifications.gate import Gate
from notifications.model import Locale
from notifications.outgoing import RETRYABLE, Answer, Attempt, Batch, BatchState, Push
from notifications.planning import Planning, PlanningPorts
from notifications.ports import Alert, Now, Unit
from notifications.reminders import SHARDS, Reminder, when_to_send
from notifications.settling import MAX_TRIES, Delivered, Run, backoff

LETTER_LEASE = timedelta(minutes=10)
"""A mail server takes its time over hundreds of letters."""
_TRIED_FOR = timedelta(days=2)
_HOURS = (7, 21)
_BAD = frozenset({Answer.BAD_ADDRESS, Answer.BAD_PAYLOAD, Answer.UNAUTHORISED})


@dataclass(frozen=True, slots=True)
class Letter:
    """All a letter channel gets: an address, an opaque id and a language."""

    email: str = field(repr=False)
    nid: str
    locale: Locale


class LetterChannel(Protocol):
    """A way to a mailbox."""

    name: str
    template: str
    """Version of the fixed text."""

    def deliver(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """An answer for every letter, in order. Never raises for one address."""
        ...


class Fallback:
    """Queues letters when pushes end, and sends those that are still wanted when their hour comes."""

    def __init__(
        self,
        planning: Planning,
        read: PlanningPorts,
        write: DispatchPorts,
        *,
        channel: LetterChannel,
        after: timedelta,
        alert: Alert,
        now: Now,
        random: Callable[[], float],
    ) -> None:
        self._planning, self._read, self._write = planning, read, write
        self._channel, self._after, self._alert = channel, after, alert
        self._now, self._random = now, random

    def queue(self, run: Run, unit: Unit | None) -> None:
        """Have a letter wait for each push that has ended and whose reader wants one."""
        going_on = {push.nid for push in run.rest}
        wanted = tuple(p for p in run.batch.pushes if p.nid in run.letters and p.nid not in going_on)
        if not wanted:
            return
        batch_id = f"{run.batch.id}-letters-{len(run.batch.attempts)}"
        earliest = run.now + self._after
        due_at = when_to_send(vn_day(earliest), _HOURS, batch_id, earliest)
        letters = Batch(
            id=batch_id,
            shard=run.batch.shard + SHARDS,
            template=self._channel.template,
            pushes=wanted,
            due_at=due_at,
            until=due_at + _TRIED_FOR,
        )
        self._write.outbox.add(letters, unit)

    def deliver(self, shard: int) -> Delivered | None:
        """Claim, send and settle the letters of one batch. None when there is none."""
        now = self._now()
        batch = self._write.outbox.claim(shard, now, LETTER_LEASE)
        if batch is None:
            return None
        wanted = [] if now >= batch.until else self._wanted(batch, now)
        answers = self._channel.deliver([letter for _, letter in wanted])
        return self._settle(batch, now, [push for push, _ in wanted], answers)

    def _wanted(self, batch: Batch, now: datetime) -> list[tuple[Push, Letter]]:
        unread = self._write.inbox.unread_pushes({push.recipient_id for push in batch.pushes})
        left = [push for push in batch.pushes if (push.recipient_id, push.nid) in unread]
        known = self._read.reminders.many({each for push in left for each in push.reminder_ids})
        gate = Gate(self._planning, self._read.recipients, self._read.preferences, vn_day(now))
        gate.read(self._read.care, known.values(), {push.recipient_id for push in left})
        letters = []
        for push in left:
            prefs = gate.preferences_of(push.recipient_id)
            if prefs.email is not None and _still_owed(push, known, gate):
                letters.append((push, Letter(prefs.email, push.nid, prefs.locale)))
        return letters

    def _settle(
        self, batch: Batch, now: datetime, pushes: Sequence[Push], answers: Sequence[Answer]
    ) -> Delivered:
        found = counts(answer.value for answer in answers)
        rest = [push for push, answer in zip(pushes, answers, strict=True) if answer in RETRYABLE]
        tries = batch.tries + 1 if rest else batch.tries
        state = BatchState.DONE
        if rest:
            state = BatchState.DEAD if tries > MAX_TRIES else BatchState.QUEUED
        wait = timedelta(seconds=backoff(tries, self._random))
        due_at = now + wait if state is BatchState.QUEUED else now
        try:
            self._write.outbox.acknowledge(batch, Attempt(now, found), state, rest, due_at, tries)
        except LeaseLost:
            return Delivered(batch.id, found, state, lost=True)
        for answer in sorted(_BAD & set(answers)):
            self._alert(f"letter_{answer}", self._channel.template, {"count": found[answer]})
        if state is BatchState.DEAD:
            self._alert("letter_dead", self._channel.template, {"count": len(rest)})
        return Delivered(batch.id, found, state)


def _still_owed(push: Push, known: Mapping[str, Reminder], gate: Gate) -> bool:
    """An alert always is; of reminders, one that may still go out is enough."""
    asked = [known[each] for each in push.reminder_ids if each in known]
    return not push.reminder_ids or any(gate.refusal(each) is None for each in asked)
