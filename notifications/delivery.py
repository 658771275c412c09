"""Send one batch and settle it: what each answer means for device, reminder, batch and brakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from notifications.days import vn_day
from notifications.dispatch import SEEN_WITHIN, DispatchPorts, counts
from notifications.errors import LeaseLost
from notifications.gate import Gate
from notifications.kindness import JOINED, LATE, NO_DEVICE
from notifications.outgoing import (
    RETRYABLE,
    Address,
    Answer,
    Attempt,
    Batch,
    BatchState,
    Envelope,
    Outcome,
    Push,
)
from notifications.planning import Planning, PlanningPorts
from notifications.ports import Alert, Brakes, Channel, Now, Unit
from notifications.reminders import Reminder, State, when_to_send, window_of

LEASE = timedelta(seconds=120)
MAX_TRIES = 6
DEFAULT_PAUSE_S = 60.0
_BASE_S = 10.0
_SUSPICIOUS = 3
_SENDABLE = frozenset({State.QUEUED, State.DEFERRED, State.LEASED})


def backoff(tries: int, random: Callable[[], float]) -> float:
    """Seconds to wait before try number `tries` + 1: 10 s plus full jitter up to 10 s * 2**tries."""
    return _BASE_S + random() * _BASE_S * float(1 << tries)


def _doubted(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The same, but a provider that disowns every address likely means our credential: spare the devices."""
    wrong = [o for o in outcomes if o.answer is Answer.SENDER_MISMATCH]
    tried = sum(o.answer is not Answer.NOT_TRIED for o in outcomes)
    if len(wrong) < _SUSPICIOUS or len(wrong) < tried:
        return list(outcomes)
    return [replace(o, answer=Answer.UNAUTHORISED) if o in wrong else o for o in outcomes]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one batch. `lost`: another worker had taken it over, it settles instead."""

    batch_id: str
    answers: Mapping[str, int]
    state: BatchState
    lost: bool = False


@dataclass(slots=True)
class _Run:
    """One batch on its way: what was decided for each reminder so far."""

    batch: Batch
    now: datetime
    moves: list[tuple[tuple[str, ...], State, str]] = field(default_factory=list)
    rest: list[Push] = field(default_factory=list)
    due: list[datetime] = field(default_factory=list)
    sending: list[tuple[Push, list[Envelope]]] = field(default_factory=list)

    def end(self, push: Push, state: State, reason: str = "") -> None:
        self.moves.append((push.reminder_ids, state, reason))

    def keep(self, push: Push, due_at: datetime, reason: str) -> None:
        self.rest.append(push)
        self.due.append(due_at)
        self.moves.append((push.reminder_ids, State.DEFERRED, reason))


class Delivery:
    """Sends batches over one channel. Any number of workers may run it; each batch is with one at a time."""

    def __init__(
        self,
        planning: Planning,
        read: PlanningPorts,
        write: DispatchPorts,
        *,
        channel: Channel,
        brakes: Brakes,
        alert: Alert,
        now: Now,
        random: Callable[[], float],
    ) -> None:
        self._planning, self._read, self._write = planning, read, write
        self._channel, self._brakes, self._alert = channel, brakes, alert
        self._now, self._random = now, random

    def deliver(self, shard: int) -> Delivered | None:
        """Claim, send and settle one batch of a shard. None when there is none, or the channel is held."""
        now = self._now()
        paused = self._brakes.paused_until(self._channel.name)
        if self._brakes.stopped(self._channel.template) or (paused is not None and paused > now):
            return None
        batch = self._write.outbox.claim(shard, now, LEASE)
        if batch is None:
            return None
        run = _Run(batch, now)
        outcomes: list[Outcome] = []
        if now >= batch.until:
            for push in batch.pushes:
                run.end(push, State.FAILED, "too_late")
        else:
            self._prepare(run)
            envelopes = [envelope for _, part in run.sending for envelope in part]
            outcomes = _doubted(self._channel.deliver(envelopes))
            self._settle_devices(outcomes)
        return self._settle(run, outcomes)

    def _prepare(self, run: _Run) -> None:
        """Ask every stop condition again, then find the addresses of today."""
        ids = [reminder_id for push in run.batch.pushes for reminder_id in push.reminder_ids]
        moved = self._read.reminders.move(ids, _SENDABLE, State.LEASED, mark=run.batch.id)
        alive = self._read.reminders.many(moved)
        gate = Gate(self._planning, self._read.recipients, self._read.preferences, vn_day(run.now))
        wanted = [(push, self._wanted(run, push, alive, gate)) for push in run.batch.pushes]
        # An alert of its own stands for nothing that could have lost its reason; a campaign's does.
        pushes = [p for push, p in wanted if p.reminder_ids or (p.alert and not push.reminder_ids)]
        people = {push.recipient_id for push in pushes}
        addresses = self._write.devices.addresses_of(people, run.now - SEEN_WITHIN)
        for push in pushes:
            self._address(run, push, addresses.get(push.recipient_id, ()))
        self._one_a_day(run, alive)

    def _one_a_day(self, run: _Run, alive: Mapping[str, Reminder]) -> None:
        """A push that goes out later than on its day takes that day, or joins what has taken it."""
        for push, envelopes in list(run.sending):
            days = [alive[each].send_on for each in push.reminder_ids]
            today = run.now.astimezone(self._read.preferences.of(push.recipient_id).where).date()
            if days and max(days) < today and not self._takes(push, today):
                run.sending.remove((push, envelopes))
                run.end(push, State.ACCEPTED, JOINED)

    def _takes(self, push: Push, today: date) -> bool:
        last = self._write.days.last([push.recipient_id]).get(push.recipient_id)
        mine = LATE + push.nid
        if last is not None and last[0] >= today:
            return last == (today, mine)
        return bool(self._write.days.claim(today, mine, {push.recipient_id: last}))

    def _wanted(self, run: _Run, push: Push, alive: Mapping[str, Reminder], gate: Gate) -> Push:
        kept: list[str] = []
        for reminder_id in push.reminder_ids:
            reminder = alive.get(reminder_id)
            if reminder is None:
                continue
            reason = gate.refusal(reminder)
            if reason is None:
                kept.append(reminder_id)
            else:
                run.moves.append(((reminder_id,), State.CANCELLED, reason))
        return replace(push, reminder_ids=tuple(kept))

    def _address(self, run: _Run, push: Push, addresses: Sequence[Address]) -> None:
        mine = [a for a in addresses if push.installations is None or a.installation_id in push.installations]
        prefs = self._read.preferences.of(push.recipient_id)
        today = run.now.astimezone(prefs.where).date()
        start, until = window_of(today, prefs.window, prefs.where)
        if not mine:
            run.end(push, State.FAILED, NO_DEVICE)
        elif push.alert:
            until = run.batch.until
            run.sending.append((push, [Envelope(a, push.nid, prefs.locale, until) for a in mine]))
        elif not push.urgent and not start <= run.now < until:
            at = when_to_send(today, prefs.window, push.recipient_id, run.now, prefs.where)
            run.keep(push, at, "outside_window")
        else:
            run.sending.append((push, [Envelope(a, push.nid, prefs.locale, until) for a in mine]))

    def _settle_devices(self, outcomes: Sequence[Outcome]) -> None:
        devices = self._write.devices
        for outcome in outcomes:
            where = (outcome.address.installation_id, outcome.address.version)
            if outcome.answer is Answer.UNREGISTERED:
                devices.delete_if_unchanged(*where)
            elif outcome.answer is Answer.BAD_ADDRESS:
                devices.quarantine(*where)
            elif outcome.answer is Answer.SENDER_MISMATCH:
                devices.disable(*where)
            elif outcome.answer is Answer.ACCEPTED and outcome.address.quarantined:
                devices.clear(*where)
        self._warn(counts(outcome.answer.value for outcome in outcomes))

    def _warn(self, answers: Mapping[str, int]) -> None:
        for answer in (Answer.SENDER_MISMATCH, Answer.UNAUTHORISED, Answer.BAD_PAYLOAD):
            if answer.value in answers:
                self._tell(f"push_{answer.value}", answers[answer.value])

    def _settle(self, run: _Run, outcomes: Sequence[Outcome]) -> Delivered:
        found = counts(outcome.answer.value for outcome in outcomes)
        failing = Answer.UNAVAILABLE.value in found or Answer.UNAUTHORISED.value in found
        tries = run.batch.tries + 1 if failing else run.batch.tries
        dead = failing and tries > MAX_TRIES
        again = self._hold(run.now, outcomes, tries, failing)
        answers = iter(outcomes)
        for push, envelopes in run.sending:
            self._settle_push(run, push, [next(answers) for _ in envelopes], again, dead)
        state = BatchState.QUEUED if run.rest else BatchState.DEAD if dead else BatchState.DONE
        lost = not self._write_down(run, Attempt(run.now, found), state, tries)
        if dead and not lost:
            self._tell("push_dead", sum(s is State.DEAD for _, s, _ in run.moves))
        return Delivered(run.batch.id, found, state, lost)

    def _tell(self, code: str, count: int) -> None:
        self._alert(code, self._channel.template, {"count": count})

    def _hold(self, now: datetime, outcomes: Sequence[Outcome], tries: int, failing: bool) -> datetime:
        """Brake as the answers demand; say when what is left may be tried again."""
        again = now
        if any(o.answer is Answer.BAD_PAYLOAD for o in outcomes):
            self._brakes.stop(self._channel.template)
        slow = [o.retry_after or DEFAULT_PAUSE_S for o in outcomes if o.answer is Answer.THROTTLED]
        if slow:
            again = now + timedelta(seconds=max(slow))
            self._brakes.pause(self._channel.name, again)
        if failing:
            hints = [o.retry_after or 0.0 for o in outcomes if o.answer is Answer.UNAVAILABLE]
            wait = max(backoff(tries, self._random), *hints, 0.0)
            again = max(again, now + timedelta(seconds=wait))
        return again

    def _settle_push(
        self, run: _Run, push: Push, outcomes: Sequence[Outcome], again: datetime, dead: bool
    ) -> None:
        """One accepting device is enough; a retry goes only to the devices still owed."""
        owed = frozenset(o.address.installation_id for o in outcomes if o.answer in RETRYABLE)
        if any(o.answer is Answer.ACCEPTED for o in outcomes):
            run.end(push, State.ACCEPTED)
        elif not owed:
            run.end(push, State.FAILED, outcomes[0].answer.value)
        elif dead:
            run.end(push, State.DEAD, outcomes[0].answer.value)
        else:
            reason = next(o.answer.value for o in outcomes if o.answer in RETRYABLE)
            run.keep(replace(push, installations=owed), again, reason)

    def _write_down(self, run: _Run, attempt: Attempt, state: BatchState, tries: int) -> bool:
        def work(unit: Unit | None) -> None:
            due_at = min(run.due, default=None)
            self._write.outbox.acknowledge(run.batch, attempt, state, run.rest, due_at, tries, unit)
            for to, reason in sorted({(to, reason) for _, to, reason in run.moves}):
                ids = [
                    i for part, state_to, why in run.moves if (state_to, why) == (to, reason) for i in part
                ]
                self._read.reminders.move(ids, _SENDABLE, to, reason=reason, unit=unit)

        try:
            self._read.in_unit(work)
        except LeaseLost:
            return False
        return True
