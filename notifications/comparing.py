"""Compares a stored plan with a fresh one: is it still true, and what would the rules of today change?"""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

from notifications.effects import Effect, Part, Wanted, effect_of, reminders_to_come
from notifications.planning import Planning
from notifications.ports import DueItems, DueRow, Reminders
from notifications.reminders import State, next_review

Verdict = Literal["drift", "stale"]
_NOT_SENT: Final = frozenset({State.PLANNED, State.QUEUED, State.DEFERRED, State.CANCELLED})


class Comparing:
    """Judges stored plans one by one. Writes nothing."""

    def __init__(self, planning: Planning, due: DueItems, reminders: Reminders) -> None:
        self._planning, self._due, self._reminders = planning, due, reminders

    def verdict(self, row: DueRow) -> Verdict | None:
        """None for a plan that is what it should be.

        stale: made by other rules than today's, or not at all yet. drift: it cannot be read, is not what
        the records gave on the day it was made, or would be looked at too late. What changed since is the
        business of an event, which would have made it anew.
        """
        if row.items is None:
            return "drift"
        if row.stamp is None or row.stamp.rules != self._planning.rules:
            return "stale"
        fresh = self._planning.forecast(row.citizen_id, row.stamp.on)
        if fresh != row.items:
            return "drift"
        look = next_review(fresh, row.stamp.on, self._planning.programmes)
        late = look is not None and (row.review_on is None or row.review_on > look)
        return "drift" if late else None

    def settled(self, row: DueRow) -> Verdict | None:
        """The verdict, and if it is a bad one, that of the plan as it is stored by now: an event may have
        come between reading the plan and reading the records."""
        found = self.verdict(row)
        if found is None:
            return None
        again = self._due.row(row.citizen_id)
        if again is None:
            return None
        return found if again == row else self.verdict(again)

    def effect(self, row: DueRow, today: date) -> dict[Part, Effect]:
        """What replanning this citizen by the rules of today would do to the reminders still to come."""
        now = self._planning.stamp(today).offsets
        before = row.stamp.offsets if row.stamp is not None else now
        old = reminders_to_come(row.items or (), before, today)
        new = reminders_to_come(self._planning.forecast(row.citizen_id, today), now, today)
        if old == new:
            return {}
        return effect_of(old, new, self._sent(row.citizen_id, {*old, *new}))

    def _sent(self, citizen_id: str, wanted: set[Wanted]) -> set[Wanted]:
        gone = (each for each in self._reminders.of_citizen(citizen_id) if each.state not in _NOT_SENT)
        sent = {((each.programme_id, each.series_id, each.dose), each.offset) for each in gone}
        return sent & wanted
