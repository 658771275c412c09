"""What other rules would do: which reminders appear, vanish or move. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from notifications.model import DueItem
from notifications.reminders import SHARDS

Wanted = tuple[tuple[str, str, int], str]
"""A reminder's meaning for one citizen: the item's identity and the offset kind."""
Offsets = Mapping[str, Mapping[str, int]]
"""Days of each offset kind, by programme."""
Part = tuple[str, str]
"""Programme and series."""

_T95: Final = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13)
"""Student's t for 95 %, by degrees of freedom from 1; 2.13 serves for more, on the safe side."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Reminders that appear, vanish, or move to another day."""

    appear: int = 0
    vanish: int = 0
    move: int = 0

    def __add__(self, other: Effect) -> Effect:
        return Effect(self.appear + other.appear, self.vanish + other.vanish, self.move + other.move)


@dataclass(frozen=True, slots=True)
class Range:
    """An estimate for all shards with its 95 % range; all three are equal when every shard was counted."""

    low: int
    likely: int
    high: int


def reminders_to_come(items: Iterable[DueItem], offsets: Offsets, today: date) -> dict[Wanted, date]:
    """The reminders a plan still asks for, with their days: one that is owed now has today.

    Doses that wait for an earlier one ask for none yet.
    """
    found: dict[Wanted, date] = {}
    for item in (each.seen_on(today) for each in items):
        if not item.remindable or item.recommended is None:
            continue
        last = max((each.on for each in item.because.evidence), default=date.min)
        kinds = offsets.get(item.programme_id, {})
        reached = {kind: item.recommended + timedelta(days=wait) for kind, wait in kinds.items()}
        days = {kind: day for kind, day in reached.items() if day > last}
        owed = max((day for day in days.values() if day <= today), default=None)
        for kind, day in days.items():
            if day > today or day == owed:
                found[item.identity, kind] = max(day, today)
    return found


def effect_of(
    before: Mapping[Wanted, date], after: Mapping[Wanted, date], sent: Iterable[Wanted] = ()
) -> dict[Part, Effect]:
    """What differs, by programme and series. What was `sent` is never sent again, so it does not count."""
    gone = frozenset(sent)
    found: dict[Part, Effect] = {}
    for one in (before.keys() | after.keys()) - gone:
        was, is_now = before.get(one), after.get(one)
        if was == is_now:
            continue
        part = one[0][0], one[0][1]
        each = Effect(int(was is None), int(is_now is None), int(was is not None and is_now is not None))
        found[part] = found.get(part, Effect()) + each
    return found


def for_all(counts: Sequence[int], shards: int = SHARDS) -> Range:
    """What the counts of some shards say of all `shards`, which hash people evenly: a sample of clusters.

    Not exact means a 95 % range by Student's t with the correction for a finite number of shards, and
    never less than what was counted.
    """
    total, asked = sum(counts), len(counts)
    if asked >= shards:
        return Range(total, total, total)
    if asked < 2:
        raise ValueError("a range needs two shards")
    likely = total * shards / asked
    spread = statistics.stdev(counts) / math.sqrt(asked) * math.sqrt(1 - asked / shards) * shards
    wide = _T95[min(asked - 1, len(_T95)) - 1] * spread
    return Range(max(total, math.floor(likely - wide)), round(likely), math.ceil(likely + wide))
