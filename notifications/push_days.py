"""Whose push a day is: given away once, whichever run asks and whenever the push then goes out."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import date
from typing import Protocol

from notifications.ports import Unit


class PushDays(Protocol):
    """The last day each person's one push was claimed for, and by what: a day is given away once."""

    def last(self, recipient_ids: Collection[str]) -> Mapping[str, tuple[date, str]]:
        """Day and claimer, by person; people never pushed to are absent."""
        ...

    def claim(
        self,
        day: date,
        by: str,
        seen: Mapping[str, tuple[date, str] | None],
        unit: Unit | None = None,
    ) -> frozenset[str]:
        """Give `day` to `by` for those whose last claim is still the one `seen`; return who they are."""
        ...


class MemoryPushDays:
    """PushDays in a dict under one lock."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[date, str]] = {}
        self._lock = threading.Lock()

    def last(self, recipient_ids: Collection[str]) -> Mapping[str, tuple[date, str]]:
        """See PushDays."""
        with self._lock:
            return {who: self._kept[who] for who in recipient_ids if who in self._kept}

    def claim(
        self,
        day: date,
        by: str,
        seen: Mapping[str, tuple[date, str] | None],
        unit: object | None = None,
    ) -> frozenset[str]:
        """See PushDays."""
        with self._lock:
            won = frozenset(who for who, last in seen.items() if self._kept.get(who) == last)
            self._kept |= dict.fromkeys(won, (day, by))
        return won
