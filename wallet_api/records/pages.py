"""Cursors of every list: sealed, for one reader and one question, and good for an hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from wallet_api.infra.crypto.cursors import CursorSealer
from wallet_api.records.windows import Viewer

CURSOR_LASTS = timedelta(hours=1)
LASTING = timedelta(days=3660)


def bound(listed: str, reader: Viewer, citizen_id: str, *asked: str) -> tuple[str, ...]:
    """What a cursor is good for: one list, one reader, one citizen, one question.

    The organisation is part of who reads: rosters name their practitioners themselves, so two of them may
    use one name.
    """
    return (listed, reader.kind, reader.organisation_id or "", reader.id, citizen_id, *asked)


class PageCursors:
    """Turns where a page ended into the text its reader brings back. `binding` comes from `bound`."""

    def __init__(self, sealer: CursorSealer, now: Callable[[], datetime]) -> None:
        self._sealer = sealer
        self._now = now

    def after(self, text: str | None, binding: tuple[str, ...]) -> dict[str, Any] | None:
        """Where the page before ended, or None at the first page.

        Raises:
            BadCursor: the cursor was not given to this reader for this list, or is too old.
        """
        return None if text is None else self._sealer.open(text, binding, self._now())

    def next(self, state: Mapping[str, Any], binding: tuple[str, ...]) -> str:
        """The cursor to what comes after `state`."""
        return self._sealer.seal(state, bound_to=binding, expires=self._now() + CURSOR_LASTS)

    def lasting(self, state: Mapping[str, Any], binding: tuple[str, ...]) -> str:
        """A cursor that tells itself how long it is good for, so that too old is not the same as forged."""
        return self._sealer.seal(state, bound_to=binding, expires=self._now() + LASTING)
