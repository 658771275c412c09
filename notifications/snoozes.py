"""Putting a reminder off to a chosen day: a copy of it, to be sent then in the place of what is unsent.

The copy has an identity like any reminder (whose, which dose, the how-manyeth time), so it is sent once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from notifications.errors import SnoozeRefused
from notifications.model import DueItem
from notifications.ports import InUnit, Reminders, Unit
from notifications.reminders import Keys, Reminder, State
from notifications.schedule import Offset, Programme

SNOOZED: Final = "snoozed"
"""Why an unsent reminder gave way to one on a later day."""
LONGEST: Final = timedelta(days=90)
_TIMES: Final = 5
_KIND: Final = "snoozed_"
_UNSENT: Final = frozenset({State.PLANNED, State.QUEUED, State.DEFERRED})


def is_put_off(reminder: Reminder) -> bool:
    """Whether it is a copy that somebody put off."""
    return reminder.offset.startswith(_KIND)


def put_off_ids(keys: Keys, reminder: Reminder) -> tuple[str, ...]:
    """The ids of all copies of this dose that its recipient can have put off."""
    return tuple(_id(keys, reminder, f"{_KIND}{n}") for n in range(1, _TIMES + 1))


def _id(keys: Keys, of: Reminder, offset: str) -> str:
    return keys.copy_for(_key(keys, of, offset), of.recipient_id)


def _key(keys: Keys, of: Reminder, offset: str) -> str:
    return keys.reminder(of.citizen_id, of.programme_id, of.series_id, of.dose, offset)


class Snoozing:
    """Puts reminders off. Asking twice for the same day is once."""

    def __init__(self, reminders: Reminders, in_unit: InUnit, keys: Keys) -> None:
        self._reminders, self._in_unit, self._keys = reminders, in_unit, keys

    def put_off(
        self, asked: Reminder, until: date, item: DueItem | None, programme: Programme, today: date
    ) -> Reminder:
        """Send no reminder of this dose to this person before `until`, and one then. Return the copy.

        Raises:
            SnoozeRefused: it is settled (no longer due), `until` is not within the next 90 days or lies
                after the dose can still be given, or it was put off five times.
        """
        if item is None or not item.remindable:
            raise SnoozeRefused("settled")
        if not today < until <= today + LONGEST:
            raise SnoozeRefused("too_far")
        if item.expires is not None and until >= item.expires:
            raise SnoozeRefused("after_its_time")
        return self._in_unit(lambda unit: self._put_off(asked, until, item, programme, unit))

    def _put_off(
        self, asked: Reminder, until: date, item: DueItem, programme: Programme, unit: Unit | None
    ) -> Reminder:
        copy = self._copy(asked, until, item)
        kinds = (offset.kind for offset in programme.offsets)
        others = {_id(self._keys, asked, kind) for kind in kinds} | set(put_off_ids(self._keys, asked))
        self._reminders.move(others - {copy.id}, _UNSENT, State.SUPERSEDED, reason=SNOOZED, unit=unit)
        self._reminders.plan(copy, unit)
        return copy

    def _copy(self, asked: Reminder, until: date, item: DueItem) -> Reminder:
        known = self._reminders.many(put_off_ids(self._keys, asked))
        for number in range(1, _TIMES + 1):
            kind = f"{_KIND}{number}"
            key = _key(self._keys, asked, kind)
            made = self._keys.copy_for(key, asked.recipient_id)
            if made not in known or known[made].state in (State.PLANNED, State.CANCELLED):
                anchor = item.anchor or until
                phase = Offset(kind, (until - anchor).days).phase
                return replace(
                    asked,
                    id=made,
                    key=key,
                    offset=kind,
                    phase=phase,
                    recommended=item.recommended or anchor,
                    session=item.session,
                    send_on=until,
                    state=State.PLANNED,
                    mark="",
                    reason="",
                )
        raise SnoozeRefused("too_often")
