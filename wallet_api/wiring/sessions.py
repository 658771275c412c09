"""Session days as planning asks for them: for every citizen of a commune, so kept in hand for a minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from notifications.sessions import SessionBook, SessionDays

_KEPT: Final = timedelta(seconds=60)
_MOST: Final = 5000  # communes; there are 3,321


class CachedSessions:
    """What a commune published, at most a minute old. What this process itself publishes is not waited for
    either: plans are made again on the day they are reviewed."""

    def __init__(self, book: SessionBook, now: Callable[[], datetime]) -> None:
        self._book, self._now = book, now
        self._known: dict[str, tuple[datetime, SessionDays | None]] = {}

    def __call__(self, commune: str) -> SessionDays | None:
        """The session days of a commune, or None."""
        now, known = self._now(), self._known.get(commune)
        if known is not None and timedelta(0) <= now - known[0] < _KEPT:
            return known[1]
        found = self._book.of(commune)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[commune] = now, found
        return found
