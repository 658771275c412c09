"""What of a day's reminders may make a phone ring. Pure: whatever may not stays in the inbox, with a reason.

One push a person and day, whatever family members it is about; none about what was switched off; none above
the person's own limit a week; none on a public holiday. What somebody declared urgent is bound by the first
two alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from notifications.model import Preferences
from notifications.reminders import Reminder, State

PUSH: Final = "push"
CHANNELS: Final = (PUSH,)
"""The channels beside the inbox that a person may switch off, topic by topic."""

SWITCHED_OFF: Final = "push_switched_off"
OVER_LIMIT: Final = "weekly_limit"
JOINED: Final = "joined_earlier_push"
NO_DEVICE: Final = "no_device"
"""Why a reminder failed that no channel was ever given."""
QUIET: Final = frozenset({SWITCHED_OFF, OVER_LIMIT})
"""Reasons of reminders that are in the inbox and were never to be pushed."""
WEEK: Final = timedelta(days=7)
GIVE_UP_AFTER: Final = timedelta(days=2)
"""How long after its day a push that could not leave still may."""
_ON_ITS_WAY: Final = frozenset({State.QUEUED, State.LEASED, State.DEFERRED})
_UNSENT: Final = frozenset({State.PLANNED, State.CANCELLED, State.SUPERSEDED})
_LONGEST_HOLIDAY: Final = 14

Closed = Callable[[date], bool]
"""Whether a day is a public holiday."""


def never_closed(day: date) -> bool:
    """The calendar of who knows no holidays."""
    return False


@dataclass(frozen=True, slots=True)
class Share:
    """What becomes of one person's reminders of a day: `loud` ride on a push, `quiet` (by reason) do not."""

    loud: tuple[str, ...]
    quiet: Mapping[str, tuple[str, ...]]


def share_out(rows: Sequence[Reminder], past: Iterable[Reminder], chosen: Preferences, day: date) -> Share:
    """Decide for reminders of one person that are to be told of on `day`.

    `past`: this person's reminders of the week before `day`, and of `day` itself, in any state.
    """
    before = [each for each in past if _week_before(each, day)]
    loud: list[str] = []
    quiet: dict[str, tuple[str, ...]] = {}
    for row in rows:
        reason = _kept_quiet(row.topic, before, chosen)
        if reason is None:
            loud.append(row.id)
        else:
            quiet[reason] = (*quiet.get(reason, ()), row.id)
    return Share(tuple(loud), quiet)


def pushed_already(past: Iterable[Reminder], day: date) -> bool:
    """Whether this person's push of `day` has left, or one of an earlier day is still on its way."""
    return any(_pushed(each) if each.send_on == day else _on_its_way(each, day) for each in past)


LATE: Final = "late:"
"""What a push claims a day with on which it goes out, other than the one it was planned for."""


def given_away(last: tuple[date, str] | None, day: date) -> bool:
    """Whether the push of `day` is another's for good, though no reminder of `day` tells of it."""
    return last is not None and (last[0] > day or (last[0] == day and last[1].startswith(LATE)))


def open_day(day: date, closed: Closed) -> date:
    """`day`, or the first day after it that is no public holiday. A calendar without open days is not
    believed."""
    later = (day + timedelta(days=n) for n in range(_LONGEST_HOLIDAY))
    return next((each for each in later if not closed(each)), day)


def _kept_quiet(topic: str, before: Sequence[Reminder], chosen: Preferences) -> str | None:
    if not chosen.wants(topic, PUSH):
        return SWITCHED_OFF
    limit = dict(chosen.a_week).get(topic)
    if limit is None or topic in chosen.urgent:
        return None
    days = {each.send_on for each in before if each.topic == topic and _pushed(each)}
    return OVER_LIMIT if len(days) >= limit else None


def _on_its_way(row: Reminder, day: date) -> bool:
    return row.state in _ON_ITS_WAY and day - GIVE_UP_AFTER <= row.send_on < day


def _week_before(row: Reminder, day: date) -> bool:
    return day - WEEK < row.send_on < day


def _pushed(row: Reminder) -> bool:
    """Whether it went out with a push, or was given to one. What only joined a push is none of its own."""
    return row.state not in _UNSENT and row.reason not in QUIET | {NO_DEVICE, JOINED}
