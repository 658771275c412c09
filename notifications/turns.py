"""Days on which a programme begins or ends: whom it concerns is looked at that day, late doses in turn.

A programme that begins finds people whose day was long ago. All of them reminded on the first morning would
be a flood at every station, so each gets a day of their own within `SPREAD_DAYS`. Whose day comes after the
beginning is reminded on that day, as ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

from notifications.model import Care, CitizenFacts, DueItem
from notifications.planner import plan
from notifications.reminders import offset_now
from notifications.schedule import Programme

SPREAD_DAYS: Final = 28
"""Over how many days late doses are let in when a programme begins. Our choice: four weeks of sessions."""


def next_turn(
    facts: CitizenFacts, care: Sequence[Care], programmes: Iterable[Programme], after: date
) -> date | None:
    """First day later than `after` on which a programme that has something for this person begins or ends."""
    days = (
        day
        for programme in programmes
        for day, seen_on in _turns(programme)
        if day > after and plan(facts, care, (programme,), seen_on)
    )
    return min(days, default=None)


def _turns(programme: Programme) -> list[tuple[date, date]]:
    """(Day of the turn, day on which to ask whom it concerns): on its first day, or on its last."""
    end = programme.valid_to
    last = [] if end is None else [(end, end - timedelta(days=1))]
    return [(programme.valid_from, programme.valid_from), *last]


def held_until(citizen_id: str, item: DueItem, programme: Programme, today: date) -> date | None:
    """The day before which nobody is reminded of a dose that was late when its programme began, or None."""
    if item.recommended is None or today >= programme.valid_from + timedelta(days=SPREAD_DAYS):
        return None
    offset = offset_now(item, today, programme.offsets)
    if offset is None or item.recommended + timedelta(days=offset.days) >= programme.valid_from:
        return None
    let_in = programme.valid_from + timedelta(days=place_of(citizen_id, programme.id, SPREAD_DAYS))
    return let_in if let_in > today else None


def place_of(citizen_id: str, what: str, places: int) -> int:
    """The place of a person in a queue of `places`: from 0, even over people, the same whenever asked."""
    text = f"{what}\x1f{citizen_id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % max(places, 1)
