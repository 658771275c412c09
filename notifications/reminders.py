"""Reminders: which offset is now, for whom, when it may be sent; an identity that outlives a moved day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from notifications.days import VN
from notifications.model import DueItem, Preferences, Status, Verdict
from notifications.schedule import Offset, Programme

SHARDS = 64


class State(StrEnum):
    """Life of a reminder: planned, queued, leased, then accepted | deferred | failed | dead; at last opened.

    accepted: a device of the person has it, or it joined the push of the day that went out before (inbox
    only). deferred goes back to leased with its batch. cancelled: its reason has gone before it was sent
    (it may be planned anew). superseded: a later offset of the same dose took its place. The rest are ends,
    but what failed only for want of a device is planned anew when one registers the same day, and what is
    dead is deferred again when ops replay its dead letter.
    """

    PLANNED = "planned"
    QUEUED = "queued"
    LEASED = "leased"
    ACCEPTED = "accepted"
    OPENED = "opened"
    DEFERRED = "deferred"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    DEAD = "dead"


LIVE = frozenset({State.PLANNED, State.QUEUED, State.LEASED, State.DEFERRED})
MOVES: Mapping[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.QUEUED, State.CANCELLED, State.SUPERSEDED, State.FAILED, State.ACCEPTED}),
    State.QUEUED: frozenset({State.LEASED, State.CANCELLED, State.SUPERSEDED, State.FAILED, State.OPENED}),
    State.LEASED: frozenset(State) - {State.PLANNED, State.QUEUED},
    State.DEFERRED: frozenset({State.LEASED, State.CANCELLED, State.SUPERSEDED, State.FAILED, State.OPENED}),
    State.ACCEPTED: frozenset({State.OPENED}),
    State.FAILED: frozenset({State.OPENED, State.PLANNED}),
    State.DEAD: frozenset({State.OPENED, State.DEFERRED}),
    State.CANCELLED: frozenset({State.PLANNED}),
}


def may_move(frm: State, to: State) -> bool:
    """True when the state machine has this step."""
    return to in MOVES.get(frm, frozenset())


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder for one person. `key`: its meaning (subject, programme, dose, offset); `id`: and to whom."""

    id: str
    key: str
    citizen_id: str
    recipient_id: str
    shard: int
    programme_id: str
    series_id: str
    dose: int
    topic: str
    offset: str
    phase: str
    recommended: date
    send_on: date
    state: State = State.PLANNED
    mark: str = ""
    reason: str = ""
    session: date | None = None


def shard_of(person_id: str) -> int:
    """Bucket 0..63 of a person: first byte of BLAKE2b of the id, mod 64."""
    return hashlib.blake2b(person_id.encode(), digest_size=1).digest()[0] % SHARDS


@dataclass(frozen=True, slots=True)
class Keys:
    """Makes 128-bit ids out of meanings. With a secret, a dump of ids names no disease and no person."""

    secret: bytes

    def _digest(self, *parts: str) -> str:
        text = "\x1f".join(parts).encode()
        return hashlib.blake2b(text, digest_size=16, key=self.secret).hexdigest()

    def reminder(self, citizen_id: str, programme_id: str, series_id: str, dose: int, offset: str) -> str:
        """Identity of a reminder. No date is in it: a moved date keeps the key."""
        return self._digest("reminder", citizen_id, programme_id, series_id, str(dose), offset)

    def copy_for(self, key: str, recipient_id: str) -> str:
        """Id of the copy one recipient gets."""
        return self._digest("copy", key, recipient_id)

    def message(self, reminder_id: str) -> str:
        """Id of the inbox message of a reminder."""
        return self._digest("message", reminder_id)

    def digest(self, recipient_id: str, day: date) -> str:
        """Id of the one push a person gets on a day; tells nothing without the secret."""
        return self._digest("push", recipient_id, day.isoformat())


def offset_now(item: DueItem, today: date, offsets: Sequence[Offset]) -> Offset | None:
    """The nearest offset already reached, never two. None for items that must not be reminded of.

    An offset that falls on or before the last dose of the series is dropped: nobody is reminded on the
    way out. Nothing is said to come up once its day has passed.
    """
    if not item.remindable or item.anchor is None:
        return None
    reached = [o for o, day in _days(item, offsets) if day <= today]
    nearest = max(reached, key=lambda o: o.days, default=None)
    too_late = nearest is not None and nearest.phase == "before" and today > item.anchor
    return None if too_late else nearest


def next_review(items: Iterable[DueItem], after: date, programmes: Mapping[str, Programme]) -> date | None:
    """First day later than `after` on which an offset is reached, doses that still wait included."""
    days = (day for item in items for _, day in _wanted_days(item, programmes) if day > after)
    return min(days, default=None)


def _wanted_days(item: DueItem, programmes: Mapping[str, Programme]) -> list[tuple[Offset, date]]:
    wanted = item.recommended is not None and item.status.value in ("upcoming", "due", "overdue")
    return _days(item, programmes[item.programme_id].offsets) if wanted else []


def _days(item: DueItem, offsets: Sequence[Offset]) -> list[tuple[Offset, date]]:
    if item.anchor is None:
        return []
    care = (e.on for e in item.because.evidence if e.verdict is not Verdict.NOTED)
    last = max(care, default=date.min)
    days = [(o, item.anchor + timedelta(days=o.days)) for o in offsets]
    return [(o, day) for o, day in days if day > last]


def reminders_for(
    items: Iterable[DueItem], today: date, programmes: Mapping[str, Programme], preferences: Preferences
) -> tuple[tuple[DueItem, Offset], ...]:
    """What to remind this person of today: at most one offset an item, none of a topic switched off."""
    wanted = (item for item in items if item.topic not in preferences.opted_out)
    found = ((item, offset_now(item, today, programmes[item.programme_id].offsets)) for item in wanted)
    return tuple((item, offset) for item, offset in found if offset is not None)


MISSED = "missed"
"""The phase of the one message after a session that went by without a record."""


def phase_of(item: DueItem, offset: Offset, offsets: Sequence[Offset]) -> str:
    """Which text fits: the first offset after a known session speaks of it as missed, once."""
    after = min((o.days for o in offsets if o.days > 0), default=None)
    return MISSED if item.session is not None and offset.days == after else offset.phase


def copy_of(
    keys: Keys,
    citizen_id: str,
    recipient_id: str,
    item: DueItem,
    offset: Offset,
    day: date,
    phase: str | None = None,
) -> Reminder:
    """The reminder of an item for one recipient, to be sent on `day`."""
    if item.recommended is None:
        raise ValueError("an item without a recommended day cannot be reminded of")
    key = keys.reminder(citizen_id, item.programme_id, item.series_id, item.dose, offset.kind)
    return Reminder(
        id=keys.copy_for(key, recipient_id),
        key=key,
        citizen_id=citizen_id,
        recipient_id=recipient_id,
        shard=shard_of(recipient_id),
        programme_id=item.programme_id,
        series_id=item.series_id,
        dose=item.dose,
        topic=item.topic,
        offset=offset.kind,
        phase=phase or offset.phase,
        recommended=item.recommended,
        send_on=day,
        session=item.session,
    )


def lost_reason(item: DueItem | None) -> str:
    """Why an item that must not be reminded of must not."""
    settled = item is not None and item.status in (Status.GIVEN, Status.TOLD)
    return item.status.value if item is not None and settled else "no_longer_due"


def window_of(day: date, window: tuple[int, int], zone: tzinfo = VN) -> tuple[datetime, datetime]:
    """Start and (exclusive) end of a person's send window on a day of their zone, as instants."""
    midnight = datetime.combine(day, time(0), zone)
    start, end = ((midnight + timedelta(hours=hour)).astimezone(UTC) for hour in window)
    return start, end


def when_to_send(
    day: date, window: tuple[int, int], person_id: str, now: datetime, zone: tzinfo = VN
) -> datetime:
    """An instant inside the window of `day`, not before `now`; spread by a hash of the person.

    A window that has closed gives the same place in the window of the next day that is still open. No
    place is in the first minute of an hour, when everybody else's pushes go out.
    """
    start, end = window_of(day, window, zone)
    while end <= now:
        day += timedelta(days=1)
        start, end = window_of(day, window, zone)
    room = (end - start).total_seconds() * 0.9
    spread = int.from_bytes(hashlib.blake2b(person_id.encode(), digest_size=4).digest(), "big")
    at = start + timedelta(seconds=room * spread / 2**32)
    return max(_off_the_hour(at, spread), now)


def _off_the_hour(at: datetime, spread: int) -> datetime:
    """The same, or within the next nine minutes for what falls on the first minute of an hour."""
    return at if at.minute else at + timedelta(seconds=60 + spread % 540)
