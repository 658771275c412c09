"""What each answer means for device, reminder, batch and brakes, and writing that down as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from notifications.dispatch import DispatchPorts, counts
from notifications.errors import LeaseLost
from notifications.model import Preferences
from notifications.outgoing import (
    REFUSALS,
    RETRYABLE,
    Answer,
    Attempt,
    Batch,
    BatchState,
    Envelope,
    Outcome,
    Push,
)
from notifications.pacing import Breaker
from notifications.planning import PlanningPorts
from notifications.ports import Alert, Brakes, Channel, Unit
from notifications.reminders import State, window_of

MAX_TRIES = 6
DEFAULT_PAUSE_S = 60.0
SENDABLE = frozenset({State.QUEUED, State.DEFERRED, State.LEASED})
_BASE_S = 10.0
_SUSPICIOUS = 3
_PACED_S = 1.0


def backoff(tries: int, random: Callable[[], float]) -> float:
    """Seconds to wait before try number `tries` + 1: 10 s plus full jitter up to 10 s * 2**tries."""
    return _BASE_S + random() * _BASE_S * float(1 << tries)


def doubted(outcomes: Sequence[Outcome]) -> list[Outcome]:
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


Window = tuple[date, tuple[datetime, datetime]]


@dataclass(slots=True)
class Run:
    """One batch on its way: what was decided for each reminder so far."""

    batch: Batch
    now: datetime
    moves: list[tuple[tuple[str, ...], State, str]] = field(default_factory=list)
    rest: list[Push] = field(default_factory=list)
    due: list[datetime] = field(default_factory=list)
    sending: list[tuple[Push, list[Envelope]]] = field(default_factory=list)
    dead: list[Push] = field(default_factory=list)
    letters: set[str] = field(default_factory=set)
    """The pushes whose readers want a letter when they stay unread."""
    windows: dict[tuple[str, tuple[int, int]], Window] = field(default_factory=dict)
    claimed: datetime | None = None
    """When it was claimed; told once every stop condition is answered and nothing but the sending is left."""

    def window_of(self, chosen: Preferences) -> Window:
        """Today where somebody is, and its send window; worked out once for all who chose the same."""
        key = (chosen.zone, chosen.window)
        if key not in self.windows:
            today = self.now.astimezone(chosen.where).date()
            self.windows[key] = today, window_of(today, chosen.window, chosen.where)
        return self.windows[key]

    def end(self, push: Push, state: State, reason: str = "") -> None:
        """Nothing more is done for this push."""
        self.moves.append((push.reminder_ids, state, reason))

    def keep(self, push: Push, due_at: datetime, reason: str) -> None:
        """It goes back into the queue."""
        self.rest.append(push)
        self.due.append(due_at)
        self.moves.append((push.reminder_ids, State.DEFERRED, reason))

    def bury(self, push: Push, reason: str) -> None:
        """It stays in the dead letter, for ops to replay."""
        self.dead.append(push)
        self.moves.append((push.reminder_ids, State.DEAD, reason))


class Settling:
    """Draws the consequences of one batch's answers."""

    def __init__(
        self,
        read: PlanningPorts,
        write: DispatchPorts,
        *,
        channel: Channel,
        brakes: Brakes,
        breaker: Breaker,
        alert: Alert,
        random: Callable[[], float],
        follow: Callable[[Run, Unit | None], object],
    ) -> None:
        self._read, self._write = read, write
        self._channel, self._brakes, self._breaker = channel, brakes, breaker
        self._alert, self._random, self._follow = alert, random, follow

    def settle(self, run: Run, outcomes: Sequence[Outcome]) -> Delivered:
        """Devices first, then brakes, then batch and reminders in one unit."""
        self._settle_devices(outcomes)
        found = counts(outcome.answer.value for outcome in outcomes)
        failing = Answer.UNAVAILABLE.value in found or Answer.UNAUTHORISED.value in found
        tries = run.batch.tries + 1 if failing else run.batch.tries
        # What waits for a window of its own is no dead letter: the batch lives on for it.
        dead = failing and tries > MAX_TRIES and not run.rest
        again = self._hold(run.now, outcomes, tries, failing)
        answers = iter(outcomes)
        for push, envelopes in run.sending:
            self._settle_push(run, push, [next(answers) for _ in envelopes], again, dead)
        state = BatchState.QUEUED if run.rest else BatchState.DEAD if run.dead else BatchState.DONE
        lost = not self._write_down(run, Attempt(run.now, found), state, tries)
        if run.dead and not lost:
            self._tell("push_dead", len(run.dead))
        return Delivered(run.batch.id, found, state, lost)

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
        found = counts(outcome.answer.value for outcome in outcomes)
        for answer in (Answer.SENDER_MISMATCH, Answer.UNAUTHORISED, Answer.BAD_PAYLOAD):
            if answer.value in found:
                self._tell(f"push_{answer.value}", found[answer.value])

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
        if again == now and any(o.answer is Answer.NOT_TRIED for o in outcomes):
            again = now + timedelta(seconds=_PACED_S)
        self._break(now, outcomes)
        return again

    def _break(self, now: datetime, outcomes: Sequence[Outcome]) -> None:
        """Too many refusals in a minute, of all workers: pause, and tell once."""
        tried = sum(o.answer is not Answer.NOT_TRIED for o in outcomes)
        if not tried:
            return
        refused = sum(o.answer in REFUSALS for o in outcomes)
        tally = self._brakes.tally(self._channel.name, now, tried, refused)
        if not refused or not self._breaker.trips(tally):
            return
        held = self._brakes.paused_until(self._channel.name)
        self._brakes.pause(self._channel.name, now + timedelta(seconds=self._breaker.pause_s))
        if held is None or held <= now:
            self._tell("push_refused", tally.refused)

    def _settle_push(
        self, run: Run, push: Push, outcomes: Sequence[Outcome], again: datetime, dead: bool
    ) -> None:
        """One accepting device is enough; a retry goes only to the devices still owed."""
        owed = frozenset(o.address.installation_id for o in outcomes if o.answer in RETRYABLE)
        if any(o.answer is Answer.ACCEPTED for o in outcomes):
            run.end(push, State.ACCEPTED)
        elif not owed:
            run.end(push, State.FAILED, outcomes[0].answer.value)
        elif dead:
            run.bury(replace(push, installations=owed), outcomes[0].answer.value)
        else:
            reason = next(o.answer.value for o in outcomes if o.answer in RETRYABLE)
            run.keep(replace(push, installations=owed), again, reason)

    def _write_down(self, run: Run, attempt: Attempt, state: BatchState, tries: int) -> bool:
        def work(unit: Unit | None) -> None:
            due_at = run.now if state is BatchState.DEAD else min(run.due, default=None)
            left = run.rest or run.dead
            self._write.outbox.acknowledge(run.batch, attempt, state, left, due_at, tries, unit)
            for to, reason in sorted({(to, reason) for _, to, reason in run.moves}):
                ids = [
                    i for part, state_to, why in run.moves if (state_to, why) == (to, reason) for i in part
                ]
                if ids:
                    self._read.reminders.move(ids, SENDABLE, to, reason=reason, unit=unit)
            self._follow(run, unit)

        try:
            self._read.in_unit(work)
        except LeaseLost:
            return False
        return True
