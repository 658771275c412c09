"""Ports in memory: for tests, demos and use without a database. Safe under threads; `unit` is ignored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from notifications.errors import LeaseLost, MessageNotFound
from notifications.model import DueItem, Preferences
from notifications.outgoing import Attempt, Batch, BatchState, Message, Push
from notifications.ports import DueRow
from notifications.reminders import Reminder, State, may_move, shard_of
from notifications.rules import Stamp

T = TypeVar("T")
_UNSENT = frozenset({State.PLANNED, State.QUEUED, State.DEFERRED})


def run_alone(work: Callable[[object | None], T]) -> T:
    """The InUnit of memory: no transaction, the work just runs."""
    return work(None)


class MemoryPreferences:
    """PreferenceStore in a dict."""

    def __init__(self) -> None:
        self._kept: dict[str, Preferences] = {}

    def of(self, citizen_id: str) -> Preferences:
        """See ports.PreferenceStore."""
        return self._kept.get(citizen_id, Preferences())

    def save(self, citizen_id: str, preferences: Preferences) -> None:
        """See ports.PreferenceStore."""
        self._kept[citizen_id] = preferences


class MemoryDueItems:
    """DueItems in a dict."""

    def __init__(self) -> None:
        self._plans: dict[str, DueRow] = {}

    def replace(
        self,
        citizen_id: str,
        items: Sequence[DueItem],
        review_on: date | None,
        unit: object | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        """See ports.DueItems."""
        self._plans[citizen_id] = DueRow(citizen_id, tuple(items), review_on, stamp)

    def row(self, citizen_id: str, unit: object | None = None) -> DueRow | None:
        """See ports.DueItems."""
        return self._plans.get(citizen_id)

    def rows(self, shard: int, after: str, limit: int) -> Sequence[DueRow]:
        """See ports.DueItems."""
        mine = (c for c in list(self._plans) if c > after and shard_of(c) == shard)
        return [self._plans[citizen_id] for citizen_id in sorted(mine)[:limit]]

    def due_between(self, shard: int, day_from: date, day_to: date, limit: int) -> Sequence[str]:
        """See ports.DueItems."""
        kept = [row for row in list(self._plans.values()) if shard_of(row.citizen_id) == shard]
        rows = [(row.review_on, row.citizen_id) for row in kept if row.review_on is not None]
        return [citizen for day, citizen in sorted(rows) if day_from <= day <= day_to][:limit]


class MemoryReminders:
    """Reminders in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Reminder] = {}
        self._lock = threading.Lock()

    def plan(self, reminder: Reminder, unit: object | None = None) -> bool:
        """See ports.Reminders."""
        with self._lock:
            known = self._kept.get(reminder.id)
            if known is not None and known.state not in (State.PLANNED, State.CANCELLED):
                return False
            self._kept[reminder.id] = replace(reminder, state=State.PLANNED, mark="", reason="")
            return True

    def many(self, ids: Collection[str]) -> Mapping[str, Reminder]:
        """See ports.Reminders."""
        with self._lock:
            return {reminder_id: self._kept[reminder_id] for reminder_id in ids if reminder_id in self._kept}

    def planned(self, shard: int, day_to: date, limit: int) -> Sequence[Reminder]:
        """See ports.Reminders."""
        with self._lock:
            hits = [
                r
                for r in self._kept.values()
                if (r.shard, r.state) == (shard, State.PLANNED) and r.send_on <= day_to
            ]
        return sorted(hits, key=lambda r: (r.recipient_id, r.id))[:limit]

    def move(
        self,
        ids: Collection[str],
        frm: Collection[State],
        to: State,
        mark: str = "",
        reason: str = "",
        unit: object | None = None,
    ) -> frozenset[str]:
        """See ports.Reminders."""
        with self._lock:
            hits = [
                r for r in map(self._kept.get, set(ids)) if r and r.state in frm and may_move(r.state, to)
            ]
            for r in hits:
                self._kept[r.id] = replace(r, state=to, mark=mark or r.mark, reason=reason or r.reason)
        return frozenset(r.id for r in hits)

    def cancel_for(
        self, citizen_id: str, series_id: str, dose: int, reason: str, unit: object | None = None
    ) -> int:
        """See ports.Reminders."""
        ids = [r.id for r in self.of_citizen(citizen_id) if (r.series_id, r.dose) == (series_id, dose)]
        return len(self.move(ids, _UNSENT, State.CANCELLED, reason=reason))

    def of_citizen(self, citizen_id: str) -> Sequence[Reminder]:
        """See ports.Reminders."""
        with self._lock:
            return [r for r in self._kept.values() if r.citizen_id == citizen_id]

    def of_recipient(self, recipient_id: str, day_from: date, day_to: date) -> Sequence[Reminder]:
        """See ports.Reminders."""
        with self._lock:
            mine = [r for r in self._kept.values() if r.recipient_id == recipient_id]
        return [r for r in mine if day_from <= r.send_on <= day_to]

    def pushed_on(self, recipient_id: str, day: date) -> bool:
        """See ports.Reminders."""
        unsent = (State.PLANNED, State.CANCELLED, State.SUPERSEDED)
        with self._lock:
            mine = [r for r in self._kept.values() if (r.recipient_id, r.send_on) == (recipient_id, day)]
        return any(r.state not in unsent for r in mine)


class MemoryOutbox:
    """Outbox in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Batch] = {}
        self._lock = threading.Lock()

    def add(self, batch: Batch, unit: object | None = None) -> None:
        """See ports.Outbox."""
        with self._lock:
            self._kept.setdefault(batch.id, batch)

    def ready(self, now: datetime) -> frozenset[int]:
        """See ports.Outbox."""
        with self._lock:
            return frozenset(b.shard for b in self._kept.values() if _ready(b, now))

    def claim(self, shard: int, now: datetime, lease: timedelta) -> Batch | None:
        """See ports.Outbox."""
        with self._lock:
            hits = [b for b in self._kept.values() if b.shard == shard and _ready(b, now)]
            if not hits:
                return None
            batch = min(hits, key=lambda b: (b.lane != "critical", b.due_at, b.id))
            leased = replace(
                batch, state=BatchState.LEASED, lease_until=now + lease, version=batch.version + 1
            )
            self._kept[batch.id] = leased
            return leased

    def acknowledge(
        self,
        batch: Batch,
        attempt: Attempt,
        state: BatchState,
        rest: Sequence[Push] = (),
        due_at: datetime | None = None,
        tries: int = 0,
        unit: object | None = None,
    ) -> None:
        """See ports.Outbox."""
        with self._lock:
            known = self._kept.get(batch.id)
            if known is None or known.version != batch.version or known.state is not BatchState.LEASED:
                raise LeaseLost("the batch was claimed by another worker")
            self._kept[batch.id] = replace(
                known,
                state=state,
                pushes=tuple(rest),
                due_at=due_at or known.due_at,
                tries=tries,
                attempts=(*known.attempts, attempt),
                lease_until=None,
                version=known.version + 1,
            )

    def sweep(self, now: datetime) -> int:
        """See ports.Outbox."""
        with self._lock:
            lost = [b for b in self._kept.values() if b.lease_until is not None and b.lease_until <= now]
            for b in lost:
                self._kept[b.id] = replace(
                    b, state=BatchState.QUEUED, lease_until=None, version=b.version + 1
                )
        return len(lost)

    def dead(self, limit: int, before: tuple[datetime, str] | None = None) -> Sequence[Batch]:
        """See ports.Outbox."""
        with self._lock:
            found = [b for b in self._kept.values() if b.state is BatchState.DEAD]
        older = [b for b in found if before is None or (b.due_at, b.id) < before]
        return sorted(older, key=lambda b: (b.due_at, b.id), reverse=True)[:limit]

    def get(self, batch_id: str) -> Batch | None:
        """See ports.Outbox."""
        return self._kept.get(batch_id)

    def forget_dead(self, died_before: datetime) -> int:
        """See ports.Outbox."""
        with self._lock:
            old = [b for b in self._kept.values() if b.state is BatchState.DEAD and b.due_at <= died_before]
            for b in old:
                del self._kept[b.id]
        return len(old)

    def revive(self, batch: Batch, now: datetime, until: datetime, unit: object | None = None) -> bool:
        """See ports.Outbox."""
        with self._lock:
            known = self._kept.get(batch.id)
            if known is None or (known.version, known.state) != (batch.version, BatchState.DEAD):
                return False
            fresh = {"state": BatchState.QUEUED, "due_at": now, "until": until, "tries": 0}
            again = known.replays + 1
            self._kept[batch.id] = replace(known, version=known.version + 1, replays=again, **fresh)  # type: ignore[arg-type]
            return True


def _ready(batch: Batch, now: datetime) -> bool:
    return batch.state is BatchState.QUEUED and batch.due_at <= now


class MemoryInbox:
    """Inbox in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Message] = {}
        self._lock = threading.Lock()

    def add(self, messages: Iterable[Message], unit: object | None = None) -> int:
        """See ports.Inbox."""
        with self._lock:
            before = len(self._kept)
            for message in messages:
                self._kept.setdefault(message.id, message)
            return len(self._kept) - before

    def page(
        self, recipient_id: str, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[Message]:
        """See ports.Inbox."""
        mine = self._of(recipient_id)
        older = [m for m in mine if before is None or (m.created_at, m.id) < before]
        return sorted(older, key=lambda m: (m.created_at, m.id), reverse=True)[:limit]

    def unread_pushes(self, recipient_ids: Collection[str]) -> Collection[tuple[str, str]]:
        """See ports.Inbox."""
        mine = (m for each in set(recipient_ids) for m in self._of(each))
        return {(m.recipient_id, m.nid) for m in mine if m.read_at is None}

    def unread(self, recipient_id: str) -> int:
        """See ports.Inbox."""
        return sum(m.read_at is None for m in self._of(recipient_id))

    def mark_read(self, recipient_id: str, message_id: str, at: datetime) -> Message:
        """See ports.Inbox."""
        with self._lock:
            known = self._kept.get(message_id)
            if known is None or known.recipient_id != recipient_id:
                raise MessageNotFound("no such message")
            self._kept[message_id] = replace(known, read_at=known.read_at or at)
            return self._kept[message_id]

    def _of(self, recipient_id: str) -> list[Message]:
        with self._lock:
            return [m for m in self._kept.values() if m.recipient_id == recipient_id]
