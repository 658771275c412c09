"""Send one batch: claim it, ask every stop condition again, find the addresses of today, send, settle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from notifications.days import vn_day
from notifications.dispatch import SEEN_WITHIN, DispatchPorts
from notifications.fallback import Fallback
from notifications.gate import Gate
from notifications.kindness import JOINED, LATE, NO_DEVICE
from notifications.outgoing import Address, Answer, Envelope, Outcome, Push
from notifications.pacing import Breaker, Pacer
from notifications.planning import Planning, PlanningPorts
from notifications.ports import Alert, Brakes, Channel, Now, Unit
from notifications.reminders import SHARDS, Reminder, State, when_to_send
from notifications.settling import SENDABLE, Delivered, Run, Settling, backoff, doubted

__all__ = ["LEASE", "Delivered", "Delivery", "backoff"]

LEASE = timedelta(seconds=120)
FRESH = timedelta(seconds=2)
"""How long a batch that is ready to go may wait for its turn before its stop conditions are asked again."""


class Delivery:
    """Sends batches over one channel. Any number of workers may run it; each batch is with one at a time.

    `deliver` is `take`, then `finish`. Who takes one batch while another is being finished (`OneAhead`) asks
    `fit` before finishing it, and puts it back otherwise.

    `pacer`: the speed all workers share. `fallback`: letters for whom a push does not reach.
    """

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
        pacer: Pacer | None = None,
        fallback: Fallback | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._planning, self._read, self._write = planning, read, write
        self._channel, self._brakes, self._now = channel, brakes, now
        self._pacer, self._fallback = pacer, fallback
        self._settling = Settling(
            read,
            write,
            channel=channel,
            brakes=brakes,
            breaker=breaker or Breaker(),
            alert=alert,
            random=random,
            follow=self._queue_letters,
        )

    def deliver(self, shard: int) -> Delivered | None:
        """Claim, send and settle one batch of a shard. None when there is none, or the channel is held.

        Shards from 64 on hold letters, each those of the shard 64 below.
        """
        if shard >= SHARDS:
            return None if self._fallback is None else self._fallback.deliver(shard)
        run = self.take(shard)
        return None if run is None else self.finish(run)

    def take(self, shard: int) -> Run | None:
        """Claim one batch, ask every stop condition and find the addresses of today. None as for `deliver`.

        May run beside `finish` of another batch, in another thread; not beside itself.
        """
        now = self._now()
        if self._brakes.holds(self._channel.name, self._channel.template, now):
            return None
        batch = self._write.outbox.claim(shard, now, LEASE)
        if batch is None:
            return None
        run = Run(batch, now)
        if now >= batch.until:
            for push in batch.pushes:
                run.end(push, State.FAILED, "too_late")
        else:
            self._prepare(run)
        run.claimed = now
        return run

    def finish(self, run: Run) -> Delivered:
        """Send and settle what was taken."""
        return self._settling.settle(run, self._send(run) if run.sending else [])

    def fit(self, run: Run) -> bool:
        """Whether a batch that has waited for its turn may still go: it waited no longer than `FRESH`, and
        nothing brakes.
        """
        held = self._brakes.holds(self._channel.name, self._channel.template, self._now())
        return not held and not self.aged(run)

    def aged(self, run: Run) -> bool:
        """Whether it is longer than `FRESH` since this batch was claimed. A clock that jumps ages it."""
        return run.claimed is None or abs(self._now() - run.claimed) > FRESH

    def put_back(self, run: Run) -> Delivered:
        """Settle without sending: what was to go waits in the queue again, what had lost its reason ends."""
        unsent = [each.address for _, part in run.sending for each in part]
        return self._settling.settle(run, [Outcome(each, Answer.NOT_TRIED) for each in unsent])

    def _send(self, run: Run) -> list[Outcome]:
        """As many as the shared speed allows now; the rest is `not_tried`."""
        envelopes = [envelope for _, part in run.sending for envelope in part]
        if self._pacer is None:
            return doubted(self._channel.deliver(envelopes))
        granted = self._pacer.take(len(envelopes), critical=run.batch.lane == "critical")
        outcomes = doubted(self._channel.deliver(envelopes[:granted]))
        self._pacer.give_back(sum(each.answer is Answer.NOT_TRIED for each in outcomes))
        return outcomes + [Outcome(each.address, Answer.NOT_TRIED) for each in envelopes[granted:]]

    def _prepare(self, run: Run) -> None:
        """Ask every stop condition again, then find the addresses of today."""
        ids = [reminder_id for push in run.batch.pushes for reminder_id in push.reminder_ids]
        moved = self._read.reminders.move(ids, SENDABLE, State.LEASED, mark=run.batch.id) if ids else ()
        alive = self._read.reminders.many(moved) if moved else {}
        gate = Gate(self._planning, self._read.recipients, self._read.preferences, vn_day(run.now))
        gate.read(self._read.care, alive.values(), {push.recipient_id for push in run.batch.pushes})
        wanted = [(push, self._wanted(run, push, alive, gate)) for push in run.batch.pushes]
        # An alert of its own stands for nothing that could have lost its reason; a campaign's does.
        pushes = [p for push, p in wanted if p.reminder_ids or (p.alert and not push.reminder_ids)]
        people = {push.recipient_id for push in pushes}
        addresses = self._write.devices.addresses_of(people, run.now - SEEN_WITHIN)
        for push in pushes:
            self._address(run, push, addresses.get(push.recipient_id, ()), gate)
        self._one_a_day(run, alive, gate)

    def _one_a_day(self, run: Run, alive: Mapping[str, Reminder], gate: Gate) -> None:
        """A push that goes out later than on its day takes that day, or joins what has taken it."""
        for push, envelopes in list(run.sending):
            days = [alive[each].send_on for each in push.reminder_ids]
            today = run.now.astimezone(gate.preferences_of(push.recipient_id).where).date()
            if days and max(days) < today and not self._takes(push, today):
                run.sending.remove((push, envelopes))
                run.end(push, State.ACCEPTED, JOINED)

    def _takes(self, push: Push, today: date) -> bool:
        last = self._write.days.last([push.recipient_id]).get(push.recipient_id)
        mine = LATE + push.nid
        if last is not None and last[0] >= today:
            return last == (today, mine)
        return bool(self._write.days.claim(today, mine, {push.recipient_id: last}))

    def _wanted(self, run: Run, push: Push, alive: Mapping[str, Reminder], gate: Gate) -> Push:
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
        return push if len(kept) == len(push.reminder_ids) else replace(push, reminder_ids=tuple(kept))

    def _address(self, run: Run, push: Push, addresses: Sequence[Address], gate: Gate) -> None:
        mine = [a for a in addresses if push.installations is None or a.installation_id in push.installations]
        prefs = gate.preferences_of(push.recipient_id)
        today, (start, until) = run.window_of(prefs)
        if prefs.email is not None:
            run.letters.add(push.nid)
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

    def _queue_letters(self, run: Run, unit: Unit | None) -> None:
        if self._fallback is not None:
            self._fallback.queue(run, unit)
