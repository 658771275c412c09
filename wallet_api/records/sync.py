"""A person's copy of a book, page by page: decided, read and logged like any other look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wallet_api.audit.log import AccessLog
from wallet_api.audit.model import Action
from wallet_api.records.changes import Change, ChangePage, ChangingBook, Held, Part, next_page
from wallet_api.records.errors import ResyncRequired
from wallet_api.records.pages import PageCursors, bound
from wallet_api.records.windows import Window, log_look


@dataclass(frozen=True)
class SyncPage:
    """Changes, the cursor that follows them, and whether there is more to fetch at once."""

    changes: list[Change]
    next_since: str
    more: bool


class BookSync:
    """One person's window on what changed. What it hands over is already in the access log."""

    def __init__(
        self,
        window: Window,
        book: ChangingBook,
        cursors: PageCursors,
        log: AccessLog,
        now: Callable[[], datetime],
        kept: timedelta,
    ) -> None:
        self._window = window
        self._book = book
        self._cursors = cursors
        self._access_log = log
        self._now = now
        self._kept = kept

    def page(self, since: str | None, basis: str, limit: int) -> SyncPage:
        """What changed since a cursor, or the beginning of the whole book. `basis` names what the viewer
        reads by, a guardianship say: under another one the copy begins anew.

        A page that hands nothing over is no look, and leaves no line in the log: phones ask all day.

        Raises:
            BadCursor: the cursor was not given to this viewer for this book.
            ResyncRequired: it is too old, or what it was given for cannot be told in changes.
            LogUnavailable: the look could not be logged; nothing is shown.
        """
        held = self._held(since, basis)
        page = next_page(self._book, self._window.citizen_id, self._window.predicate, held, limit)
        if page.changes:
            shown = [each.record for each in page.changes if each.record is not None]
            log_look(self._access_log, self._window, Action.RECORD_SEARCHED, self._now(), shown)
        return SyncPage(page.changes, self._next(page, basis), page.more)

    def _held(self, since: str | None, basis: str) -> Held:
        state = self._cursors.after(since, self._binding)
        if state is None:
            return ()
        if self._now().timestamp() >= float(state["until"]) or state["by"] != self._by(basis):
            raise ResyncRequired("since")
        return tuple(Part(str(upto), str(mark)) for upto, mark in state["held"])

    def _next(self, page: ChangePage, basis: str) -> str:
        # Always as many characters where the copy is whole: how long a cursor is must tell nothing.
        until = f"{(self._now() + self._kept).timestamp():.3f}"
        state: dict[str, Any] = {"held": [list(each) for each in page.held]}
        return self._cursors.lasting(state | {"until": until, "by": self._by(basis)}, self._binding)

    def _by(self, basis: str) -> list[str]:
        """What a copy is good for: one reason to read, and one rule of what is hidden."""
        books = ",".join(self._window.others)
        return [self._window.decision.reason, basis, books, *sorted(self._window.predicate.audiences)]

    @property
    def _binding(self) -> tuple[str, ...]:
        return bound("changes", self._window.viewer, self._window.citizen_id)
