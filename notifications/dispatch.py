"""Turn the reminders of a day into inbox messages and batches of pushes: one push a person and day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from itertools import groupby

from notifications.days import VN, vn_day
from notifications.gate import Gate
from notifications.kindness import (
    GIVE_UP_AFTER,
    JOINED,
    NO_DEVICE,
    WEEK,
    Closed,
    given_away,
    never_closed,
    open_day,
    pushed_already,
    share_out,
)
from notifications.outgoing import Address, Batch, Message, Push
from notifications.planning import Planning, PlanningPorts
from notifications.ports import Devices, Inbox, NewId, Now, Outbox, Unit
from notifications.push_days import PushDays
from notifications.reminders import SHARDS, Keys, Reminder, State, when_to_send
from notifications.templates import Texts
from notifications.templates.kind import KindTexts, load_kind_texts

MAX_ADDRESSES = 500
SEEN_WITHIN = timedelta(days=35)
_A_DAYS_MESSAGES = 50
_SLOT = 15 * 60


@dataclass(frozen=True, slots=True)
class DayReport:
    """What one run of a day did. All zero when the day had been done before.

    `failed`: citizens who could not be reviewed; they stay due.
    """

    reviewed: int = 0
    planned: int = 0
    messages: int = 0
    pushes: int = 0
    batches: int = 0
    skipped: int = 0
    failed: int = 0

    def __add__(self, other: DayReport) -> DayReport:
        pairs = zip(self._all(), other._all(), strict=True)
        return DayReport(*(mine + theirs for mine, theirs in pairs))

    def _all(self) -> tuple[int, ...]:
        return tuple(getattr(self, each.name) for each in fields(self))


@dataclass(frozen=True, slots=True)
class DispatchPorts:
    """Where the day's reminders go."""

    inbox: Inbox
    outbox: Outbox
    devices: Devices
    days: PushDays


@dataclass(frozen=True, slots=True)
class _Timed:
    push: Push
    at: datetime
    addresses: int


class Dispatch:
    """Plans and queues days. Running a day again, or two beats at once, sends nothing twice."""

    def __init__(
        self,
        planning: Planning,
        read: PlanningPorts,
        write: DispatchPorts,
        *,
        texts: Texts,
        push_template: str,
        keys: Keys,
        new_id: NewId,
        now: Now,
        closed: Closed = never_closed,
        kind: KindTexts | None = None,
    ) -> None:
        self._closed, self._kind = closed, kind or load_kind_texts()
        self._planning, self._read, self._write = planning, read, write
        self._texts, self._push_template = texts, push_template
        self._keys, self._new_id, self._now = keys, new_id, now

    def plan_day(self, day: date, shards: Iterable[int] = range(SHARDS)) -> DayReport:
        """Review the citizens whose day has come, then queue what their recipients are owed.

        All shards are reviewed before any is queued, so that a family in two shards gets one push.
        """
        wanted = tuple(shards)
        report = DayReport()
        for shard in wanted:
            reviewed, planned, failed = self._planning.review_shard(shard, day)
            report += DayReport(reviewed, planned, failed=failed)
        for shard in wanted:
            report += self.queue_shard(shard, day)
        return report

    def queue_shard(self, shard: int, day: date, limit: int = 2000) -> DayReport:
        """Queue the planned reminders of the recipients of a shard: inbox first, then pushes in batches."""
        report, done = DayReport(), frozenset[str]()
        while True:
            rows = [r for r in self._read.reminders.planned(shard, day, limit) if r.id not in done]
            if not rows:
                return report
            done |= frozenset(r.id for r in rows)
            report += self._queue(shard, rows, day)

    def revive(self, recipient_id: str) -> int:
        """Plan again what failed today only for want of a device: call it when one registers.

        Return how many. Nothing of a push that reached a channel is touched, so nothing is sent twice.
        """
        today, reminders = vn_day(self._now()), self._read.reminders
        if not reminders.pushed_on(recipient_id, today):
            return 0
        newest = self._write.inbox.page(recipient_id, _A_DAYS_MESSAGES)
        found = reminders.many({m.reminder_id for m in newest if m.reminder_id is not None})
        wanted = (State.FAILED, NO_DEVICE, today)
        ids = [r.id for r in found.values() if (r.state, r.reason, r.send_on) == wanted]
        return len(reminders.move(ids, [State.FAILED], State.PLANNED, reason="device_registered"))

    def _queue(self, shard: int, rows: Sequence[Reminder], day: date) -> DayReport:
        gate = Gate(self._planning, self._read.recipients, self._read.preferences, day)
        told = [row for row in rows if not self._cancelled(row, gate)]
        kept = [self._on_day(row, day) for row in told if not self._postponed(row, day)]
        self._write.inbox.add(self._message(row, day, gate.next_session(row)) for row in kept)
        people = {r.recipient_id for r in kept}
        # Before anything is decided: a day that somebody else claims meanwhile is then not claimed again.
        seen = self._write.days.last(people)
        devices = self._write.devices.addresses_of(people, self._now() - SEEN_WITHIN)
        timed: list[_Timed] = []
        for recipient_id, group in groupby(kept, key=lambda row: row.recipient_id):
            addresses, last = devices.get(recipient_id, ()), seen.get(recipient_id)
            timed += self._push_for(recipient_id, list(group), addresses, day, last)
        batches = sum(self._add(batch, day, seen) for batch in self._pack(shard, timed, day))
        return DayReport(0, 0, len(kept), len(timed), batches, len(rows) - len(kept))

    def _postponed(self, row: Reminder, day: date) -> bool:
        """Move to the next open day what would come on a public holiday, and is not urgent to its reader."""
        opens = open_day(day, self._closed)
        if opens == day or row.topic in self._read.preferences.of(row.recipient_id).urgent:
            return False
        self._read.reminders.plan(replace(row, send_on=opens))
        return True

    def _on_day(self, row: Reminder, day: date) -> Reminder:
        """What an earlier day has left over joins this day, so that it counts for its one push."""
        moved = replace(row, send_on=day)
        if moved != row:
            self._read.reminders.plan(moved)
        return moved

    def _cancelled(self, row: Reminder, gate: Gate) -> bool:
        reason = gate.refusal(row)
        if reason is not None:
            self._read.reminders.move([row.id], [State.PLANNED], State.CANCELLED, reason=reason)
        return reason is not None

    def _push_for(
        self,
        recipient_id: str,
        rows: Sequence[Reminder],
        addresses: Sequence[Address],
        day: date,
        last: tuple[date, str] | None,
    ) -> list[_Timed]:
        chosen, now = self._read.preferences.of(recipient_id), self._now()
        past = self._read.reminders.of_recipient(recipient_id, day - WEEK, day)
        share, move = share_out(rows, past, chosen, day), self._read.reminders.move
        for reason, ids in share.quiet.items():
            move(ids, [State.PLANNED], State.ACCEPTED, reason=reason)
        if not share.loud:
            return []
        if not addresses:
            move(share.loud, [State.PLANNED], State.FAILED, reason=NO_DEVICE)
            return []
        if pushed_already(past, day) or given_away(last, day):
            move(share.loud, [State.PLANNED], State.ACCEPTED, reason=JOINED)
            return []
        urgent = any(row.topic in chosen.urgent for row in rows if row.id in share.loud)
        at = now if urgent else when_to_send(day, chosen.window, recipient_id, now, chosen.where)
        push = Push(recipient_id, self._keys.digest(recipient_id, day), share.loud, urgent=urgent)
        return [_Timed(push, at, len(addresses))]

    def _pack(self, shard: int, timed: Sequence[_Timed], day: date) -> Iterator[Batch]:
        """Batches of one quarter of an hour and at most 500 addresses."""
        until = datetime.combine(day, time(0), VN) + timedelta(days=1) + GIVE_UP_AFTER
        ordered = sorted(timed, key=lambda t: (t.at, t.push.recipient_id))
        for _, slot in groupby(ordered, key=lambda t: int(t.at.timestamp()) // _SLOT):
            for part in _parts(list(slot)):
                pushes = tuple(t.push for t in part)
                yield Batch(self._new_id(), shard, self._push_template, pushes, part[0].at, until)

    def _add(self, batch: Batch, day: date, seen: Mapping[str, tuple[date, str]]) -> int:
        """Queue reminders and batch in one unit; what was cancelled meanwhile stays out.

        So does whose day another run has claimed: the next run has those reminders join its push.
        """

        def work(unit: Unit | None) -> int:
            wanted = {push.recipient_id: seen.get(push.recipient_id) for push in batch.pushes}
            won = self._write.days.claim(day, batch.id, wanted, unit)
            mine = [push for push in batch.pushes if push.recipient_id in won]
            ids = [reminder_id for push in mine for reminder_id in push.reminder_ids]
            moved = self._read.reminders.move(ids, [State.PLANNED], State.QUEUED, mark=batch.id, unit=unit)
            pushes = tuple(_only(push, moved) for push in mine)
            kept = tuple(push for push in pushes if push.reminder_ids)
            if kept:
                self._write.outbox.add(replace(batch, pushes=kept), unit)
            return 1 if kept else 0

        return self._read.in_unit(work)

    def _message(self, row: Reminder, day: date, session: date | None) -> Message:
        speaks = self._read.preferences.of(row.recipient_id).speaks
        name = self._planning.title_of(row.programme_id, row.series_id, speaks)
        title, body = self._kind.message(self._texts, row, speaks, name, session)
        return Message(
            id=self._keys.message(row.id),
            recipient_id=row.recipient_id,
            subject_id=row.citizen_id,
            topic=row.topic,
            nid=self._keys.digest(row.recipient_id, day),
            title=title,
            body=body,
            template=f"{self._texts.name}+{self._kind.name}",
            created_at=self._now(),
            reminder_id=row.id,
        )


def _only(push: Push, moved: frozenset[str]) -> Push:
    return replace(push, reminder_ids=tuple(r for r in push.reminder_ids if r in moved))


def _parts(slot: Sequence[_Timed]) -> Iterator[Sequence[_Timed]]:
    part: list[_Timed] = []
    room = MAX_ADDRESSES
    for timed in slot:
        if part and timed.addresses > room:
            yield part
            part, room = [], MAX_ADDRESSES
        part.append(timed)
        room -= timed.addresses
    if part:
        yield part


def counts(answers: Iterable[str]) -> Mapping[str, int]:
    """How often each answer occurred."""
    found: dict[str, int] = {}
    for answer in answers:
        found[answer] = found.get(answer, 0) + 1
    return found
