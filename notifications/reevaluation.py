"""Every night some stored plans are made again and compared: they must be what was stored.

A plan is stored with the event that changes it, so a difference (drift) is a fault of ours, or of whoever
wrote into the records past us. It is counted, told and mended. Plans by other rules than today's are no
drift: a rebuild has passed them by (an older worker wrote them meanwhile), and they are mended as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final

from notifications.comparing import Comparing
from notifications.days import VN, vn_day
from notifications.planning import Planning
from notifications.ports import DueRow, Now
from notifications.reminders import SHARDS
from notifications.walks import FAILED, PAGE, ROWS, Cursor, Walker, Walks

FROM, UNTIL = time(1), time(5)
"""The night in Vietnam: after the day was planned, before the first reminders go out."""
DRIFT: Final = "drift"
STALE: Final = "stale"
_LOST: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Night:
    """What the check of one night found. `checked`: plans looked at; `drift` must be 0."""

    day: date
    shard: int
    done: bool
    checked: int
    drift: int
    stale: int
    failed: int


class Reevaluation:
    """Checks one shard of 64 a night, each in its turn. Two workers at once check it once."""

    def __init__(
        self,
        planning: Planning,
        comparing: Comparing,
        walker: Walker,
        walks: Walks,
        tell: Callable[[Night], None],
        now: Now,
    ) -> None:
        self._planning, self._comparing = planning, comparing
        self._walker, self._walks, self._tell, self._now = walker, walks, tell, now

    def step(self, page: int = PAGE) -> int:
        """Check one page of tonight's shard; how many plans that were. 0 by day, and when it is done.

        What the whole night found is told once, by whoever does its last page.
        """
        now = self._now()
        if not FROM <= now.astimezone(VN).time() < UNTIL:
            return 0
        day = vn_day(now)
        walk, shard = _walk(day), shard_of_night(day)
        self._walks.open(walk, [shard])
        cursor = self._walker.step(walk, shard, self._check, page)
        if cursor is None:
            return 0
        if cursor.done:
            self._tell(_night(day, cursor))
        return max(1, cursor.counts.get(ROWS, 0))

    def last(self) -> Night | None:
        """The newest night of the last two that was begun."""
        today = vn_day(self._now())
        for day in (today, today - _LOST):
            for cursor in self._walks.of(_walk(day)):
                return _night(day, cursor)
        return None

    def _check(self, row: DueRow) -> Mapping[str, int]:
        found = self._comparing.settled(row)
        if found is None:
            return {}
        self._planning.replan(row.citizen_id)
        return {found: 1}


def shard_of_night(day: date) -> int:
    """Whose turn it is: all shards in 64 nights."""
    return day.toordinal() % SHARDS


def _walk(day: date) -> str:
    return f"night/{day.isoformat()}"


def _night(day: date, cursor: Cursor) -> Night:
    counts = cursor.counts
    figures = (counts.get(name, 0) for name in (ROWS, DRIFT, STALE, FAILED))
    return Night(day, cursor.shard, cursor.done, *figures)
